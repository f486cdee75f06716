package cli

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"halcyon/cmd/halcyon/cli/client"
)

type loginCmd struct {
	Server   string `arg:"" optional:"" name:"url" help:"URL of the server, such as https://cloud.example.org. The profile's own when it is left out."`
	Username string `short:"u" help:"User to sign in as; asked for when it is left out." placeholder:"NAME" env:"-"`

	PasswordStdin bool `help:"Read the password from standard input." env:"-"`
	connectionFlags
}

var profileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Run signs in and keeps the tokens.
func (c *loginCmd) Run(env *Environment) error {
	sh, err := newShell(env)
	if err != nil {
		return err
	}
	if err := c.readToken(sh); err != nil {
		return err
	}
	name, p, err := c.target(sh)
	if err != nil {
		return err
	}
	transport, err := client.Transport(p.CAFile, p.Insecure)
	if err != nil {
		return err
	}
	if sh.Client, err = client.New(p.URL, transport, client.Fixed(c.Token), sh.agent); err != nil {
		return err
	}
	if c.Token == "" {
		err = c.byPassword(sh, &p)
	} else {
		err = c.byToken(sh, &p)
	}
	if err != nil {
		return err
	}
	err = sh.keeper.Change(func(b *client.Book) error {
		b.Profiles[name], b.Current = p, name
		return nil
	})
	if err != nil {
		return err
	}
	return sh.out.Line(fmt.Sprintf("Signed in to %s as %s (profile %s).", p.URL, p.Username, name))
}

// target returns the profile that is to be made or signed in to again.
func (c *loginCmd) target(sh *shell) (string, client.Profile, error) {
	book, err := sh.keeper.Read()
	if err != nil {
		return "", client.Profile{}, err
	}
	name := c.Profile
	if name == "" {
		name = book.Current
	}
	if name == "" {
		name = client.DefaultProfile
	}
	if !profileName.MatchString(name) {
		return "", client.Profile{}, client.Errorf(client.Usage, "A profile's name has letters, digits, dots, hyphens and underscores, 64 at most.")
	}
	old := book.Profiles[name]
	at := c.Server
	if at == "" {
		at = c.URL
	}
	if at == "" {
		at = old.URL
	}
	root, err := client.RootURL(at)
	if err != nil {
		return "", client.Profile{}, err
	}
	p := client.Profile{URL: root.String(), CAFile: c.CAFile, Insecure: c.Insecure}
	if p.URL == old.URL {
		p.Username = old.Username
		if p.CAFile == "" {
			p.CAFile = old.CAFile
		}
	}
	if c.Username != "" {
		p.Username = c.Username
	}
	return name, p, nil
}

func (c *loginCmd) byPassword(sh *shell, p *client.Profile) error {
	if open(p.URL) {
		sh.say("Warning: %s is not encrypted: the password can be read on the way.", p.URL)
	}
	var err error
	_, person := sh.terminal()
	if p.Username == "" && person && !c.PasswordStdin {
		if p.Username, err = sh.ask("Username:", false); err != nil {
			return err
		}
	}
	if p.Username == "" {
		return client.Errorf(client.Usage, "No user is named: --username names one.")
	}
	var password string
	switch {
	case c.PasswordStdin:
		password, err = firstLine(sh.in)
	case person:
		password, err = sh.ask(fmt.Sprintf("Password of %s at %s:", p.Username, p.URL), true)
	default:
		return client.Errorf(client.Usage, "There is no terminal to ask for the password on: --password-stdin reads it from standard input.")
	}
	if err != nil {
		return err
	}
	t, err := sh.SignIn(sh.ctx, p.Username, password)
	if err != nil {
		return err
	}
	p.Access, p.Refresh, p.RenewAt = t.Access, t.Refresh, client.RenewAt(time.Now(), t.Life)
	return nil
}

// byToken takes a token that was given, when the server does.
func (c *loginCmd) byToken(sh *shell, p *client.Profile) error {
	root, err := sh.Root(sh.ctx)
	if err != nil {
		return err
	}
	p.Access, p.Refresh, p.RenewAt = c.Token, "", time.Time{}
	if l, ok := root.Link("user"); ok && l.Title != "" {
		p.Username = l.Title
	}
	return nil
}

// open is whether others on the network could read what is sent there.
func open(root string) bool {
	u, err := url.Parse(root)
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}

type logoutCmd struct {
	connectionFlags
}

// Run ends the session on the server and forgets its tokens. The server and the
// user's name stay known.
func (c *logoutCmd) Run(env *Environment) error {
	if c.Token != "" {
		return client.Errorf(client.Usage, "A token that is given does not belong to a profile: there is nothing to forget.")
	}
	sh, err := newShell(env)
	if err != nil {
		return err
	}
	book, err := sh.keeper.Read()
	if err != nil {
		return err
	}
	name, p, err := c.profile(book)
	if err != nil {
		return err
	}
	if !p.SignedIn() {
		return sh.out.Line("You were not signed in.")
	}
	if p.Refresh != "" { // a token that was given belongs to other places as well
		if err := c.end(sh); err != nil && client.KindOf(err) != client.SignedOut {
			sh.say("Warning: the server could not be told: %v The session ends there by itself.", err)
		}
	}
	err = sh.keeper.Change(func(b *client.Book) error {
		p := b.Profiles[name]
		p.Access, p.Refresh, p.RenewAt = "", "", time.Time{}
		b.Profiles[name] = p
		return nil
	})
	if err != nil {
		return err
	}
	return sh.out.Line("Signed out of " + p.URL + ".")
}

func (c *logoutCmd) end(sh *shell) error {
	if err := c.connect(sh); err != nil {
		return err
	}
	root, err := sh.Root(sh.ctx)
	if err != nil {
		return err
	}
	l, ok := root.Link("sign-out")
	if !ok {
		return client.Errorf(client.Other, "It offers no way to sign out.")
	}
	_, err = sh.Send(sh.ctx, http.MethodPost, l.Href, nil)
	return err
}

type profilesCmd struct {
	List   profilesListCmd   `cmd:"" default:"1" help:"List the profiles."`
	Use    profilesUseCmd    `cmd:"" help:"Make a profile the current one."`
	Remove profilesRemoveCmd `cmd:"" help:"Forget a profile."`
}

type profilesListCmd struct{}

// Run lists the profiles.
func (profilesListCmd) Run(env *Environment) error {
	sh, err := newShell(env)
	if err != nil {
		return err
	}
	book, err := sh.keeper.Read()
	if err != nil {
		return err
	}
	if len(book.Profiles) == 0 {
		sh.say("There are no profiles yet: halcyon login URL makes one.")
		return nil
	}
	var rows [][]string
	for _, name := range book.Names() {
		p := book.Profiles[name]
		current, signed := "", "no"
		if name == book.Current {
			current = "*"
		}
		if p.SignedIn() {
			signed = "yes"
		}
		rows = append(rows, []string{name, current, p.URL, p.Username, signed})
	}
	return sh.out.Table([]string{"PROFILE", "CURRENT", "URL", "USER", "SIGNED IN"}, rows)
}

type profilesUseCmd struct {
	Name string `arg:"" help:"Name of the profile."`
}

// Run makes a profile the current one.
func (c *profilesUseCmd) Run(env *Environment) error {
	return changeProfile(env, c.Name, func(b *client.Book) { b.Current = c.Name })
}

type profilesRemoveCmd struct {
	Name string `arg:"" help:"Name of the profile."`
}

// Run forgets a profile.
func (c *profilesRemoveCmd) Run(env *Environment) error {
	return changeProfile(env, c.Name, func(b *client.Book) {
		delete(b.Profiles, c.Name)
		if b.Current == c.Name {
			b.Current = ""
		}
	})
}

func changeProfile(env *Environment, name string, fn func(*client.Book)) error {
	sh, err := newShell(env)
	if err != nil {
		return err
	}
	return sh.keeper.Change(func(b *client.Book) error {
		if _, ok := b.Profiles[name]; !ok {
			return client.Errorf(client.Usage, "There is no profile %s.", client.Plain(name))
		}
		fn(b)
		return nil
	})
}
