package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"halcyon/pkg/store/storetest"
)

// envTmux names the variable with the path of tmux. scripts/with-tmux.sh sets it.
const envTmux = "HALCYON_TEST_TMUX"

// pane is a terminal of 100 columns and 30 lines, in which somebody types.
type pane struct {
	t      *testing.T
	tmux   string
	socket string
	story  strings.Builder
}

// newPane starts a shell in a terminal, in which `halcyon` is this program.
func newPane(t *testing.T, vars ...string) *pane {
	t.Helper()
	p := &pane{t: t, tmux: os.Getenv(envTmux)}
	if p.tmux == "" {
		t.Skip(envTmux + " is not set; scripts/with-tmux.sh sets it")
	}
	dir, err := os.MkdirTemp("", "halcyon-tmux-") // a t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p.socket = filepath.Join(dir, "s")
	self, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\n%s=1 exec %s \"$@\"\n", beHalcyon, self)
	if err := os.WriteFile(filepath.Join(dir, "halcyon"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	env := append([]string{
		"-i", "PS1=$ ", "TERM=xterm", "HOME=" + dir, "PATH=" + dir + ":/usr/bin:/bin", "XDG_CONFIG_HOME=" + filepath.Join(dir, "config"), "NO_PROXY=*",
	}, vars...)
	p.run(append(append([]string{"-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", "env"}, env...), "sh")...)
	t.Cleanup(func() { _ = exec.Command(p.tmux, "-S", p.socket, "kill-server").Run() })
	return p
}

func (p *pane) run(args ...string) string {
	p.t.Helper()
	out, err := exec.Command(p.tmux, append([]string{"-u", "-S", p.socket}, args...)...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (p *pane) screen() string {
	return strings.TrimRight(p.run("capture-pane", "-p"), "\n ") + "\n"
}

// types types a line, waits until the screen shows what is awaited and nothing moves
// any more, and puts the screen into the story.
func (p *pane) types(line, await string) {
	p.t.Helper()
	if line != "" {
		p.run("send-keys", "-l", line)
	}
	p.run("send-keys", "Enter")
	p.awaits(await)
}

// presses is types for a single key.
func (p *pane) presses(key, await string) {
	p.t.Helper()
	p.run("send-keys", key)
	p.awaits(await)
}

func (p *pane) awaits(await string) {
	p.t.Helper()
	want := regexp.MustCompile(await)
	last := ""
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		now := p.screen()
		if now == last && want.MatchString(now) {
			break
		}
		if time.Now().After(end) {
			p.t.Fatalf("the screen does not show %q, but\n%s", await, now)
		}
		last = now
	}
	p.story.WriteString(strings.Repeat("=", 100) + "\n" + steady(shownTime.ReplaceAllString(last, "TIME")))
}

// until waits for how the screen ends.
func (p *pane) until(tail string) {
	p.t.Helper()
	for end := time.Now().Add(patience); !strings.HasSuffix(p.screen(), tail); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("the screen does not end in %q:\n%s", tail, p.screen())
		}
	}
}

// clear empties the screen.
func (p *pane) clear() {
	p.t.Helper()
	// A shell that has just begun shows nothing of what it was sent before its prompt.
	p.until("$\n")
	p.run("send-keys", "-l", "clear")
	p.until("$ clear\n")
	p.run("send-keys", "Enter")
	p.until("$\n")
	if s := p.screen(); s != "$\n" {
		p.t.Fatalf("the screen is not empty:\n%s", s)
	}
}

var shownTime = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`)

// TestTerminal is a person at a terminal.
func TestTerminal(t *testing.T) {
	t.Parallel()
	for name, locale := range map[string]string{"utf8": "C.UTF-8", "ascii": "C"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPane(t, "LC_ALL="+locale)
			c := newCloud(t, storetest.URLs(t)["sqlite"](t), shortBackoff)
			p.session(c)
			golden(t, filepath.Join("cli", "terminal", name+".txt"), p.story.String())
		})
	}
}

func (p *pane) session(c *cloud) {
	prompt := `\n\$\n$`
	// A person is asked for what has no default.
	c.want(p.t, http.StatusCreated, call{
		actor: "admin", method: http.MethodPost, path: "/api/v2/blueprints/",
		body: `{"name": "Unsized", "state": "Active", "build-items": [{"name": "Server", "os-build": "/api/v2/os-builds/1"}]}`,
	})
	p.clear()
	p.types("halcyon login "+c.srv.URL, `Username:\n$`)
	p.types("alice", `Password of alice at \S+:\n$`)
	p.types("guess", prompt)
	p.types("halcyon login "+c.srv.URL+" -u alice", `Password of alice at \S+:\n$`)
	p.types("demo", `Signed in[^$]*\$\n$`)
	p.clear()
	p.types("halcyon list servers", `server-3[^$]*\$\n$`)
	p.types("halcyon list orders", `14.40[^$]*\$\n$`)
	p.clear()
	p.types("halcyon order --blueprint Unsized environment='Simple Environment' --watch", `:\n$`)
	p.types("1", `Order id 4: SUCCESS[^$]*\$\n$`)
	p.clear()
	p.types("halcyon watch 3; echo exit $?", `exit 7\n\$\n$`)
	c.stopWorkers(p.t)
	p.clear()
	p.types("halcyon order --blueprint 'Custom Server' environment='Simple Environment' vm-size=small -w", `Order id 5 .{24}`)
	p.presses("C-c", `halcyon watch orders/5[^$]*\$\n$`)
	p.types("halcyon login --profile other "+c.srv.URL+" -u alice", `Password of alice at \S+:\n$`)
	p.presses("C-c", `:\n\$\n$`)
	p.types("stty -a | grep -o '[-]*echo '; echo exit $?", `exit 0\n\$\n$`)
	p.clear()
	c.srv.CloseClientConnections()
	c.srv.Close()
	p.types("halcyon list servers; echo exit $?", `exit 6\n\$\n$`)
}
