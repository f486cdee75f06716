package cli

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"halcyon/cmd/halcyon/cli/client"
)

// outputFlag says how documents are shown.
type outputFlag struct {
	Output string `short:"o" help:"How it is shown: table, json, yaml or name." enum:"table,json,yaml,name" default:"table" env:"-"`
}

type getCmd struct {
	Words []string `arg:"" optional:"" name:"what" help:"Relations, paths or names, one after the other: orders 4, servers web-1, orders/4/jobs, /api/v2/user."`
	outputFlag
	connectionFlags
}

// Run shows a document.
func (c *getCmd) Run(env *Environment) error {
	sh, err := c.open(env)
	if err != nil {
		return err
	}
	f, err := sh.Resolve(sh.ctx, c.Words...)
	if err != nil {
		return err
	}
	return sh.show(f, c.Output)
}

type followCmd struct {
	Path string `arg:"" help:"Relations parted by slashes, with a choice behind those that are lists: orders/item[3]/jobs, servers[hostname=web-1]/owner."`
	outputFlag
	connectionFlags
}

// Run shows where the path leads.
func (c *followCmd) Run(env *Environment) error {
	sh, err := c.open(env)
	if err != nil {
		return err
	}
	f, err := sh.Resolve(sh.ctx, c.Path)
	if err != nil {
		return err
	}
	return sh.show(f, c.Output)
}

// show shows what was found.
func (sh *shell) show(f client.Found, output string) error {
	if f.Doc == nil {
		return sh.showLinks(f.Links, output)
	}
	if f.Doc.Body == nil {
		return sh.showRaw(f.Doc)
	}
	if name, items, ok := f.Doc.Items(); ok && (output == "table" || output == "name") {
		if err := sh.showItems(items, output, ownColumns(name, items), true); err != nil {
			return err
		}
		if n := f.Doc.Total(); n > len(items) {
			sh.say("%d of %d; halcyon list shows more.", len(items), n)
		}
		return nil
	}
	switch output {
	case "json":
		return sh.out.JSON(f.Doc.Body)
	case "yaml":
		return sh.out.YAML(f.Doc.Body)
	case "name":
		return sh.out.Line(f.Doc.Name())
	}
	return sh.showPage(f.Doc)
}

// showRaw shows what is no document, such as a log. Only text goes to a terminal.
func (sh *shell) showRaw(d *client.Document) error {
	if !sh.out.TTY {
		_, err := sh.out.W.Write(d.Raw)
		return err
	}
	if !strings.HasPrefix(d.Type, "text/") {
		return client.Errorf(client.Usage, "%s is %s, which is nothing for a terminal: send it to a file.", d.URL.Path, client.Plain(d.Type))
	}
	for line := range strings.Lines(string(d.Raw)) {
		if err := sh.out.Line(strings.TrimRight(line, "\r\n")); err != nil {
			return err
		}
	}
	return nil
}

func (sh *shell) showLinks(links []client.Link, output string) error {
	switch output {
	case "json", "yaml":
		list := make([]any, len(links))
		for i, l := range links {
			list[i] = client.Object{{Name: "href", Value: l.Href}, {Name: "title", Value: l.Title}}
		}
		if output == "json" {
			return sh.out.JSON(list)
		}
		return sh.out.YAML(list)
	case "name":
		for _, l := range links {
			if err := sh.out.Line(l.Title); err != nil {
				return err
			}
		}
		return nil
	}
	rows := make([][]string, len(links))
	for i, l := range links {
		rows[i] = []string{l.Title, l.Href}
	}
	return sh.out.Table([]string{"TITLE", "HREF"}, rows)
}

// showPage shows a document to a person: its title, its members, where it leads, and
// what may be done with it.
func (sh *shell) showPage(d *client.Document) error {
	body := client.Object{}
	hrefs := map[string]bool{}
	for _, rel := range d.Rels() {
		if l, ok := d.Link(rel); ok {
			hrefs[l.Href] = true
		}
	}
	for _, m := range d.Body {
		if s, ok := m.Value.(string); strings.HasPrefix(m.Name, "_") || ok && hrefs[s] {
			continue // the root says its links twice
		}
		body = append(body, m)
	}
	if err := sh.out.Line(d.Title()); err != nil {
		return err
	}
	if len(body) > 0 {
		if err := sh.out.Line(""); err != nil {
			return err
		}
		if err := sh.out.YAML(body); err != nil {
			return err
		}
	}
	if err := sh.section("Links", sh.linkRows(d)); err != nil {
		return err
	}
	return sh.section("Actions", actionRows(d))
}

func (sh *shell) section(name string, rows [][]string) error {
	if len(rows) == 0 {
		return nil
	}
	if err := sh.out.Line(""); err != nil {
		return err
	}
	if err := sh.out.Line(name + ":"); err != nil {
		return err
	}
	return sh.out.Table(nil, rows)
}

func (sh *shell) linkRows(d *client.Document) [][]string {
	var rows [][]string
	actions := map[string]bool{}
	for _, t := range d.Templates() {
		actions[t.Key] = true
	}
	for _, rel := range d.Rels() {
		if actions[rel] {
			continue
		}
		list, many, _ := d.Find(rel)
		titles := make([]string, 0, len(list))
		for _, l := range list[:min(len(list), 5)] {
			titles = append(titles, l.Title)
		}
		if len(list) > 5 {
			titles = append(titles, "and "+strconv.Itoa(len(list)-5)+" more")
		}
		if many && len(list) == 0 {
			continue
		}
		rows = append(rows, []string{"  " + rel, strings.Join(titles, ", ")})
	}
	return rows
}

func actionRows(d *client.Document) [][]string {
	var rows [][]string
	for _, t := range d.Templates() {
		key := t.Key
		switch {
		case key == "default" && t.Method == http.MethodPost:
			key = "new"
		case key == "default":
			key = "edit"
		}
		var fields []string
		for _, p := range t.Properties {
			f := p.Name + "="
			if !p.Required {
				f = "[" + f + "]"
			}
			fields = append(fields, f)
		}
		row := []string{"  " + key, t.Title}
		if len(fields) > 0 {
			row = append(row, strings.Join(fields, " "))
		}
		rows = append(rows, row)
	}
	return rows
}

type listCmd struct {
	Collection string   `arg:"" help:"Relation of the collection, or a path to it: servers, orders, servers/web-1/jobs."`
	Filter     []string `short:"f" sep:"none" help:"Only what the term is true of: status=ACTIVE, or as the API writes it, hostname.contains:web. All terms have to be true." placeholder:"TERM" env:"-"`
	Attributes []string `short:"a" help:"Attributes to show besides the usual ones: ip,owner.username." placeholder:"NAMES" env:"-"`
	Columns    []string `help:"Attributes to show, and no others." placeholder:"NAMES" env:"-"`
	Order      string   `help:"Attributes to sort by, each with - before it for descending, texts with .icase after it to ignore case." placeholder:"NAMES" env:"-"`
	Limit      int      `short:"n" help:"How many to list at most." default:"50" env:"-"`
	All        bool     `help:"List all, however many they are." env:"-"`
	NoHeader   bool     `help:"Leave out the line with the names of the columns." env:"-"`
	outputFlag
	connectionFlags
}

// Run lists a collection.
func (c *listCmd) Run(env *Environment) error {
	if c.Limit < 1 {
		return client.Errorf(client.Usage, "--limit is a number from 1 on.")
	}
	filter, err := terms(c.Filter)
	if err != nil {
		return err
	}
	sh, err := c.open(env)
	if err != nil {
		return err
	}
	f, err := sh.Resolve(sh.ctx, c.Collection)
	if err != nil {
		return err
	}
	if f.Doc == nil {
		return sh.showLinks(f.Links, c.Output)
	}
	name, _, ok := f.Doc.Items()
	if !ok {
		return client.Errorf(client.Usage, "%s is no collection: halcyon get shows it.", client.Plain(c.Collection))
	}
	usual := usualColumns[name]
	want := slices.Concat(usual, c.Attributes)
	if len(c.Columns) > 0 {
		want = slices.Concat(c.Columns, c.Attributes)
	}
	first, err := c.page(sh, f.Doc, filter, want)
	if complainsOf(err, "attributes") && len(c.Columns)+len(c.Attributes) == 0 {
		// The server is older or newer than what is usual here.
		want = nil
		first, err = c.page(sh, f.Doc, filter, want)
	}
	if err != nil {
		return err
	}
	items, err := c.collect(sh, first)
	if err != nil {
		return err
	}
	switch {
	case len(want) == 0:
		want = ownColumns(name, items)
	case len(c.Columns) == 0 && len(usual) == 0:
		want = slices.Concat(ownColumns(name, items), c.Attributes)
		want = slices.Compact(want)
	}
	if err := sh.showItems(items, c.Output, want, !c.NoHeader); err != nil {
		return err
	}
	if n := first.Total(); n > len(items) {
		sh.say("%d of %d; --all lists all.", len(items), n)
	}
	return nil
}

// complainsOf is whether the server has refused a parameter.
func complainsOf(err error, name string) bool {
	e, ok := err.(*client.Error) //nolint:errorlint // nobody wraps it on the way here
	return ok && e.Kind == client.Refused && len(e.Fields) == 1 && e.Fields[0].Pointer == name
}

func (c *listCmd) page(sh *shell, list *client.Document, filter string, want []string) (*client.Document, error) {
	l, ok := list.Link("filter")
	if !ok {
		if filter != "" || c.Order != "" {
			return nil, client.Errorf(client.Usage, "%s can be neither filtered nor sorted.", client.Plain(c.Collection))
		}
		return list, nil
	}
	size := 100
	if !c.All {
		size = min(size, c.Limit)
	}
	return sh.Get(sh.ctx, client.Expand(l.Href, map[string]string{
		"filter": filter, "attributes": strings.Join(want, ","), "order": c.Order, "page_size": strconv.Itoa(size),
	}))
}

// collect reads on until there are enough.
func (c *listCmd) collect(sh *shell, first *client.Document) ([]*client.Document, error) {
	var all []*client.Document
	err := sh.Pages(sh.ctx, first, func(page *client.Document) (bool, error) {
		_, items, _ := page.Items()
		all = append(all, items...)
		return c.All || len(all) < c.Limit, nil
	})
	if !c.All && len(all) > c.Limit {
		all = all[:c.Limit]
	}
	return all, err
}

// terms makes the API's filter of what is written on the command line.
func terms(list []string) (string, error) {
	out := make([]string, 0, len(list))
	for _, t := range list {
		i := strings.IndexAny(t, "=:")
		switch {
		case i <= 0:
			return "", client.Errorf(client.Usage, "--filter %s is no term, such as status=ACTIVE.", client.Plain(t))
		case t[i] == '=':
			out = append(out, client.Term(t[:i], t[i+1:]))
		default:
			out = append(out, t)
		}
	}
	return strings.Join(out, ";"), nil
}

// usualColumns are what a person looks for first in a collection.
var usualColumns = map[string][]string{
	"servers":      {"id", "hostname", "status", "power-status", "ip", "owner.username", "group.name", "environment.name"},
	"orders":       {"id", "status", "summary", "rate", "group.name", "owner.username", "create-date"},
	"jobs":         {"id", "type", "status", "progress", "order.id", "owner.username", "create-date"},
	"services":     {"id", "name", "status", "blueprint.name", "group.name", "owner.username", "install-date"},
	"resources":    {"id", "name", "status", "blueprint.name", "group.name", "owner.username", "install-date"},
	"blueprints":   {"id", "name", "state", "description"},
	"groups":       {"id", "name", "type", "parent.name"},
	"environments": {"id", "name", "description"},
	"users":        {"id", "username", "first-name", "last-name", "email"},
	"os-builds":    {"id", "name", "os-family", "os-version"},
	"perf-types":   {"id", "name", "cpu-cnt", "mem-size", "rate"},
	"snapshots":    {"id", "name", "server.hostname", "created", "current"},
	"memberships":  {"id", "user.username", "group.name", "role.name", "expires"},
	"quotas":       {"id", "kind", "limit", "used", "group.name", "environment.name"},
	"history":      {"id", "date", "event", "actor", "object-type", "object-id", "message"},
}

// ownColumns are the members that the items have by themselves.
func ownColumns(name string, items []*client.Document) []string {
	have := func(column string) bool {
		if len(items) == 0 {
			return true
		}
		_, ok := items[0].Body.Lookup(column)
		return ok
	}
	if usual := usualColumns[name]; len(usual) > 0 && !slices.ContainsFunc(usual, func(c string) bool { return !have(c) }) {
		return usual
	}
	list := []string{"id"}
	for _, d := range items[:min(1, len(items))] {
		for _, m := range d.Body {
			if m.Name != "id" && !strings.HasPrefix(m.Name, "_") {
				list = append(list, m.Name)
			}
		}
	}
	if !have("id") {
		list = list[1:]
	}
	if len(list) == 0 {
		list = []string{"title"}
	}
	return list
}

func (sh *shell) showItems(items []*client.Document, output string, columns []string, header bool) error {
	switch output {
	case "json", "yaml":
		list := make([]any, len(items))
		for i, d := range items {
			list[i] = d.Body
		}
		if output == "json" {
			return sh.out.JSON(list)
		}
		return sh.out.YAML(list)
	case "name":
		for _, d := range items {
			if err := sh.out.Line(d.Name()); err != nil {
				return err
			}
		}
		return nil
	}
	rows := make([][]string, len(items))
	for i, d := range items {
		for _, c := range columns {
			text := cell(d, c)
			if sh.out.TTY { // a script gets the time in full
				text = instant.ReplaceAllString(text, "$1 $2")
			}
			rows[i] = append(rows[i], text)
		}
	}
	if !header {
		return sh.out.Table(nil, rows)
	}
	heads := make([]string, len(columns))
	for i, c := range columns {
		heads[i] = strings.ToUpper(head(c))
	}
	return sh.out.Table(heads, rows)
}

var instant = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\.\d+$`)

// head is the name of a column: whose name it is, rather than that it is a name.
func head(column string) string {
	for _, noun := range []string{".name", ".username", ".hostname", ".id"} {
		if short, ok := strings.CutSuffix(column, noun); ok {
			return short
		}
	}
	return column
}

// cell returns what a document has for a column: a member, or the titles of links.
func cell(d *client.Document, column string) string {
	if column == "title" {
		return d.Title()
	}
	v, ok := d.Body.Lookup(column)
	if !ok {
		links, _, _ := d.Find(column)
		titles := make([]string, len(links))
		for i, l := range links {
			titles[i] = l.Title
		}
		return strings.Join(titles, ", ")
	}
	if o, is := v.(client.Object); is {
		if total, ok := o.Lookup("total-tasks"); ok {
			return client.Text(o.Get("completed")) + "/" + client.Text(total)
		}
	}
	return client.Text(v)
}

type openCmd struct {
	Words []string `arg:"" optional:"" name:"what" help:"What to open, as for get; the root when it is left out."`
	Print bool     `help:"Print the URL and open nothing." env:"-"`
	connectionFlags
}

// Run opens the page of a document in the browser, or prints its URL when there is
// none.
func (c *openCmd) Run(env *Environment) error {
	sh, err := c.open(env)
	if err != nil {
		return err
	}
	at := sh.RootAt()
	if len(c.Words) > 0 {
		f, err := sh.Resolve(sh.ctx, c.Words...)
		if err != nil {
			return err
		}
		if f.Doc == nil {
			return client.Errorf(client.Usage, "%s is a list of links: choose one, such as [1].", client.Plain(strings.Join(c.Words, " ")))
		}
		at = f.Doc.URL.String()
	}
	if c.Print {
		return sh.out.Line(at)
	}
	cmd := browser(sh.ctx, at)
	if cmd == nil {
		return sh.out.Line(at)
	}
	if err := cmd.Run(); err != nil {
		sh.say("%s failed; the page is at", cmd.Path)
		return sh.out.Line(at)
	}
	return sh.out.Line("Opened " + at + " in the browser.")
}

// browser returns the command that opens a URL on this machine, nil for none.
func browser(ctx context.Context, at string) *exec.Cmd {
	name := "xdg-open"
	if runtime.GOOS == "darwin" {
		name = "open"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return nil
	}
	return exec.CommandContext(ctx, path, at) //nolint:gosec // an http URL, as one argument
}

// statusLine tells of a document in one line.
func statusLine(d *client.Document) string {
	s := d.Title()
	if st := client.Text(d.Body.Get("status")); st != "" {
		s = fmt.Sprintf("%s: %s", s, st)
	}
	return s
}
