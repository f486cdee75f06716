package signin

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/handlers/halserver"
	"halcyon/pkg/auth"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/web"
)

// Hidden members of the sign-in form: the address to continue at, and a form that was
// sent without a session.
const (
	memberNext   = "next"
	memberUnsent = "unsent"
)

// signInForm answers the form to sign in with.
func (s *Pages) signInForm(c echo.Context) error {
	if err := halserver.OnlyQuery(c, memberNext); err != nil {
		return err
	}
	return s.hal.Send(c, http.StatusOK, s.signInDocument(c.QueryParam(memberNext), ""))
}

func (s *Pages) signInDocument(next, unsent string) *hal.Document {
	hidden := []hal.TemplateProperty{{Name: memberNext, Type: "hidden", Value: s.localPath(next)}}
	if unsent != "" {
		hidden = append(hidden, hal.TemplateProperty{Name: memberUnsent, Type: "hidden", Value: unsent})
	}
	doc := &hal.Document{
		Links: []hal.Rel{{Name: "self", Links: []hal.Link{{Href: s.signInPath, Title: "Sign in"}}}},
		Templates: []hal.Template{{
			Title: "Sign in", Method: http.MethodPost, Target: s.signInPath,
			Properties: append([]hal.TemplateProperty{
				{Name: "username", Prompt: "User name", Type: "text", Required: true},
				{Name: "password", Prompt: "Password", Type: "password", Required: true},
			}, hidden...),
		}},
	}
	if s.cfg.Auth.Mails() {
		doc.Links = append(doc.Links, hal.Rel{Name: "cb:password-reset", Links: []hal.Link{{Href: s.resetPath, Title: "Forgotten password"}}})
	}
	return doc
}

// localPath returns the path and query of an address on this server, or the root for any
// other address: a link to the sign-in must not redirect to another site.
func (s *Pages) localPath(text string) string {
	u, err := url.Parse(text)
	if err != nil || len(text) > 2048 || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(text, "/") || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(u.Path, "\\\r\n\t") || u.Path == s.signInPath || strings.HasPrefix(u.Path, s.signInPath+"/") {
		return s.cfg.Base + "/"
	}
	return u.RequestURI()
}

// signIn begins the session of a browser, and sends it on: to where it wanted to go,
// or to the form that it had sent, which nothing was done with. Others get the user.
func (s *Pages) signIn(c echo.Context) error {
	halserver.OnForm(c, func(v url.Values) *hal.Document { return s.signInDocument(v.Get(memberNext), v.Get(memberUnsent)) })
	if err := halserver.NoQuery(c); err != nil {
		return err
	}
	n, err := s.hal.Read(c)
	if err != nil {
		return err
	}
	next, unsent := n.Field(memberNext).Text(), n.Field(memberUnsent).Text()
	cred, err := Credentials(c, n)
	if err != nil {
		return err
	}
	r := c.Request()
	secret, _, err := s.cfg.Auth.OpenSession(r.Context(), cred, s.cfg.Cookie.Read(r))
	if err != nil {
		return err
	}
	a, err := s.cfg.Auth.AuthenticateSession(r.Context(), secret)
	if err != nil {
		return err
	}
	web.SetActor(c, a)
	s.cfg.Cookie.Set(c, secret)
	if s.hal.Representation(c) != hal.AsHTML {
		return s.cfg.User(c)
	}
	if sent, from := s.unsentBy(a, unsent); sent != nil && s.hal.ShowFormAgain(c, from, sent) {
		return nil
	}
	return c.Redirect(http.StatusSeeOther, s.localPath(next))
}

// Credentials reads the username and the password from a body.
func Credentials(c echo.Context, n *jsonbody.Value) (auth.Credentials, error) {
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
func (s *Pages) signOut(c echo.Context) error {
	if err := halserver.NoQuery(c); err != nil {
		return err
	}
	if err := s.cfg.Auth.SignOut(c.Request().Context(), web.Actor(c)); err != nil {
		return err
	}
	if s.cfg.Cookie.Read(c.Request()) != "" {
		s.cfg.Cookie.Clear(c)
	}
	if s.hal.Representation(c) == hal.AsHTML {
		return c.Redirect(http.StatusSeeOther, s.signInPath)
	}
	return c.NoContent(http.StatusNoContent)
}

// Page answers a browser that has no session with the form to sign in. A form that it
// had sent comes along, for the time after.
func (s *Pages) Page(c echo.Context, p *hal.Problem) error {
	v, r := s.hal.NewView(c), c.Request()
	next, unsent := v.Path, ""
	if v.Query != "" {
		next += "?" + v.Query
	}
	if !halserver.Safe(c) {
		next = halserver.FormPage(c)
		unsent = s.keepUnsent(c)
	}
	v.Doc = s.signInDocument(next, unsent)
	if r.Header.Get(echo.HeaderAuthorization) != "" || s.cfg.Cookie.Read(r) != "" {
		v.Problem = p
	}
	return s.hal.SendPage(c, p.Status, v)
}
