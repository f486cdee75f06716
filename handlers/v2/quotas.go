package v2

import (
	"strings"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/quota"
	"halcyon/pkg/resource"
)

func (f *Face) quotas() resource.Resource[models.Quota] {
	type row = models.Quota
	key := func(q *row) *models.Row { return &q.Row }
	return resource.Resource[row]{
		Name: "quota", Plural: "quotas", Noun: "Quotas", Entity: quota.Quotas,
		Doc: "What the servers of a group and of those below it, in an environment, or of both, may take together.",
		Key: key, Title: func(q *row) string { return "Quota id " + q.ID.String() },
		Columns: []string{"kind", "limit", "used", "group", "environment"},
		Fields: append([]resource.Field[row]{
			resource.ID(key),
			resource.Enum("kind", models.QuotaKinds, func(q *row) models.QuotaKind { return q.Kind }, "What is counted: servers, cpu (processors), memory (MB), disk (GB) or money (by the month).").On("kind").Listed().
				SetText(func(q *row, v string) { q.Kind = models.QuotaKind(strings.ToLower(v)) }).Required(),
			resource.Value("limit", func(q *row) hal.Value { return amount(q.Kind, q.Limit) }, "How much there is. Who has more already keeps it, and gets no more.").Typed(amountJSON()).From("kind", "maximum").Listed().As("number").Example("10").
				Set(func(n *jsonbody.Value, _ *resource.Refs) func(*row) {
					v := n.TextUpTo(64)
					return func(q *row) { q.NewLimit = &v }
				}).Required(),
			resource.Value("used", func(q *row) hal.Value { return amount(q.Kind, q.Used) }, "How much servers have, and orders that wait for approval have reserved.").Typed(amountJSON()).From("kind", "used").Listed(),
		}, resource.Identity(key)...),
		Relations: []resource.Relation[row]{
			resource.One("group", "groups", "group", func(q *row) models.ID { return q.GroupID }, "Group for which it holds, with those below it; none for all.").
				Set(func(q *row, id models.ID) { q.GroupID = id }),
			resource.One("environment", "environments", "environment", func(q *row) models.ID { return q.EnvironmentID }, "Environment for which it holds; none for all.").
				Set(func(q *row, id models.ID) { q.EnvironmentID = id }),
		},
		Subs: []resource.Sub[row]{
			historySub(func(q *row) string { return "Quota id " + q.ID.String() }),
		},
		List: f.Quotas.Quotas.List, Find: f.Quotas.Quotas.Find,
		CanCreate: quota.CanEdit, Create: f.Quotas.Quotas.Create,
		CanUpdate: f.Quotas.Quotas.CanUpdate, Update: f.Quotas.Quotas.Update,
		CanDelete: f.Quotas.Quotas.CanDelete, Delete: deleting[row](f.Quotas.Quotas.Delete),
		Unused: f.Quotas.Quotas.Unused,
	}
}

// amount writes money as rates are written everywhere, and all else as a number.
func amount(k models.QuotaKind, n int64) hal.Value {
	if k == models.QuotaMoney {
		return hal.String(models.Money(n).PerMonth())
	}
	return hal.Int(n)
}

// groupQuotas declares the quotas that hold for a group: its own, and those of the
// groups above it.
func (f *Face) groupQuotas() resource.Sub[models.Group] {
	return resource.Sub[models.Group]{
		Path: "quotas", Rel: "cb:quotas", Alias: "quotas", Of: "quotas", Doc: "What it may take: its own quotas, and for a group those of the groups above it.",
		Title: func(g *models.Group) string { return "Quotas Of " + g.Name },
		Rows:  f.Quotas.OfGroup,
	}
}

// environmentQuotas declares the quotas of an environment.
func environmentQuotas() resource.Sub[models.Environment] {
	return resource.Sub[models.Environment]{
		Path: "quotas", Rel: "cb:quotas", Alias: "quotas", Of: "quotas", Relation: "quotas", Doc: "What it may take: its own quotas, and for a group those of the groups above it.",
		Title: func(e *models.Environment) string { return "Quotas Of " + e.Name },
	}
}
