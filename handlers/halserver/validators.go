package halserver

import (
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/cache"
	"halcyon/pkg/resource"
	"halcyon/pkg/web"
)

// validators remembers which tag the documents of items have had, and of what
// state: while that state is the same, so is the document, and who has it is told
// so without reading it. See docs/decisions/0014.
type validators struct {
	known   *cache.Cache[documentKey, known]
	changes atomic.Uint64           // announced so far
	unshown func(topic string) bool // see Config
}

// documentsKept is how many documents are remembered.
const documentsKept = 16384

// documentKey tells documents apart.
type documentKey struct {
	actor models.ID
	path  string
	rep   hal.Representation
}

// known is a document that was shown.
type known struct {
	etagState
	validator
}

// etagState is the state of all that a document is made from, as it was before the
// document was made.
type etagState struct {
	of      *resource.Def
	actor   access.Actor // with the rights of then
	changes uint64       // announced until then
	stamp   string       // of the rows whose changes are not announced
	at      time.Time
}

// heard counts the announcements of changes that a document may show.
func (v *validators) heard(topic, _ string) {
	if v.unshown != nil && v.unshown(topic) {
		return
	}
	v.changes.Add(1)
}

// put keeps a document. No signal drops it: the state that it was made from tells
// whether it is current, and since when it has had its tag outlives other changes. Of
// two requests at once the later one counts, which can only make that time too late.
func (v *validators) put(k documentKey, e known) {
	if had, ok := v.known.Get(k, time.Time{}); ok && had.tag == e.tag {
		e.at = had.at
	}
	v.known.Put(k, e, time.Time{})
}

// same reports whether all that the document is made from is as it was.
func (s *etagState) same(now *etagState) bool {
	return s.actor == now.actor && s.changes == now.changes && s.stamp == now.stamp
}

func keyOf(c echo.Context, rep hal.Representation) documentKey {
	return documentKey{web.Actor(c).ID, c.Request().URL.Path, rep}
}

// sight looks at the state of all that an item's document is made from, nil when
// the declaration does not say, or nobody would ask. The error is NotFound when
// the caller sees no such row.
func (s *Server) sight(c echo.Context, d *resource.Def) (*etagState, error) {
	r := c.Request()
	if d.Entity.Cache == nil || r.URL.RawQuery != "" || hasPageQuery(c) || !s.reg.Live() {
		return nil, nil
	}
	if d.Display != nil && s.Representation(c) == hal.AsHTML {
		return nil, nil // the page shows more than the document
	}
	if !d.Entity.Cache.Complete() && !asked(r.Header) && s.cfg.Audit == nil {
		return nil, nil
	}
	now := &etagState{of: d, actor: web.Actor(c), changes: s.seen.changes.Load(), at: s.reg.Now()}
	now.actor.Session = ""
	var err error
	if now.stamp, err = s.reg.Fingerprint(r.Context(), now.actor, d, c.Param("id")); err != nil || now.stamp == "" {
		return nil, err
	}
	return now, nil
}

// asked reports whether the request is a conditional GET.
func asked(h http.Header) bool {
	return h.Get(headerNoneMatch) != "" || h.Get(echo.HeaderIfModifiedSince) != ""
}

// unchanged answers 304 when the caller has the document as it still is, as far as
// that is known without making it. It reports whether it has answered.
func (s *Server) unchanged(c echo.Context, now *etagState) (bool, error) {
	e, ok := s.seen.known.Get(keyOf(c, s.Representation(c)), time.Time{})
	if now == nil || !ok || !e.same(now) {
		return false, nil
	}
	if s.cfg.Audit != nil {
		c.Set(keyKnown, e)
		return false, nil
	}
	if has, err := e.heldBy(c); !has || err != nil {
		return false, err
	}
	h := c.Response().Header()
	web.VaryByAccept(h)
	h.Set(echo.HeaderCacheControl, "private, no-cache")
	e.set(c)
	return true, c.NoContent(http.StatusNotModified)
}

// heldBy reports whether the caller has the document.
func (e *known) heldBy(c echo.Context) (bool, error) {
	t, given, err := readTags(c.Request().Header, headerNoneMatch)
	if err != nil || given {
		return err == nil && t.match(e.tag), err
	}
	// The row's own date says nothing of what else the document shows. Since when it
	// is known to be this, it does.
	since, err := http.ParseTime(c.Request().Header.Get(echo.HeaderIfModifiedSince))
	return err == nil && !since.Before(e.at), nil
}

const keyKnown = "halcyon.known"

// remember keeps what a document is known by, and what it was made from. It reports
// whether the caller would have been told that nothing has changed.
func (s *Server) remember(c echo.Context, v validator, seen *etagState) bool {
	if seen == nil {
		return false
	}
	was, ok := c.Get(keyKnown).(known)
	if ok && was.tag != v.tag {
		// Unless it changed just now, which the next look would find.
		if now, err := s.sight(c, seen.of); err == nil && now != nil && now.same(seen) {
			s.cfg.Audit(strings.Join([]string{c.Request().URL.Path, was.tag, v.tag, seen.stamp}, " "))
		}
	}
	s.seen.put(keyOf(c, s.Representation(c)), known{*seen, v})
	if !ok || was.tag != v.tag {
		return false
	}
	has, err := was.heldBy(c)
	return has && err == nil
}
