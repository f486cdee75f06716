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

// validators caches the entity tags of item documents, with the state that each was
// rendered from. While the state is unchanged, so is the document, and a conditional
// request is answered 304 without reading the row. See docs/decisions/0014.
type validators struct {
	known   *cache.Cache[documentKey, known]
	changes atomic.Uint64           // announced so far
	unshown func(topic string) bool // see Config
}

// documentsKept is how many documents are remembered.
const documentsKept = 16384

// documentKey identifies a document.
type documentKey struct {
	actor models.ID
	path  string
	rep   hal.Representation
	base  string // of its hrefs
}

// known is a document that was shown.
type known struct {
	etagState
	validator
}

// etagState is the state of everything that a document is rendered from, read before
// rendering.
type etagState struct {
	of      *resource.Def
	actor   access.Actor // with the rights at that time
	changes uint64       // count of announcements up to that time
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

// put caches the validator of a document. No signal drops the entry: its state shows
// whether it is current, and the time since when the document has had its tag outlives
// unrelated changes. Of two concurrent requests the later one wins, which can only make
// that time too late.
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
	return documentKey{web.Actor(c).ID, c.Request().URL.Path, rep, web.Base(c)}
}

// sight returns the state of everything that an item's document is rendered from. It is
// nil when the declaration does not support it or the request has no use for it. The
// error is fault.NotFound when the caller does not see the row.
func (s *Server) sight(c echo.Context, d *resource.Def) (*etagState, error) {
	r := c.Request()
	if d.Entity.Cache == nil || r.URL.RawQuery != "" || hasPageQuery(c) || !s.reg.Live() {
		return nil, nil
	}
	switch s.Representation(c) {
	case hal.AsHTML:
		if d.Display != nil {
			return nil, nil // the page shows more than the document
		}
	case hal.AsHALForms:
		return nil, nil // templates list rows of any collection
	case hal.AsHAL, hal.AsCloudBolt:
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
	// The row's own date does not cover the other rows that the document shows. The
	// time since when the document is known to be unchanged does.
	since, err := http.ParseTime(c.Request().Header.Get(echo.HeaderIfModifiedSince))
	return err == nil && !since.Before(e.at), nil
}

const keyKnown = "halcyon.known"

// remember caches the validator of a document with the state that it was rendered from.
// It reports whether the cached validator would have led to a 304.
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
