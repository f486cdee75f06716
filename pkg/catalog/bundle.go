package catalog

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/bundle"
	"halcyon/pkg/fault"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
)

// blueprintFile is an exported blueprint. All references are names. Groups are paths of names from the top,
// because a group's name is unique only below its parent.
type blueprintFile struct {
	Name        string                `json:"name"`
	Description string                `json:"description,omitempty"`
	State       models.BlueprintState `json:"state"`
	Group       []string              `json:"group,omitempty"`
	Groups      [][]string            `json:"groups,omitempty"`
	BuildItems  []buildItemFile       `json:"build-items"`
	Inputs      []models.Input        `json:"inputs"`
}

type buildItemFile struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Quantity int    `json:"quantity"`
	OSBuild  string `json:"os-build,omitempty"`
	Size     string `json:"perf-type,omitempty"`
	Action   string `json:"action,omitempty"`
	Hostname string `json:"hostname,omitempty"`

	Environment string         `json:"environment,omitempty"`
	Parameters  []models.Param `json:"parameters,omitempty"`
}

// ExportBlueprint returns a blueprint as a file for another installation. It is for callers who may change
// the blueprint, since the file shows the whole definition.
func (c *Service) ExportBlueprint(ctx context.Context, a access.Actor, ref string) (bundle.Manifest, error) {
	b, err := c.Blueprints.Find(ctx, a, ref)
	if err != nil {
		return bundle.Manifest{}, err
	}
	if err := c.Blueprints.CanUpdate(a, b); err != nil {
		return bundle.Manifest{}, err
	}
	n := namer{tx: c.store.Read(ctx)}
	file := blueprintFile{
		Name: b.Name, Description: b.Description, State: b.State,
		Group: n.group(b.GroupID), BuildItems: []buildItemFile{}, Inputs: []models.Input{},
	}
	for _, id := range b.GroupIDs {
		file.Groups = append(file.Groups, n.group(id))
	}
	for _, it := range b.Items {
		file.BuildItems = append(file.BuildItems, buildItemFile{
			Name: it.Name, Type: it.Type, Quantity: it.Quantity, Hostname: it.Hostname,
			OSBuild: n.of("os_builds", it.OSBuildID), Size: n.of("sizes", it.SizeID), Environment: n.of("environments", it.EnvironmentID),
			Action: n.of("actions", it.ActionID), Parameters: c.parametersByName(n.tx, a, b, &it),
		})
	}
	for _, in := range b.Inputs {
		if in.Type == models.InputOSBuild {
			in.Default = c.buildName(n.tx, a, in.Default)
			in.Options = slices.Clone(in.Options)
			for i, o := range in.Options {
				in.Options[i] = c.buildName(n.tx, a, o)
			}
		}
		file.Inputs = append(file.Inputs, in)
	}
	if n.err != nil {
		return bundle.Manifest{}, n.err
	}
	return bundle.Manifest{Kind: models.ObjectBlueprint, Name: b.Name, Content: file}, nil
}

// parametersByName returns default parameters with names of OS builds instead of ids.
func (c *Service) parametersByName(tx *store.Tx, a access.Actor, b *models.Blueprint, it *models.BlueprintItem) []models.Param {
	inputs, out := b.ServerInputs(), slices.Clone(it.Parameters)
	if it.IsAction() { // its inputs do not refer to OS builds
		return out
	}
	for i, x := range out {
		if k := slices.IndexFunc(inputs, func(in models.Input) bool { return in.Name == x.Name }); k >= 0 && inputs[k].Type == models.InputOSBuild {
			out[i].Value = c.buildName(tx, a, x.Value)
		}
	}
	return out
}

// buildName returns the name of the OS build that a value of an input refers to, because ids mean nothing
// elsewhere. It returns other values unchanged: they cannot be ordered here either.
func (c *Service) buildName(tx *store.Tx, a access.Actor, ref string) string {
	if ref == "" {
		return ""
	}
	build, err := query.Find[models.OSBuild](tx, OSBuilds, a, ref)
	if err != nil {
		return ref
	}
	return build.Name
}

// namer looks up the names of a row's references, and keeps the first error.
type namer struct {
	tx  *store.Tx
	err error
}

func (n *namer) of(table string, id models.ID) string {
	if id == 0 || n.err != nil {
		return ""
	}
	var name string
	n.err = store.Fault(n.tx.Table(table).Select("name").Where("id = ?", id).Take(&name).Error)
	return name
}

// group returns the names of the groups on the path from the top to one.
func (n *namer) group(id models.ID) []string {
	var way []string
	for id != 0 && n.err == nil {
		var g models.Group
		n.err = store.Fault(n.tx.Select("name", "parent_id").Where("id = ?", id).Take(&g).Error)
		way = append(way, g.Name)
		id = g.ParentID
	}
	slices.Reverse(way)
	return way
}

// ImportBlueprint creates a blueprint from a file, or, if replace is set, replaces the one with the same
// name; replaced reports which. The error is Invalid, with a field for each problem, for an invalid file or
// references that do not exist here. It is Conflict if the name is taken.
func (c *Service) ImportBlueprint(ctx context.Context, a access.Actor, n *jsonbody.Value, replace bool) (b *models.Blueprint, replaced bool, err error) {
	if err := CanEdit(a); err != nil {
		return nil, false, err
	}
	file := readBlueprint(n)
	if err := n.Faults().Err(); err != nil {
		return nil, false, err
	}
	b, replaced, err = c.Blueprints.Import(ctx, a, file.Name, replace, func(tx *store.Tx, b *models.Blueprint) error {
		f := finder{tx: tx}
		f.blueprint(b, file)
		if f.err != nil {
			return f.err
		}
		return f.bad.Err()
	})
	if fault.Is(err, fault.Invalid) {
		// These faults have paths relative to the row.
		n.Faults().AddErr(n.Path(), err)
		err = n.Faults().Err()
	}
	return b, replaced, err
}

// finder resolves the names in a file, adds a fault for each missing one, and keeps the first error. Paths
// are relative to the row.
type finder struct {
	tx    *store.Tx
	bad   jsonbody.Faults
	err   error
	known map[string]map[place]models.ID // results of ids
}

// blueprint sets the row to the content of the file.
func (f *finder) blueprint(b *models.Blueprint, file *blueprintFile) {
	b.Name, b.Description, b.State = file.Name, file.Description, file.State
	b.GroupID = f.group(file.Group, fault.Member("group"))
	b.GroupIDs, b.Items, b.Inputs = nil, nil, nil
	for i, way := range file.Groups {
		b.GroupIDs = append(b.GroupIDs, f.group(way, fault.Member("groups").Entry(i)))
	}
	for i, it := range file.BuildItems {
		at := fault.Member("build-items").Entry(i)
		b.Items = append(b.Items, models.BlueprintItem{
			Name: it.Name, Type: it.Type, Quantity: it.Quantity, Hostname: it.Hostname,
			OSBuildID: f.named("os_builds", "OS build", it.OSBuild, at.Member("os-build")),
			SizeID:    f.named("sizes", "perf type", it.Size, at.Member("perf-type")),

			EnvironmentID: f.named("environments", "environment", it.Environment, at.Member("environment")),
			ActionID:      f.named("actions", "action", it.Action, at.Member("action")),
		})
	}
	for i, in := range file.Inputs {
		b.Inputs = append(b.Inputs, f.input(in, fault.Member("inputs").Entry(i)))
	}
	inputs := b.ServerInputs()
	for i, it := range file.BuildItems {
		for _, x := range it.Parameters {
			k := slices.IndexFunc(inputs, func(in models.Input) bool { return models.InputKey(in.Name) == models.InputKey(x.Name) })
			if k >= 0 && inputs[k].Type == models.InputOSBuild && !b.Items[i].IsAction() {
				x.Value = f.named("os_builds", "OS build", x.Value, fault.Member("build-items").Entry(i).Parameter(x.Name)).String()
			}
			b.Items[i].Parameters = append(b.Items[i].Parameters, x)
		}
	}
}

// input replaces the names of OS builds among an input's values by ids, and checks that the sizes among
// them exist.
func (f *finder) input(in models.Input, at fault.Path) models.Input {
	find := func(name string, _ fault.Path) string { return name }
	switch in.Type { //nolint:exhaustive // the others refer to nothing
	case models.InputOSBuild:
		find = func(name string, at fault.Path) string { return f.named("os_builds", "OS build", name, at).String() }
	case models.InputSize:
		find = func(name string, at fault.Path) string { f.named("sizes", "perf type", name, at); return name }
	}
	if in.Default != "" {
		in.Default = find(in.Default, at.Member("default"))
	}
	in.Options = slices.Clone(in.Options)
	for i, o := range in.Options {
		in.Options[i] = find(o, at.Member("options").Entry(i))
	}
	return in
}

// named returns the id of the row with the name, 0 for no name.
func (f *finder) named(table, kind, name string, at fault.Path) models.ID {
	if name == "" {
		return 0
	}
	id, ok := f.ids(table, "0")[place{0, name}]
	if !ok {
		f.bad.Add(at, "there is no %s %s here", kind, shown(name))
	}
	return id
}

// group returns the id of the group at a path of names, 0 for no names.
func (f *finder) group(way []string, at fault.Path) models.ID {
	var id models.ID
	for _, name := range way {
		below, ok := f.ids("groups", "coalesce(parent_id, 0)")[place{id, name}]
		if !ok {
			f.bad.Add(at, "there is no group %s here", shown(strings.Join(way, " / ")))
			return 0
		}
		id = below
	}
	return id
}

// place is the scope of a unique name: a name below a parent, or, in most tables, without one.
type place struct {
	parent models.ID
	name   string
}

// ids returns the names of a table. It reads them only once, because a file can refer to more names than
// there are rows.
func (f *finder) ids(table, parent string) map[place]models.ID {
	if known, ok := f.known[table]; ok {
		return known
	}
	var rows []struct {
		ID, Parent models.ID
		Name       string
	}
	if err := f.tx.Table(table).Select("id, " + parent + " AS parent, name").Scan(&rows).Error; err != nil && f.err == nil {
		f.err = store.Fault(err)
	}
	known := make(map[place]models.ID, len(rows))
	for _, r := range rows {
		known[place{r.Parent, r.Name}] = r.ID
	}
	if f.known == nil {
		f.known = map[string]map[place]models.ID{}
	}
	f.known[table] = known
	return known
}

// shown quotes a text from a file for a message.
func shown(text string) string {
	const most = 100
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	return strconv.Quote(text)
}

// readBlueprint reads the content of a file, and complains about unknown members.
func readBlueprint(n *jsonbody.Value) *blueprintFile {
	const most = 4096
	file := &blueprintFile{
		Name: n.Field("name").TextUpTo(most), Description: n.Field("description").TextUpTo(most),
		State: models.BlueprintState(n.Field("state").Text()), Group: texts(n.Field("group")),
		BuildItems: []buildItemFile{}, Inputs: []models.Input{},
	}
	if file.State == "" {
		file.State = models.BlueprintActive
	}
	for _, x := range n.Field("groups").List() {
		file.Groups = append(file.Groups, texts(x))
	}
	for _, x := range n.Field("build-items").List() {
		it := buildItemFile{
			Name: x.Field("name").TextUpTo(most), Type: x.Field("type").TextUpTo(most), Quantity: 1,
			OSBuild: x.Field("os-build").Text(), Size: x.Field("perf-type").Text(), Hostname: x.Field("hostname").TextUpTo(most),
		}
		it.Environment, it.Action = x.Field("environment").Text(), x.Field("action").Text()
		for _, p := range x.Field("parameters").List() {
			it.Parameters = append(it.Parameters, models.Param{Name: p.Field("name").TextUpTo(most), Value: p.Field("value").TextUpTo(most)})
			p.Done()
		}
		if q := x.Field("quantity"); q.Present() {
			it.Quantity = int(min(max(q.Int(), 0), MaxQuantity+1))
		}
		if it.Type == "" {
			it.Type = models.BlueprintItemServer
		}
		x.Done()
		file.BuildItems = append(file.BuildItems, it)
	}
	for _, x := range n.Field("inputs").List() {
		file.Inputs = append(file.Inputs, x.Input())
	}
	n.Done()
	return file
}

// texts returns an array of strings, nil for none.
func texts(n *jsonbody.Value) []string {
	if list := n.Texts(); len(list) > 0 {
		return list
	}
	return nil
}
