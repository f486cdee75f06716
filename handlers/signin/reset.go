package signin

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/handlers/halserver"
	"halcyon/pkg/auth"
	"halcyon/pkg/fault"
)

// resetForm answers the form that asks for a link.
func (s *Pages) resetForm(c echo.Context) error {
	if err := halserver.NoQuery(c); err != nil {
		return err
	}
	if !s.cfg.Auth.Mails() {
		return fault.NotFoundf("Not found.")
	}
	return s.hal.Send(c, http.StatusOK, s.resetDocument(nil))
}

func (s *Pages) resetDocument(url.Values) *hal.Document {
	return &hal.Document{
		Links: []hal.Rel{{Name: "self", Links: []hal.Link{{Href: s.resetPath, Title: "Forgotten password"}}}},
		Templates: []hal.Template{{
			Title: "Send me a link", Method: http.MethodPost, Target: s.resetPath,
			Properties: []hal.TemplateProperty{{Name: "username", Prompt: "User name or e-mail address", Type: "text", Required: true}},
		}},
	}
}

// askReset records the request. The answer is the same for known and unknown users.
func (s *Pages) askReset(c echo.Context) error {
	halserver.OnForm(c, s.resetDocument)
	if err := halserver.NoQuery(c); err != nil {
		return err
	}
	if !s.cfg.Auth.Mails() {
		halserver.OnForm(c, nil)
		return fault.NotFoundf("Not found.")
	}
	n, err := s.hal.Read(c)
	if err != nil {
		return err
	}
	account := n.Field("username", "email").String()
	n.Done()
	if err := n.Faults().Err(); err != nil {
		return err
	}
	if err := s.cfg.Auth.AskReset(c.Request().Context(), account, c.RealIP()); err != nil {
		return err
	}
	return s.hal.Send(c, s.hal.StatusFor(c, http.StatusAccepted), &hal.Document{
		Links: []hal.Rel{{Name: "self", Links: []hal.Link{{Href: s.resetPath, Title: "Forgotten password"}}}},
		Props: []hal.Prop{{Name: "detail", Value: hal.String("If there is such a user, and the user's e-mail address is known, a mail with a link is on its way. The link is good for an hour.")}},
	})
}

// resetLinkForm answers the form that sets a password. To look at it uses nothing up:
// mail servers open links, too.
func (s *Pages) resetLinkForm(c echo.Context) error {
	if err := halserver.NoQuery(c); err != nil {
		return err
	}
	secret, err := s.resetSecret(c)
	if err != nil {
		return err
	}
	return s.hal.Send(c, http.StatusOK, s.resetLinkDocument(secret))
}

// resetSecret returns the secret of the request's link, if it is valid.
func (s *Pages) resetSecret(c echo.Context) (string, error) {
	c.Response().Header().Set(echo.HeaderReferrerPolicy, "no-referrer")
	halserver.ShownOnce(c)
	secret := c.Param("secret")
	return secret, s.cfg.Auth.CheckReset(c.Request().Context(), secret)
}

func (s *Pages) resetLinkDocument(secret string) *hal.Document {
	path := s.resetPath + "/" + secret
	return &hal.Document{
		Links: []hal.Rel{{Name: "self", Links: []hal.Link{{Href: path, Title: "New password"}}}},
		Templates: []hal.Template{{
			Title: "Set the password", Method: http.MethodPost, Target: path,
			Properties: []hal.TemplateProperty{{Name: "password", Prompt: "New password", Type: "password", Required: true, MinLength: auth.MinPassword}},
		}},
	}
}

// resetPassword sets the password, and sends a browser to sign in with it.
func (s *Pages) resetPassword(c echo.Context) error {
	if err := halserver.NoQuery(c); err != nil {
		return err
	}
	secret, err := s.resetSecret(c)
	if err != nil {
		return err
	}
	halserver.OnForm(c, func(url.Values) *hal.Document { return s.resetLinkDocument(secret) })
	n, err := s.hal.Read(c)
	if err != nil {
		return err
	}
	password := n.Field("password")
	plain := password.String()
	if !password.Present() {
		password.Complain("is required")
	}
	n.Done()
	if err := n.Faults().Err(); err != nil {
		return err
	}
	if err := s.cfg.Auth.ResetPassword(c.Request().Context(), secret, plain); err != nil {
		return err
	}
	if s.hal.Representation(c) == hal.AsHTML {
		return c.Redirect(http.StatusSeeOther, s.signInPath)
	}
	return c.NoContent(http.StatusNoContent)
}
