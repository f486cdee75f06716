package e2e

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"halcyon/cmd/halcyon/app"
	"halcyon/pkg/store/storetest"
)

// TestCommandLine plays the stories in testdata/cli: the client as processes of its
// own, piped, against a cloud in this process. A script may use what those of
// testdata/v2 have (http, let, until, rest, later), and
//
//	halcyon ARGS...      runs the client and writes it, what it says and its exit code
//	                     into the transcript. Flags in front: -in=FILE is its standard
//	                     input, -quiet leaves it out of the transcript, -bg lets it run
//	                     on until `wait`, -env=NAME=VALUE sets a variable for it
//	says TEXT            waits until what runs in the background has said so
//	interrupt            presses ctrl-C for it
//	ended                waits for its end and writes it into the transcript
//	user NAME            signs in as the demo's user, with a profile of that name
//	transcript           gives the transcript since the last time to cmp
//	mode FILE [MODE]     gives the file's mode, or sets it
//	orders USER N        makes carts of the user
//	down                 ends the server
func TestCommandLine(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		rewrite := *update && strings.HasSuffix(t.Name(), "sqlite")
		testscript.Run(t, testscript.Params{
			Dir: "../../../testdata/cli", UpdateScripts: rewrite, RequireUniqueNames: true,
			Setup: func(env *testscript.Env) error {
				tb := env.T().(testing.TB)
				p := &player{}
				c := newCloud(tb, open(tb), shortBackoff, func(s *app.Settings) { s.Clock = p.clock })
				p.cloud = c
				env.Values[keyCloud{}] = p
				s := &session{player: p, dir: env.WorkDir, env: env.Vars}
				env.Values[keySession{}] = s
				env.Setenv("SERVER", c.srv.URL)
				env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
				env.Setenv("CREDENTIALS", filepath.Join(env.WorkDir, "config", "halcyon", "credentials.json"))
				return nil
			},
			Cmds: map[string]func(*testscript.TestScript, bool, []string){
				"http": played((*player).http), "let": played((*player).let), "is": played((*player).is),
				"until": played((*player).until), "rest": played((*player).rest), "later": played((*player).later),
				"halcyon": typedIn((*session).halcyon), "user": typedIn((*session).user), "transcript": typedIn((*session).show),
				"says": typedIn((*session).says), "interrupt": typedIn((*session).interrupt), "ended": typedIn((*session).ended),
				"mode": typedIn((*session).mode), "down": typedIn((*session).down),
				"orders": typedIn((*session).orders),
			},
		})
	})
}

type keySession struct{}

// session is somebody at a shell.
type session struct {
	*player
	dir string
	env []string

	transcript strings.Builder
	behind     *running
}

// running is a client in the background.
type running struct {
	line string
	cmd  *exec.Cmd
	out  *logBuffer
	done chan error
}

func typedIn(fn func(*session, *testscript.TestScript, []string) error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("the exit code is in the transcript")
		}
		if err := fn(ts.Value(keySession{}).(*session), ts, args); err != nil {
			ts.Fatalf("%v", err)
		}
	}
}

func (s *session) halcyon(ts *testscript.TestScript, args []string) error {
	var in io.Reader
	var vars []string
	quiet, behind := false, false
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		name, value, _ := strings.Cut(args[0], "=")
		switch name {
		case "-in":
			in = strings.NewReader(ts.ReadFile(value))
		case "-env":
			vars = append(vars, value)
		case "-quiet":
			quiet = true
		case "-bg":
			behind = true
		default:
			return fmt.Errorf("there is no flag %s", name)
		}
		args = args[1:]
	}
	line := "$ halcyon"
	if len(vars) > 0 {
		line = "$ " + strings.Join(vars, " ") + " halcyon"
	}
	for _, a := range args {
		if strings.ContainsAny(a, " [(*'&;") {
			a = "'" + a + "'"
		}
		line += " " + a
	}
	cmd := halcyon(args...)
	cmd.Dir, cmd.Stdin = s.dir, in
	cmd.Env = []string{beHalcyon + "=1", "NO_PROXY=*", "LC_ALL=C.UTF-8"}
	for _, name := range []string{"XDG_CONFIG_HOME", "HOME"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	cmd.Env = append(cmd.Env, vars...)
	r := &running{line: line, cmd: cmd, out: &logBuffer{}, done: make(chan error, 1)}
	cmd.Stdout, cmd.Stderr = r.out, r.out
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { r.done <- cmd.Wait() }()
	if behind {
		s.behind = r
		ts.Defer(func() { _ = cmd.Process.Kill() })
		return nil
	}
	return s.finish(r, quiet)
}

// finish waits for the end of a client and writes what it has said.
func (s *session) finish(r *running, quiet bool) error {
	var err error
	select {
	case err = <-r.done:
	case <-time.After(patience):
		_ = r.cmd.Process.Kill()
		return fmt.Errorf("%s does not end; it says\n%s", r.line, r.out)
	}
	said := r.out.String()
	if at := strings.Index(said, "panic:"); at >= 0 || strings.Contains(said, "goroutine ") {
		return fmt.Errorf("%s panics:\n%s", r.line, said)
	}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		said += fmt.Sprintf("[exit %d]\n", exit.ExitCode())
	case err != nil:
		return err
	}
	if quiet {
		if err != nil {
			return fmt.Errorf("%s\n%s", r.line, said)
		}
		return nil
	}
	s.transcript.WriteString(s.steady(r.line + "\n" + said))
	return nil
}

var (
	bareToken = regexp.MustCompile(`eyJ[A-Za-z0-9_.-]+`)
	elsewhere = regexp.MustCompile(`/tmp/[^ ]*/config`)
)

func (s *session) steady(text string) string {
	text = strings.ReplaceAll(text, s.dir, "$WORK")
	text = bareToken.ReplaceAllString(text, "TOKEN")
	text = elsewhere.ReplaceAllString(text, "$$WORK/config")
	return steady(text)
}

func (s *session) user(ts *testscript.TestScript, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: user NAME")
	}
	if err := os.WriteFile(filepath.Join(s.dir, ".password"), []byte("demo\n"), 0o600); err != nil {
		return err
	}
	return s.halcyon(ts, []string{"-quiet", "-in=" + filepath.Join(s.dir, ".password"), "login", s.cloud.srv.URL, "-u", args[0], "--profile", args[0], "--password-stdin"})
}

func (s *session) show(ts *testscript.TestScript, _ []string) error {
	_, err := io.WriteString(ts.Stdout(), s.transcript.String())
	s.transcript.Reset()
	return err
}

// says waits for what the client in the background says.
func (s *session) says(_ *testscript.TestScript, args []string) error {
	if s.behind == nil || len(args) != 1 {
		return errors.New("usage: says TEXT, of what runs in the background")
	}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if strings.Contains(s.behind.out.String(), args[0]) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s does not say %q, but\n%s", s.behind.line, args[0], s.behind.out)
		}
	}
}

func (s *session) interrupt(*testscript.TestScript, []string) error {
	return s.behind.cmd.Process.Signal(os.Interrupt)
}

func (s *session) ended(*testscript.TestScript, []string) error {
	return s.finish(s.behind, false)
}

func (s *session) mode(ts *testscript.TestScript, args []string) error {
	path := ts.MkAbs(args[0])
	if len(args) == 2 {
		var mode uint32
		if _, err := fmt.Sscanf(args[1], "%o", &mode); err != nil {
			return err
		}
		return os.Chmod(path, os.FileMode(mode))
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(ts.Stdout(), "%04o\n", info.Mode().Perm())
	return err
}

// down ends the server.
func (s *session) down(*testscript.TestScript, []string) error {
	s.cloud.srv.CloseClientConnections()
	s.cloud.srv.Close()
	return nil
}

func (s *session) orders(_ *testscript.TestScript, args []string) error {
	n, err := strconv.Atoi(args[1])
	for range n {
		a, err := s.cloud.do(call{actor: args[0], method: "POST", path: "/api/v2/orders/", body: `{"group": 2}`})
		if err != nil || a.status != 201 {
			return fmt.Errorf("%w: %d\n%s", err, a.status, a.body)
		}
	}
	return err
}

// shellBlock is a piece of a document that is run.
var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// TestCommandLineDocs runs what docs/cli.md and the README say that one can type.
func TestCommandLineDocs(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	for _, name := range []string{"docs/cli.md", "README.md"} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join("..", "..", "..", name))
			if err != nil {
				t.Fatal(err)
			}
			script := "set -euo pipefail\n"
			for _, m := range shellBlock.FindAllStringSubmatch(string(text), -1) {
				if strings.Contains(m[1], "halcyon login") || name == "docs/cli.md" {
					script += m[1]
				}
			}
			if !strings.Contains(script, "halcyon list servers") {
				t.Fatalf("%s shows too little:\n%s", name, script)
			}
			c := newCloud(t, storetest.URLs(t)["sqlite"](t), shortBackoff)
			script = strings.ReplaceAll(script, "http://127.0.0.1:8080", c.srv.URL)
			dir := t.TempDir()
			self, err := filepath.Abs(os.Args[0])
			if err != nil {
				t.Fatal(err)
			}
			for file, text := range map[string]string{
				"bin/halcyon": fmt.Sprintf("#!/bin/sh\n%s=1 exec %s \"$@\"\n", beHalcyon, self), "bin/xdg-open": "#!/bin/sh\n",
			} {
				if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(inTime(t), bash, "-x", "-c", script)
			cmd.Dir = dir
			cmd.Env = []string{"PATH=" + filepath.Join(dir, "bin") + ":/usr/bin:/bin", "XDG_CONFIG_HOME=" + filepath.Join(dir, "config"), "NO_PROXY=*", "HOME=" + dir}
			play(t, cmd)
		})
	}
}
