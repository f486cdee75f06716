package v2

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/handlers/halserver"
	"halcyon/pkg/auth"
	"halcyon/pkg/fault"
)

// This file is how people who have forgotten their password get a new one by mail.

const (
	resetPath     = Base + "/password-reset"
	resetLinkPath = resetPath + "/:secret"
)

// Private is the path below which the rest of an address is a secret.
const Private = resetPath

// ResetLink gives the address of the page on which a password is set, on the server
// with the public URL.
func ResetLink(public, secret string) string {
	return strings.TrimSuffix(public, "/") + resetPath + "/" + secret
}

// resetForm answers the form that asks for a link.
func (f *Face) resetForm(c echo.Context) error {
	if err := halserver.NoQuery(c); err != nil {
		return err
	}
	if !f.Auth.Mails() {
		return fault.NotFoundf("Not found.")
	}
	return f.hal.Send(c, http.StatusOK, resetDocument(nil))
}

func resetDocument(url.Values) *hal.Document {
	return &hal.Document{
		Links: []hal.Rel{{Name: "self", Links: []hal.Link{{Href: resetPath, Title: "Forgotten password"}}}},
		Templates: []hal.Template{{
			Title: "Send me a link", Method: http.MethodPost, Target: resetPath,
			Properties: []hal.TemplateProperty{{Name: "username", Prompt: "User name or e-mail address", Type: "text", Required: true}},
		}},
	}
}

// askReset takes the wish down. The answer is one and the same, whoever it is about.
func (f *Face) askReset(c echo.Context) error {
	halserver.OnForm(c, resetDocument)
	if err := halserver.NoQuery(c); err != nil {
		return err
	}
	if !f.Auth.Mails() {
		halserver.OnForm(c, nil)
		return fault.NotFoundf("Not found.")
	}
	n, err := f.hal.Read(c)
	if err != nil {
		return err
	}
	account := n.Field("username", "email").String()
	n.Done()
	if err := n.Faults().Err(); err != nil {
		return err
	}
	if err := f.Auth.AskReset(c.Request().Context(), account, c.RealIP()); err != nil {
		return err
	}
	return f.hal.Send(c, f.hal.StatusFor(c, http.StatusAccepted), &hal.Document{
		Links: []hal.Rel{{Name: "self", Links: []hal.Link{{Href: resetPath, Title: "Forgotten password"}}}},
		Props: []hal.Prop{{Name: "detail", Value: hal.String("If there is such a user, and the user's e-mail address is known, a mail with a link is on its way. The link is good for an hour.")}},
	})
}

// resetLinkForm answers the form that sets a password. To look at it uses nothing up:
// mail servers open links, too.
func (f *Face) resetLinkForm(c echo.Context) error {
	if err := halserver.NoQuery(c); err != nil {
		return err
	}
	secret, err := f.resetSecret(c)
	if err != nil {
		return err
	}
	return f.hal.Send(c, http.StatusOK, resetLinkDocument(secret))
}

// resetSecret gives the secret of the link that the request is about, if it is good.
func (f *Face) resetSecret(c echo.Context) (string, error) {
	c.Response().Header().Set(echo.HeaderReferrerPolicy, "no-referrer")
	halserver.ShownOnce(c)
	secret := c.Param("secret")
	return secret, f.Auth.CheckReset(c.Request().Context(), secret)
}

func resetLinkDocument(secret string) *hal.Document {
	path := resetPath + "/" + secret
	return &hal.Document{
		Links: []hal.Rel{{Name: "self", Links: []hal.Link{{Href: path, Title: "New password"}}}},
		Templates: []hal.Template{{
			Title: "Set the password", Method: http.MethodPost, Target: path,
			Properties: []hal.TemplateProperty{{Name: "password", Prompt: "New password", Type: "password", Required: true, MinLength: auth.MinPassword}},
		}},
	}
}

// resetPassword sets the password, and sends a browser to sign in with it.
func (f *Face) resetPassword(c echo.Context) error {
	if err := halserver.NoQuery(c); err != nil {
		return err
	}
	secret, err := f.resetSecret(c)
	if err != nil {
		return err
	}
	halserver.OnForm(c, func(url.Values) *hal.Document { return resetLinkDocument(secret) })
	n, err := f.hal.Read(c)
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
	if err := f.Auth.ResetPassword(c.Request().Context(), secret, plain); err != nil {
		return err
	}
	if f.hal.Representation(c) == hal.AsHTML {
		return c.Redirect(http.StatusSeeOther, signInPath)
	}
	return c.NoContent(http.StatusNoContent)
}
