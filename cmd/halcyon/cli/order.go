package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"halcyon/cmd/halcyon/cli/client"
)

type orderCmd struct {
	File   string   `arg:"" optional:"" name:"file" help:"File with the order as JSON or YAML; - is standard input. With --blueprint, the first NAME=VALUE."`
	Values []string `arg:"" optional:"" name:"name=value" help:"With --blueprint: what its form is filled in with."`

	Blueprint string `short:"b" help:"Order by the form of this blueprint." placeholder:"NAME" env:"-"`
	DryRun    bool   `help:"Say what it would cost, who would have to approve it and what would be done; order nothing." env:"-"`
	Submit    bool   `help:"Submit the order, also when the file does not say so." env:"-"`
	Watch     bool   `short:"w" help:"Watch the order until it has ended." env:"-"`
	watchFlags
	outputFlag
	connectionFlags
}

// Run orders.
func (c *orderCmd) Run(env *Environment) error {
	if c.File == "" && c.Blueprint == "" {
		return client.Errorf(client.Usage, "Name a file with the order, or --blueprint NAME.")
	}
	if c.DryRun && c.Watch {
		return client.Errorf(client.Usage, "There is nothing to watch of a dry run.")
	}
	sh, err := c.open(env)
	if err != nil {
		return err
	}
	send := c.byFile
	if c.Blueprint != "" {
		send = c.byForm
	}
	doc, err := send(sh)
	if err != nil {
		return err
	}
	switch {
	case c.Output == "json":
		err = sh.out.JSON(doc.Body)
	case c.Output == "yaml":
		err = sh.out.YAML(doc.Body)
	case c.Output == "name":
		err = sh.out.Line(client.Text(doc.Body.Get("id")))
	case c.DryRun:
		err = sh.showForecast(doc)
	case !c.Watch:
		err = sh.showOrder(doc)
	}
	if err != nil || !c.Watch {
		return err
	}
	return sh.watch(doc, c.watchFlags)
}

// byFile sends the order that a file holds.
func (c *orderCmd) byFile(sh *shell) (*client.Document, error) {
	if len(c.Values) > 0 {
		return nil, client.Errorf(client.Usage, "%s: values are for the form of a --blueprint.", client.Plain(c.Values[0]))
	}
	f, err := c.read(sh)
	if err != nil {
		return nil, err
	}
	if c.Submit {
		f.Body = f.Body.With("submit-now", true)
	}
	orders, err := sh.Resolve(sh.ctx, "orders")
	if err != nil {
		return nil, err
	}
	t, err := orders.Doc.Offered("default")
	if err != nil {
		return nil, client.Errorf(client.Missing, "You may not order here.")
	}
	doc, err := c.submit(sh, t, f.Body)
	return doc, placed(err, f)
}

// largestOrder is more than any server takes.
const largestOrder = 16 << 20

func (c *orderCmd) read(sh *shell) (*client.File, error) {
	in, name := sh.in, "-"
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, client.Errorf(client.Usage, "%v.", err)
		}
		defer f.Close()
		in, name = f, c.File
	}
	data, err := io.ReadAll(io.LimitReader(in, largestOrder))
	if err != nil {
		return nil, client.Errorf(client.Usage, "%s cannot be read: %v.", name, err)
	}
	return client.ReadFile(name, data)
}

// placed says where in the file what the server has refused stands.
func placed(err error, f *client.File) error {
	var e *client.Error
	if !errors.As(err, &e) || len(e.Fields) == 0 || !strings.HasPrefix(e.Fields[0].Pointer, "/") {
		return err
	}
	lines := make([]string, len(e.Fields))
	for i, x := range e.Fields {
		lines[i] = fmt.Sprintf("%s: %s: %s", f.Place(x.Pointer), strings.TrimPrefix(x.Pointer, "/"), x.Reason)
	}
	return &client.Error{Kind: e.Kind, Status: e.Status, Message: e.Message, Lines: lines}
}

// byForm orders by the form of a blueprint.
func (c *orderCmd) byForm(sh *shell) (*client.Document, error) {
	words := c.Values
	if c.File != "" {
		words = append([]string{c.File}, words...)
	}
	given, err := pairs(words)
	if err != nil {
		return nil, err
	}
	f, err := sh.Resolve(sh.ctx, "blueprints", c.Blueprint)
	if err != nil {
		return nil, err
	}
	t, err := f.Doc.Offered("order")
	if err != nil {
		return nil, err
	}
	body, err := sh.fill(t, given)
	if err != nil {
		return nil, err
	}
	if c.Submit {
		body = body.With("submit-now", true)
	}
	return c.submit(sh, t, body)
}

func (c *orderCmd) submit(sh *shell, t client.Template, body client.Object) (*client.Document, error) {
	if c.DryRun {
		t.Target = client.WithQuery(t.Target, "dry-run", "1")
	}
	return sh.Submit(sh.ctx, t, body)
}

// showOrder tells what has been ordered.
func (sh *shell) showOrder(d *client.Document) error {
	if err := sh.out.Line(statusLine(d)); err != nil {
		return err
	}
	if err := sh.out.Table(nil, orderRows(d)); err != nil {
		return err
	}
	if d.Body.Get("status") == "CART" {
		sh.say("It is not submitted yet: halcyon run orders/%s submit", client.Text(d.Body.Get("id")))
	}
	return nil
}

func orderRows(d *client.Document) [][]string {
	var rows [][]string
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	add("Summary", client.Text(d.Body.Get("summary")))
	add("Price", client.Text(d.Body.Get("rate")))
	if l, ok := d.Link("group"); ok {
		add("Group", l.Title)
	}
	return rows
}

// showForecast tells what an order would lead to.
func (sh *shell) showForecast(d *client.Document) error {
	rows := orderRows(d)
	forecast, _ := d.Body.Get("dry-run").(client.Object)
	for _, x := range objects(forecast.Get("approvals")) {
		rows = append(rows, []string{"Approval", sh.approval(x)})
	}
	for _, x := range objects(forecast.Get("quota")) {
		rows = append(rows, []string{"Quota", fmt.Sprintf("%s: %s of %s, %s after it",
			client.Text(x.Get("title")), client.Text(x.Get("used")), client.Text(x.Get("limit")), client.Text(x.Get("after")))})
	}
	rows = jobRows(rows, forecast.Get("jobs"), "")
	if err := sh.out.Line("Dry run: nothing is ordered."); err != nil {
		return err
	}
	return sh.out.Table(nil, rows)
}

// approval says by whom an order is approved. The names are in the documents of the
// approvers, as far as those are seen.
func (sh *shell) approval(x client.Object) string {
	if reason := client.Text(x.Get("reason")); reason != "" {
		return reason
	}
	var who []string
	for _, a := range objects(x.Get("approvers")) {
		name := client.Text(a.Get("title"))
		if d, err := sh.Get(sh.ctx, client.Text(a.Get("href"))); err == nil && len(who) < 5 {
			name = d.Name()
		}
		who = append(who, name)
	}
	s := "by one of " + strings.Join(who, ", ")
	if len(who) == 0 {
		s = "by an approver whom you do not see"
	}
	if g, ok := x.Get("group").(client.Object); ok {
		s += " for " + client.Text(g.Get("title"))
	}
	return s
}

func jobRows(rows [][]string, v any, indent string) [][]string {
	for _, j := range objects(v) {
		name := cmp.Or(client.Text(j.Get("hostname")), client.Text(j.Get("service-name")), client.Text(j.Get("action")))
		rows = append(rows, []string{"Job", indent + client.Text(j.Get("type")) + " " + name})
		rows = jobRows(rows, j.Get("jobs"), indent+"- ")
	}
	return rows
}

// objects returns the objects of a list.
func objects(v any) []client.Object {
	list, _ := v.([]any)
	var out []client.Object
	for _, x := range list {
		if o, ok := x.(client.Object); ok {
			out = append(out, o)
		}
	}
	return out
}
