package cli

import (
	"slices"
	"strings"

	"halcyon/cmd/halcyon/cli/client"
)

type approveCmd struct {
	Order string `arg:"" help:"The order: its id, or a path."`
	Watch bool   `short:"w" help:"Watch the order until it has ended." env:"-"`
	watchFlags
	connectionFlags
}

// Run approves an order.
func (c *approveCmd) Run(env *Environment) error {
	var watch *watchFlags
	if c.Watch {
		watch = &c.watchFlags
	}
	return decide(env, &c.connectionFlags, c.Order, "approve", nil, watch)
}

type denyCmd struct {
	Order  string `arg:"" help:"The order: its id, or a path."`
	Reason string `short:"r" help:"What its owner is told." placeholder:"TEXT" env:"-"`
	connectionFlags
}

// Run denies an order.
func (c *denyCmd) Run(env *Environment) error {
	var given []pair
	if c.Reason != "" {
		given = []pair{{"reason", c.Reason}}
	}
	return decide(env, &c.connectionFlags, c.Order, "deny", given, nil)
}

type cancelCmd struct {
	What string `arg:"" name:"order|job" help:"The order's id, or a path such as jobs/7."`
	connectionFlags
}

// Run cancels an order or a job.
func (c *cancelCmd) Run(env *Environment) error {
	return decide(env, &c.connectionFlags, c.What, "cancel", nil, nil)
}

// decide runs an action on work and tells how the work stands then, or watches it
// when there are flags for that.
func decide(env *Environment, flags *connectionFlags, what, action string, given []pair, watch *watchFlags) error {
	sh, err := flags.open(env)
	if err != nil {
		return err
	}
	d, err := sh.work(what)
	if err != nil {
		return err
	}
	t, err := d.Offered(action)
	if err != nil {
		return forbidden(d, action, err)
	}
	body, err := sh.fill(t, given)
	if err != nil {
		return err
	}
	now, err := sh.Submit(sh.ctx, t, body)
	if err != nil {
		return err
	}
	if watch != nil {
		return sh.watch(now, *watch)
	}
	return sh.out.Line(statusLine(now))
}

// forbidden tells what the state does not allow from what others may do: an order
// that waits can be approved and denied, if not by everybody.
func forbidden(d *client.Document, action string, err error) error {
	if d.Body.Get("status") == "PENDING" && (action == "approve" || action == "deny") {
		return client.Errorf(client.Missing, "%v", err)
	}
	return err
}

// work finds an order or a job: by a path, by a global id, and by an order's id
// when it is nothing but a number.
func (sh *shell) work(what string) (*client.Document, error) {
	words := []string{"orders", what}
	switch {
	case strings.ContainsAny(what, "/["):
		words = []string{what}
	case strings.HasPrefix(what, "JOB-"):
		words[0] = "jobs"
	}
	f, err := sh.Resolve(sh.ctx, words...)
	if err != nil {
		return nil, err
	}
	if f.Doc == nil || f.Doc.Body == nil {
		return nil, client.Errorf(client.Usage, "%s is neither an order nor a job.", client.Plain(what))
	}
	return f.Doc, nil
}

type runCmd struct {
	Resource string   `arg:"" help:"What to run it on: a path such as servers/web-1."`
	Action   string   `arg:"" help:"The action, as halcyon get shows it: power-off, snapshot, edit, delete."`
	Values   []string `arg:"" optional:"" name:"name=value" help:"What its form is filled in with."`
	Watch    bool     `short:"w" help:"Watch the work that it starts until that has ended." env:"-"`
	watchFlags
	outputFlag
	connectionFlags
}

// Run runs an action that a resource offers.
func (c *runCmd) Run(env *Environment) error {
	given, err := pairs(c.Values)
	if err != nil {
		return err
	}
	sh, err := c.open(env)
	if err != nil {
		return err
	}
	f, err := sh.Resolve(sh.ctx, c.Resource)
	if err != nil {
		return err
	}
	if f.Doc == nil {
		return client.Errorf(client.Usage, "%s is a list of links: choose one, such as [1].", client.Plain(c.Resource))
	}
	t, err := f.Doc.Offered(c.Action)
	if err != nil {
		return forbidden(f.Doc, c.Action, err)
	}
	body, err := sh.fill(t, given)
	if err != nil {
		return err
	}
	doc, err := sh.Submit(sh.ctx, t, body)
	if err != nil {
		return err
	}
	return c.tell(sh, t, doc)
}

// tell shows what an action has answered.
func (c *runCmd) tell(sh *shell, t client.Template, doc *client.Document) error {
	switch {
	case doc.Body == nil:
		return sh.out.Line(title(t) + ": done.")
	case c.Output == "json":
		return sh.out.JSON(doc.Body)
	case c.Output == "yaml":
		return sh.out.YAML(doc.Body)
	case c.Output == "name":
		return sh.out.Line(doc.Name())
	case c.Watch && isWork(doc):
		return sh.watch(doc, c.watchFlags)
	case doc.Title() == "":
		return sh.out.JSON(doc.Body)
	}
	return sh.out.Line(statusLine(doc))
}

// isWork is whether a document is of something that ends, an order or a job.
func isWork(d *client.Document) bool {
	return slices.ContainsFunc([]string{"progress", "items"}, func(name string) bool {
		_, ok := d.Body.Lookup(name)
		return ok && d.Body.Get("status") != nil
	})
}
