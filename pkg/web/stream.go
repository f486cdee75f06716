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
// goroutine.
type Stream interface {
	// Write sends all of the parts, or fails when the client is gone or does not read.
	Write(parts ...[]byte) error
	Close()
}

// OpenStream begins an answer of server-sent events and calls run with its body. Over
// HTTP/1.1 run has a goroutine of its own and no more than the connection: the
// buffers of the request, and all that the handlers had on their stack, are given
// back as soon as the handler returns, which it has to do at once. Otherwise
// OpenStream returns when run has.
func OpenStream(c echo.Context, run func(Stream)) error {
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, EventStream)
	h.Set(echo.HeaderCacheControl, "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy that buffers would hold events back
	if c.Request().Method == http.MethodHead {
		return c.NoContent(http.StatusOK)
	}
	conn, _, err := c.Response().Hijack()
	if errors.Is(err, http.ErrNotSupported) {
		return flushed(c, run)
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
	go func() {
		defer s.Close()
		run(s)
	}()
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
	// The network goes by the wall clock, whatever clock the service goes by.
	late := time.AfterFunc(writePatience, s.Close)
	defer late.Stop()
	list := net.Buffers(parts)
	_, err := list.WriteTo(s.conn)
	return err
}

func (s *connStream) Close() { _ = s.conn.Close() } // whoever reads it connects again

// flushed is for connections that are shared with other requests, as HTTP/2's are.
func flushed(c echo.Context, run func(Stream)) error {
	c.Response().WriteHeader(http.StatusOK)
	s := &flushStream{c: c, control: http.NewResponseController(c.Response())}
	if err := s.Write(); err != nil {
		return err
	}
	run(s)
	return nil
}

type flushStream struct {
	c       echo.Context
	control *http.ResponseController
}

func (s *flushStream) Write(parts ...[]byte) error {
	if err := s.c.Request().Context().Err(); err != nil {
		return err
	}
	deadline := time.Now().Add(writePatience) //nolint:forbidigo // the network goes by the wall clock
	if err := s.control.SetWriteDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	for _, p := range parts {
		if _, err := s.c.Response().Write(p); err != nil {
			return err
		}
	}
	return s.control.Flush()
}

func (s *flushStream) Close() {}
