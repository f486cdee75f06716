package order

import (
	"slices"
	"strconv"

	"halcyon/models"
	"halcyon/pkg/catalog"
	"halcyon/pkg/fault"
)

// This file says what orders ask that come from no blueprint. Paths begin at the item.
// The questions have no labels: faces have words of their own for them.

// ProvQuestions returns what is asked of servers without a blueprint.
func ProvQuestions(s *catalog.Setting) []catalog.Question {
	env := fault.Member("environment")
	build := catalog.Question{
		Path: fault.Member("os-build"), Type: catalog.AskOSBuild, Required: true,
		Choices: catalog.OSBuildChoices(s.Builds), DependsOn: []fault.Path{env},
	}
	if len(build.Choices) > 0 {
		build.Default = build.Choices[0].Value
	}
	list := []catalog.Question{
		{Path: env, Type: catalog.AskEnvironment, Required: true, Default: s.Environment.String(), Choices: s.Environments()},
		build,
		{Path: fault.Member("hostname"), Type: catalog.AskHostname, MaxLength: catalog.MaxHostname},
		{Path: fault.Member("quantity"), Type: catalog.AskInteger, Default: "1", Min: new(int64(1)), Max: new(int64(catalog.MaxQuantity))},
	}
	for _, in := range provInputs {
		if models.InputKey(in.Name) != models.KeyOSBuild { // asked above
			list = append(list, unlabelled(&in, s, true))
		}
	}
	return list
}

// ModQuestions returns what is asked of a change of any server.
func ModQuestions(s *catalog.Setting) []catalog.Question {
	list := make([]catalog.Question, len(modInputs))
	for i := range modInputs {
		list[i] = unlabelled(&modInputs[i], s, false)
	}
	return list
}

// ModQuestionsOf returns what is asked of a change of the server, whose environment
// has the sizes of the setting. It leaves out what would change nothing.
func ModQuestionsOf(sv *models.Server, s *catalog.Setting) []catalog.Question {
	other := *s
	other.Sizes = slices.DeleteFunc(slices.Clone(s.Sizes), func(x models.Size) bool { return x.CPUs == sv.CPUs && x.MemoryMB == sv.MemoryMB })
	var list []catalog.Question
	for _, q := range ModQuestions(&other) {
		switch models.InputKey(q.Path.Last().Name) {
		case models.KeyCPUCnt:
			q.Fallback = strconv.Itoa(sv.CPUs)
		case models.KeyMemSize:
			q.Fallback = models.FormatMemory(sv.MemoryMB)
		case keyDiskSize:
			if len(sv.Disks) == 0 {
				continue
			}
			least := int64(0)
			for _, d := range sv.Disks {
				least = max(least, int64(d.SizeGB)+1)
			}
			q.Min = &least
		}
		list = append(list, q)
	}
	if len(sv.Disks) < 2 { // the only one is meant
		return list
	}
	disk := catalog.Question{Path: fault.Member("disk-uuid"), Type: catalog.AskText}
	for _, d := range sv.Disks {
		disk.Choices = append(disk.Choices, catalog.Choice{Value: d.UUID, Name: d.Name + " (" + strconv.Itoa(d.SizeGB) + " GB)"})
	}
	return append(list, disk)
}

// ScaleQuestions returns what is asked of the scaling of a service with these tiers: the
// tier and its new number of servers. There has to be a tier. The default number is one
// that changes the first tier.
func ScaleQuestions(tiers []Tier) []catalog.Question {
	tier := catalog.Question{Path: fault.Member("tier"), Type: catalog.AskText, Required: true, Default: tiers[0].Name}
	for _, t := range tiers {
		tier.Choices = append(tier.Choices, catalog.Choice{Value: t.Name, Name: t.Name + " (" + strconv.Itoa(t.Quantity) + ")"})
	}
	other := tiers[0].Quantity + 1
	if other > catalog.MaxQuantity {
		other = tiers[0].Quantity - 1
	}
	return []catalog.Question{tier, {
		Path: fault.Member("quantity"), Type: catalog.AskInteger, Required: true, Default: strconv.Itoa(other),
		Min: new(int64(1)), Max: new(int64(catalog.MaxQuantity)),
	}}
}

// keyDiskSize is the parameter of a change that makes a disk larger, in GB.
const keyDiskSize = "disk_size"

func unlabelled(in *models.Input, s *catalog.Setting, needsSize bool) catalog.Question {
	q := catalog.InputQuestion(in, s, needsSize)
	q.Label = ""
	return q
}
