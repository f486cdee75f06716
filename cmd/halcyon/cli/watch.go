package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"halcyon/cmd/halcyon/cli/client"
	"halcyon/cmd/halcyon/cli/screen"
)

type watchCmd struct {
	What string `arg:"" name:"order|job" help:"The order's id, or a path such as jobs/7."`
	watchFlags
	connectionFlags
}

// watchFlags say how long work is watched.
type watchFlags struct {
	Patience time.Duration `help:"How long the server may be away while it is watched." default:"30s" env:"-"`
	Timeout  time.Duration `help:"How long it is watched at most; 0 is until it has ended." default:"0" env:"-"`
}

// Validate is asked by kong, before anything is done.
func (f watchFlags) Validate() error {
	switch {
	case f.Patience < 0:
		return fmt.Errorf("--patience: %s is less than nothing", f.Patience)
	case f.Timeout < 0:
		return fmt.Errorf("--timeout: %s is less than nothing", f.Timeout)
	}
	return nil
}

// Run watches work until it has ended.
func (c *watchCmd) Run(env *Environment) error {
	sh, err := c.open(env)
	if err != nil {
		return err
	}
	d, err := sh.work(c.What)
	if err != nil {
		return err
	}
	if !isWork(d) {
		return client.Errorf(client.Usage, "%s is neither an order nor a job.", client.Plain(d.Title()))
	}
	return sh.watch(d, c.watchFlags)
}

const (
	soonest = 100 * time.Millisecond // after which work is looked at again
	latest  = 2 * time.Second        // when nothing happens for long
	hinted  = 15 * time.Second       // when the server tells what happens
)

// watcher follows an order or a job, and the jobs of either.
type watcher struct {
	sh    *shell
	doc   *client.Document
	jobs  string // URI template of the jobs to follow; "" for none
	bar   *screen.Progress
	shown map[string]*jobShown // by job
	said  string               // status of the work that was told last
	now   string               // what happens, for the bar

	patience time.Duration
	gone     time.Time // since when the server has been away; zero when it is not
	wait     time.Duration
}

// jobShown is what has been told of a job.
type jobShown struct {
	status, progress string
	messages         int
}

// watch tells what happens to work until it has ended, and fails when it has not
// ended well.
func (sh *shell) watch(d *client.Document, f watchFlags) error {
	w := &watcher{sh: sh, doc: d, shown: map[string]*jobShown{}, patience: f.Patience, wait: soonest}
	if sh.out.TTY {
		w.bar = sh.out.Progress()
		defer w.bar.Clear()
	}
	ctx, stop := context.WithCancel(sh.ctx)
	defer stop()
	if f.Timeout > 0 {
		ctx, stop = context.WithTimeout(ctx, f.Timeout)
		defer stop()
	}
	err := w.follow(ctx)
	if err == nil {
		return w.end()
	}
	if ctx.Err() == nil {
		return err
	}
	w.clear()
	sh.say("%s goes on without being watched: halcyon watch %s shows it again.", client.Plain(d.Title()), pathOf(d))
	if sh.ctx.Err() != nil {
		return context.Canceled
	}
	return &outcome{code: exitUnfinished, what: "not ended within " + f.Timeout.String()}
}

// pathOf is how a document is named on the command line.
func pathOf(d *client.Document) string {
	parts := strings.Split(strings.Trim(d.Self().Href, "/"), "/")
	return client.Plain(strings.Join(parts[max(0, len(parts)-2):], "/"))
}

func (w *watcher) follow(ctx context.Context) error {
	if err := w.findJobs(ctx); err != nil {
		return err
	}
	hints, slow := w.hints(ctx)
	for {
		changed, err := w.look(ctx)
		switch {
		case err == nil && ended(w.doc):
			return nil
		case changed:
			w.wait = soonest
		default:
			w.wait = min(w.wait+w.wait/2, cmp.Or(slow, latest))
		}
		if err == nil {
			err = pause(ctx, w.wait, hints)
		}
		if err == nil {
			err = w.reread(ctx)
		}
		for err != nil {
			if err = w.away(ctx, err); err != nil {
				return err
			}
			err = w.reread(ctx)
		}
		w.gone = time.Time{}
	}
}

// away waits for a server that does not answer, and is the error when it has been
// waited for long enough, or when it is another one.
func (w *watcher) away(ctx context.Context, err error) error {
	now := time.Now()
	switch {
	case ctx.Err() != nil, client.KindOf(err) != client.Unreachable:
		return err
	case w.gone.IsZero():
		w.gone, w.wait = now, soonest
		w.clear()
		w.sh.say("%v It is tried again for %s.", err, w.patience)
	case now.Sub(w.gone) >= w.patience:
		return err
	}
	w.wait = min(2*w.wait, 5*time.Second, max(soonest, w.patience-now.Sub(w.gone)))
	return client.Sleep(ctx, w.wait)
}

// pause waits, or until there is a hint.
func pause(ctx context.Context, d time.Duration, hints <-chan struct{}) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-hints:
	case <-t.C:
	}
	return nil
}

// hints returns a channel that something comes from when there is news of the work,
// and how long to wait for it, when the work has a stream of events.
func (w *watcher) hints(ctx context.Context) (<-chan struct{}, time.Duration) {
	l, ok := w.doc.Link("events")
	if !ok {
		return nil, 0
	}
	hints := make(chan struct{}, 1)
	if !w.sh.Events(ctx, l.Href, hints) {
		return nil, 0
	}
	return hints, hinted
}

// findJobs finds where the jobs of the work are listed.
func (w *watcher) findJobs(ctx context.Context) error {
	root, err := w.sh.Root(ctx)
	if err != nil {
		return err
	}
	l, ok := root.Link("jobs")
	if !ok {
		return nil
	}
	list, err := w.sh.Get(ctx, l.Href)
	if err != nil {
		return err
	}
	if l, ok = list.Link("filter"); ok {
		w.jobs = l.Href
	}
	return nil
}

func (w *watcher) reread(ctx context.Context) error {
	d, err := w.sh.Get(ctx, w.doc.Self().Href)
	if err == nil {
		w.doc = d
	}
	return err
}

// look tells what is new, and whether anything is.
func (w *watcher) look(ctx context.Context) (changed bool, err error) {
	jobs, err := w.members(ctx)
	if err != nil {
		return false, err
	}
	status := client.Text(w.doc.Body.Get("status"))
	if _, job := w.doc.Body.Lookup("progress"); !job && status != w.said && !ended(w.doc) {
		w.line(statusLine(w.doc))
		w.said, changed = status, true
		if status == "PENDING" {
			w.line("It waits for approval.")
		}
	}
	done, total := 0, 0
	// Who belongs to a job is read after it, and told before it: what it says of them
	// has been told by then.
	full := make([]*client.Document, len(jobs))
	for i, j := range slices.Backward(jobs) {
		if full[i], err = w.moved(ctx, j); err != nil {
			return changed, err
		}
	}
	for i, j := range jobs {
		if full[i] != nil {
			w.tell(j, full[i])
			changed = true
		}
		p, _ := j.Body.Get("progress").(client.Object)
		done += number(p.Get("completed"))
		total += number(p.Get("total-tasks"))
	}
	if w.bar != nil && !ended(w.doc) {
		w.bar.Show(w.doc.Title(), done, total, w.now)
	}
	return changed, nil
}

func number(v any) int {
	n, _ := strconv.Atoi(client.Text(v))
	return n
}

// members returns the jobs of the work, the latest first, so that a job's end is told
// before the end of the one that it belongs to.
func (w *watcher) members(ctx context.Context) ([]*client.Document, error) {
	field := "order"
	var jobs []*client.Document
	if _, job := w.doc.Body.Lookup("progress"); job {
		field, jobs = "parent", append(jobs, w.doc)
	}
	if w.jobs == "" {
		return jobs, nil
	}
	first, err := w.sh.Get(ctx, client.Expand(w.jobs, map[string]string{
		"filter": field + ":" + client.Text(w.doc.Body.Get("id")), "attributes": "type,progress", "page_size": "100",
	}))
	if err != nil {
		return nil, err
	}
	err = w.sh.Pages(ctx, first, func(page *client.Document) (bool, error) {
		_, items, _ := page.Items()
		jobs = append(jobs, items...)
		return true, nil
	})
	slices.SortStableFunc(jobs, func(a, b *client.Document) int {
		return number(b.Body.Get("id")) - number(a.Body.Get("id"))
	})
	return jobs, err
}

// moved reads a job in full, with its messages, when it has moved since it was told
// of, and returns nil when it has not.
func (w *watcher) moved(ctx context.Context, j *client.Document) (*client.Document, error) {
	s := w.shown[j.Self().Href]
	if s != nil && s.status == client.Text(j.Body.Get("status")) && s.progress == client.Text(j.Body.Get("progress")) {
		return nil, nil
	}
	if j.Raw != nil {
		return j, nil
	}
	return w.sh.Get(ctx, j.Self().Href)
}

// tell tells what is new of a job.
func (w *watcher) tell(listed, full *client.Document) {
	self := listed.Self().Href
	s := w.shown[self]
	if s == nil {
		s = &jobShown{}
		w.shown[self] = s
	}
	status := client.Text(full.Body.Get("status"))
	name := full.Title() + " (" + client.Text(full.Body.Get("type")) + ")"
	p, _ := full.Body.Get("progress").(client.Object)
	messages, _ := p.Get("messages").([]any)
	for _, m := range messages[min(s.messages, len(messages)):] {
		w.now = client.Text(m)
		if w.bar == nil { // which shows them otherwise
			w.line(name + ": " + w.now)
		}
	}
	if status != s.status && ended(full) {
		if w.bar != nil && status != "SUCCESS" {
			w.line(w.now)
		}
		if w.bar == nil || status != "SUCCESS" {
			w.line(name + ": " + status)
		}
	}
	s.status, s.progress, s.messages = status, client.Text(listed.Body.Get("progress")), len(messages)
}

// line tells one thing: above the bar on a terminal, which has the messages itself.
func (w *watcher) line(text string) {
	w.clear()
	_ = w.sh.out.Line(text)
}

func (w *watcher) clear() {
	if w.bar != nil {
		w.bar.Clear()
	}
}

// ended is whether nothing more happens to the work by itself.
func ended(d *client.Document) bool {
	switch client.Text(d.Body.Get("status")) {
	case "SUCCESS", "WARNING", "FAILURE", "DENIED", "CANCELED", "CART":
		return true
	}
	return false
}

// end tells how the work has ended.
func (w *watcher) end() error {
	status := client.Text(w.doc.Body.Get("status"))
	w.clear()
	if _, job := w.doc.Body.Lookup("progress"); !job {
		_ = w.sh.out.Line(statusLine(w.doc))
	}
	switch status {
	case "SUCCESS":
		return w.servers()
	case "CART":
		return client.Errorf(client.Refused, "%s is not submitted: halcyon run %s submit.", client.Plain(w.doc.Title()), pathOf(w.doc))
	case "DENIED", "CANCELED":
		return &outcome{code: exitStopped, what: status}
	}
	if e := client.Text(w.doc.Body.Get("errors")); e != "" && e != w.now {
		w.sh.say(e)
	}
	return &outcome{code: exitFailed, what: status}
}

// servers tells which servers there are now.
func (w *watcher) servers() error {
	list, _, _ := w.doc.Find("servers")
	for _, l := range list {
		if err := w.sh.out.Line("Server " + l.Title); err != nil {
			return err
		}
	}
	return nil
}
