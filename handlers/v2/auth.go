package v2

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/handlers/halserver"
	"halcyon/handlers/signin"
	"halcyon/pkg/auth"
	"halcyon/pkg/fault"
)

// tokenRoutes are how programs get and renew tokens.
type tokenRoutes struct{ face *Face }

// isTokenPath reports whether the path is that of a token endpoint.
func isTokenPath(path string) bool { return strings.HasPrefix(path, basePath+"/api-token-") }

// writeTokenFault answers an error of a token endpoint in the short shape of CloudBolt,
// whatever the client accepts, and without the word token: a client looks for it in the
// body, and takes an error that has it for success.
func (f *Face) writeTokenFault(c echo.Context, err error) error {
	c.Request().Header.Set(echo.HeaderAccept, echo.MIMEApplicationJSON)
	if e := fault.From(err); strings.Contains(strings.ToLower(e.Text(names)+e.Detail), "token") {
		err = fault.Wrap(e.Code, err, "%s", tokenErrors[e.Code])
	}
	return f.hal.WriteFault(c, err)
}

// tokenErrors are the messages of the token endpoints in place of those that have the
// word token in them.
var tokenErrors = map[fault.Code]string{
	fault.Invalid:         "The body has to be an object with the JWT that is renewed or checked, or with username and password, and nothing else.",
	fault.Unauthenticated: "Credentials are missing or invalid.",
	fault.Internal:        "Internal error.",
}

// tokenAuth returns a token for a username and a password.
func (r tokenRoutes) tokenAuth(c echo.Context) error {
	if err := halserver.NoQuery(c); err != nil {
		return err
	}
	n, err := r.face.hal.Read(c)
	if err != nil {
		return err
	}
	cred, err := signin.Credentials(c, n)
	if err != nil {
		return err
	}
	t, err := r.face.Auth.SignIn(c.Request().Context(), cred)
	if err != nil {
		return err
	}
	return r.sendToken(c, t)
}

// tokenRefresh returns a new token for one that is still good.
func (r tokenRoutes) tokenRefresh(c echo.Context) error {
	token, err := r.readToken(c)
	if err != nil {
		return err
	}
	t, err := r.face.Auth.Refresh(c.Request().Context(), token)
	if err != nil {
		return err
	}
	return r.sendToken(c, t)
}

// tokenVerify answers the token when it is good.
func (r tokenRoutes) tokenVerify(c echo.Context) error {
	token, err := r.readToken(c)
	if err != nil {
		return err
	}
	if _, err := r.face.Auth.Verify(c.Request().Context(), token); err != nil {
		return err
	}
	return r.sendToken(c, auth.Tokens{Access: token})
}

func (r tokenRoutes) readToken(c echo.Context) (string, error) {
	if err := halserver.NoQuery(c); err != nil {
		return "", err
	}
	n, err := r.face.hal.Read(c)
	if err != nil {
		return "", err
	}
	x := n.Field("token")
	token := x.String()
	if !x.Present() {
		x.Complain("is required")
	}
	n.Done()
	return token, n.Faults().Err()
}

func (r tokenRoutes) sendToken(c echo.Context, t auth.Tokens) error {
	props := []hal.Prop{{Name: "token", Value: hal.String(t.Access)}}
	if t.ExpiresIn > 0 {
		props = append(props, hal.Prop{Name: "expires-in", Value: hal.Int(int64(t.ExpiresIn.Seconds()))})
	}
	if t.Refresh != "" {
		props = append(props, hal.Prop{Name: "refresh-token", Value: hal.String(t.Refresh)})
	}
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	doc := hal.Document{Props: props}
	return c.Blob(http.StatusOK, hal.AsCloudBolt.ContentType(), r.face.hal.Encoder().AppendJSON(nil, &doc, hal.CloudBolt))
}
