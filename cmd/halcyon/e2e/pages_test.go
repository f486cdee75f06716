package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"halcyon/pkg/demo"
)

// pageType is what a call accepts that stands for one by a browser.
const pageType = "text/html"

// void are the elements that have no end.
var void = []string{"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}

// checkPage holds a page against what is promised of all: it is well-formed, each id
// is there once, what refers to one finds it, and there is nothing in it that the
// policy of its header forbids.
func (a *answer) checkPage() error {
	if a.header.Get("Content-Security-Policy") == "" {
		return fmt.Errorf("%s: a page without a policy", a.call)
	}
	var open []string
	ids := map[string]bool{}
	var refers []string
	z := html.NewTokenizer(bytes.NewReader(a.body))
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			if !errors.Is(z.Err(), io.EOF) {
				return fmt.Errorf("%s: %w", a.call, z.Err())
			}
			if len(open) > 0 {
				return fmt.Errorf("%s: %v is not closed", a.call, open)
			}
			for _, id := range refers {
				if !ids[id] {
					return fmt.Errorf("%s: nothing has the id %q", a.call, id)
				}
			}
			return nil
		case html.StartTagToken:
			t := z.Token()
			seen := map[string]bool{}
			for _, x := range t.Attr {
				switch {
				case seen[x.Key]:
					return fmt.Errorf("%s: %s has %s twice", a.call, t.Data, x.Key)
				case x.Key == "style" || strings.HasPrefix(x.Key, "on"):
					return fmt.Errorf("%s: %s has the attribute %s", a.call, t.Data, x.Key)
				case x.Key == "id" && ids[x.Val], x.Key == "id" && (x.Val == "" || strings.ContainsAny(x.Val, " \t\n")):
					return fmt.Errorf("%s: the id %q is there twice, or is none", a.call, x.Val)
				case x.Key == "id":
					ids[x.Val] = true
				case x.Key == "for", x.Key == "aria-describedby", x.Key == "aria-controls":
					refers = append(refers, strings.Fields(x.Val)...)
				case x.Key == "href" && strings.HasPrefix(x.Val, "#"):
					refers = append(refers, x.Val[1:])
				case (x.Key == "href" || x.Key == "src" || x.Key == "action" || x.Key == "formaction") && !strings.HasPrefix(x.Val, "/") && !a.cites(t.Data, x.Val):
					return fmt.Errorf("%s: %s leads to %q", a.call, t.Data, x.Val)
				}
				seen[x.Key] = true
			}
			if t.Data == "style" || t.Data == "script" && !seen["src"] {
				return fmt.Errorf("%s: there is a %s within", a.call, t.Data)
			}
			if !slices.Contains(void, t.Data) {
				open = append(open, t.Data)
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				return fmt.Errorf("%s: %s ends within %v", a.call, name, open)
			}
			open = open[:len(open)-1]
		case html.TextToken, html.SelfClosingTagToken, html.CommentToken, html.DoctypeToken:
		}
	}
}

// cites reports whether a link is one of the documentation to what it speaks of. No
// other page leads elsewhere.
func (a *answer) cites(element, to string) bool {
	return element == "a" && strings.HasPrefix(to, "https://") && strings.HasPrefix(a.call.path, "/api/v2/docs/")
}

// page returns the tree of a page.
func (a *answer) page(t testing.TB) *html.Node {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// elements returns those of the names, in order.
func elements(root *html.Node, names ...string) []*html.Node {
	var list []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && slices.Contains(names, n.Data) {
			list = append(list, n)
		}
	}
	return list
}

func attribute(n *html.Node, name string) string {
	for _, x := range n.Attr {
		if x.Key == name {
			return x.Val
		}
	}
	return ""
}

// textOf returns what can be read of an element.
func textOf(root *html.Node) string {
	var b strings.Builder
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
	}
	return b.String()
}

// sent is where a form goes, as the API sees it, and the names of its fields.
type sent struct {
	method, target string
	names          []string
}

// formsOf returns the forms of a page that send something.
func formsOf(root *html.Node) []sent {
	var list []sent
	for _, n := range elements(root, "form") {
		if attribute(n, "method") != "post" {
			continue
		}
		var names []string
		for _, x := range elements(n, "input", "select", "textarea", "button") {
			if name := attribute(x, "name"); name != "" {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		names = slices.Compact(names)
		actions := []string{attribute(n, "action")}
		for _, x := range elements(n, "button") {
			if to := attribute(x, "formaction"); to != "" {
				actions = append(actions, to)
			}
		}
		for _, action := range actions {
			path, query, _ := strings.Cut(action, "?")
			values, _ := url.ParseQuery(query)
			method := values.Get("_method")
			if method == "" {
				method = http.MethodPost
			}
			list = append(list, sent{method, path, names})
		}
	}
	return list
}

// TestEveryPageIsWhole crawls the pages as each of the demo's users: each answers
// what it is linked as, is well-formed and keeps to its policy, and the forms on it
// are the templates that other clients get at the same address.
func TestEveryPageIsWhole(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := lively(t, open(t))
		for _, u := range demo.Users {
			pages, forms := c.crawlPages(t, u.Name)
			t.Logf("%s: %d pages, %d forms", u.Name, pages, forms)
			if pages < 40 || forms < 10 {
				t.Errorf("%s: too little was found", u.Name)
			}
		}
	})
}

// shape is what a query asks for, without the values.
func shape(address string) string {
	path, query, _ := strings.Cut(address, "?")
	values, _ := url.ParseQuery(query)
	if len(values) == 0 {
		return address
	}
	if len(values) > 1 {
		return path + " in more than one way"
	}
	if values.Get("_source") != "" || values.Get("_select") != "" {
		path += "?" + values.Get("_source") + values.Get("_select")
	}
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '0'
		}
		return r
	}, path) + fmt.Sprint(slices.Sorted(maps.Keys(values)))
}

func (c *cloud) crawlPages(t *testing.T, actor string) (pages, forms int) {
	t.Helper()
	queue := []visit{{"/api/v2/", "nowhere"}}
	seen := map[string]bool{"/api/v2/": true}
	for i := 0; i < len(queue); i++ {
		v := queue[i]
		a, err := c.do(call{actor: actor, path: v.url, accept: pageType})
		if err != nil || a.status != http.StatusOK {
			t.Errorf("%s: %s, linked from %s: %d, %v", actor, v.url, v.from, a.status, err)
			continue
		}
		if a.kind() != pageType {
			continue
		}
		root := a.page(t)
		if len(elements(root, "h1")) != 1 || len(elements(root, "main")) != 1 {
			t.Errorf("%s: %s has no title, or several", actor, v.url)
		}
		if !strings.Contains(v.url, "_source") {
			forms += c.compareForms(t, actor, v.url, root)
		}
		for _, n := range elements(root, "a", "link", "script", "img") {
			to, _, _ := strings.Cut(attribute(n, "href")+attribute(n, "src"), "#")
			if !strings.HasPrefix(to, "/") || seen[shape(to)] {
				continue
			}
			seen[shape(to)] = true
			queue = append(queue, visit{to, v.url})
		}
	}
	return len(queue), forms
}

// compareForms holds the forms of a page against the templates of its document, and
// gives how many there are.
func (c *cloud) compareForms(t *testing.T, actor, address string, root *html.Node) int {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	selecting := q.Get("_select")
	for _, name := range []string{"_select", "_done", "_at"} {
		q.Del(name)
	}
	u.RawQuery = q.Encode()
	a := c.ask(t, call{actor: actor, path: u.String(), accept: formsType})
	if a.kind() != formsType {
		return 0
	}
	var p page
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatal(err)
	}
	found := formsOf(root)
	n := 0
	for key, x := range p.Templates {
		many := len(x.Properties) > 0 && x.Properties[0].Name == "items"
		switch {
		case q.Get("page") != "", many != (selecting != ""):
			continue
		case many && selecting == "1" && len(x.Properties) > 1: // is chosen first
			continue
		case many && selecting != "1" && selecting != key: // another was
			continue
		}
		n++
		var names []string
		for _, f := range x.Properties {
			names = append(names, f.Name)
		}
		slices.Sort(names)
		at := slices.IndexFunc(found, func(s sent) bool {
			return s.method == x.Method && strings.Trim(s.target, "/") == strings.Trim(x.Target, "/")
		})
		switch {
		case at < 0:
			t.Errorf("%s: %s has no form for %s, %s %s", actor, address, key, x.Method, x.Target)
		case !slices.Equal(found[at].names, names):
			t.Errorf("%s: the form of %s for %s has %v instead of %v", actor, address, key, found[at].names, names)
		}
	}
	return n
}

// form sends a form as a browser does, and returns the answer.
func (c *cloud) form(t testing.TB, actor, action string, values url.Values) *answer {
	t.Helper()
	return c.ask(t, call{
		actor: actor, method: http.MethodPost, path: action, accept: pageType, body: values.Encode(), label: "application/x-www-form-urlencoded",
	})
}

// follow returns the page that a browser sees after a form.
func (c *cloud) follow(t testing.TB, a *answer) *answer {
	t.Helper()
	if a.status != http.StatusSeeOther {
		t.Fatalf("%s: %d instead of 303\n%s", a.call, a.status, a.body)
	}
	base, err := url.Parse(a.call.path)
	if err != nil {
		t.Fatal(err)
	}
	to, err := base.Parse(a.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return c.want(t, http.StatusOK, call{actor: a.call.actor, path: to.String(), accept: pageType})
}

// notice returns what a page says on top.
func (a *answer) notice(t testing.TB) string {
	t.Helper()
	for _, n := range elements(a.page(t), "div") {
		if strings.HasPrefix(attribute(n, "class"), "notice") {
			return textOf(n)
		}
	}
	return ""
}

// A person who has a browser and nothing else works with what the pages offer.
func TestFormsOfPages(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := newCloud(t, open(t))
		c.stopWorkers(t)
		group := "/api/v2/groups/2"
		read := func(actor, path, pointer string) string {
			return c.want(t, http.StatusOK, call{actor: actor, path: path}).text(t, pointer)
		}
		told := func(a *answer, want string) {
			t.Helper()
			if got := a.notice(t); got != want {
				t.Errorf("%s says %q instead of %q", a.call, got, want)
			}
		}

		// A change, with what was emptied, what was not ticked, and lines.
		edit := group + "?_method=PATCH&_match=" + strings.Split(strings.Trim(c.want(t, http.StatusOK, call{actor: "admin", path: group}).header.Get("ETag"), `"`), "-")[0] + "&_page=" + url.QueryEscape(group)
		told(c.follow(t, c.form(t, "admin", edit, url.Values{"description": {"a\r\nb"}, "auto-approval": {"false", "true"}, "type": {"Project"}})), "Group Foo was changed.")
		if got := read("admin", group, "/description") + read("admin", group, "/auto-approval"); got != "a\nbtrue" {
			t.Errorf("the group says %q", got)
		}
		stale := c.form(t, "admin", edit, url.Values{"description": {"mine"}})
		if stale.status != http.StatusPreconditionFailed || !strings.Contains(string(stale.body), ">mine</textarea>") {
			t.Errorf("%d: what was typed over a change is gone", stale.status)
		}
		c.follow(t, c.form(t, "admin", strings.Replace(edit, "_match", "_x_match", 1)[:strings.Index(edit, "&")]+"&_page="+url.QueryEscape(group), url.Values{"description": {""}, "auto-approval": {"false"}, "type": {""}}))
		if got := read("admin", group, "/description") + read("admin", group, "/auto-approval") + read("admin", group, "/type"); got != "false" {
			t.Errorf("the group says %q", got)
		}

		// A choice of several, and none of them.
		env := "/api/v2/environments/3"
		sizes := func() int {
			var d struct {
				Links struct {
					Sizes []any `json:"perf-types"`
				} `json:"_links"`
			}
			if err := json.Unmarshal(c.want(t, http.StatusOK, call{actor: "admin", path: env}).body, &d); err != nil {
				t.Fatal(err)
			}
			return len(d.Links.Sizes)
		}
		before := sizes()
		c.follow(t, c.form(t, "admin", env+"?_method=PATCH", url.Values{"perf-types": {"", "1", ""}}))
		if sizes() != 1 {
			t.Errorf("%d sizes were chosen", sizes())
		}
		c.follow(t, c.form(t, "admin", env+"?_method=PATCH", url.Values{"perf-types": {""}}))
		if sizes() != before {
			t.Errorf("%d sizes after none was chosen, and %d at first", sizes(), before)
		}

		// What is wrong stands beside its field, and at the top with a way there.
		again := c.form(t, "admin", "/api/v2/groups/?_page=%2Fapi%2Fv2%2Fgroups%2F", url.Values{"name": {""}, "parent": {"nobody's"}, "type": {"Kept"}})
		if again.status != http.StatusBadRequest {
			t.Fatalf("%d\n%s", again.status, again.body)
		}
		wrong := map[string]bool{}
		for _, n := range elements(again.page(t), "input") {
			if attribute(n, "aria-invalid") == "true" {
				wrong[attribute(n, "name")] = true
			}
			if attribute(n, "name") == "type" && attribute(n, "value") != "Kept" {
				t.Error("what was typed is gone")
			}
		}
		if !maps.Equal(wrong, map[string]bool{"name": true, "parent": true}) {
			t.Errorf("wrong are %v", wrong)
		}
		if n := strings.Count(string(again.body), `<a href="#default-`); n < 2 {
			t.Errorf("%d ways to a field", n)
		}

		// A new row, an action on one row and on several, a deletion.
		made := c.form(t, "admin", "/api/v2/groups/", url.Values{"name": {"Fresh"}})
		told(c.follow(t, made), "Fresh was created.")
		job := c.follow(t, c.form(t, "alice", "/api/v2/servers/1/actions/poweroff/?_page=%2Fapi%2Fv2%2Fservers%2F1%2F", nil))
		if got := job.notice(t); !strings.HasPrefix(got, "Power off ") || !strings.Contains(got, "Job id") || !strings.HasSuffix(got, "has been started.") {
			t.Errorf("the job says %q", got)
		}
		many := c.form(t, "admin", "/api/v2/groups/actions/delete?_page=%2Fapi%2Fv2%2Fgroups%2F%3F_select%3D1", url.Values{"items": {"2", strings.TrimPrefix(strings.Split(made.header.Get("Location"), "?")[0], "/api/v2/groups/")}})
		if many.status != http.StatusOK || !strings.Contains(textOf(many.page(t)), "It was done to 1 of 2.") {
			t.Errorf("%d: %s", many.status, textOf(many.page(t)))
		}
		none := c.form(t, "admin", "/api/v2/groups/actions/delete?_page=%2Fapi%2Fv2%2Fgroups%2F%3F_select%3D1", nil)
		if none.status != http.StatusBadRequest || !strings.Contains(string(none.body), `class="box"`) {
			t.Errorf("nothing was chosen: %d", none.status)
		}

		// A file that went out comes in again.
		zip := c.want(t, http.StatusOK, call{actor: "admin", path: "/api/v2/blueprints/1/export/"})
		var upload bytes.Buffer
		w := multipart.NewWriter(&upload)
		part, err := w.CreateFormFile("file", "blueprint.zip")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write(zip.body); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		importing := call{actor: "admin", method: http.MethodPost, path: "/api/v2/blueprints/import/?_page=%2Fapi%2Fv2%2Fblueprints%2F", accept: pageType, body: upload.String(), label: w.FormDataContentType()}
		if a := c.ask(t, importing); a.status != http.StatusConflict || a.notice(t) == "" {
			t.Errorf("a second one of that name: %d\n%s", a.status, a.body)
		}
		importing.path += "&replace-existing=1"
		c.follow(t, c.ask(t, importing))

		// What an order's page gives for curl orders the same.
		shown := c.want(t, http.StatusOK, call{actor: "alice", path: "/api/v2/orders/1?_source=hal", accept: pageType})
		ordered := ""
		for _, n := range elements(shown.page(t), "pre") {
			if text := textOf(n); strings.Contains(text, "/api/v2/orders/'") && strings.Contains(text, `"items"`) {
				_, ordered, _ = strings.Cut(text, " -d '")
				ordered, _, _ = strings.Cut(ordered, "' \\\n")
			}
		}
		same := c.want(t, http.StatusCreated, call{actor: "alice", method: http.MethodPost, path: "/api/v2/orders/", body: strings.Replace(ordered, `"submit-now":true`, `"submit-now":false`, 1)})
		if a, b := same.text(t, "/items"), read("alice", "/api/v2/orders/1", "/items"); a != b {
			t.Errorf("the items are %s, and those of the order %s", a, b)
		}

		// What the address of a page says is told only when the API knows it.
		for address, want := range map[string]string{
			"/api/v2/groups/2?_done=approve&_at=%2Fapi%2Fv2%2Fgroups%2F2":             "",
			"/api/v2/groups/2?_done=submit&_at=%2Fapi%2Fv2%2Forders%2F999":            "",
			"/api/v2/groups/2?_done=create&_at=%2Fapi%2Fv2%2Fnothing%2F1":             "",
			"/api/v2/groups/2?_done=%3Cb%3E":                                          "404",
			"/api/v2/orders/1?_done=submit&_at=%2Fapi%2Fv2%2Forders%2F1":              "Order id 1 was submitted.",
			"/api/v2/jobs/1?_done=poweroff&_at=%2Fapi%2Fv2%2Fservers%2F1%2F":          "",
			"/api/v2/groups/?_done=delete":                                            "It was deleted.",
			"/api/v2/jobs/?_done=sync-vms&_at=%2Fapi%2Fv2%2Fresource-handlers%2F":     "",
			"/api/v2/groups/2?_done=change&_at=https%3A%2F%2Fevil.example%2Fgroups%2": "404",
		} {
			a := c.ask(t, call{actor: "admin", path: address, accept: pageType})
			switch {
			case want == "404": // it is no parameter of ours then
				if a.status != http.StatusBadRequest {
					t.Errorf("%s: %d", address, a.status)
				}
			case want != "" && a.notice(t) != want:
				t.Errorf("%s says %q instead of %q", address, a.notice(t), want)
			case want == "" && strings.Contains(a.notice(t), "approve"):
				t.Errorf("%s says %q", address, a.notice(t))
			}
		}

		// A filter that means nothing is shown where it can be mended.
		bad := c.want(t, http.StatusBadRequest, call{actor: "alice", path: "/api/v2/servers/?filter=nothing%3A%22%3E%3Cb%3E", accept: pageType})
		if !slices.ContainsFunc(elements(bad.page(t), "input"), func(n *html.Node) bool { return attribute(n, "value") == `nothing:"><b>` }) {
			t.Errorf("what was asked for is gone\n%s", bad.body)
		}
		narrow := c.follow(t, c.ask(t, call{actor: "alice", path: "/api/v2/servers/?filter=&_f=hostname&_l=icontains&_v=server-1&_f=status&_l=exact&_v=ACTIVE", accept: pageType}))
		if n := strings.Count(string(narrow.body), `data-label="Hostname"`); n != 1 {
			t.Errorf("%d servers are left\n%s", n, narrow.body)
		}
		c.want(t, http.StatusMethodNotAllowed, call{actor: "alice", path: "/api/v2/servers/1/actions/poweroff/", accept: pageType})
		c.want(t, http.StatusNotFound, call{actor: "alice", path: "/api/v2/groups/999", accept: pageType})
	})
}

// A page of rows asks the database for no more than the JSON with the same attributes.
func TestPagesAskNoMore(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := newCloud(t, open(t))
		c.stopWorkers(t)
		token := c.want(t, http.StatusOK, call{method: "POST", path: "/api/v2/api-token-auth/", body: `{"username":"admin","password":"` + demo.Password + `"}`, accept: "application/json"}).text(t, "/token")
		n := c.statements(t)
		asked := func(path, accept string) int64 {
			least := int64(1 << 30)
			for range 5 { // others ask now and then, too
				before := n.Load()
				c.want(t, http.StatusOK, call{path: path, accept: accept, header: http.Header{"Authorization": {"Bearer " + token}}})
				least = min(least, n.Load()-before)
			}
			return least
		}
		for _, d := range c.app.Face.Declarations() {
			var names []string
			for _, at := range d.Shown {
				names = append(names, at.Asked)
			}
			path := d.Path() + "?page_size=100"
			json := asked(path+"&attributes="+strings.Join(names, ","), "application/hal+json")
			page := asked(path, pageType)
			for range 20 { // a busy machine spreads what others ask
				if page <= json {
					break
				}
				page = min(page, asked(path, pageType))
			}
			if page > json || json == 0 {
				t.Errorf("%s: %d statements for the page, %d for its JSON", path, page, json)
			}
		}
	})
}
