package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/provider"
	"halcyon/pkg/store"
)

// Template is a machine in a back end that servers can be cloned from, and its OS build.
type Template struct {
	provider.Template
	OSBuildID models.ID // 0: not imported
}

// TemplateImport names a template and its OS build: a new or an existing one.
type TemplateImport struct {
	Template  string
	Name      string // of a new OS build; "" for the template's
	OSFamily  string // of a new OS build; "" for the back end's
	OSBuildID models.ID
}

// shownTemplates is the maximum number of names in an error message.
const shownTemplates = 50

// Templates returns the templates of a handler's back end, by name. The error is Unavailable if the back
// end cannot be reached.
func (c *Service) Templates(ctx context.Context, a access.Actor, ref string) ([]Template, error) {
	h, err := c.Handlers.Find(ctx, a, ref)
	if err != nil {
		return nil, err
	}
	found, err := c.discover(ctx, h.ID)
	if err != nil {
		return nil, err
	}
	known, err := store.Find[models.OSBuildTemplate](c.store.Read(ctx).Where("handler_id = ?", h.ID))
	if err != nil {
		return nil, err
	}
	list := make([]Template, len(found))
	for i, t := range found {
		list[i] = Template{Template: t}
		for _, k := range known {
			if k.Template == t.Name {
				list[i].OSBuildID = k.OSBuildID
			}
		}
	}
	return list, nil
}

// discover reads the templates from the back end.
func (c *Service) discover(ctx context.Context, handler models.ID) ([]provider.Template, error) {
	p, _, err := c.pool.For(ctx, handler)
	if err != nil {
		return nil, err
	}
	inv, err := p.Discover(ctx)
	if fault.Is(err, fault.Invalid) {
		// The error is about the handler's configuration, not about the request.
		err = fault.Wrap(fault.Unavailable, err, "%s", fault.Message(err))
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(inv.Templates, func(x, y provider.Template) int { return strings.Compare(x.Name, y.Name) })
	return inv.Templates, nil
}

// ImportTemplate connects a template of a handler's back end to an OS build: a new one unless the request
// names one; made reports whether it is new. The error is Invalid for a template that the back end does not
// have. It is Conflict if an OS build already has the template, or if the OS build has another one in this
// handler.
func (c *Service) ImportTemplate(ctx context.Context, a access.Actor, ref string, in TemplateImport) (o *models.OSBuild, made bool, err error) {
	h, err := c.Handlers.Find(ctx, a, ref)
	if err != nil {
		return nil, false, err
	}
	if err := c.Handlers.CanUpdate(a, h); err != nil {
		return nil, false, err
	}
	if err := in.check(); err != nil {
		return nil, false, err
	}
	found, err := c.discover(ctx, h.ID)
	if err != nil {
		return nil, false, err
	}
	i := slices.IndexFunc(found, func(t provider.Template) bool { return t.Name == in.Template })
	if i < 0 {
		return nil, false, unknownTemplate(h, in.Template, found)
	}
	err = c.store.InTx(ctx, func(tx *store.Tx) error {
		// Imports into one handler run one after the other.
		if _, err := store.First[models.ResourceHandler](tx.ForUpdate().Where("id = ?", h.ID)); err != nil {
			return err
		}
		if err := notImported(tx, h, in.Template); err != nil {
			return err
		}
		var err error
		if in.OSBuildID != 0 {
			o, err = c.extend(tx, a, h, in)
			return err
		}
		o, err = c.build(tx, a, h, in, found[i])
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return o, in.OSBuildID == 0, nil
}

func (in *TemplateImport) check() error {
	var bad []fault.Field
	if in.Template == "" {
		bad = append(bad, fault.Field{Path: fault.Member("template"), Reason: "is required"})
	}
	if in.OSBuildID != 0 && in.Name != "" {
		bad = append(bad, fault.Field{Path: fault.Member("name"), Reason: "is for a new OS build, and os-build names one that is there"})
	}
	if in.OSBuildID != 0 && in.OSFamily != "" {
		bad = append(bad, fault.Field{Path: fault.Member("os-family"), Reason: "is for a new OS build, and os-build names one that is there"})
	}
	return fault.InvalidFields(bad)
}

// unknownTemplate returns an error that lists the existing templates.
func unknownTemplate(h *models.ResourceHandler, name string, found []provider.Template) error {
	names := make([]string, 0, len(found))
	for _, t := range found {
		names = append(names, t.Name)
	}
	e := fault.InvalidField(fault.Member("template"), "%s has no template %s", h.Name, shown(name))
	switch {
	case len(names) == 0:
		e.Detail = "It has none at all."
	case len(names) > shownTemplates:
		e.Detail = fmt.Sprintf("It has %d, the first of which are %s.", len(names), strings.Join(names[:shownTemplates], ", "))
	default:
		e.Detail = "It has " + strings.Join(names, ", ") + "."
	}
	return e
}

// notImported returns an error if an OS build has the template already.
func notImported(tx *store.Tx, h *models.ResourceHandler, template string) error {
	var name string
	err := store.Fault(tx.Table("os_builds o").Joins("JOIN os_build_templates t ON t.os_build_id = o.id").
		Where("t.handler_id = ? AND t.template = ?", h.ID, template).Order("o.id").Limit(1).Select("o.name").Take(&name).Error)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil
	case err != nil:
		return err
	}
	return fault.Conflictf("The template %s of %s is imported already, as the OS build %s.", template, h.Name, name)
}

// extend adds a template in another resource handler to an OS build.
func (c *Service) extend(tx *store.Tx, a access.Actor, h *models.ResourceHandler, in TemplateImport) (*models.OSBuild, error) {
	o, err := c.OSBuilds.FindTx(tx, a, in.OSBuildID.String())
	if fault.Is(err, fault.NotFound) {
		return nil, fault.InvalidField(fault.Member("os-build"), "does not exist")
	}
	if err != nil {
		return nil, err
	}
	if err := c.OSBuilds.CanUpdate(a, o); err != nil {
		return nil, err
	}
	for _, t := range o.Templates {
		if t.HandlerID == h.ID {
			return nil, fault.Conflictf("The OS build %s has the template %s in %s already.", o.Name, t.Template, h.Name)
		}
	}
	added := models.OSBuildTemplate{OSBuildID: o.ID, HandlerID: h.ID, Template: in.Template}
	o.Templates = append(o.Templates, added)
	if err := store.Save(tx, o); err != nil {
		return nil, err
	}
	if err := store.Fault(tx.Create(&added).Error); err != nil {
		return nil, err
	}
	tx.Signal(OSBuilds.Table, o.ID)
	return o, history.Add(tx, a, models.ObjectOSBuild, o.ID, "imported", fmt.Sprintf("The template %s of %s.", in.Template, h.Name), nil, nil)
}

// build creates an OS build from a template.
func (c *Service) build(tx *store.Tx, a access.Actor, h *models.ResourceHandler, in TemplateImport, t provider.Template) (*models.OSBuild, error) {
	o := &models.OSBuild{
		Name: in.Name, OSFamily: in.OSFamily,
		Templates: []models.OSBuildTemplate{{HandlerID: h.ID, Template: t.Name}},
	}
	if o.Name == "" {
		o.Name = t.Name
	}
	if o.OSFamily == "" {
		o.OSFamily = t.OSFamily
	}
	if err := c.OSBuilds.CanCreate(a, o); err != nil {
		return nil, err
	}
	switch err := c.OSBuilds.CreateTx(tx, a, o); {
	case fault.Is(err, fault.Conflict):
		return nil, fault.Wrap(fault.Conflict, err, "There is an OS build with the name %q already. Give another name, or give that one as os-build.", o.Name)
	case err != nil:
		return nil, err
	}
	return o, history.Add(tx, a, models.ObjectOSBuild, o.ID, "imported", fmt.Sprintf("The template %s of %s.", t.Name, h.Name), nil, nil)
}
