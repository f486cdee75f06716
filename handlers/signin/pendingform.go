package signin

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"halcyon/handlers/halserver"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/view"
	"halcyon/pkg/web"
)

// The values of a form whose session has ended travel through the sign-in, encrypted.
// Only the user of that session gets them back.

const (
	unsentMost = 64 << 10 // bytes of a form that is kept
	unsentLife = 24 * time.Hour
)

const unsentNotice = "You are signed in again. Nothing was sent yet: this is what you had typed, passwords aside."

// pendingForm is a form that was sent without a session.
type pendingForm struct {
	User   models.ID  `json:"user"`
	At     time.Time  `json:"at"`
	Method string     `json:"method"`
	Target string     `json:"target"`
	Page   string     `json:"page"`
	Values url.Values `json:"values"`
}

// keepUnsent returns the request's form, encrypted for the user of the ended session. It
// is "" when the request is no form, is too long, or had no session.
func (s *Pages) keepUnsent(c echo.Context) string {
	r, from := c.Request(), halserver.FormPage(c)
	if from == "" {
		return ""
	}
	data, err := web.ReadBody(c)
	if err != nil || len(data) > unsentMost {
		return ""
	}
	values, err := jsonbody.FormValues(data)
	if err != nil {
		return ""
	}
	user, err := s.cfg.Auth.FormerUser(r.Context(), s.cfg.Cookie.Read(r))
	if err != nil {
		return ""
	}
	text, err := json.Marshal(pendingForm{
		User: user, At: s.cfg.Now(), Method: r.Method, Target: r.URL.EscapedPath(), Page: from, Values: view.Harmless(values),
	})
	if err != nil {
		return ""
	}
	sealed, err := s.cfg.Seal(string(text))
	if err != nil {
		return ""
	}
	return sealed
}

// unsentBy returns the form that was kept, and the page that it was on, when it is the
// caller's: nil otherwise.
func (s *Pages) unsentBy(a access.Actor, sealed string) (*view.Sent, string) {
	if sealed == "" {
		return nil, ""
	}
	text, err := s.cfg.Open(sealed)
	if err != nil {
		return nil, ""
	}
	var u pendingForm
	if json.Unmarshal([]byte(text), &u) != nil || u.User == 0 || u.User != a.ID || s.cfg.Now().Sub(u.At) > unsentLife || u.Method == http.MethodGet {
		return nil, ""
	}
	return &view.Sent{Method: u.Method, Target: u.Target, Values: u.Values, Notice: unsentNotice}, u.Page
}
