package v2

import (
	"context"
	"time"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/auth"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/resource"
	"halcyon/pkg/schema"
)

// This file declares the credentials of people and their programs, and the actions of
// users on them.

func (f *Face) sessions() resource.Resource[models.Session] {
	type session = models.Session
	return resource.Resource[session]{
		Name: "session", Plural: "sessions", Noun: "Sessions", Entity: auth.Sessions,
		Doc: "Somebody who has signed in: with a browser, or for the tokens of a program. Those that have ended are not listed.",
		Key: (*session).Key, Title: func(s *session) string { return "Session id " + s.ID.String() }, TitleFrom: []string{"id"},
		Columns: []string{"address", "user-agent", "created", "last-seen", "current"},
		Fields: []resource.Field[session]{
			resource.ID((*session).Key),
			resource.Value("type", sessionType, "Whose it is: browser, or token.").From("secret_hash").Listed().Typed(schema.Enum("browser", "token")),
			resource.Bool("current", func(s *session) bool { return s.Current }, "Whether this request belongs to it.").From("uuid").Listed(),
			resource.Time("created", func(s *session) *time.Time { return &s.CreatedAt }, "When it was begun.").On("created_at"),
			resource.Time("last-seen", func(s *session) *time.Time { return &s.SeenAt }, "When it was used last, to a minute or two.").On("seen_at"),
			resource.Time("expires", func(s *session) *time.Time { return &s.ExpiresAt }, "When it ends at the latest; a browser's ends before that when it is not used.").On("expires_at"),
			resource.Text("address", func(s *session) string { return s.Address }, "Address from which it was begun.").On("address"),
			resource.Text("user-agent", func(s *session) string { return s.UserAgent }, "Program with which it was begun, by its own word.").On("user_agent"),
		},
		Relations: []resource.Relation[session]{
			resource.One("user", "users", "user", func(s *session) models.ID { return s.UserID }, "Who signed in."),
		},
		List: f.Auth.Sessions, Find: f.Auth.Session,
		CanDelete: auth.CanEndSession, Delete: deleting[session](f.Auth.EndSession),
	}
}

func sessionType(s *models.Session) hal.Value {
	if s.Browser() {
		return hal.String("browser")
	}
	return hal.String("token")
}

func (f *Face) apiTokens() resource.Resource[models.APIToken] {
	type token = models.APIToken
	key := func(t *token) *models.Row { return &t.Row }
	return resource.Resource[token]{
		Name: "api-token", Plural: "api-tokens", Noun: "API Tokens", Entity: auth.APITokens,
		Doc: "What a program calls with in the name of a user: as Authorization: Bearer, or Token.",
		Key: key, Title: func(t *token) string { return t.Name }, TitleFrom: []string{"name"},
		Columns: []string{"name", "prefix", "scope", "expires", "last-used"},
		Fields: []resource.Field[token]{
			resource.Text("name", func(t *token) string { return t.Name }, "What it is for.").On("name").Listed().
				SetText(func(t *token, v string) { t.Name = v }).UpTo(models.MaxTokenName).Required(),
			resource.ID(key),
			resource.Value("token", shownOnce, "The token itself, in the answer that makes it: it is kept nowhere.").OmitEmpty().Typed(schema.Like("^" + auth.TokenPattern + "$")),
			resource.Text("prefix", func(t *token) string { return t.Prefix }, "How it begins.").On("prefix"),
			resource.Enum("scope", models.TokenScopes, func(t *token) models.TokenScope { return t.Scope }, "What it is good for: read, which changes nothing, or write.").On("scope").
				Default(string(models.ScopeRead)).SetText(func(t *token, v string) { t.Scope = models.TokenScope(v) }),
			lastDay(f.Auth),
			resource.Time("created", func(t *token) *time.Time { return &t.CreatedAt }, "When it was made.").On("created_at"),
			resource.Time("last-used", func(t *token) *time.Time { return t.SeenAt }, "When it was used last, to a minute or two.").On("seen_at"),
			resource.Text("global-id", func(t *token) string { return t.GlobalID }, "Id that tells the kind as well.").On("global_id"),
			resource.Text("uuid", func(t *token) string { return t.UUID }, "Id that is unique everywhere.").On("uuid"),
		},
		Relations: []resource.Relation[token]{
			resource.One("user", "users", "user", func(t *token) models.ID { return t.UserID }, "In whose name it calls."),
		},
		List: f.Auth.Tokens, Find: f.Auth.Token,
		New:       func() *token { return &token{Scope: models.ScopeRead} },
		CanCreate: auth.CanCreateToken, Create: f.Auth.CreateToken, Once: true,
		CanDelete: auth.CanRevokeToken, Delete: deleting[token](f.Auth.RevokeToken),
	}
}

// lastDay declares the last day of a token.
func lastDay(s *auth.Service) resource.Field[models.APIToken] {
	doc := "Last day on which it is good (UTC); none for no end."
	if s.LastDay() != "" {
		doc = "Last day on which it is good (UTC). There is a limit, which is also what it gets by itself."
	}
	return resource.Date("expires", func(t *models.APIToken) string { return t.ExpiresOn }, doc).On("expires_on").As("date").
		Set(func(n *jsonbody.Value, _ *resource.Refs) func(*models.APIToken) {
			text := n.Text()
			if _, err := time.Parse(time.DateOnly, text); text != "" && err != nil {
				n.Complain("%q is no day such as 2027-01-31", text)
			}
			return func(t *models.APIToken) { t.ExpiresOn = text }
		})
}

func shownOnce(t *models.APIToken) hal.Value {
	if t.Secret == "" {
		return hal.Null()
	}
	return hal.String(t.Secret)
}

// userActions are the actions of users on their own credentials.
func (f *Face) userActions() []resource.Action[models.User] {
	type user = models.User
	return []resource.Action[user]{
		{
			Rel: "change-password", Title: "Change Password", Doc: "Sets a new password, given the old one. All other sessions end.",
			Can: auth.CanChangePassword, Body: changePasswordBody(),
			Do: func(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (resource.Result[user], error) {
				before, after := n.Field("old-password"), n.Field("password")
				old, plain := before.String(), after.String()
				for _, x := range []*jsonbody.Value{before, after} {
					if !x.Present() {
						x.Complain("is required")
					}
				}
				return f.ofUser(ctx, a, ref, n, func(u *user) error {
					if err := auth.CanChangePassword(a, u); err != nil {
						return err
					}
					_, err := f.Auth.ChangePassword(ctx, a, old, plain)
					return err
				})
			},
			Form: func(context.Context, access.Actor, *user) ([]hal.TemplateProperty, error) {
				return []hal.TemplateProperty{
					{Name: "old-password", Prompt: "Old password", Type: "password", Required: true},
					{Name: "password", Prompt: "New password", Type: "password", Required: true, MinLength: auth.MinPassword},
				}, nil
			},
		},
		{
			Rel: "sign-out-everywhere", Title: "Sign Out Everywhere", Doc: "Ends all sessions of the user, the present one among them. API tokens stay.",
			Can: auth.CanEndSessions,
			Do: func(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (resource.Result[user], error) {
				return f.ofUser(ctx, a, ref, n, func(u *user) error { return f.Auth.EndSessions(ctx, a, u.ID) })
			},
		},
	}
}

// ofUser runs an operation on a user that the caller sees, and returns the user as it is
// afterwards.
func (f *Face) ofUser(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value, do func(*models.User) error) (o resource.Result[models.User], err error) {
	u, err := f.Tenancy.Users.Find(ctx, a, ref)
	if err != nil {
		return o, err
	}
	n.Done()
	if err := n.Faults().Err(); err != nil {
		return o, err
	}
	if err := do(u); err != nil {
		return o, err
	}
	o.Row, err = f.Tenancy.Users.Find(ctx, a, u.ID.String())
	return o, err
}

// userCredentials are the lists of a user's credentials.
func (f *Face) userCredentials() []resource.Sub[models.User] {
	return []resource.Sub[models.User]{
		{
			Path: "sessions", Rel: "cb:sessions", Of: "sessions", Relation: "sessions", Doc: "Where the user has signed in.", Can: auth.CanSeeCredentials,
			Title: func(u *models.User) string { return "Sessions Of " + u.Username },
		},
		{
			Path: "api-tokens", Rel: "cb:api-tokens", Of: "api-tokens", Relation: "api_tokens", Doc: "API tokens of the user.", Can: auth.CanSeeCredentials,
			Title: func(u *models.User) string { return "API Tokens Of " + u.Username },
		},
	}
}

// changePasswordBody is the body of the action.
func changePasswordBody() schema.Object {
	return schema.Struct(schema.M("old-password", schema.String()), schema.M("password", schema.String()))
}
