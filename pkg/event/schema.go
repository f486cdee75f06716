package event

import (
	"halcyon/models"
	"halcyon/pkg/query"
)

// Events is what can be asked of events.
var Events = &query.Entity{
	Name: "event", Plural: "events", Table: "events", Row: new(models.Event),
	Enums: []query.Enumeration{{Field: "type", Codes: typeNames()}},
	Relations: []query.Relation{
		query.One("order", models.ObjectOrder),
		query.One("actor", models.ObjectUser),
	},
}

// typeNames returns the names of all types of events.
func typeNames() []string {
	names := make([]string, len(Types))
	for i, t := range Types {
		names[i] = t.Name
	}
	return names
}
