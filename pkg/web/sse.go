package web

import (
	"bytes"
	"errors"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// EventStream is the type of server-sent events.
const EventStream = "text/event-stream"

// writePatience is how long a write to a stream may take: what does not fit into the
// buffers of the network by then is for a client that does not read.
const writePatience = 10 * time.Second

// WantsEvents reports whether the request names the type of server-sent events.
func WantsEvents(r *http.Request) bool {
	for _, line := range r.Header.Values(echo.HeaderAccept) {
		for part := range strings.SplitSeq(line, ",") {
			kind, params, err := mime.ParseMediaType(part)
			if err == nil && kind == EventStream && params["q"] != "0" {
				return true
			}
		}
	}
	return false
}

// Stream is the body of an answer that has begun and goes on. It belongs to one
// goroutine at a time.
type Stream interface {
	// Write sends all of the parts, or fails when the client is gone or does not read.
	Write(parts ...[]byte) error
	// Close ends the answer. It is called once.
	Close()
}

// OpenStream begins an answer of server-sent events and hands its body to begin, which
// returns at once; whoever has the body then closes it. Over HTTP/1.1 the body is no
// more than the connection: the buffers of the request and the goroutine that served
// it are given back as soon as the handler returns, which it has to do at once.
// Otherwise OpenStream returns when the body is closed.
func OpenStream(c echo.Context, begin func(Stream)) error {
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, EventStream)
	h.Set(echo.HeaderCacheControl, "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy that buffers would hold events back
	if c.Request().Method == http.MethodHead {
		return c.NoContent(http.StatusOK)
	}
	conn, _, err := c.Response().Hijack()
	if errors.Is(err, http.ErrNotSupported) {
		return flushed(c, begin)
	}
	if err != nil {
		return err
	}
	// From here on nobody else answers.
	c.Response().Status, c.Response().Committed = http.StatusOK, true
	h.Set("Connection", "close") // which is how the body ends
	s := &connStream{conn: conn}
	if err := s.begin(h); err != nil {
		s.Close()
		return nil //nolint:nilerr // the client has gone
	}
	begin(s)
	return nil
}

// connStream writes to the connection itself.
type connStream struct{ conn net.Conn }

func (s *connStream) begin(h http.Header) error {
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 200 OK\r\n")
	if err := h.Write(&head); err != nil {
		return err
	}
	head.WriteString("\r\n")
	return s.Write(head.Bytes())
}

func (s *connStream) Write(parts ...[]byte) error {
	if err := s.conn.SetWriteDeadline(writeDeadline()); err != nil {
		return err
	}
	if len(parts) == 1 { // as most are; the connection keeps nothing for it
		_, err := s.conn.Write(parts[0])
		return err
	}
	list := net.Buffers(parts)
	_, err := list.WriteTo(s.conn)
	return err
}

// writeDeadline goes by the wall clock, as the network does, whatever clock the
// service goes by.
func writeDeadline() time.Time {
	return time.Now().Add(writePatience) //nolint:forbidigo // not the service's time
}

func (s *connStream) Close() { _ = s.conn.Close() } // whoever reads it connects again

// flushed is for connections that are shared with other requests, as HTTP/2's are.
func flushed(c echo.Context, begin func(Stream)) error {
	c.Response().WriteHeader(http.StatusOK)
	s := &flushStream{c: c, control: http.NewResponseController(c.Response()), closed: make(chan struct{})}
	if err := s.Write(); err != nil {
		return err
	}
	begin(s)
	<-s.closed // until then others write to what is the handler's
	return nil
}

type flushStream struct {
	c       echo.Context
	control *http.ResponseController
	closed  chan struct{}
}

func (s *flushStream) Write(parts ...[]byte) error {
	if err := s.c.Request().Context().Err(); err != nil {
		return err
	}
	if err := s.control.SetWriteDeadline(writeDeadline()); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	for _, p := range parts {
		if _, err := s.c.Response().Write(p); err != nil {
			return err
		}
	}
	return s.control.Flush()
}

func (s *flushStream) Close() { close(s.closed) }
