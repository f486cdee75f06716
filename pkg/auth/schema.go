package auth

import (
	"halcyon/models"
	"halcyon/pkg/query"
)

// Sessions is the queryable entity of sessions.
var Sessions = &query.Entity{
	Name: "session", Plural: "sessions", Table: "sessions", Row: new(models.Session),
	Relations: []query.Relation{query.One("user", models.ObjectUser)},
}

// APITokens is the queryable entity of API tokens.
var APITokens = &query.Entity{
	Name: "api-token", Plural: "api-tokens", Table: "api_tokens", Prefix: "TOK", Row: new(models.APIToken),
	Enums:     []query.Enumeration{query.Codes("scope", models.TokenScopes)},
	Days:      []string{"expires_on"},
	Relations: []query.Relation{query.One("user", models.ObjectUser)},
}
