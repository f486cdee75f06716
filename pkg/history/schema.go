package history

import (
	"halcyon/models"
	"halcyon/pkg/query"
)

// Events is what can be asked of history.
var Events = &query.Entity{
	Name: "history-event", Plural: "history", Table: "history", Row: new(models.History),
	Relations: []query.Relation{query.One("actor", models.ObjectUser)},
}

// Relation returns the relation history from objects of a type to what happened to
// them.
func Relation(objectType string) query.Relation {
	return query.Many("history", Events.Name, "{to}.object_type = '"+objectType+"' AND {to}.object_id = {from}.id")
}
