package vsphere

import (
	"context"
	"slices"
	"strings"

	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
)

// identity holds the properties that tell which server a machine belongs to.
type identity struct {
	ref          ref
	name         string
	tag          string
	instanceUUID string
	template     bool
	complete     bool // false while vCenter creates it, and in results of scan
	busy         bool // vCenter does not allow changes now
}

// hasTag reports whether the machine has the tag. The instance UUID counts only for a
// machine without a tag.
func (i identity) hasTag(tag string) bool {
	return i.tag == tag || (i.tag == "" && strings.EqualFold(i.instanceUUID, tag))
}

// isUntaggedClone reports whether the machine is a clone whose tag was not written: its
// name ends in the tag's first characters.
func (i identity) isUntaggedClone(tag string) bool {
	suffix := nameSuffix(tag)
	return i.tag == "" && !i.template && suffix != "" && strings.HasSuffix(i.name, suffix)
}

// nameSuffix returns the end of the name of the machine with the tag, "" if the tag is
// not a UUID.
func nameSuffix(tag string) string {
	if !isUUID(tag) {
		return ""
	}
	return "-" + tag[:8]
}

// identities returns the identities of machines. Missing machines are left out.
func (p *Provider) identities(ctx context.Context, c *vim25.Client, refs []ref) ([]identity, error) {
	refs = slices.DeleteFunc(slices.Clone(refs), func(r ref) bool { return r.Type != machineType })
	var content []types.ObjectContent
	err := p.retryWithoutKeys(func() (err error) {
		content, err = p.read(ctx, c, refs,
			[]string{"name", "config.template", "config.instanceUuid", "datastore", "disabledMethod", p.tagProperty()})
		return err
	})
	return identify(content), err
}

// scan returns the identities of all machines below root, for searches that the index
// cannot answer.
func (p *Provider) scan(ctx context.Context, c *vim25.Client, root ref) ([]identity, error) {
	var content []types.ObjectContent
	err := p.retryWithoutKeys(func() (err error) {
		content, err = p.view(ctx, c, root, []string{machineType}, []types.PropertySpec{{
			Type: machineType, PathSet: []string{"name", "config.template", "config.instanceUuid", p.tagProperty()},
		}})
		return err
	})
	return identify(content), err
}

func identify(content []types.ObjectContent) []identity {
	ids := make([]identity, 0, len(content))
	for _, o := range content {
		props := properties(o)
		name, named := props["name"].(string)
		if !named {
			continue // removed
		}
		_, configured := props["config.template"]
		stored := len(get[types.ArrayOfManagedObjectReference](props, "datastore").ManagedObjectReference) > 0
		ids = append(ids, identity{
			ref:          o.Obj,
			name:         name,
			tag:          tagOf(props),
			instanceUUID: get[string](props, "config.instanceUuid"),
			template:     get[bool](props, "config.template"),
			complete:     configured && stored,
			busy:         slices.Contains(get[types.ArrayOfString](props, "disabledMethod").String, "ReconfigVM_Task"),
		})
	}
	slices.SortFunc(ids, func(a, b identity) int { return strings.Compare(a.ref.Value, b.ref.Value) })
	return ids
}

// findInIndex returns the machines with the tag from vCenter's index of instance UUIDs.
func (p *Provider) findInIndex(ctx context.Context, c *vim25.Client, tag string) ([]ref, error) {
	if !isUUID(tag) {
		return nil, nil
	}
	res, err := methods.FindAllByUuid(ctx, c, &types.FindAllByUuid{
		This: *c.ServiceContent.SearchIndex, Uuid: strings.ToLower(tag), VmSearch: true, InstanceUuid: types.NewBool(true),
	})
	if err != nil {
		return nil, err
	}
	return res.Returnval, nil
}

// search returns the machine with the tag and reports whether there is one. Several
// machines can have it: a clone by an operator copies the extraConfig. The one in the
// index is preferred, since a copy gets a new instanceUuid. withUntagged includes clones
// whose tag was not written.
func (p *Provider) search(ctx context.Context, c *vim25.Client, tag string, withUntagged bool) (id identity, found bool, err error) {
	if tag == "" {
		return identity{}, false, nil
	}
	refs, err := p.findInIndex(ctx, c, tag)
	if err != nil {
		return identity{}, false, err
	}
	ids, err := p.identities(ctx, c, refs)
	if err != nil {
		return identity{}, false, err
	}
	matches := func(i identity) bool { return !i.template && i.hasTag(tag) }
	if at := slices.IndexFunc(ids, matches); at >= 0 {
		return ids[at], true, nil
	}
	ids, err = p.scan(ctx, c, c.ServiceContent.RootFolder)
	if err != nil {
		return identity{}, false, err
	}
	if at := slices.IndexFunc(ids, matches); at >= 0 {
		return ids[at], true, nil
	}
	if withUntagged {
		if at := slices.IndexFunc(ids, func(i identity) bool { return i.isUntaggedClone(tag) }); at >= 0 {
			return ids[at], true, nil
		}
	}
	return identity{}, false, nil
}

// Find implements provider.Provider.
func (p *Provider) Find(ctx context.Context, tag string) (provider.Machine, error) {
	var m provider.Machine
	err := p.do(ctx, "look for a machine", func(ctx context.Context, c *vim25.Client) error {
		id, found, err := p.search(ctx, c, tag, false)
		if err != nil {
			return err
		}
		if !found {
			return fault.NotFoundf("The vCenter at %s has no machine with the tag %s.", p.url.Host, tag)
		}
		m, err = p.inspect(ctx, c, id.ref)
		m.Tag = tag
		return err
	})
	if err != nil {
		return provider.Machine{}, err
	}
	return m, nil
}
