package v2

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/auth"
	"halcyon/pkg/event"
	"halcyon/pkg/fault"
	"halcyon/pkg/web"
)

const (
	headerLastEvent = "Last-Event-ID"
	paramLastEvent  = "last-event-id" // for clients that cannot send the header

	// heartbeat is how often a stream says something, so that proxies keep it and a
	// client that is gone is noticed; and how often its credentials are looked at.
	heartbeat = 15 * time.Second

	// retry is how long clients wait before they connect again, in milliseconds.
	retry = "3000"
)

// stream answers what happens from now on, or from the event on that the caller had
// last, until the credentials end, the client goes or the service stops.
func (f *Face) stream(c echo.Context, filter event.Filter) error {
	if err := onlyQuery(c, append([]string{paramLastEvent}, eventParams...)...); err != nil {
		return err
	}
	r := c.Request()
	after, field := r.Header.Get(headerLastEvent), headerLastEvent
	if after == "" {
		after, field = c.QueryParam(paramLastEvent), paramLastEvent
	}
	a := web.Actor(c)
	st, err := f.Events.Subscribe(r.Context(), a, filter, after, field)
	if err != nil {
		return err
	}
	g := f.guard(c, a)
	varying(c.Response().Header())
	return web.OpenStream(c, func(to web.Stream) {
		defer st.Close()
		f.follow(to, st, g)
	})
}

// follow writes what happens until something ends the stream.
func (f *Face) follow(to web.Stream, st *event.Stream, g *guard) {
	ctx := context.Background() // the request has been answered: its own is over
	if err := to.Write(greeting(st)); err != nil {
		return
	}
	var parts [][]byte
	for {
		list, err := st.Next(ctx, g.patience())
		if err == nil {
			err = g.check(ctx)
		}
		if err != nil {
			// Whatever it is, the client comes back for the rest, and is told then.
			_ = to.Write([]byte(": " + fault.From(err).Message + "\n\n"))
			return
		}
		if parts = parts[:0]; len(list) == 0 {
			parts = append(parts, []byte(":\n\n"))
		}
		for _, e := range list {
			parts = append(parts, e.Wire(f.frame))
		}
		if to.Write(parts...) != nil {
			return
		}
		clear(parts)
	}
}

// greeting is how a stream begins. Its id says where it begins, so that a client that
// is cut off before the first event comes back for it.
func greeting(st *event.Stream) []byte {
	begin := "retry: " + retry + "\nid: " + st.From.String() + "\n"
	if st.Reset {
		return []byte(begin + "event: reset\ndata: {\"type\":\"reset\",\"detail\":\"Some of what happened since is not kept any more. What follows begins with the oldest event that is.\"}\n\n")
	}
	return []byte(begin + "\n")
}

// frame is an event on the wire.
func (f *Face) frame(e *models.Event) []byte {
	b := make([]byte, 0, 512)
	b = append(b, "id: "+e.ID.String()+"\nevent: "+e.Type+"\ndata: "...)
	b = append(b, f.EventData(e)...)
	return append(b, "\n\n"...)
}

// guard looks after the credentials that a stream was opened with.
type guard struct {
	face    *Face
	echo    *echo.Echo
	request *http.Request // as much of it as authentication reads
	user    models.ID
	ends    time.Time // when the token expires; zero for credentials that do not
	next    time.Time // when they are looked at again
	signOff uint64
}

func (f *Face) guard(c echo.Context, a access.Actor) *guard {
	r := c.Request()
	g := &guard{
		face: f, echo: c.Echo(), user: a.ID, next: f.reg.Now().Add(heartbeat), signOff: f.signOff.Load(),
		request: &http.Request{Method: http.MethodGet, URL: &url.URL{Path: r.URL.Path}, RemoteAddr: r.RemoteAddr, Host: r.Host, Header: http.Header{}},
	}
	for _, name := range []string{echo.HeaderAuthorization, echo.HeaderCookie} {
		for _, v := range r.Header.Values(name) {
			g.request.Header.Add(name, strings.Clone(v))
		}
	}
	if scheme, token, _ := strings.Cut(r.Header.Get(echo.HeaderAuthorization), " "); !strings.EqualFold(scheme, "Basic") {
		if claims, err := f.Auth.Verify(r.Context(), strings.TrimSpace(token)); err == nil {
			g.ends = claims.Expires
		}
	}
	return g
}

// patience is how long the stream may be silent.
func (g *guard) patience() time.Duration {
	if g.ends.IsZero() {
		return heartbeat
	}
	return max(min(heartbeat, g.ends.Sub(g.face.reg.Now())), time.Millisecond)
}

// check is an error when the credentials are not good any more. They are looked at
// now and then, and when something may have ended a session.
func (g *guard) check(ctx context.Context) error {
	now, heard := g.face.reg.Now(), g.face.signOff.Load()
	if !g.ends.IsZero() && !now.Before(g.ends) {
		return fault.New(fault.Unauthenticated, "The token has expired. Connect again with a new one.")
	}
	if now.Before(g.next) && heard == g.signOff {
		return nil
	}
	g.next, g.signOff = now.Add(heartbeat), heard
	c := g.echo.NewContext(g.request.WithContext(ctx), nil)
	if err := g.face.Authenticate(c); err != nil {
		return err
	}
	if web.Actor(c).ID != g.user {
		return event.ErrSignedOut
	}
	return nil
}

// signedOff counts the announcements after which credentials are looked at anew.
func (f *Face) signedOff(topic, _ string) {
	if topic == auth.TopicSessions || topic == auth.TopicUsers || topic == "" {
		f.signOff.Add(1)
	}
}
