package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"halcyon/cmd/halcyon/cli/client"
	"halcyon/cmd/halcyon/cli/screen"
)

// connectionFlags say which server is meant, and as whom.
type connectionFlags struct {
	Profile  string `help:"Profile to use instead of the current one." placeholder:"NAME" group:"connection"`
	URL      string `name:"url" help:"URL of the server, instead of a profile's." placeholder:"URL" group:"connection"`
	Token    string `help:"Token to send instead of a profile's; - reads it from standard input, so that no list of processes shows it." placeholder:"TOKEN" group:"connection"`
	CAFile   string `name:"ca-file" help:"File of certificates to trust besides the system's." type:"path" placeholder:"FILE" group:"connection"`
	Insecure bool   `help:"Take any certificate. Whoever is between can read the password." group:"connection"`
}

// shell is what a command of the client works with.
type shell struct {
	*client.Client
	ctx    context.Context
	in     io.Reader
	out    *screen.Screen
	errs   *screen.Screen
	keeper *client.Keeper
	agent  string // User-Agent of its requests
}

func newShell(env *Environment) (*shell, error) {
	path, err := client.DefaultPath()
	if err != nil {
		return nil, err
	}
	sh := &shell{
		ctx: env.Ctx, in: os.Stdin, agent: "halcyon/" + env.Version,
		out: screen.On(env.Stdout, os.Getenv), errs: screen.On(env.Stderr, os.Getenv),
	}
	sh.keeper = &client.Keeper{Path: path, Warn: func(what string) { sh.say("Warning: " + what) }}
	return sh, nil
}

// say tells the person something that is no part of the answer.
func (sh *shell) say(format string, args ...any) {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	_ = sh.errs.Line(format)
}

// open makes the client that the flags, the environment and the profiles say.
func (f *connectionFlags) open(env *Environment) (*shell, error) {
	sh, err := newShell(env)
	if err != nil {
		return nil, err
	}
	return sh, f.connect(sh)
}

func (f *connectionFlags) connect(sh *shell) error {
	if err := f.readToken(sh); err != nil {
		return err
	}
	book, err := sh.keeper.Read()
	if err != nil {
		return err
	}
	name, p, err := f.profile(book)
	if err != nil {
		return err
	}
	transport, err := client.Transport(p.CAFile, p.Insecure)
	if err != nil {
		return err
	}
	var session client.Session = client.Fixed(f.Token)
	if f.Token == "" {
		session = &client.Kept{Keeper: sh.keeper, Name: name, Now: time.Now, Renew: func(ctx context.Context, refresh string) (client.Tokens, error) {
			return sh.Refresh(ctx, refresh)
		}}
	}
	sh.Client, err = client.New(p.URL, transport, session, sh.agent)
	return err
}

// readToken takes the token from standard input when the flag says so.
func (f *connectionFlags) readToken(sh *shell) error {
	if f.Token != "-" {
		return nil
	}
	token, err := firstLine(sh.in)
	if err == nil && token == "" {
		err = client.Errorf(client.Usage, "There is no token on standard input.")
	}
	f.Token = token
	return err
}

// profile returns the profile that is meant, with what the flags change in it. The
// tokens of a profile go to its own server alone.
func (f *connectionFlags) profile(book client.Book) (string, client.Profile, error) {
	name := f.Profile
	if name == "" {
		name = book.Current
	}
	if name == "" {
		name = client.DefaultProfile
	}
	p, known := book.Profiles[name]
	if !known && f.Profile != "" && f.URL == "" {
		return "", p, client.Errorf(client.Usage, "There is no profile %s: halcyon login URL --profile %s makes it.", client.Plain(name), client.Plain(name))
	}
	if f.URL != "" {
		root, err := client.RootURL(f.URL)
		if err != nil {
			return "", p, err
		}
		if p.URL != root.String() {
			name, p = f.of(book, root.String())
		}
	}
	if f.CAFile != "" {
		p.CAFile = f.CAFile
	}
	p.Insecure = p.Insecure || f.Insecure
	if p.URL == "" {
		return "", p, client.Errorf(client.SignedOut, "You are not signed in: halcyon login URL.")
	}
	return name, p, nil
}

// of returns a profile of the server, or an empty one.
func (f *connectionFlags) of(book client.Book, root string) (string, client.Profile) {
	if f.Profile == "" {
		for _, name := range book.Names() {
			if p := book.Profiles[name]; p.URL == root && p.SignedIn() {
				return name, p
			}
		}
	}
	return "", client.Profile{URL: root}
}

// terminal returns the standard input when a person is there to be asked.
func (sh *shell) terminal() (*os.File, bool) {
	f, ok := sh.in.(*os.File)
	return f, ok && sh.errs.TTY && term.IsTerminal(int(f.Fd()))
}

// firstLine reads a secret that stands alone on a line.
func firstLine(r io.Reader) (string, error) {
	line, err := readLine(r)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read standard input: %w", err)
	}
	return line, nil
}

// readLine reads up to the end of the line and nothing behind it.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); len(line) < 64<<10; {
		n, err := r.Read(b)
		if n == 1 && b[0] == '\n' {
			break
		}
		line = append(line, b[:n]...)
		if err != nil {
			return trimmed(line), err
		}
	}
	return trimmed(line), nil
}

func trimmed(line []byte) string {
	for len(line) > 0 && line[len(line)-1] == '\r' {
		line = line[:len(line)-1]
	}
	return string(line)
}

// ask puts a question to the person at the terminal and returns the answer. Nothing of
// a hidden one is shown.
func (sh *shell) ask(question string, hidden bool) (string, error) {
	f, ok := sh.terminal()
	if !ok {
		return "", errors.New("there is no terminal to ask on")
	}
	if _, err := io.WriteString(sh.errs.W, client.Plain(question)+" "); err != nil {
		return "", err
	}
	before, err := term.GetState(int(f.Fd()))
	if err != nil {
		return "", err
	}
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		if hidden {
			text, err := term.ReadPassword(int(f.Fd()))
			got <- answer{string(text), err}
			return
		}
		text, err := readLine(f)
		got <- answer{text, err}
	}()
	select {
	case <-sh.ctx.Done():
		_ = term.Restore(int(f.Fd()), before) // or the terminal stays mute
		_, _ = io.WriteString(sh.errs.W, "\n")
		return "", sh.ctx.Err()
	case a := <-got:
		if hidden {
			_, _ = io.WriteString(sh.errs.W, "\n")
		}
		return a.text, a.err
	}
}
