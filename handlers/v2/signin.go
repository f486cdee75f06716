package v2

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/handlers/halserver"
	"halcyon/pkg/auth"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/resource"
	"halcyon/pkg/web"
)

// This file is how a browser signs in and out. The page for it is a document with a
// template like any other.

const signInPath = Base + "/sign-in"

// The members of the sign-in form that nobody types: where to go on, and a form
// that was sent without a session.
const (
	memberNext   = "next"
	memberUnsent = "unsent"
)

// signInForm answers the form to sign in with.
func (f *Face) signInForm(c echo.Context) error {
	if err := halserver.OnlyQuery(c, memberNext); err != nil {
		return err
	}
	return f.hal.Send(c, http.StatusOK, f.signInDocument(c.QueryParam(memberNext), ""))
}

func (f *Face) signInDocument(next, unsent string) *hal.Document {
	hidden := []hal.TemplateProperty{{Name: memberNext, Type: "hidden", Value: localPath(next)}}
	if unsent != "" {
		hidden = append(hidden, hal.TemplateProperty{Name: memberUnsent, Type: "hidden", Value: unsent})
	}
	doc := &hal.Document{
		Links: []hal.Rel{{Name: "self", Links: []hal.Link{{Href: signInPath, Title: "Sign in"}}}},
		Templates: []hal.Template{{
			Title: "Sign in", Method: http.MethodPost, Target: signInPath,
			Properties: append([]hal.TemplateProperty{
				{Name: "username", Prompt: "User name", Type: "text", Required: true},
				{Name: "password", Prompt: "Password", Type: "password", Required: true},
			}, hidden...),
		}},
	}
	if f.Auth.Mails() {
		doc.Links = append(doc.Links, hal.Rel{Name: "cb:password-reset", Links: []hal.Link{{Href: resetPath, Title: "Forgotten password"}}})
	}
	return doc
}

// localPath gives the path, with its query, of a place on this server: the root for
// anything else, so that nobody is sent away by a link to the sign-in.
func localPath(text string) string {
	u, err := url.Parse(text)
	if err != nil || len(text) > 2048 || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(text, "/") || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(u.Path, "\\\r\n\t") || hasPrefix(u.Path, signInPath) {
		return Base + "/"
	}
	return u.RequestURI()
}

// signIn begins the session of a browser, and sends it on: to where it wanted to go,
// or to the form that it had sent, which nothing was done with. Others get the user.
func (f *Face) signIn(c echo.Context) error {
	halserver.OnForm(c, func(v url.Values) *hal.Document { return f.signInDocument(v.Get(memberNext), v.Get(memberUnsent)) })
	if err := halserver.NoQuery(c); err != nil {
		return err
	}
	n, err := f.hal.Read(c)
	if err != nil {
		return err
	}
	next, unsent := n.Field(memberNext).Text(), n.Field(memberUnsent).Text()
	cred, err := credentials(c, n)
	if err != nil {
		return err
	}
	r := c.Request()
	secret, _, err := f.Auth.OpenSession(r.Context(), cred, f.cfg.Cookie.Read(r))
	if err != nil {
		return err
	}
	a, err := f.Auth.AuthenticateSession(r.Context(), secret)
	if err != nil {
		return err
	}
	web.SetActor(c, a)
	f.cfg.Cookie.Set(c, secret)
	if f.hal.Representation(c) != hal.AsHTML {
		d := f.reg.Def("users")
		row, err := d.Find(r.Context(), a, a.ID.String())
		if err != nil {
			return err
		}
		return f.hal.Show(c, http.StatusOK, d, row)
	}
	if sent, from := f.unsentBy(a, unsent); sent != nil && f.hal.ShowFormAgain(c, from, sent) {
		return nil
	}
	return c.Redirect(http.StatusSeeOther, localPath(next))
}

// credentials reads what somebody signs in with.
func credentials(c echo.Context, n *jsonbody.Value) (auth.Credentials, error) {
	user, password := n.Field("username"), n.Field("password")
	cred := auth.Credentials{
		Username: user.String(), Password: password.String(),
		Token: n.Field("token").Text(), Domain: n.Field("domain").Text(),
		Source: c.RealIP(), UserAgent: c.Request().UserAgent(),
	}
	if !user.Present() {
		user.Complain("is required")
	}
	if !password.Present() {
		password.Complain("is required")
	}
	n.Done()
	return cred, n.Faults().Err()
}

// signOut ends the session that the credentials belong to.
func (f *Face) signOut(c echo.Context) error {
	if err := halserver.NoQuery(c); err != nil {
		return err
	}
	if err := f.Auth.SignOut(c.Request().Context(), web.Actor(c)); err != nil {
		return err
	}
	if f.cfg.Cookie.Read(c.Request()) != "" {
		f.cfg.Cookie.Clear(c)
	}
	if f.hal.Representation(c) == hal.AsHTML {
		return c.Redirect(http.StatusSeeOther, signInPath)
	}
	return c.NoContent(http.StatusNoContent)
}

// signInPage answers a browser that has no session with the form to sign in. What it
// had sent comes along, for the time after.
func (f *Face) signInPage(c echo.Context, p *hal.Problem) error {
	v, r := halserver.NewView(c), c.Request()
	next, unsent := v.Path, ""
	if v.Query != "" {
		next += "?" + v.Query
	}
	if !halserver.Safe(c) {
		next = web.FormPage(c)
		unsent = f.keepUnsent(c)
	}
	v.Doc = f.signInDocument(next, unsent)
	if r.Header.Get(echo.HeaderAuthorization) != "" || f.cfg.Cookie.Read(r) != "" {
		v.Problem = p
	}
	return f.hal.SendPage(c, p.Status, v)
}

// user answers the caller's own user. To a person it shows the roles with it.
func (f *Face) user(c echo.Context) error {
	if err := halserver.NoQuery(c); err != nil {
		return err
	}
	ctx, a, d := c.Request().Context(), web.Actor(c), f.reg.Def("users")
	row, err := d.Find(ctx, a, a.ID.String())
	if err != nil {
		return err
	}
	halserver.SetSubject(c, d, false)
	sheet := resource.NewArena()
	defer sheet.Release()
	doc, err := f.hal.Document(c, d, row, sheet)
	if err != nil {
		return err
	}
	if f.hal.ReadsForms(c) && a.Session != "" {
		doc.Templates = append(doc.Templates, hal.Template{Key: "sign-out", Title: "Sign out", Method: http.MethodPost, Target: Base + "/user/actions/sign-out"})
	}
	return f.hal.SendTagged(c, http.StatusOK, doc, d.RowKey(row), nil)
}
