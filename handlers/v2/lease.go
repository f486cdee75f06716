package v2

import (
	"context"
	"strings"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/catalog"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/resource"
	"halcyon/pkg/server"
)

const extendDoc = "Makes the lease longer: to a new last day (expiration-date), or by so many days (days); power-on also switches on what was switched off when the lease had ended. Who manages the group may take the end off it (never)."

func (f *Face) extendServer() resource.Action[models.Server] {
	type sv = models.Server
	return resource.Action[sv]{
		Rel: "extend", Path: "extend", Title: "Extend", Doc: extendDoc, Slash: true, Can: f.Servers.CanExtend,
		Body: extendBody(), Results: resource.Results{resource.ToRow, resource.ToWork("jobs")},
		Do: func(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (resource.Result[sv], error) {
			s, err := f.Servers.Find(ctx, a, ref)
			if err != nil {
				return resource.Result[sv]{}, err
			}
			if err := f.Servers.CanExtend(a, s); err != nil {
				return resource.Result[sv]{}, err // check the right before the body: a refusal reveals nothing about it
			}
			e, err := readExtension(n)
			if err != nil {
				return resource.Result[sv]{}, err
			}
			s, j, err := f.Servers.Extend(ctx, a, ref, e)
			if err != nil {
				return resource.Result[sv]{}, err
			}
			if j != nil {
				return resource.Result[sv]{Work: jobWork(j.ID)}, nil
			}
			return resource.Result[sv]{Row: s}, nil
		},
		Form: func(_ context.Context, a access.Actor, s *sv) ([]hal.TemplateProperty, error) {
			return f.extendProps(f.Servers.ExtendQuestions(a, s)), nil
		},
	}
}

func (f *Face) extendService() resource.Action[models.Service] {
	type svc = models.Service
	return resource.Action[svc]{
		Rel: "extend", Path: "extend", Title: "Extend", Doc: extendDoc, Slash: true, Can: f.Servers.CanExtendService,
		Body: extendBody(),
		Do: func(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (resource.Result[svc], error) {
			s, err := f.Servers.FindService(ctx, a, ref)
			if err != nil {
				return resource.Result[svc]{}, err
			}
			if err := f.Servers.CanExtendService(a, s); err != nil {
				return resource.Result[svc]{}, err
			}
			e, err := readExtension(n)
			if err != nil {
				return resource.Result[svc]{}, err
			}
			s, err = f.Servers.ExtendService(ctx, a, ref, e)
			return resource.Result[svc]{Row: s}, err
		},
		Form: func(_ context.Context, a access.Actor, s *svc) ([]hal.TemplateProperty, error) {
			return f.extendProps(f.Servers.ExtendServiceQuestions(a, s)), nil
		},
	}
}

func readExtension(n *jsonbody.Value) (server.Extension, error) {
	e := server.Extension{PowerOn: n.Field("power-on").Bool()}
	if x := n.Field("expiration-date"); x.Present() {
		if e.Day = x.Text(); strings.EqualFold(e.Day, models.Never) {
			e.Day = models.Never
		}
	}
	if x := n.Field("days"); x.Present() {
		e.Days = int(min(x.IntFrom(1), 1<<30)) // the service knows how many are too many
	}
	n.Done()
	return e, n.Faults().Err()
}

// extendLabels are the labels of the questions about an extension.
var extendLabels = map[string]string{"expiration-date": "Last day", "power-on": "Switch on again"}

// extendProps returns the members of a form that asks the questions.
func (f *Face) extendProps(list []catalog.Question) []hal.TemplateProperty {
	props := make([]hal.TemplateProperty, len(list))
	for i := range list {
		name := list[i].Path.Last().Name
		p := f.property(&list[i], name)
		if p.Prompt = extendLabels[name]; list[i].Type == catalog.AskBoolean {
			p.Type, p.Options = "checkbox", nil
		}
		props[i] = p
	}
	return props
}
