package order

import (
	"context"
	"slices"
	"strconv"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/catalog"
	"halcyon/pkg/fault"
	"halcyon/pkg/query"
	"halcyon/pkg/server"
)

// This file returns the questions of orders that do not come from a blueprint. Paths start at the item. The
// questions have no labels: each face has its own wording.

// ProvQuestions returns the questions of servers without a blueprint.
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
	for i := range s.Places {
		list = append(list, catalog.PlacementQuestion(&s.Places[i], s, nil))
	}
	return list
}

// modQuestions returns the questions of a change of any server.
func modQuestions(s *catalog.Setting) []catalog.Question {
	list := make([]catalog.Question, len(modInputs))
	for i := range modInputs {
		list[i] = unlabelled(&modInputs[i], s, false)
	}
	return list
}

// ModQuestionsOf returns the questions of a change of the server, with the sizes of its environment in the
// setting. It leaves out choices that change nothing.
func ModQuestionsOf(sv *models.Server, s *catalog.Setting) []catalog.Question {
	other := *s
	other.Sizes = slices.DeleteFunc(slices.Clone(s.Sizes), func(x models.Size) bool { return x.CPUs == sv.CPUs && x.MemoryMB == sv.MemoryMB })
	var list []catalog.Question
	for _, q := range modQuestions(&other) {
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
	if len(sv.Disks) < 2 { // the only one is the default
		return list
	}
	disk := catalog.Question{Path: fault.Member("disk-uuid"), Type: catalog.AskText}
	for _, d := range sv.Disks {
		disk.Choices = append(disk.Choices, catalog.Choice{Value: d.UUID, Name: d.Name + " (" + strconv.Itoa(d.SizeGB) + " GB)"})
	}
	return append(list, disk)
}

// ScaleQuestions returns the questions of scaling a service with these tiers: the tier and its new number
// of servers. There must be a tier. The default number is one that changes the first tier.
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

// DeployStart is the start of a new deploy item of a cart: the questions that precede those of the chosen
// blueprint, and the default of each.
type DeployStart struct {
	Blueprint *models.Blueprint // the default one, with its build items and inputs
	Setting   *catalog.Setting  // possible choices of its order
	Questions []catalog.Question
}

// CartDeployQuestions returns the questions for a new deploy item of the cart, nil if the actor can order
// no blueprint for the cart's group.
func (s *Service) CartDeployQuestions(ctx context.Context, a access.Actor, o *models.Order) (*DeployStart, error) {
	blueprints, offers, err := s.blueprintChoices(ctx, a, o)
	if err != nil || len(blueprints) == 0 {
		return nil, err
	}
	first := blueprints[0].Value
	var start DeployStart
	if start.Blueprint, err = s.catalog.Blueprints.Find(ctx, a, first); err != nil {
		return nil, err
	}
	if start.Setting, err = s.catalog.Begin(ctx, offers, 0, 0); err != nil {
		return nil, err
	}
	start.Questions = []catalog.Question{
		{Path: fault.Member("blueprint"), Type: catalog.AskBlueprint, Required: true, Default: first, Choices: blueprints},
		{Path: fault.Member("environment"), Type: catalog.AskEnvironment, Default: start.Setting.Environment.String(), Choices: start.Setting.Environments()},
		{Path: fault.Member("name"), Type: catalog.AskText, MaxLength: models.MaxName},
	}
	return &start, nil
}

// maxBlueprints is the maximum number of blueprints to choose from in a cart.
const maxBlueprints = 100

// blueprintChoices returns the active blueprints that the actor can order for the cart's
// group, or for any group while the cart has none, by id. The offers are those of the
// first one.
func (s *Service) blueprintChoices(ctx context.Context, a access.Actor, o *models.Order) ([]catalog.Choice, []catalog.Offer, error) {
	active := access.Where{SQL: query.Root + ".state = ?", Args: []any{string(models.BlueprintActive)}}
	page, err := s.catalog.Blueprints.List(ctx, a, query.Query{Size: maxBlueprints}, query.Base(active), query.Total(0))
	if err != nil {
		return nil, nil, err
	}
	var list []catalog.Choice
	var first []catalog.Offer
	for _, b := range page.Rows {
		offers, err := s.catalog.Offers(ctx, a, b)
		if err != nil {
			return nil, nil, err
		}
		i := slices.IndexFunc(offers, func(x catalog.Offer) bool { return o.GroupID == 0 || x.Group == o.GroupID })
		if i < 0 {
			continue
		}
		if list = append(list, catalog.Choice{Value: b.ID.String(), Name: b.Name}); first == nil {
			first = offers[i : i+1]
		}
	}
	return list, first, nil
}

// CartModQuestions returns the questions of a cart for a new change of a server, nil if the actor can add
// none. It leaves out the disks, which depend on the server.
func (s *Service) CartModQuestions(ctx context.Context, a access.Actor, o *models.Order) ([]catalog.Question, error) {
	servers, err := s.serverChoices(ctx, a, o, server.CanModify)
	if err != nil || len(servers) == 0 {
		return nil, err
	}
	list := []catalog.Question{{Path: fault.Member("server"), Type: catalog.AskServer, Required: true, Choices: servers}}
	for _, q := range modQuestions(&catalog.Setting{}) {
		if models.InputKey(q.Path.Last().Name) != keyDiskSize {
			list = append(list, q)
		}
	}
	return list, nil
}

// CartDecomQuestions returns the questions of a cart for a new removal of servers, nil if the actor can add
// none.
func (s *Service) CartDecomQuestions(ctx context.Context, a access.Actor, o *models.Order) ([]catalog.Question, error) {
	servers, err := s.serverChoices(ctx, a, o, server.CanDecom)
	if err != nil || len(servers) == 0 {
		return nil, err
	}
	return []catalog.Question{{Path: fault.Member("servers"), Type: catalog.AskServer, Required: true, Multiple: true, Choices: servers}}, nil
}

// mostServers is the maximum number of servers to choose from in a cart.
const mostServers = 100

// serverChoices returns the servers for a new item of the cart: those of its group, if it has one, that the
// guard allows and that no item refers to yet.
func (s *Service) serverChoices(ctx context.Context, a access.Actor, o *models.Order, can func(access.Actor, *models.Server) error) ([]catalog.Choice, error) {
	w := access.Where{SQL: query.Root + ".status = ?", Args: []any{string(models.ServerActive)}}
	if o.GroupID != 0 {
		w = access.And(w, access.In(query.Root+".group_id", []models.ID{o.GroupID}))
	}
	page, err := query.List[models.Server](s.store.Read(ctx), server.Servers, a, query.Query{Size: mostServers}, query.Base(w), query.Total(0))
	if err != nil {
		return nil, err
	}
	var list []catalog.Choice
	for _, sv := range page.Rows {
		if can(a, sv) == nil && CanOrderFor(a, sv.GroupID) == nil && !isAbout(o, sv) {
			list = append(list, catalog.Choice{Value: sv.ID.String(), Name: sv.Hostname})
		}
	}
	return list, nil
}

// isAbout reports whether an item of the cart changes or removes the server.
func isAbout(o *models.Order, sv *models.Server) bool {
	return slices.ContainsFunc(o.Items, func(it models.OrderItem) bool {
		return it.Mod != nil && it.Mod.ServerID == sv.ID ||
			it.Decom != nil && (slices.Contains(it.Decom.ServerIDs, sv.ID) || sv.ServiceID != 0 && slices.Contains(it.Decom.ServiceIDs, sv.ServiceID))
	})
}

// keyDiskSize is the parameter of a change that makes a disk larger, in GB.
const keyDiskSize = "disk_size"

func unlabelled(in *models.Input, s *catalog.Setting, needsSize bool) catalog.Question {
	q := catalog.InputQuestion(in, s, needsSize)
	q.Label = ""
	return q
}
