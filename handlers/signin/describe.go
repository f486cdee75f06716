package signin

import (
	"net/http"

	"halcyon/pkg/apidoc"
	"halcyon/pkg/schema"
)

// Describe adds the descriptions of the routes. user is the document of
// the user who is signed in.
func (s *Pages) Describe(known apidoc.Operations, user []apidoc.Media) {
	page := func(method, path, id, title, doc string, op apidoc.Operation) {
		op.ID, op.Tag, op.Title, op.Doc, op.Public, op.SignsIn = id, Tag, title, doc, true, true
		known.Add(method, path, op)
	}
	form := func() apidoc.Operation {
		return apidoc.Operation{Answers: []apidoc.Answer{apidoc.OK("The form.", apidoc.Dated[:1], apidoc.OtherDocument("FormPage"))}, Params: []string{"IfNoneMatch"}}
	}
	secret := map[string]string{"secret": "What the mailed link ends in."}
	onward := apidoc.Answer{Status: http.StatusSeeOther, Doc: "To a browser: where it goes on.", Headers: apidoc.Located}

	page(http.MethodGet, s.signInPath, "readSignIn", "Read the sign-in form", "The form that begins the session of a browser.", form())
	page(http.MethodPost, s.signInPath, "beginSession", "Sign in by browser",
		"Begins a session and sets its cookie. Writes with the cookie have to come from a page of this server, or of an origin that is trusted.", apidoc.Operation{
			Must: true, Body: apidoc.JSONBody(schema.Ref("SignInForm")),
			Answers: []apidoc.Answer{apidoc.OK("The user who is signed in.", nil, user), onward},
		})
	page(http.MethodGet, s.resetPath, "readPasswordReset", "Read the form for a forgotten password", "Where a mail server is configured.", form())
	page(http.MethodPost, s.resetPath, "askPasswordReset", "Ask for a new password", "Has a link mailed to the user of that name or e-mail address, if there is one. The answer is always the same.", apidoc.Operation{
		Must: true, Body: apidoc.JSONBody(schema.Struct(schema.Optional("username", apidoc.WordUpTo(254), "email", apidoc.WordUpTo(254))...)),
		Answers: []apidoc.Answer{
			{Status: http.StatusAccepted, Doc: "It was taken down.", Content: apidoc.OtherDocument("Notice")[:2]},
			apidoc.OK("It was taken down.", nil, apidoc.OtherDocument("Notice")[2:]),
			{Status: http.StatusNotFound, Shared: "NotFound"},
		},
	})
	link := form()
	link.Places = secret
	page(http.MethodGet, s.resetPath+"/:secret", "readPasswordLink", "Read the form of a mailed link", "The link is not used up by looking.", link)
	page(http.MethodPost, s.resetPath+"/:secret", "resetPassword", "Set a forgotten password", "Sets the password and ends all sessions of the user.", apidoc.Operation{
		Must: true, Places: secret, Body: apidoc.JSONBody(schema.Struct(schema.M("password", schema.String()))),
		Answers: []apidoc.Answer{{Status: http.StatusNoContent, Doc: "The password is set."}, onward},
	})
}

// Schemas returns those of the documents and bodies of the pages.
func Schemas() schema.Object {
	templates := schema.M("_templates?", schema.Ref("Templates"))
	return schema.Of(
		"SignInForm", schema.Struct(append([]schema.Member{schema.M("username", schema.String()), schema.M("password", schema.String())},
			schema.Optional("token", apidoc.Word(), "domain", apidoc.Word(), memberNext, schema.String().Doc("Where a browser goes on."), memberUnsent, schema.String().Doc("A form that came without a session."))...)...),
		"FormPage", schema.Struct(apidoc.Links(schema.M("cb:password-reset?", schema.Ref("Link"))), templates),
		"Notice", schema.Struct(apidoc.Links(), schema.M("detail", schema.String())),
	)
}
