package catalog

import (
	"context"
	"slices"
	"strconv"

	"halcyon/models"
	"halcyon/pkg/fault"
)

// This file returns the questions of a blueprint to a person who orders it: the fields, their bounds and
// defaults, and the choices. Faces render them under their own names.

// QuestionType is the type of the answer to a question.
type QuestionType string

// The types of questions: those of inputs, and those of every order.
const (
	AskText                     = QuestionType(models.InputText)
	AskInteger                  = QuestionType(models.InputInteger)
	AskBoolean                  = QuestionType(models.InputBoolean)
	AskDate                     = QuestionType(models.InputDate)
	AskMemory                   = QuestionType(models.InputMemory)
	AskOSBuild                  = QuestionType(models.InputOSBuild)
	AskSize                     = QuestionType(models.InputSize)
	AskGroup       QuestionType = "group"
	AskEnvironment QuestionType = "environment"
	AskHostname    QuestionType = "host-name"
	AskServer      QuestionType = "server"
	AskBlueprint   QuestionType = "blueprint"
)

// Question is one value that an order can set. Its path starts at the order's item, and is also the path of
// errors about the answer.
type Question struct {
	Path      fault.Path
	Type      QuestionType
	Label     string // as in the blueprint; "" if faces have their own label
	Required  bool
	Multiple  bool // the answer is a list of choices
	Default   string
	Fallback  string // name of the default; "" if that depends on other answers
	Min, Max  *int64 // of a number, or of MB of memory; nil: no bound
	Earliest  string // of a date, such as 2027-01-31; "": today
	Latest    string // of a date; "": no bound
	MaxLength int    // in characters; 0: no bound
	Pattern   string // regular expression that must match a text; "": any text
	Choices   []Choice
	DependsOn []fault.Path // paths of the questions with answers that limit the choices
}

// Choice is one possible answer.
type Choice struct {
	Value string       // the answer: an id, the name of a size, or a text
	Name  string       // for people; "" for groups and environments, and if Value is readable
	Size  *models.Size // of choices of a size
	For   []models.ID  // the groups that can choose it; nil for all
}

// Setting holds the possible choices of an order and its initial choices. The sizes and OS builds are those
// that fit the environment.
type Setting struct {
	Offers      []Offer
	Group       models.ID
	Environment models.ID
	Sizes       []models.Size
	Builds      []models.OSBuild
	Places      []models.Input // parameters that choose a server's location
}

// Begin returns the setting for the group and the environment; group 0 means any. If the offers do not
// contain them, it uses the first group and its first environment. There must be at least one offer.
func (c *Service) Begin(ctx context.Context, offers []Offer, group, environment models.ID) (*Setting, error) {
	s := &Setting{Offers: offers}
	at := max(0, slices.IndexFunc(offers, func(o Offer) bool { return o.Group == group }))
	s.Group, s.Environment = offers[at].Group, offers[at].Environments[0]
	if (group == 0 || s.Group == group) && slices.Contains(offers[at].Environments, environment) {
		s.Environment = environment
	}
	var err error
	if s.Sizes, s.Builds, err = c.Fitting(ctx, s.Environment); err != nil {
		return nil, err
	}
	s.Places, err = c.placementInputs(ctx, s.Environment)
	return s, err
}

// EnvironmentOf returns the default environment of a build item if the setting's group
// can order into it, 0 otherwise.
func (s *Setting) EnvironmentOf(it *models.BlueprintItem) models.ID {
	i := slices.IndexFunc(s.Offers, func(o Offer) bool { return o.Group == s.Group })
	if i < 0 || !slices.Contains(s.Offers[i].Environments, it.EnvironmentID) {
		return 0
	}
	return it.EnvironmentID
}

// DefaultEnvironment returns the first default environment of a blueprint's build items, 0 if they have
// none.
func DefaultEnvironment(b *models.Blueprint) models.ID {
	for _, it := range b.Tiers() {
		if it.EnvironmentID != 0 {
			return it.EnvironmentID
		}
	}
	return 0
}

// differ reports whether the build items have default environments that are not all the same.
func (s *Setting) differ(b *models.Blueprint) bool {
	tiers := b.Tiers()
	for i := range tiers {
		id := s.EnvironmentOf(&tiers[i])
		if id == 0 {
			return false
		}
		if id != s.EnvironmentOf(&tiers[0]) {
			return true
		}
	}
	return false
}

// Groups returns the groups of the offers.
func (s *Setting) Groups() []models.ID {
	ids := make([]models.ID, len(s.Offers))
	for i, o := range s.Offers {
		ids[i] = o.Group
	}
	return ids
}

// Environments returns the environments of the offers as choices, each once.
func (s *Setting) Environments() []Choice {
	var ids []models.ID
	groups := map[models.ID][]models.ID{}
	for _, o := range s.Offers {
		for _, id := range o.Environments {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
			groups[id] = append(groups[id], o.Group)
		}
	}
	list := make([]Choice, len(ids))
	for i, id := range ids {
		list[i].Value = id.String()
		if len(groups[id]) < len(s.Offers) {
			list[i].For = groups[id]
		}
	}
	return list
}

// Questions returns the questions of the blueprint: the group and environment of the service, its name, the
// properties of each build item, and the blueprint's inputs.
func Questions(b *models.Blueprint, s *Setting) []Question {
	group := fault.Member("group")
	env := Question{
		Path: fault.Member("environment"), Type: AskEnvironment, Required: true, Default: s.Environment.String(),
		Choices: s.Environments(), DependsOn: []fault.Path{group},
	}
	if s.differ(b) { // one answer for all would override the defaults
		env.Required, env.Default = false, ""
	}
	list := []Question{
		{Path: group, Type: AskGroup, Required: true, Default: s.Group.String(), Choices: choices(s.Groups())},
		env,
		{Path: fault.Member("name"), Type: AskText, MaxLength: models.MaxName, Fallback: b.Name},
	}
	for i := range b.Items {
		if it := &b.Items[i]; it.IsAction() {
			list = append(list, actionQuestions(b, it, s)...)
		} else {
			list = append(list, buildItemQuestions(b, it, s)...)
		}
	}
	for i := range b.Inputs {
		in := &b.Inputs[i]
		q := InputQuestion(in, s, needs(b, in))
		if q.Type == AskOSBuild && !q.Required && q.Default == "" {
			q.Fallback = usualBuild(b, s.Builds)
		}
		if q.Type == AskSize && !q.Required && q.Default == "" && models.InputKey(q.Path.Last().Name) == models.KeyVMSize {
			q.Fallback = usualSize(b, s.Sizes)
		}
		q.Required = q.Required || q.Default == "" && neededByAction(b, in.Name)
		list = append(list, q)
	}
	return list
}

// MaxHostname is the maximum length of a host name in characters (RFC 1123).
const MaxHostname = 253

// actionQuestions returns the questions of an action's run: its inputs, without those that an input of the
// blueprint asks for. The build item's parameters are the defaults.
func actionQuestions(b *models.Blueprint, it *models.BlueprintItem, s *Setting) []Question {
	var list []Question
	for _, in := range it.ActionInputs() {
		if _, asked := b.Input(in.Name); asked {
			continue
		}
		q := InputQuestion(&in, s, false)
		q.Path = fault.BuildItem(it.Name).Parameter(in.Name)
		if v, has := models.ParamValue(it.Parameters, in.Name); has {
			q.Default = v
		}
		list = append(list, q)
	}
	return list
}

// neededByAction reports whether the order must set the input of that name because an action of the
// blueprint requires it and has no value for it.
func neededByAction(b *models.Blueprint, name string) bool {
	for i := range b.Items {
		it := &b.Items[i]
		for _, in := range it.ActionInputs() {
			_, has := models.ParamValue(it.Parameters, in.Name)
			if models.InputKey(in.Name) == models.InputKey(name) && in.Required && in.Default == "" && !has {
				return true
			}
		}
	}
	return false
}

// buildItemQuestions returns the questions of a tier of servers. A single tier uses the environment of the
// order.
func buildItemQuestions(b *models.Blueprint, it *models.BlueprintItem, s *Setting) []Question {
	at := fault.BuildItem(it.Name)
	var list []Question
	if len(b.Tiers()) > 1 {
		q := Question{Path: at.Member("environment"), Type: AskEnvironment, Choices: s.Environments(), DependsOn: []fault.Path{fault.Member("group")}}
		if s.differ(b) {
			q.Default = s.EnvironmentOf(it).String()
		}
		list = append(list, q)
	}
	list = append(list, Question{
		Path: at.Member("quantity"), Type: AskInteger, Default: strconv.Itoa(it.Quantity), Min: new(int64(1)), Max: new(int64(MaxQuantity)),
	})
	if !InputTakesPlace(b, "hostname") {
		list = append(list, Question{Path: at.Member("hostname"), Type: AskHostname, MaxLength: MaxHostname})
	}
	if !InputTakesPlace(b, "os-build") {
		list = append(list, buildQuestion(it, s, at))
	}
	if _, has := b.Input(models.KeyVMSize); !has {
		list = append(list, sizeQuestion(it, s, at))
	}
	for i := range s.Places {
		in := &s.Places[i]
		if _, has := b.Input(in.Name); has {
			continue
		}
		q := PlacementQuestion(in, s, at)
		if v, has := models.ParamValue(it.Parameters, in.Name); has {
			if v, err := in.ParsePlacement(v); err == nil {
				q.Default = v
			}
		}
		list = append(list, q)
	}
	return list
}

// PlacementQuestion returns the question of a parameter that chooses a server's location.
func PlacementQuestion(in *models.Input, s *Setting, at fault.Path) Question {
	q := InputQuestion(in, s, false)
	q.Path, q.DependsOn = at.Parameter(in.Name), []fault.Path{fault.Member("environment")}
	return q
}

func buildQuestion(it *models.BlueprintItem, s *Setting, at fault.Path) Question {
	q := Question{
		Path: at.Member("os-build"), Type: AskOSBuild, Required: it.Build() == 0,
		Choices: OSBuildChoices(s.Builds), DependsOn: []fault.Path{fault.Member("environment")},
	}
	if slices.ContainsFunc(s.Builds, func(x models.OSBuild) bool { return x.ID == it.Build() }) {
		q.Default = it.Build().String()
	}
	return q
}

// sizeQuestion returns the question of a build item's size, if no input of the blueprint asks for it.
func sizeQuestion(it *models.BlueprintItem, s *Setting, at fault.Path) Question {
	q := Question{
		Path: at.Parameter("vm-size"), Type: AskSize, Required: !it.HasSize(),
		Choices: sizes(s.Sizes, nil), DependsOn: []fault.Path{fault.Member("environment")},
	}
	for i := range s.Sizes {
		if x := &s.Sizes[i]; x.Name == it.SizeName() || it.SizeName() == "" && !it.HasAmounts() && it.SizeID != 0 && x.ID == it.SizeID {
			q.Default = x.Name
		}
	}
	return q
}

// InputTakesPlace reports whether an input of the blueprint replaces the question of that name of its only
// tier of servers.
func InputTakesPlace(b *models.Blueprint, what string) bool {
	_, has := b.Input(what)
	return has && len(b.Tiers()) == 1
}

// needs reports whether the order must set the input because a tier has no value for it.
func needs(b *models.Blueprint, in *models.Input) bool {
	tiers := b.Tiers()
	return slices.ContainsFunc(tiers, func(it models.BlueprintItem) bool {
		switch models.InputKey(in.Name) {
		case models.KeyVMSize:
			return !it.HasSize()
		case models.KeyOSBuild:
			return it.Build() == 0 && len(tiers) == 1 // several tiers have questions of their own
		}
		return false
	})
}

// InputQuestion returns the question of an input. needed makes the size and the OS build required, for
// servers that have none otherwise.
func InputQuestion(in *models.Input, s *Setting, needed bool) Question {
	q := Question{
		Path: fault.Parameter(in.Name), Type: QuestionType(in.Type), Label: in.Label, Required: in.Required, Default: in.Default,
		Min: in.Minimum, Max: in.Maximum,
	}
	if q.Label == "" {
		q.Label = in.Name
	}
	for _, x := range in.Options {
		q.Choices = append(q.Choices, Choice{Value: x})
	}
	switch in.Type {
	case models.InputText:
		q.MaxLength, q.Pattern = models.MaxInput, in.Pattern
	case models.InputOSBuild:
		if len(q.Choices) == 0 {
			q.Choices, q.DependsOn = OSBuildChoices(s.Builds), []fault.Path{fault.Member("environment")}
		}
		q.Required = in.Required || needed && in.Default == "" && models.InputKey(in.Name) == models.KeyOSBuild
	case models.InputSize:
		q.Choices, q.DependsOn = sizes(s.Sizes, in.Options), []fault.Path{fault.Member("environment")}
		q.Required = in.Required || needed && in.Default == "" && models.InputKey(in.Name) == models.KeyVMSize
	case models.InputInteger, models.InputBoolean, models.InputDate, models.InputMemory:
	}
	return q
}

// usualBuild returns the name of the OS build of a blueprint's servers if an order chooses none, "" if it
// is not the same for all.
func usualBuild(b *models.Blueprint, fitting []models.OSBuild) string {
	for i := range fitting {
		other := func(it models.BlueprintItem) bool { return it.Build() != fitting[i].ID }
		if tiers := b.Tiers(); len(tiers) > 0 && !slices.ContainsFunc(tiers, other) {
			return fitting[i].Name
		}
	}
	return ""
}

// usualSize returns the name of the default size of a blueprint's servers, "" if it is not the same for
// all.
func usualSize(b *models.Blueprint, fitting []models.Size) string {
	for i := range fitting {
		other := func(it models.BlueprintItem) bool { return it.SizeID != fitting[i].ID || len(it.Parameters) > 0 }
		if tiers := b.Tiers(); len(tiers) > 0 && !slices.ContainsFunc(tiers, other) {
			return fitting[i].Name
		}
	}
	return ""
}

func choices(ids []models.ID) []Choice {
	list := make([]Choice, len(ids))
	for i, id := range ids {
		list[i].Value = id.String()
	}
	return list
}

// OSBuildChoices returns OS builds as choices.
func OSBuildChoices(fitting []models.OSBuild) []Choice {
	list := make([]Choice, len(fitting))
	for i, x := range fitting {
		list[i] = Choice{Value: x.ID.String(), Name: x.Name}
	}
	return list
}

// sizes returns the fitting sizes named by the options, or all without options.
func sizes(fitting []models.Size, options []string) []Choice {
	var list []Choice
	for i := range fitting {
		if x := &fitting[i]; len(options) == 0 || slices.Contains(options, x.Name) {
			list = append(list, Choice{Value: x.Name, Name: x.Name, Size: x})
		}
	}
	return list
}
