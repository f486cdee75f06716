package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"halcyon/pkg/demo"
	"halcyon/pkg/resource"
	"halcyon/pkg/store"
)

const formsType = "application/prs.hal-forms+json"

// TestEveryOfferIsKept crawls the API as each of the demo's users, with nothing but
// the root's address, and takes every document at its word: its links and embedded
// resources are there, HEAD and OPTIONS answer, every template can be sent as it
// describes itself, in JSON and as a form, every action that is offered is done,
// and what is not offered is refused. What was done is undone each time, so that
// one offer does not spoil the next.
func TestEveryOfferIsKept(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := lively(t, open(t))
		cr := &crawler{cloud: c, t: t, problems: map[string]bool{}, done: map[string]bool{}}
		cr.keep()
		for _, u := range demo.Users {
			cr.crawl(u.Name)
		}
		for kind := range cr.problems {
			c.want(t, http.StatusOK, call{path: kind})
		}
		t.Logf("%d pages; %d templates were sent, %d more things were refused", cr.pages, cr.sent, cr.refused)
		if cr.pages < 200 || cr.sent < 150 || cr.refused < 300 {
			t.Errorf("the crawler found too little")
		}
	})
}

// crawler goes through the API as one user at a time.
type crawler struct {
	*cloud
	t      *testing.T
	actor  string
	serial int

	pages, sent, refused int

	tables   []string
	problems map[string]bool // types that were seen
	done     map[string]bool // templates that were sent, and explanations that were read
}

// crawl follows everything from the root.
func (c *crawler) crawl(actor string) {
	c.t.Helper()
	c.actor = actor
	queue := []visit{{"/api/v2/", "nowhere"}}
	seen := map[string]bool{"/api/v2/": true}
	for i := 0; i < len(queue) && i < mostPages; i++ {
		for _, found := range c.look(queue[i]) {
			if strings.HasPrefix(found, "/api/v2/docs/") { // which are the same for all
				if c.done[found] {
					continue
				}
				c.done[found] = true
			}
			if !seen[found] {
				seen[found] = true
				queue = append(queue, visit{found, queue[i].url})
			}
		}
	}
	c.pages += len(queue)
	if len(queue) > mostPages {
		c.t.Errorf("%s: more than %d pages", actor, mostPages)
	}
}

// page is what the crawler reads of a document.
type page struct {
	Status    json.RawMessage
	Links     map[string]json.RawMessage `json:"_links"`
	Templates map[string]template        `json:"_templates"`
}

// name gives the only template of a page, which is the default one on the wire, the key
// that it has beside others.
func (p *page) name() {
	t, ok := p.Templates["default"]
	_, at, action := strings.Cut(t.Target, "/actions/")
	switch {
	case !ok || len(p.Templates) > 1:
		return
	case t.Method == http.MethodDelete:
		at = "delete"
	case t.Method != http.MethodPost, !action, at == "":
		return
	}
	for rel, link := range p.Links {
		if name, custom := strings.CutPrefix(rel, "cb:"); custom && t.Method == http.MethodPost && strings.Contains(string(link), `"`+t.Target+`"`) {
			at = name
		}
	}
	p.Templates = map[string]template{strings.Trim(at, "/"): t}
}

type template struct {
	Method, Target, Title string
	Properties            []property
}

type property struct {
	Name, Type, Value, Regex, Placeholder string
	Required                              bool
	Min                                   any
	Options                               *options
}

type options struct {
	Inline                  []struct{ Prompt, Value string }
	Link                    *struct{ Href string }
	PromptField, ValueField string
	MaxItems                int
	SelectedValues          []string
}

// look holds one page against what is promised of all, and returns the addresses
// that it names.
func (c *crawler) look(v visit) []string {
	c.t.Helper()
	if path, _, _ := strings.Cut(v.url, "?"); !c.done[path] { // whoever asks
		c.done[path] = true
		c.options(c.t, c.actor, v.url)
	}
	a := c.request(call{path: v.url, accept: formsType})
	if isAction(v.url) {
		if a.status != http.StatusMethodNotAllowed {
			c.t.Errorf("%s: GET of the action %s: %d", c.actor, v.url, a.status)
		}
		return nil
	}
	if a.status != http.StatusOK {
		c.t.Errorf("%s: %s, linked from %s: %d", c.actor, v.url, v.from, a.status)
		return nil
	}
	head := c.request(call{method: http.MethodHead, path: v.url, accept: formsType})
	if head.status != a.status || head.header.Get("Content-Type") != a.header.Get("Content-Type") {
		c.t.Errorf("%s: HEAD %s: %d %v", c.actor, v.url, head.status, head.header)
	}
	if a.kind() != formsType && a.kind() != "application/hal+json" { // a document without templates
		return nil
	}
	if self := a.text(c.t, "/_links/self/href"); self != canonical(v.url) {
		c.t.Errorf("%s: %s says that it is %s", c.actor, v.url, self)
	}
	c.offers(a)
	return c.named(c.t, a)
}

func (c *crawler) request(r call) *answer {
	c.t.Helper()
	r.actor = c.actor
	a := c.ask(c.t, r)
	if a.status >= 400 && strings.HasSuffix(a.kind(), "problem+json") && r.method != http.MethodHead {
		c.problems[a.text(c.t, "/type")] = true
	}
	return a
}

// offers takes a page at its word.
func (c *crawler) offers(a *answer) {
	c.t.Helper()
	var p page
	if err := json.Unmarshal(a.body, &p); err != nil {
		c.t.Errorf("%s: %v", a.call, err)
		return
	}
	p.name()
	for _, key := range slices.Sorted(maps.Keys(p.Templates)) {
		// Each page of a list offers the same as the first.
		what := fmt.Sprint(c.actor, p.Templates[key].Method, p.Templates[key].Target)
		if c.done[what] {
			continue
		}
		c.done[what] = true
		c.send(a.call.path, key, p.Templates[key])
	}
	for _, d := range c.app.Face.Declarations() {
		path, _, _ := strings.Cut(a.call.path, "?")
		if path == d.Path() {
			c.complement(d, path, &p)
		}
		if id, ok := strings.CutPrefix(strings.TrimSuffix(path, "/"), d.Path()); ok && id != "" && strings.Trim(id, "0123456789") == "" {
			c.complementItem(d, path, &p)
		}
	}
}

// send submits a template twice: with no more than it requires and begins with, as
// a form, and with everything, as JSON.
func (c *crawler) send(from, key string, t template) {
	c.t.Helper()
	if key == "import-template" {
		return // what is there to import is in the back end, and all of it is imported
	}
	c.serial++
	least := c.filled(t, false)
	form := url.Values{}
	for name, v := range least {
		if list, ok := v.([]string); ok {
			form[name] = list
		} else {
			form.Set(name, fmt.Sprint(v))
		}
	}
	a := c.request(call{method: t.Method, path: t.Target, accept: formsType, body: form.Encode(), label: "application/x-www-form-urlencoded"})
	c.undo(a)
	// That one of several has to be given is beyond what a template can say.
	if a.status >= 300 && (a.status != http.StatusBadRequest || len(least) == len(t.Properties)) {
		c.t.Errorf("%s: %s of %s is offered, and refused: %s\n%s", c.actor, key, from, form.Encode(), a.body)
	}
	c.sent++
	if t.Method == http.MethodPatch || len(t.Properties) == 0 {
		return // what is there is all that is known to fit
	}
	c.serial++
	body, err := json.Marshal(c.filled(t, true))
	if err != nil {
		c.t.Fatal(err)
	}
	a = c.request(call{method: t.Method, path: t.Target, accept: formsType, body: string(body)})
	c.undo(a)
	if a.status >= 300 {
		c.t.Errorf("%s: %s of %s is offered, and refused: %s\n%s", c.actor, key, from, body, a.body)
	}
	c.sent++
}

// alternatives are questions that one answers or others, by the template's target.
var alternatives = map[string][]string{
	"/api/v2/actions/":      {"built-in"},  // or what a webhook needs
	"/api/v2/applications/": {"os-family"}, // or builds of another
	"/api/v2/webhooks/":     {"about"},     // an object of any of several kinds
}

// filled answers the questions of a template: all of them, or those that have to be
// answered and those that come with an answer.
// answers are those that only others fit: the service says what can be done where.
var answers = map[string]map[string]string{
	"/api/v2/server-actions/":  {"action": "2"},
	"/api/v2/service-actions/": {"action": "2"},
	"/api/v2/applications/":    {"action": "2"},
}

func (c *crawler) filled(t template, all bool) map[string]any {
	c.t.Helper()
	out := map[string]any{}
	for i, p := range t.Properties {
		if p.Options != nil && len(p.Options.SelectedValues) > 0 && p.Options.MaxItems != 1 {
			out[p.Name] = p.Options.SelectedValues
			continue
		}
		if p.Value != "" {
			out[p.Name] = p.Value
			continue
		}
		if !all && !p.Required {
			continue
		}
		v := c.example(&t.Properties[i], i)
		if fits := answers[t.Target][p.Name]; fits != "" {
			v = fits
		}
		if v == "" || slices.Contains(alternatives[t.Target], p.Name) {
			continue
		}
		if out[p.Name] = v; p.Options != nil && p.Options.MaxItems != 1 {
			out[p.Name] = []string{v}
		}
	}
	return out
}

// example returns a value that a question allows, "" when there is none to choose.
func (c *crawler) example(p *property, i int) string {
	c.t.Helper()
	switch {
	case p.Options != nil && p.Options.Link != nil:
		if rows := c.rows(p.Options); len(rows) > 0 {
			return rows[0]
		}
		return ""
	case p.Options != nil:
		return p.Options.Inline[0].Value
	case p.Placeholder != "" && (p.Type != "text" || p.Regex != "" || strings.ContainsAny(p.Placeholder, ".:")):
		return p.Placeholder
	case p.Min != nil:
		return fmt.Sprint(p.Min)
	}
	switch p.Type {
	case "number":
		return "1"
	case "date":
		return time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	case "datetime-local":
		return "2099-12-31T12:00"
	case "email":
		return "somebody@demo.example"
	case "password":
		if p.Name == "old-password" {
			return demo.Password
		}
		return "Correct horse 7"
	case "textarea":
		return ""
	case "checkbox":
		return "true"
	}
	if strings.Contains(p.Name, "size") {
		return p.Placeholder
	}
	return fmt.Sprintf("example-%d-%d", c.serial, i)
}

// rows returns the values that a link of options offers.
func (c *crawler) rows(o *options) []string {
	c.t.Helper()
	a := c.request(call{path: o.Link.Href})
	if a.status != http.StatusOK {
		c.t.Errorf("%s: the options at %s: %d", c.actor, o.Link.Href, a.status)
		return nil
	}
	var list struct {
		Embedded map[string][]map[string]any `json:"_embedded"`
	}
	if err := json.Unmarshal(a.body, &list); err != nil {
		c.t.Fatal(err)
	}
	var values []string
	for _, rows := range list.Embedded {
		for _, row := range rows {
			if row[o.PromptField] == nil || row[o.ValueField] == nil {
				c.t.Errorf("%s: the options at %s have no %s or %s: %v", c.actor, o.Link.Href, o.PromptField, o.ValueField, row)
			}
			values = append(values, fmt.Sprint(row[o.ValueField]))
		}
	}
	return values
}

// complement asks for what a collection does not offer.
func (c *crawler) complement(d *resource.Def, path string, p *page) {
	c.t.Helper()
	if _, offered := p.Templates["default"]; !offered {
		c.refuse(call{method: http.MethodPost, path: path, body: `{"name": "example"}`})
	}
	for _, b := range d.Batch {
		if _, offered := p.Templates[b.Rel]; !offered {
			c.refuse(call{method: http.MethodPost, path: path + "actions/" + b.Rel, body: "{}"})
		}
	}
}

// complementItem asks for what an item does not offer, and holds its action links
// against its templates.
func (c *crawler) complementItem(d *resource.Def, path string, p *page) {
	c.t.Helper()
	if _, offered := p.Templates["default"]; !offered {
		c.refuse(call{method: http.MethodPatch, path: path, body: "{}"})
	}
	if _, offered := p.Templates["delete"]; !offered {
		c.refuse(call{method: http.MethodDelete, path: path})
	}
	for _, x := range d.Actions {
		_, linked := p.Links["cb:"+x.Rel]
		_, offered := p.Templates[x.Rel]
		target := strings.TrimSuffix(path, "/") + "/actions/" + x.Path
		switch {
		case linked && !offered && x.Rel != "delete" || offered && !linked && x.Rel != "delete":
			c.t.Errorf("%s: %s: the action %s has a link: %t, a template: %t", c.actor, path, x.Rel, linked, offered)
		case linked && x.Rel == "delete":
			a := c.request(call{method: http.MethodPost, path: target})
			if c.undo(a); a.status >= 300 {
				c.t.Errorf("%s: %s is offered, and refused: %s", c.actor, target, a.body)
			}
		case x.Rel == "submit" && string(p.Status) == `"PENDING"`:
			// Nobody is offered it, and its owner is answered the order, unchanged.
		case !linked:
			c.refuse(call{method: http.MethodPost, path: target, body: "{}"})
		}
	}
}

// refuse holds that a request is refused.
func (c *crawler) refuse(r call) {
	c.t.Helper()
	a := c.request(r)
	if a.status < 400 {
		c.undo(a)
		c.t.Errorf("%s: %s is not offered, and done", c.actor, a.call)
	}
	c.refused++
}

// keep notes how everything is, for undo.
func (c *crawler) keep() {
	c.t.Helper()
	c.tables = append(c.cloud.tables(c.t), "event_outbox")
	c.inTx(func(tx *store.Tx) error {
		for _, name := range c.tables {
			if err := tx.Exec("CREATE TABLE kept_" + name + " AS SELECT * FROM " + name).Error; err != nil {
				return err
			}
		}
		return nil
	})
}

// undo puts back how everything was, if the answer says that something was done.
func (c *crawler) undo(a *answer) {
	c.t.Helper()
	if a.status >= 400 {
		return
	}
	c.inTx(func(tx *store.Tx) error {
		var statements []string
		for _, name := range c.tables {
			statements = append(statements, "DELETE FROM "+name)
		}
		for _, name := range c.tables {
			statements = append(statements, "INSERT INTO "+name+" SELECT * FROM kept_"+name)
		}
		// Rows refer to each other in circles.
		if tx.Dialect() == store.Postgres {
			all := strings.Join(statements, "; ")
			statements = []string{"SET LOCAL session_replication_role = replica", "SET LOCAL synchronous_commit = off", "DO $$ BEGIN " + all + "; END $$"}
		} else {
			statements = append([]string{"PRAGMA defer_foreign_keys = ON"}, statements...)
		}
		for _, s := range statements {
			if err := tx.Exec(s).Error; err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		tx.Signal("", 0) // whatever is remembered is wrong now
		return nil
	})
}

func (c *crawler) inTx(fn func(tx *store.Tx) error) {
	c.t.Helper()
	if err := c.app.Store.InTx(context.Background(), fn); err != nil {
		c.t.Fatal(err)
	}
}

// options holds the answer to OPTIONS against the table of routes.
func (c *cloud) options(t *testing.T, actor, address string) {
	t.Helper()
	path, _, _ := strings.Cut(address, "?")
	want := []string{http.MethodOptions}
	for _, r := range c.app.Face.Routes() {
		row := !strings.HasSuffix(path, "/import/") // which is an action beside them
		if fits(r.Path, path) && (row || r.Method == http.MethodPost) {
			want = append(want, r.Method)
			if r.Method == http.MethodGet {
				want = append(want, http.MethodHead)
			}
		}
	}
	a, err := c.do(call{actor: actor, method: http.MethodOptions, path: address})
	if err != nil {
		t.Errorf("%s: OPTIONS %s: %v", actor, address, err)
		return
	}
	got := strings.Split(a.header.Get("Allow"), ", ")
	slices.Sort(want)
	want = slices.Compact(want)
	slices.Sort(got)
	if a.status != http.StatusNoContent || !slices.Equal(got, want) {
		t.Errorf("%s: OPTIONS %s: %d, Allow is %q instead of %q", actor, address, a.status, got, want)
	}
}

// fits reports whether a path fits the pattern of a route.
func fits(pattern, path string) bool {
	p, s := strings.Split(strings.Trim(pattern, "/"), "/"), strings.Split(strings.Trim(path, "/"), "/")
	return slices.EqualFunc(p, s, func(x, y string) bool { return x == y || strings.HasPrefix(x, ":") })
}
