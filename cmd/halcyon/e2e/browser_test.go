package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"halcyon/cmd/halcyon/app"
	"halcyon/pkg/store/storetest"
)

// envBrowser names the variable with the folder that holds the node_modules of
// testdata/browser, and envChromium the one with the browser that they drive.
// scripts/with-chromium.sh sets both.
const (
	envBrowser  = "HALCYON_TEST_BROWSER"
	envChromium = "HALCYON_TEST_CHROMIUM"
)

// told is what the browser's scripts say of one story.
type told struct {
	Story    string   `json:"story"`
	Problems []string `json:"problems"`
	Seconds  float64  `json:"seconds"`
}

// TestBrowser lets Chromium do what people do with the pages: testdata/browser has
// the stories, and what is held against every page that is seen on the way.
func TestBrowser(t *testing.T) {
	t.Parallel()
	modules := os.Getenv(envBrowser)
	if modules == "" {
		t.Skip(envBrowser + " is not set; scripts/with-chromium.sh sets it")
	}
	dir := copyScripts(t, filepath.Join("..", "..", "..", "testdata", "browser"), modules)
	c := newCloud(t, storetest.SQLiteURL(t))
	cmd := exec.CommandContext(t.Context(), "node", "run.mjs", c.srv.URL)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stories := tell(t, out)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, stderr.String())
	}
	if stories == 0 {
		t.Error("no story was told")
	}
}

// tell makes a test of each story that was told, and counts them.
func tell(t *testing.T, from io.Reader) int {
	t.Helper()
	n := 0
	for lines := bufio.NewScanner(from); lines.Scan(); n++ {
		var s told
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Errorf("%v: %s", err, lines.Bytes())
			continue
		}
		t.Run(s.Story, func(t *testing.T) { //nolint:paralleltest // it has happened already
			for _, p := range s.Problems {
				t.Error(p)
			}
			t.Logf("%.1f s", s.Seconds)
		})
	}
	return n
}

// copyScripts returns a folder with the scripts of another one, and beside them the
// packages that they need.
func copyScripts(t *testing.T, from, modules string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(modules, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob(filepath.Join(from, "*.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(source)), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestScreenshots takes the pictures of docs/images anew, with -update, of a cloud
// whose clock begins at a fixed time.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	modules := os.Getenv(envBrowser)
	if modules == "" || !*update {
		t.Skip("it writes docs/images, with -update and " + envBrowser)
	}
	dir := copyScripts(t, filepath.Join("..", "..", "..", "testdata", "browser"), modules)
	images, err := filepath.Abs(filepath.Join("..", "..", "..", "docs", "images"))
	if err != nil {
		t.Fatal(err)
	}
	begun, first := time.Now(), time.Date(2026, time.March, 2, 9, 30, 0, 0, time.UTC)
	c := newCloud(t, storetest.SQLiteURL(t), func(s *app.Settings) {
		s.Clock = func() time.Time { return first.Add(time.Since(begun)) }
	})
	cmd := exec.CommandContext(t.Context(), "node", "screenshots.mjs", c.srv.URL, images)
	cmd.Dir = dir
	play(t, cmd)
}
