package e2e

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"halcyon/pkg/demo"
)

// The tests of this file run clients that others have made, or that are made as
// others' are, each in a process of its own, against a default installation:
// `halcyon demo`.

// envNPM names the variable with the folder that holds the node_modules of
// testdata/clients/npm. scripts/with-node.sh sets it.
const envNPM = "HALCYON_TEST_NPM"

// clients are where the clients' sources lie.
var clients = filepath.Join("..", "..", "..", "testdata", "clients")

// startDemo runs `halcyon demo` until the test has ended, and returns the URL of its
// root.
func startDemo(t *testing.T, flags ...string) string {
	t.Helper()
	cmd := halcyon(append([]string{"demo", "--listen", "127.0.0.1:0"}, flags...)...)
	out, in := io.Pipe()
	logged := &logBuffer{}
	cmd.Stdout, cmd.Stderr = in, logged
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it went is in its log
		in.Close()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			t.Error("the demo did not end")
		}
		if t.Failed() {
			t.Logf("the demo's log ends:\n%s", logged.tail())
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if root, ok := strings.CutPrefix(lines.Text(), "Halcyon demo at "); ok {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return root
		}
	}
	t.Fatalf("the demo ended before it was ready:\n%s", logged.tail())
	return ""
}

// play runs a client and returns what it says. A client that fails fails the test.
func play(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out.String())
	}
	return out.String()
}

// inTime ends what takes much longer than it should.
func inTime(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	t.Cleanup(cancel)
	return ctx
}

// TestNPMClients lets the HAL clients of npm order a server, switch it off and
// remove it: they know the root's URL, a name and a password, and follow links.
func TestNPMClients(t *testing.T) {
	t.Parallel()
	modules := os.Getenv(envNPM)
	if modules == "" {
		t.Skip(envNPM + " is not set; scripts/with-node.sh sets it")
	}
	dir := copyScripts(t, filepath.Join(clients, "npm"), modules)
	root := startDemo(t)
	for _, client := range []string{"ketting", "traverson", "halfred", "halboy"} {
		t.Run(client, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(inTime(t), "node", client+".mjs", root, "alice", demo.Password)
			cmd.Dir = dir
			said := play(t, cmd)
			if !strings.Contains(said, "HISTORICAL") {
				t.Errorf("it did not come to the end:\n%s", said)
			}
			t.Log("\n" + said)
		})
	}
}

// python returns the interpreter: the one that scripts/with-python.sh has found, or
// what is here.
func python(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("HALCYON_TEST_PYTHON"); path != "" {
		return path
	}
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3; scripts/with-python.sh installs it")
	}
	return path
}

// sampleClient downloads the sample client from a running installation and unpacks
// it.
func sampleClient(t *testing.T, root string) string {
	t.Helper()
	res, err := http.Get(root + "api-samples.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatalf("%s: %v\n%s", res.Status, err, data)
	}
	dir := t.TempDir()
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, f.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "api_samples", "python_client")
}

// withoutProxy is the environment of clients that talk to loopback.
func withoutProxy() []string { return append(os.Environ(), "NO_PROXY=*", "no_proxy=*") }

// TestSampleClient uses the sample client as its README and the vendor's
// documentation say.
func TestSampleClient(t *testing.T) {
	t.Parallel()
	interpreter := python(t)
	t.Run("session", func(t *testing.T) {
		t.Parallel()
		sampleSession(t, interpreter)
	})
	t.Run("scripts", func(t *testing.T) {
		t.Parallel()
		sampleScripts(t, interpreter)
	})
}

// sampleSession types testdata/clients/python/session.py into an interactive shell,
// whose answers are in session.txt.
func sampleSession(t *testing.T, interpreter string) {
	root := startDemo(t)
	at, err := url.Parse(root)
	if err != nil {
		t.Fatal(err)
	}
	secure := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: at.Scheme, Host: at.Host}))
	t.Cleanup(secure.Close)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // a client that does not trust it says so
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	typed, err := os.ReadFile(filepath.Join(clients, "python", "session.py"))
	if err != nil {
		t.Fatal(err)
	}
	expires := time.Now().UTC().AddDate(0, 0, 90).Format(time.DateOnly)
	cmd := exec.CommandContext(inTime(t), interpreter, "-i", "-q", "-u")
	cmd.Dir, cmd.Env = sampleClient(t, root), withoutProxy()
	cmd.Stdin = strings.NewReader(strings.NewReplacer(
		"$PORT", at.Port(), "$TLS", strings.TrimPrefix(secure.URL, "https://127.0.0.1:"), "$CA", ca, "$EXPIRES", expires,
	).Replace(string(typed)))
	said := play(t, cmd)
	// Prompts are there or not, and tracebacks differ, from version to version.
	said = regexp.MustCompile(`(?m)^((>>>|\.\.\.) ?)+`).ReplaceAllString(said, "")
	said = regexp.MustCompile(`(?m)^Traceback.*\n((  .*|\n)*\n)?`).ReplaceAllString(said, "")
	said = regexp.MustCompile(`\[SSL: CERTIFICATE_VERIFY_FAILED\].*`).ReplaceAllString(said, "CERTIFICATE_VERIFY_FAILED")
	said = strings.ReplaceAll(said, expires, "EXPIRES")
	golden(t, filepath.Join("clients", "python", "session.txt"), strings.TrimSpace(steady(said))+"\n")
}

// sampleScripts runs the scripts from a shell.
func sampleScripts(t *testing.T, interpreter string) {
	root := startDemo(t)
	at, err := url.Parse(root)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(sampleClient(t, root), "samples")
	script := func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(inTime(t), "./"+name, append([]string{"--host", at.Hostname(), "--port", at.Port(), "--protocol", at.Scheme}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(withoutProxy(), "PATH="+filepath.Dir(interpreter)+string(filepath.ListSeparator)+os.Getenv("PATH"), "API_PASSWORD="+demo.Password)
		return cmd
	}
	says := func(cmd *exec.Cmd, want ...string) string {
		t.Helper()
		said := play(t, cmd)
		for _, w := range want {
			if !regexp.MustCompile(w).MatchString(said) {
				t.Fatalf("%s does not say %q:\n%s", cmd.Args[0], w, said)
			}
		}
		return said
	}
	for _, name := range []string{"order_blueprint.py", "mod_server.py", "decom_server.py"} {
		says(script(name, "-h"), "^usage: "+name, "--username")
	}
	said := says(script("order_blueprint.py", "--username", "alice", "--group", "Group Foo", "--blueprint", "Custom Server",
		"--environment", "3", "--os-build", "/api/v2/os-builds/1", "--quantity", "2", "--parameter", "vm-size=small", "--service-name", "Two: of; a, kind"),
		`(?m)^Order id \d+: Provisioning of `, `(?m)^ACTIVE$`, `(?m)^SUCCESS$`, `(?s)Server \d+: .*POWERON.*Server \d+: .*POWERON`)
	server := regexp.MustCompile(`(?m)^Server (\d+): ([^,]*)`).FindAllStringSubmatch(said, -1)
	says(script("mod_server.py", "--username", "alice", "--server", server[0][2], "--parameter", "mem_size=2 GB"),
		`Modification of `, `(?m)^SUCCESS$`, `2\.0000 GB`)
	says(script("decom_server.py", "--username", "alice", "--server", server[0][1], "--server", "/api/v2/servers/"+server[1][1]+"/"),
		`Deletion of `, `(?m)^SUCCESS$`, `(?s)HISTORICAL.*HISTORICAL`)
	says(script("order_blueprint.py", "--username", "alice", "--group", "Group Bar", "--blueprint", "1",
		"--environment", "3", "--parameter", "vm-size=small", "--no-wait"), `(?m)^PENDING$`, `waits for approval`)
	says(script("order_blueprint.py", "--username", "alice", "--group", "2", "--blueprint", "1",
		"--environment", "3", "--parameter", "vm-size=small", "--no-submit"), `(?m)^CART$`, `/actions/submit`)
	for _, x := range []struct {
		want string
		args []string
	}{
		{`^POST /api/v2/api-token-auth/: 401: `, []string{"--username", "nobody", "--server", "1"}},
		{`^GET /api/v2/servers/999: 404: Not found`, []string{"--username", "alice", "--server", "999"}},
		{`^0 of the servers have the hostname none`, []string{"--username", "alice", "--server", "none"}},
	} {
		out, err := script("decom_server.py", x.args...).CombinedOutput()
		if err == nil || !regexp.MustCompile(x.want).Match(out) {
			t.Errorf("decom_server.py %v: %v, and it says\n%s", x.args, err, out)
		}
	}
}

// TestShellClient lets a script order as shell tools do: curl, grep and sed, and
// nothing that knows JSON.
func TestShellClient(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl", "grep", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("there is no %s", tool)
		}
	}
	root := startDemo(t)
	cmd := exec.CommandContext(inTime(t), "bash", filepath.Join(clients, "shell", "order.sh"), strings.TrimSuffix(root, "/api/v2/"), "alice", demo.Password)
	cmd.Env = withoutProxy()
	golden(t, filepath.Join("clients", "shell", "order.txt"), play(t, cmd))
}
