package vsphere

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"

	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
)

// ref is vCenter's reference to an object.
type ref = types.ManagedObjectReference

// entity is an object of the inventory other than a machine.
type entity struct {
	ref           ref
	parent        ref
	name          string
	path          string
	holdsMachines bool // a folder for machines
	uplink        bool // a port group for uplinks, not for machines
	pool          ref  // root resource pool of a compute resource
}

// inventory holds all entities, read at once: a few hundred even in a large vCenter.
type inventory struct {
	entities map[ref]*entity
}

// kind is a kind of entity that a placement can name.
type kind struct {
	label string
	types []string
}

var (
	datacenters = kind{"datacenter", []string{"Datacenter"}}
	clusters    = kind{"cluster", []string{"ClusterComputeResource", "ComputeResource"}}
	datastores  = kind{"datastore", []string{"Datastore"}}
	networks    = kind{"network", []string{"Network", "DistributedVirtualPortgroup", "OpaqueNetwork"}}
	pools       = kind{"resource pool", []string{"ResourcePool", "VirtualApp"}}
	folders     = kind{"folder", []string{"Folder"}}
)

func (k kind) matches(e *entity) bool {
	return slices.Contains(k.types, e.ref.Type) && (e.ref.Type != "Folder" || e.holdsMachines) && !e.uplink
}

// inventory returns the cached inventory, or reads it.
func (p *Provider) inventory(ctx context.Context, c *vim25.Client) (*inventory, error) {
	if inv := p.inventories.load(); inv != nil {
		return inv, nil
	}
	content, err := p.view(ctx, c, c.ServiceContent.RootFolder,
		[]string{"Folder", "Datacenter", "ComputeResource", "HostSystem", "ResourcePool", "Datastore", "Network"},
		[]types.PropertySpec{
			{Type: "ManagedEntity", PathSet: []string{"name", "parent"}},
			{Type: "Folder", PathSet: []string{"childType"}},
			{Type: "ComputeResource", PathSet: []string{"resourcePool"}},
			{Type: "DistributedVirtualPortgroup", PathSet: []string{"config.uplink"}},
		})
	if err != nil {
		return nil, err
	}
	inv := &inventory{entities: make(map[ref]*entity, len(content))}
	for _, o := range content {
		e := &entity{ref: o.Obj}
		for _, prop := range o.PropSet {
			switch v := prop.Val.(type) {
			case string:
				e.name = v
				// The simulator lacks config.uplink: uplinks are known by vCenter's default name.
				e.uplink = e.uplink || (o.Obj.Type == "DistributedVirtualPortgroup" && strings.Contains(v, "-DVUplinks-"))
			case bool:
				e.uplink = e.uplink || v
			case types.ArrayOfString:
				e.holdsMachines = slices.Contains(v.String, "VirtualMachine")
			case ref:
				if prop.Name == "parent" {
					e.parent = v
				} else {
					e.pool = v
				}
			}
		}
		inv.entities[e.ref] = e
	}
	for _, e := range inv.entities {
		inv.setPath(e)
	}
	p.inventories.store(inv)
	return inv, nil
}

// setPath sets the path of the entity and returns it. The root folder is not part of the
// view, so paths begin below it.
func (inv *inventory) setPath(e *entity) string {
	if e.path == "" {
		above := ""
		if up := inv.entities[e.parent]; up != nil {
			above = inv.setPath(up)
		}
		e.path = above + "/" + e.name
	}
	return e.path
}

// ancestor returns the nearest entity of the kind upwards from r, including r; nil when
// there is none.
func (inv *inventory) ancestor(r ref, k kind) *entity {
	for e := inv.entities[r]; e != nil; e = inv.entities[e.parent] {
		if k.matches(e) {
			return e
		}
	}
	return nil
}

// list returns the entities of the kind below in (nil for all), sorted by path.
func (inv *inventory) list(k kind, in *entity) []*entity {
	var es []*entity
	for _, e := range inv.entities {
		if k.matches(e) && (in == nil || strings.HasPrefix(e.path, in.path+"/")) {
			es = append(es, e)
		}
	}
	slices.SortFunc(es, func(a, b *entity) int { return cmp.Compare(a.path, b.path) })
	return es
}

// find returns the entity with the inventory path want, or with the name want if it is
// unique below in. Otherwise it returns Invalid.
func (inv *inventory) find(host string, k kind, want string, in *entity) (*entity, error) {
	var found []*entity
	isPath := strings.Contains(want, "/")
	for _, e := range inv.list(k, in) {
		if e.name == want || (isPath && e.path == path.Clean("/"+want)) {
			found = append(found, e)
		}
	}
	where := ""
	if in != nil {
		where = " in " + in.path
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, fault.Invalidf("The vCenter at %s has no %s %q%s.", host, k.label, want, where)
	default:
		return nil, fault.Invalidf("The vCenter at %s has more than one %s %q%s. Name it by its path, such as %s.",
			host, k.label, want, where, found[0].path)
	}
}

func paths(es []*entity) []string {
	ps := make([]string, len(es))
	for i, e := range es {
		ps[i] = e.path
	}
	return ps
}

// Discover implements provider.Provider.
func (p *Provider) Discover(ctx context.Context) (provider.Inventory, error) {
	var found provider.Inventory
	err := p.do(ctx, "list its inventory", func(ctx context.Context, c *vim25.Client) error {
		p.inventories.drop(nil)
		inv, err := p.inventory(ctx, c)
		if err != nil {
			return err
		}
		templates, err := p.templates(ctx, c, inv)
		if err != nil {
			return err
		}
		found = provider.Inventory{
			Templates:   templates,
			Datacenters: paths(inv.list(datacenters, nil)),
			Clusters:    paths(inv.list(clusters, nil)),
			Datastores:  paths(inv.list(datastores, nil)),
			Networks:    paths(inv.list(networks, nil)),
			Folders:     paths(inv.list(folders, nil)),
		}
		return nil
	})
	return found, err
}

// templates returns the templates sorted by name. Templates that share a name are named
// by their path.
func (p *Provider) templates(ctx context.Context, c *vim25.Client, inv *inventory) ([]provider.Template, error) {
	content, err := p.view(ctx, c, c.ServiceContent.RootFolder, []string{machineType}, []types.PropertySpec{{
		Type: machineType,
		PathSet: []string{
			"name", "parent", "summary.config.template", "summary.config.numCpu",
			"summary.config.memorySizeMB", "summary.config.guestId", "summary.config.guestFullName",
		},
	}})
	if err != nil {
		return nil, err
	}
	var found []provider.Template
	var full []string
	count := map[string]int{}
	for _, o := range content {
		props := properties(o)
		if !get[bool](props, "summary.config.template") {
			continue
		}
		t := provider.Template{
			Name:     get[string](props, "name"),
			CPUs:     int(get[int32](props, "summary.config.numCpu")),
			MemoryMB: int(get[int32](props, "summary.config.memorySizeMB")),
			OSFamily: osFamily("", get[string](props, "summary.config.guestId"), get[string](props, "summary.config.guestFullName")),
		}
		above := ""
		if e := inv.entities[get[ref](props, "parent")]; e != nil {
			above = e.path
		}
		count[t.Name]++
		found = append(found, t)
		full = append(full, above+"/"+t.Name)
	}
	for i := range found {
		if count[found[i].Name] > 1 {
			found[i].Name = full[i]
		}
	}
	slices.SortFunc(found, func(a, b provider.Template) int { return cmp.Compare(a.Name, b.Name) })
	return found, nil
}

// withView calls f with a container view of all objects of the kinds below root.
func (p *Provider) withView(ctx context.Context, c *vim25.Client, root ref, kinds []string, f func(view ref) error) error {
	created, err := methods.CreateContainerView(ctx, c, &types.CreateContainerView{
		This: *c.ServiceContent.ViewManager, Container: root, Type: kinds, Recursive: true,
	})
	if err != nil {
		return err
	}
	view := created.Returnval
	defer func() {
		// Views exist as long as the session, so this one is destroyed even if the
		// context was canceled.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.timeout)
		defer cancel()
		_, _ = methods.DestroyView(ctx, c, &types.DestroyView{This: view})
	}()
	err = f(view)
	if gone, ok := vimFault(err).(*types.ManagedObjectNotFound); ok && gone.Obj == view {
		return missingError{"view", &types.NotAuthenticated{}} // its session has ended
	}
	return err
}

// view reads properties of all objects of the kinds below root.
func (p *Provider) view(ctx context.Context, c *vim25.Client, root ref, kinds []string, props []types.PropertySpec) ([]types.ObjectContent, error) {
	var content []types.ObjectContent
	err := p.withView(ctx, c, root, kinds, func(view ref) (err error) {
		content, err = p.retrieve(ctx, c, types.PropertyFilterSpec{PropSet: props, ObjectSet: []types.ObjectSpec{{
			Obj:       view,
			Skip:      types.NewBool(true),
			SelectSet: []types.BaseSelectionSpec{&types.TraversalSpec{Type: view.Type, Path: "view"}},
		}}})
		return err
	})
	return content, err
}

// machineRefs returns the references of all machines, including templates, unsorted.
func (p *Provider) machineRefs(ctx context.Context, c *vim25.Client) ([]ref, error) {
	var refs []ref
	err := p.withView(ctx, c, c.ServiceContent.RootFolder, []string{machineType}, func(view ref) error {
		content, err := p.retrieve(ctx, c, types.PropertyFilterSpec{
			ObjectSet: []types.ObjectSpec{{Obj: view}},
			PropSet:   []types.PropertySpec{{Type: view.Type, PathSet: []string{"view"}}},
		})
		if err == nil && len(content) > 0 {
			refs = get[types.ArrayOfManagedObjectReference](properties(content[0]), "view").ManagedObjectReference
		}
		return err
	})
	return refs, err
}

// retrieve reads properties. Properties that vCenter does not return are left out, unless
// the reason is a missing session, which is an error.
func (p *Provider) retrieve(ctx context.Context, c *vim25.Client, spec types.PropertyFilterSpec) ([]types.ObjectContent, error) {
	req := types.RetrievePropertiesEx{This: c.ServiceContent.PropertyCollector, SpecSet: []types.PropertyFilterSpec{spec}}
	res, err := methods.RetrievePropertiesEx(ctx, c, &req)
	if err != nil {
		return nil, err
	}
	if res.Returnval == nil {
		return nil, nil
	}
	content, token := res.Returnval.Objects, res.Returnval.Token
	for token != "" {
		more, err := methods.ContinueRetrievePropertiesEx(ctx, c, &types.ContinueRetrievePropertiesEx{This: req.This, Token: token})
		if err != nil {
			return nil, err
		}
		content, token = append(content, more.Returnval.Objects...), more.Returnval.Token
	}
	for _, o := range content {
		for _, m := range o.MissingSet {
			if f, ok := m.Fault.Fault.(*types.NotAuthenticated); ok {
				return nil, missingError{m.Path, f}
			}
		}
	}
	return content, nil
}

// read reads properties of objects of one type. Missing objects are left out.
func (p *Provider) read(ctx context.Context, c *vim25.Client, refs []ref, paths []string) ([]types.ObjectContent, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	objects := make([]types.ObjectSpec, len(refs))
	for i, r := range refs {
		objects[i] = types.ObjectSpec{Obj: r}
	}
	return p.retrieve(ctx, c, types.PropertyFilterSpec{
		ObjectSet: objects, PropSet: []types.PropertySpec{{Type: refs[0].Type, PathSet: paths}},
		ReportMissingObjectsInResults: types.NewBool(true),
	})
}

// readOne reads properties of one object. It returns the fault ManagedObjectNotFound if
// the object is missing.
func (p *Provider) readOne(ctx context.Context, c *vim25.Client, r ref, paths ...string) (map[string]any, error) {
	content, err := p.read(ctx, c, []ref{r}, paths)
	if err != nil {
		return nil, err
	}
	if len(content) == 0 || len(content[0].PropSet) == 0 {
		return nil, missingError{strings.Join(paths, ","), &types.ManagedObjectNotFound{Obj: r}}
	}
	return properties(content[0]), nil
}

func properties(o types.ObjectContent) map[string]any {
	m := make(map[string]any, len(o.PropSet))
	for _, p := range o.PropSet {
		m[p.Name] = p.Val
	}
	return m
}

// get returns a property, or the zero value when it is unset.
func get[T any](props map[string]any, name string) T {
	v, _ := props[name].(T)
	return v
}
