package v2

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
	"unique"

	"github.com/labstack/echo/v4"

	"halcyon/handlers/halserver"
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

	// heartbeat is the longest silence of a stream: proxies keep the connection and a
	// lost client is noticed. It is also the interval of checking the credentials.
	heartbeat = 15 * time.Second

	// retry is how long clients wait before they connect again, in milliseconds.
	retry = "3000"
)

// stream answers events from now on, or from the caller's last event on, until the
// credentials end, the client disconnects or the service stops.
func (f *Face) stream(c echo.Context, filter event.Filter) error {
	if err := halserver.OnlyQuery(c, append([]string{paramLastEvent}, eventParams...)...); err != nil {
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
	w := &follower{face: f, stream: st, guard: f.guard(c, a)}
	web.VaryByAccept(c.Response().Header())
	return web.OpenStream(c, w.begin)
}

// follower writes events to one client. It has a goroutine only while there is something
// to write: an idle stream costs no more than its connection.
type follower struct {
	face   *Face
	to     web.Stream
	stream *event.Stream
	guard  guard

	turns web.Coalescer
	beat  *time.Timer // nil before the stream has been greeted
	due   atomic.Bool // a heartbeat is due
}

// begin writes to a body until something ends the stream.
func (w *follower) begin(to web.Stream) {
	w.to = to
	w.stream.Notify(w.wake)
	w.wake()
}

// wake has the follower look for something to write. It does not wait.
func (w *follower) wake() { w.turns.Call(w.turn) }

// turn writes the pending events, and reports whether the stream goes on.
func (w *follower) turn() bool {
	if w.write() == nil {
		return true
	}
	if w.beat != nil {
		w.beat.Stop()
	}
	w.stream.Close()
	w.to.Close()
	return false
}

// greet begins the stream, and with it the signs of life.
func (w *follower) greet() error {
	if err := w.to.Write(greeting(w.stream)); err != nil {
		return err
	}
	w.beat = time.AfterFunc(w.guard.patience(), func() {
		w.due.Store(true)
		w.wake()
	})
	return nil
}

// write writes the new events, or a heartbeat when one is due. Any error ends the stream:
// the client reconnects for the rest, and gets the error then.
func (w *follower) write() error {
	if w.beat == nil {
		if err := w.greet(); err != nil {
			return err
		}
	}
	ctx := context.Background() // the request has been answered: its own is over
	for {
		list, err := w.stream.Next(ctx)
		if err == nil {
			err = w.guard.check(ctx)
		}
		if err != nil {
			_ = w.to.Write([]byte(": " + fault.From(err).Text(names) + "\n\n"))
			return err
		}
		if due := w.due.Swap(false); len(list) == 0 && !due {
			return nil
		}
		if err := w.send(list); err != nil {
			return err
		}
		w.beat.Reset(w.guard.patience())
	}
}

// send writes some events, or the sign of life when there are none.
func (w *follower) send(list []*event.Published) error {
	if len(list) == 0 {
		return w.to.Write([]byte(":\n\n"))
	}
	parts := make([][]byte, len(list))
	for i, e := range list {
		parts[i] = e.Wire(w.face.frame)
	}
	return w.to.Write(parts...)
}

// greeting is the start of a stream. Its id marks the position, so that a client that is
// disconnected before the first event resumes there.
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

// guard looks after the credentials that a stream was opened with. There are many, so
// it keeps as much of the request as authentication reads.
type guard struct {
	face    *Face
	echo    *echo.Echo
	host    string
	remote  string
	headers [len(credentialHeaders)][]string
	user    models.ID
	ends    time.Time // when the token expires; zero for credentials that do not
	next    time.Time // when they are looked at again
	signOff uint64
}

// credentialHeaders are the headers in which credentials come.
var credentialHeaders = [...]string{echo.HeaderAuthorization, echo.HeaderCookie}

func (f *Face) guard(c echo.Context, a access.Actor) guard {
	r := c.Request()
	g := guard{
		face: f, echo: c.Echo(), host: strings.Clone(r.Host), remote: strings.Clone(r.RemoteAddr),
		user: a.ID, next: f.reg.Now().Add(heartbeat), signOff: f.signOff.Load(),
	}
	for i, name := range credentialHeaders {
		for _, v := range r.Header.Values(name) {
			g.headers[i] = append(g.headers[i], unique.Make(v).Value()) // the streams of one token share it
		}
	}
	if scheme, token, _ := strings.Cut(r.Header.Get(echo.HeaderAuthorization), " "); !strings.EqualFold(scheme, "Basic") {
		if claims, err := f.Auth.Verify(r.Context(), strings.TrimSpace(token)); err == nil {
			g.ends = claims.Expires
		}
	}
	return g
}

// request is the one that the stream was opened with, as far as it is kept.
func (g *guard) request(ctx context.Context) *http.Request {
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: eventsPath}, RemoteAddr: g.remote, Host: g.host, Header: http.Header{}}
	for i, name := range credentialHeaders {
		if len(g.headers[i]) > 0 {
			r.Header[name] = g.headers[i]
		}
	}
	return r.WithContext(ctx)
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
	c := g.echo.NewContext(g.request(ctx), nil)
	if err := g.face.Authenticate(c); err != nil {
		return err
	}
	if web.Actor(c).ID != g.user {
		return event.ErrSignedOut
	}
	return nil
}

// signedOff counts the announcements that require another check of the credentials.
func (f *Face) signedOff(topic, _ string) {
	if topic == auth.TopicSessions || topic == auth.TopicUsers || topic == "" {
		f.signOff.Add(1)
	}
}
