package e2e

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/mo"

	"halcyon/cmd/halcyon/app"
	"halcyon/pkg/demo"
)

// TestScripts plays the stories in testdata/v2, each on a cloud of its own. A
// script may use, besides what testscript has:
//
//	http ACTOR METHOD PATH [BODY]   one request; the answer is on stdout for cmp.
//	                                The actor token sends $TOKEN, and browser its
//	                                cookies.
//	                                BODY is a file, or the body itself when it
//	                                begins with { or [ or holds a =.
//	                                Flags in front: -accept=, -type=, -auth=, -raw,
//	                                -header='NAME: VALUE' as often as needed
//	stream ACTOR PATH TYPE [NUMBER] follows the events behind the one with the number
//	                                until one of the type comes, and shows them
//	prune                           removes the events that are too old
//	let NAME POINTER                keeps a part of the last answer in $NAME
//	is POINTER VALUE                holds a part of the last answer against VALUE
//	until ACTOR PATH POINTER VALUE… asks until the part has one of the values
//	vm HOSTNAME                     reads the machine from the vCenter itself
//	takesnapshot HOSTNAME NAME      takes a snapshot in the vCenter itself
//	unreachable                     takes the vCenter's address away from us
//	reachable                       gives it back
//	rest                            ends the workers: what is queued stays queued
//	later DAYS                      sets the installation's clock forward: by so many days,
//	                                or by a duration such as 90s
//	leases                          looks at the leases, as the server does now and then
//	unzip                           shows the files of the zip that came
//	keep FILE                       writes the body of the last answer into a file
//	pack ZIP FILE                   makes a bundle with the file as its manifest
//	upload ACTOR PATH FILE          sends a file as the field file of a form
//	answers STATUS...               what $RECEIVER, who gets webhooks, answers from now on;
//	                                hang: nothing
//	signed SECRET...                what it holds signatures against, from now on: each of
//	                                these secrets has to have signed, and nothing else
//	received [N]                    shows what it got since the last time, or waits for N
//	                                messages and tells how often each has come
//	mails                           sends the mails that are due, and shows what came; $LINK
//	                                is the path of the last link. With fail: the next one
//	                                is not taken
//	quiet                           fails when a canary is in the log
//
// A pointer is a JSON pointer; * stands for every element, # for their number,
// "status" for the status of the answer, "header:NAME" for a header of it, and
// "field:NAME" for what a field of a page's form holds, "sent:NAME" for that as a
// form sends it.
func TestScripts(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		// Both databases answer alike, so one of them writes.
		rewrite := *update && strings.HasSuffix(t.Name(), "sqlite")
		testscript.Run(t, testscript.Params{
			Dir: "../../../testdata/v2", UpdateScripts: rewrite, RequireUniqueNames: true,
			Setup: func(env *testscript.Env) error {
				tb := env.T().(testing.TB)
				p := &player{mailbox: newMailbox(tb), jar: jar{}}
				p.receiver = newReceiver(tb, p.clock)
				c := newCloud(tb, open(tb), shortBackoff, allowLoopback, p.mailbox.mailing, func(s *app.Settings) { s.Clock = p.clock })
				p.cloud = c
				env.Values[keyCloud{}] = p
				now := time.Now().UTC()
				env.Setenv("EXPIRES", now.AddDate(0, 0, 90).Format(time.DateOnly))
				env.Setenv("TODAY", now.Format(time.DateOnly))
				env.Setenv("FORMS", formsType)
				env.Setenv("FORM", "application/x-www-form-urlencoded")
				env.Setenv("V2", "/api/v2")
				env.Setenv("JSON", "application/json")
				env.Setenv("VCENTER", c.vc.URL)
				return nil
			},
			Cmds: map[string]func(*testscript.TestScript, bool, []string){
				"http": played((*player).http), "let": played((*player).let), "is": played((*player).is),
				"until": played((*player).until), "vm": played((*player).vm),
				"unreachable": played((*player).unreachable), "reachable": played((*player).reachable),
				"unzip": played((*player).unzip), "rest": played((*player).rest),
				"keep": played((*player).keep), "pack": played((*player).pack), "upload": played((*player).upload),
				"answers": played((*player).answers), "received": played((*player).received), "signed": played((*player).signed), "quiet": played((*player).quiet),
				"stream": played((*player).stream), "prune": played((*player).prune),
				"later": played((*player).later), "takesnapshot": played((*player).takesnapshot), "leases": played((*player).leases),
				"mails": played((*player).mails),
			},
		})
	})
}

// shortBackoff is for stories in which a back end cannot be reached: they are told
// in seconds, and not in the minute that a real one gets.
func shortBackoff(s *app.Settings) {
	s.BackoffBase, s.BackoffMax = 10*time.Millisecond, 50*time.Millisecond
}

type keyCloud struct{}

// player plays one script.
type player struct {
	receiver *receiver
	mailbox  *mailbox
	jar      jar // of the actor browser
	cloud    *cloud
	last     *answer
	ahead    atomic.Int64 // how far the installation's clock is before the wall's
}

func (p *player) clock() time.Time { return time.Now().Add(time.Duration(p.ahead.Load())) }

// later is for what happens days from now.
func (p *player) later(_ *testscript.TestScript, _ bool, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: later DAYS or later TIME")
	}
	if d, err := time.ParseDuration(args[0]); err == nil && args[0] != "0" {
		p.ahead.Add(int64(d))
		return nil
	}
	days, err := strconv.Atoi(args[0])
	p.ahead.Add(int64(days) * int64(24*time.Hour))
	return err
}

func (p *player) leases(ts *testscript.TestScript, _ bool, _ []string) error {
	done, err := p.cloud.app.Servers.SweepLeases(context.Background())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(ts.Stdout(), "warned %d, switched off %d, removed %d\n", done.Warned, done.SwitchedOff, done.Removed)
	return err
}

func played(fn func(p *player, ts *testscript.TestScript, neg bool, args []string) error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		p := ts.Value(keyCloud{}).(*player)
		if err := fn(p, ts, neg, args); err != nil {
			ts.Fatalf("%v", err)
		}
	}
}

func (p *player) http(ts *testscript.TestScript, _ bool, args []string) error {
	r := call{header: http.Header{}}
	raw := false
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		name, value, _ := strings.Cut(args[0], "=")
		switch name {
		case "-accept":
			r.accept = value
		case "-type":
			r.label = value
		case "-auth":
			r.header = added(r.header, "Authorization", value)
		case "-header":
			name, text, ok := strings.Cut(value, ":")
			if !ok {
				return fmt.Errorf("%s is no header", value)
			}
			r.header = added(r.header, name, strings.TrimPrefix(text, " "))
		case "-raw":
			raw = true
		default:
			return fmt.Errorf("there is no flag %s", name)
		}
		args = args[1:]
	}
	if len(args) < 3 || len(args) > 4 {
		return errors.New("usage: http [-accept=TYPE] [-type=TYPE] [-auth=HEADER] [-header=HEADER]... [-raw] ACTOR METHOD PATH [BODY]")
	}
	r.method, r.path = args[1], args[2]
	p.as(ts, &r, args[0])
	if len(args) == 4 {
		r.body = args[3]
		if r.body != "" && !strings.ContainsAny(r.body, "{[=") {
			r.body = os.Expand(ts.ReadFile(r.body), ts.Getenv)
		}
	}
	a, err := p.cloud.do(r)
	if err != nil {
		return err
	}
	p.last = a
	if r.actor == actorBrowser {
		p.jar.keep(a)
	}
	out := a.print()
	if raw {
		out = steady(string(a.body))
	}
	if e := ts.Getenv("EXPIRES"); e != "" {
		out = strings.ReplaceAll(out, e, "EXPIRES")
	}
	out = strings.ReplaceAll(out, `"`+ts.Getenv("TODAY")+`"`, `"TODAY"`)
	_, err = io.WriteString(ts.Stdout(), out)
	return err
}

// added adds a header as it is, twice when it is said twice.
func added(h http.Header, name, value string) http.Header {
	if h == nil {
		h = http.Header{}
	}
	h.Add(name, value)
	return h
}

// actorBrowser is the actor that has cookies, and no credentials besides.
const actorBrowser = "browser"

// as says who asks.
func (p *player) as(ts *testscript.TestScript, r *call, actor string) {
	r.actor = actor
	if actor == "token" {
		r.header = added(r.header, "Authorization", "Bearer "+ts.Getenv("TOKEN"))
	}
	if actor == actorBrowser {
		p.jar.send(r)
	}
}

// part returns a part of an answer.
func part(a *answer, pointer string) (string, error) {
	if a == nil {
		return "", errors.New("nothing has been asked yet")
	}
	if name, ok := strings.CutPrefix(pointer, "header:"); ok {
		return strings.Join(a.header.Values(name), ", "), nil
	}
	if name, ok := strings.CutPrefix(pointer, "field:"); ok {
		return fieldOf(string(a.body), name), nil
	}
	if name, ok := strings.CutPrefix(pointer, "sent:"); ok {
		return url.QueryEscape(fieldOf(string(a.body), name)), nil
	}
	if pointer == "status" {
		return fmt.Sprint(a.status), nil
	}
	return at(a.body, pointer)
}

func (p *player) let(ts *testscript.TestScript, _ bool, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: let NAME POINTER")
	}
	v, err := part(p.last, args[1])
	if err != nil {
		return err
	}
	if v == "" {
		return fmt.Errorf("there is nothing at %s in\n%s", args[1], p.last.print())
	}
	ts.Setenv(args[0], v)
	return nil
}

func (p *player) is(_ *testscript.TestScript, neg bool, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: is POINTER VALUE")
	}
	v, err := part(p.last, args[0])
	if err != nil {
		return err
	}
	if (v == args[1]) == neg {
		return fmt.Errorf("%s is %q, not %q, in\n%s", args[0], v, args[1], p.last.print())
	}
	return nil
}

func (p *player) until(ts *testscript.TestScript, _ bool, args []string) error {
	if len(args) < 4 {
		return errors.New("usage: until ACTOR PATH POINTER VALUE...")
	}
	end := time.Now().Add(patience)
	r := call{path: args[1]}
	p.as(ts, &r, args[0])
	for {
		a, err := p.cloud.do(r)
		if err != nil {
			return err
		}
		if a.status != http.StatusOK {
			return fmt.Errorf("%s: %s", r, a.print())
		}
		p.last = a
		v, err := part(a, args[2])
		if err != nil {
			return err
		}
		if slices.Contains(args[3:], v) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s of %s is still %q in\n%s", args[2], args[1], v, a.print())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// vm shows the machine of a host name as the vCenter has it.
func (p *player) vm(ts *testscript.TestScript, neg bool, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: vm HOSTNAME")
	}
	list, err := p.cloud.machines()
	if err != nil {
		return err
	}
	var found []mo.VirtualMachine
	for _, m := range list {
		if host := strings.TrimSuffix(args[0], ".demo.example"); m.Name == args[0] || strings.HasPrefix(m.Name, host+"-") || strings.HasPrefix(m.Name, args[0]+"-") {
			found = append(found, m)
		}
	}
	switch {
	case neg && len(found) > 0:
		return fmt.Errorf("%s is in the vCenter, as %s", args[0], found[0].Name)
	case neg:
		return nil
	case len(found) != 1:
		names := make([]string, len(list))
		for i, m := range list {
			names[i] = m.Name
		}
		return fmt.Errorf("%s is %d times in the vCenter, which has %v", args[0], len(found), names)
	}
	m := found[0]
	_, err = fmt.Fprintf(ts.Stdout(), "memory %d MB\ncpus %d\npower %s\nguest %s\n",
		m.Config.Hardware.MemoryMB, m.Config.Hardware.NumCPU, m.Runtime.PowerState, steady(m.Guest.IpAddress))
	return err
}

// takesnapshot is an operator at the vCenter.
func (p *player) takesnapshot(_ *testscript.TestScript, _ bool, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: takesnapshot HOSTNAME NAME")
	}
	list, err := p.cloud.machines()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	vc, err := p.cloud.operator(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = vc.Logout(ctx) }()
	for _, m := range list {
		if strings.HasPrefix(m.Name, args[0]) {
			task, err := object.NewVirtualMachine(vc.Client, m.Self).CreateSnapshot(ctx, args[1], "Taken by an operator", false, false)
			if err != nil {
				return err
			}
			return task.Wait(ctx)
		}
	}
	return fmt.Errorf("%s is not in the vCenter", args[0])
}

// operator signs in to the vCenter.
func (c *cloud) operator(ctx context.Context) (*govmomi.Client, error) {
	u, err := url.Parse(c.sim.URL())
	if err != nil {
		return nil, err
	}
	u.User = url.UserPassword(c.vc.Username, c.vc.Password)
	return govmomi.NewClient(ctx, u, true)
}

// machines reads all machines over the vSphere API.
func (c *cloud) machines() ([]mo.VirtualMachine, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	vc, err := c.operator(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = vc.Logout(ctx) }()
	v, err := view.NewManager(vc.Client).CreateContainerView(ctx, vc.ServiceContent.RootFolder, []string{"VirtualMachine"}, true)
	if err != nil {
		return nil, err
	}
	var list []mo.VirtualMachine
	if err := v.Retrieve(ctx, []string{"VirtualMachine"}, []string{"name", "config", "runtime", "guest"}, &list); err != nil {
		return nil, err
	}
	return list, nil
}

// unreachable sets the URL of the demo's resource handler to an address without a listener.
func (p *player) unreachable(*testscript.TestScript, bool, []string) error {
	return p.move("http://127.0.0.1:1/sdk")
}

func (p *player) reachable(*testscript.TestScript, bool, []string) error {
	return p.move(p.cloud.vc.URL)
}

func (p *player) rest(*testscript.TestScript, bool, []string) error {
	end, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return p.cloud.app.Engine.Stop(end)
}

func (p *player) move(to string) error {
	d := &demo.Demo{Catalog: p.cloud.app.Catalog}
	vc := p.cloud.vc
	vc.URL = to
	return d.UpdateVCenter(context.Background(), vc)
}

// unzip shows the files of the zip that the last answer was.
func (p *player) unzip(ts *testscript.TestScript, _ bool, _ []string) error {
	z, err := zip.NewReader(bytes.NewReader(p.last.body), int64(len(p.last.body)))
	if err != nil {
		return err
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		fmt.Fprintf(ts.Stdout(), "== %s\n%s", f.Name, steady(string(data)))
	}
	return nil
}
