package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"halcyon/cmd/halcyon/app"
	"halcyon/pkg/store/storetest"
)

// block is a fenced block of a page of documentation.
type block struct {
	language string // "sh", "json", "text"
	fails    bool   // of sh: the API may refuse what it asks
	text     string
	section  int // heading that it stands below
}

var fence = regexp.MustCompile("(?ms)^```([a-z]*)( [a-z]+)?\n(.*?)^```$")

func blocks(page []byte) []block {
	var list []block
	for _, m := range fence.FindAllSubmatchIndex(page, -1) {
		part := func(i int) string {
			if m[2*i] < 0 {
				return ""
			}
			return string(page[m[2*i]:m[2*i+1]])
		}
		list = append(list, block{part(1), part(2) == " error", part(3), bytes.Count(page[:m[0]], []byte("\n## "))})
	}
	return list
}

// TestDocsCurls runs every block of shell that asks the API something: of the guide,
// the README and the pages in docs/, each page on an installation of its own. Where a
// block of JSON or text follows, the block's last answer must be like it: JSON has
// at least what is shown, and … stands for anything.
func TestDocsCurls(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl", "python3", "unzip"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
	}
	var pages []string
	for _, pattern := range []string{"handlers/v2/guide/*.md", "README.md", "docs/*.md"} {
		found, err := filepath.Glob(filepath.Join("..", "..", "..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	ran := 0
	for _, path := range pages {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		list := blocks(text)
		if !slices.ContainsFunc(list, asks) {
			continue
		}
		ran++
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			c := newCloud(t, storetest.SQLiteURL(t))
			runPage(t, c, list)
		})
	}
	if ran < 7 {
		t.Errorf("only %d pages have something to run", ran)
	}
}

func asks(b block) bool { return b.language == "sh" && strings.Contains(b.text, "curl ") }

// runPage runs the blocks in one shell, so that what one sets the next ones have.
func runPage(t *testing.T, c *cloud, list []block) {
	t.Helper()
	const mark = "=== block "
	var script strings.Builder
	script.WriteString("set -euo pipefail\nfail=--fail-with-body\ncurl() { command curl -sS $fail \"$@\"; }\n")
	fmt.Fprintf(&script, "HALCYON=%s\nTOKEN=%s\n", c.srv.URL, c.token(t, "alice"))
	host := strings.TrimPrefix(c.srv.URL, "http://")
	address, port, _ := strings.Cut(host, ":")
	for i, b := range list {
		if !asks(b) {
			continue
		}
		text := strings.ReplaceAll(b.text, "127.0.0.1:8080", host)
		text = strings.ReplaceAll(text, "--host 127.0.0.1 --port 8080", "--host "+address+" --port "+port)
		flag := "--fail-with-body"
		if b.fails {
			flag = ""
		}
		fmt.Fprintf(&script, "fail=%s\nprintf '\\n%s%d\\n'\n%s\n", flag, mark, i, text)
	}
	cmd := exec.CommandContext(inTime(t), "bash", "-c", script.String())
	cmd.Dir = t.TempDir()
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out.String(), problems.String())
	}
	for part := range strings.SplitSeq(out.String(), "\n"+mark) {
		number, answer, ok := strings.Cut(part, "\n")
		var i int
		if _, err := fmt.Sscan(number, &i); !ok || err != nil {
			continue
		}
		if i+1 < len(list) && list[i+1].language != "sh" && list[i+1].section == list[i].section {
			if err := resembles(list[i+1], answer); err != nil {
				t.Errorf("%s\nshows\n%s\nand the answer is\n%s\n%v", list[i].text, list[i+1].text, answer, err)
			}
		}
	}
}

// token signs a user in.
func (c *cloud) token(t *testing.T, user string) string {
	t.Helper()
	a := c.want(t, 200, call{method: "POST", path: "/api/v2/api-token-auth/", body: fmt.Sprintf(`{"username":%q,"password":"demo"}`, user)})
	return a.text(t, "/token")
}

// resembles holds what came against what a page shows.
func resembles(shown block, answer string) error {
	if shown.language == "text" {
		if got, want := strings.TrimSpace(answer), strings.TrimSpace(shown.text); got != want {
			return fmt.Errorf("%q instead of %q", got, want)
		}
		return nil
	}
	var want, got any
	if err := json.Unmarshal([]byte(shown.text), &want); err != nil {
		return fmt.Errorf("what is shown is no JSON: %w", err)
	}
	// Several answers may stand side by side, and the last one is shown.
	dec := json.NewDecoder(strings.NewReader(answer))
	for dec.More() {
		got = nil
		if err := dec.Decode(&got); err != nil {
			return err
		}
	}
	return contains(got, want, "")
}

// contains reports where a value lacks something of another.
func contains(got, want any, at string) error {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is %v", at, got)
		}
		for _, name := range slices.Sorted(maps.Keys(w)) {
			v, ok := g[name]
			if !ok {
				return fmt.Errorf("%s/%s is missing", at, name)
			}
			if err := contains(v, w[name], at+"/"+name); err != nil {
				return err
			}
		}
		return nil
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) < len(w) {
			return fmt.Errorf("%s is %v", at, got)
		}
		for i := range w {
			if err := contains(g[i], w[i], fmt.Sprintf("%s/%d", at, i)); err != nil {
				return err
			}
		}
		return nil
	case string:
		if w == "…" {
			return nil
		}
	}
	if got != want {
		return fmt.Errorf("%s is %v", at, got)
	}
	return nil
}

// TestGuideNamesTheServer reads where the guide's examples go.
func TestGuideNamesTheServer(t *testing.T) {
	t.Parallel()
	c := newCloud(t, storetest.SQLiteURL(t), func(s *app.Settings) { s.Mail.Public = "https://cloud.example/" })
	c.stopWorkers(t)
	guide := c.want(t, 200, call{path: "/api/v2/docs/guide/start"}).text(t, "/text")
	if !strings.Contains(guide, "HALCYON:-https://cloud.example}") || strings.Contains(guide, ":8080") {
		t.Errorf("the guide says %s", guide)
	}
}

// TestDocsAreComplete finds a page for every declared resource, relation and problem.
func TestDocsAreComplete(t *testing.T) {
	t.Parallel()
	c := newCloud(t, storetest.SQLiteURL(t))
	c.stopWorkers(t)
	for _, path := range []string{"guide/", "resources/", "rels/", "problems/", "schemas/", ""} {
		index := c.want(t, 200, call{path: "/api/v2/docs/" + path})
		for href := range strings.FieldsSeq(index.text(t, "/_links/item/*/href")) {
			for _, accept := range []string{"", "text/html"} {
				page := c.want(t, 200, call{path: href, accept: accept})
				if tag := page.header.Get("ETag"); tag == "" {
					t.Errorf("%s has no ETag", href)
				} else {
					c.want(t, 304, call{path: href, accept: accept, header: map[string][]string{"If-None-Match": {tag}}})
				}
			}
		}
	}
	for _, d := range c.app.Face.Declarations() {
		for _, f := range d.Fields {
			if !f.Typed() {
				t.Errorf("%s: nobody says what the JSON of %s is like: Typed does", d.Plural, f.Name)
			}
		}
		c.want(t, 200, call{path: "/api/v2/docs/resources/" + d.Plural})
		c.want(t, 200, call{path: "/api/v2/docs/schemas/" + d.Name})
		c.want(t, 200, call{path: "/api/v2/docs/schemas/" + d.Plural})
	}
}
