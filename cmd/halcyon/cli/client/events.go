package client

import (
	"bufio"
	"context"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Events listens to the stream of events that a link leads to and puts a hint into
// the channel for each, unless one is in it already. It goes on until the context
// ends, also over breaks of the connection, and is false when the server has no such
// stream for us. A hint says that it is worth to look; what has happened is in the
// resource.
func (c *Client) Events(ctx context.Context, href string, hints chan<- struct{}) bool {
	u, err := c.resolve(href)
	if err != nil {
		return false
	}
	res, err := c.listen(ctx, u, "") //nolint:bodyclose // hear closes it
	if err != nil {
		return false
	}
	go c.hear(ctx, u, res, hints)
	return true
}

// listen opens the stream behind the event that was the last.
func (c *Client) listen(ctx context.Context, u *url.URL, last string) (*http.Response, error) {
	h := http.Header{"Accept": {"text/event-stream"}}
	if last != "" {
		h.Set("Last-Event-ID", last)
	}
	res, err := c.authorized(ctx, request{method: http.MethodGet, url: u, header: h})
	if err != nil {
		return nil, err
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if res.StatusCode != http.StatusOK || kind != "text/event-stream" {
		_ = res.Body.Close()
		return nil, Errorf(Other, "There is no stream of events at %s.", u.Path)
	}
	return res, nil
}

const longestBreak = 15 * time.Second

func (c *Client) hear(ctx context.Context, u *url.URL, res *http.Response, hints chan<- struct{}) {
	last, wait := "", time.Second
	for {
		if res != nil {
			if id, any := read(res, hints); any {
				last, wait = id, time.Second
			}
			_ = res.Body.Close()
		}
		if Sleep(ctx, wait) != nil {
			return
		}
		wait = min(2*wait, longestBreak)
		res, _ = c.listen(ctx, u, last)
		if res != nil {
			hint(hints) // something may have been missed
		}
	}
}

// read reads events until the stream breaks, and returns the id of the last.
func read(res *http.Response, hints chan<- struct{}) (last string, got bool) {
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	id, data := "", false
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			id = value
		case "data":
			data = true
		case "": // an empty line ends an event; one with a colon is a comment
			if data && lines.Text() == "" {
				last, got, data = id, true, false
				hint(hints)
			}
		}
	}
	return last, got
}

func hint(hints chan<- struct{}) {
	select {
	case hints <- struct{}{}:
	default:
	}
}
