package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
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
var clients = filepath.Join("..", "..", "testdata", "clients")

// startDemo runs `halcyon demo` until the test has ended, and gives the URL of its
// root.
func startDemo(t *testing.T) string {
	t.Helper()
	cmd := halcyon("demo", "--listen", "127.0.0.1:0")
	out, in := io.Pipe()
	log := &logBuffer{}
	cmd.Stdout, cmd.Stderr = in, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
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
			t.Logf("the demo's log ends:\n%s", log.tail(40))
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if root, ok := strings.CutPrefix(lines.Text(), "Halcyon demo at "); ok {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return root
		}
	}
	t.Fatalf("the demo ended before it was ready:\n%s", log.tail(40))
	return ""
}

// play runs a client and gives what it says. A client that fails fails the test.
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
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(modules, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob(filepath.Join(clients, "npm", "*.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range sources {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(from)), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
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
