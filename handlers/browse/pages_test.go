package browse

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"halcyon/hal"
	"halcyon/pkg/event"
	"halcyon/pkg/resource"
	"halcyon/pkg/view"
)

var update = flag.Bool("update", false, "rewrite testdata/browse/*.html")

// assetName matches the hash of an asset's content in its name.
var assetName = regexp.MustCompile(`(/assets/[a-z]+)-[0-9a-f]{12}\.`)

// TestPages renders each recorded page and compares it with its golden file.
func TestPages(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../testdata/browse/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded pages: %v", err)
	}
	f, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := f.Append(nil, load(t, name))
			wellFormed(t, got)
			golden(t, name, assetName.ReplaceAllString(splitTags(got), "$1-HASH."))
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("../../testdata/browse", name+".html")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// wellFormed checks what all pages have in common: ids are unique, every label and
// description refers to an element, and no page has inline scripts or styles, which the
// content security policy would block.
func wellFormed(t *testing.T, html []byte) {
	t.Helper()
	ids, wanted := map[string]bool{}, []string{}
	dec := xml.NewDecoder(bytes.NewReader(html))
	dec.Strict, dec.AutoClose, dec.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		e, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range e.Attr {
			switch {
			case a.Name.Local == "id":
				if ids[a.Value] {
					t.Errorf("the id %q is there twice", a.Value)
				}
				ids[a.Value] = true
			case a.Name.Local == "for", a.Name.Local == "aria-describedby":
				wanted = append(wanted, strings.Fields(a.Value)...)
			case a.Name.Local == "style", strings.HasPrefix(a.Name.Local, "on"):
				t.Errorf("<%s> has %s", e.Name.Local, a.Name.Local)
			}
		}
		if e.Name.Local == "style" || e.Name.Local == "script" && len(e.Attr) == 0 {
			t.Errorf("there is a <%s> within the page", e.Name.Local)
		}
	}
	for _, id := range wanted {
		if !ids[id] {
			t.Errorf("something is for %q, which is not there", id)
		}
	}
}

// TestSteps checks the stages of orders by status and dates.
func TestSteps(t *testing.T) {
	t.Parallel()
	const at = "2026-11-22T03:46:24.119763"
	for _, x := range []struct {
		status string
		dates  []string
		want   string
	}{
		{"CART", nil, "Cart now, Submitted todo, Approved todo, Working todo, Done todo"},
		{"PENDING", []string{"submit-date"}, "Cart done, Submitted done, Waiting for approval now, Working todo, Done todo"},
		{"DENIED", []string{"submit-date", "end-date"}, "Cart done, Submitted done, Denied bad"},
		{"ACTIVE", []string{"submit-date", "approve-date"}, "Cart done, Submitted done, Approved done, Working now, Done todo"},
		{"SUCCESS", []string{"submit-date", "approve-date", "end-date"}, "Cart done, Submitted done, Approved done, Working done, Done done"},
		{"WARNING", []string{"submit-date", "approve-date", "end-date"}, "Cart done, Submitted done, Approved done, Working done, Done, with warnings done"},
		{"FAILURE", []string{"submit-date", "approve-date", "end-date"}, "Cart done, Submitted done, Approved done, Working done, Failed bad"},
		{"CANCELED", []string{"end-date"}, "Cart done, Canceled bad"},
		{"CANCELED", []string{"submit-date", "end-date"}, "Cart done, Submitted done, Canceled bad"},
		{"CANCELED", []string{"submit-date", "approve-date", "end-date"}, "Cart done, Submitted done, Approved done, Canceled bad"},
	} {
		d := &hal.Document{Props: []hal.Prop{{Name: "status", Value: hal.String(x.status)}, {Name: "create-date", Value: hal.String(at)}}}
		for _, name := range x.dates {
			d.Props = append(d.Props, hal.Prop{Name: name, Value: hal.String(at)})
		}
		var got []string
		for _, s := range stepsOf(d) {
			got = append(got, s.name+" "+s.state)
		}
		if text := strings.Join(got, ", "); text != x.want {
			t.Errorf("%s with %v: %s; want %s", x.status, x.dates, text, x.want)
		}
	}
}

// TestScriptKnowsEvents finds every event type in live.js: a browser only receives the
// events that it adds a listener for.
func TestScriptKnowsEvents(t *testing.T) {
	t.Parallel()
	script, err := assetFiles.ReadFile("assets/live.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range event.Types {
		if !bytes.Contains(script, []byte(`"`+x.Name+`"`)) {
			t.Errorf("live.js does not listen for %s", x.Name)
		}
	}
}

// TestAssetsAreSmall limits the size of the style sheets and scripts together.
func TestAssetsAreSmall(t *testing.T) {
	t.Parallel()
	a, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for name, file := range a.files {
		if strings.HasSuffix(name, ".css") || strings.HasSuffix(name, ".js") {
			sum += len(file.data)
		}
	}
	if sum >= 60<<10 {
		t.Errorf("style sheets and scripts are %d bytes", sum)
	}
}

// TestNamesAreText renders pages whose names contain HTML.
func TestNamesAreText(t *testing.T) {
	t.Parallel()
	f, err := New()
	if err != nil {
		t.Fatal(err)
	}
	const evil = `"><script>alert(1)</script>`
	for plural := range itemPages {
		d := &hal.Document{
			Links: []hal.Rel{
				{Name: "self", Links: []hal.Link{{Href: apiBase + "/x/1", Title: evil}}},
				{Name: "owner", Links: []hal.Link{{Href: apiBase + "/users/1", Title: evil}}},
				{Name: "group", Links: []hal.Link{{Href: apiBase + "/groups/1", Title: evil}}},
			},
			Templates: []hal.Template{
				{Key: "order", Title: evil, Method: "POST", Target: apiBase + "/x/1/actions/order", Properties: []hal.TemplateProperty{{Name: evil, Prompt: evil, Value: evil, Options: []hal.Option{{Prompt: evil, Value: evil}}}}},
				{Key: "delete", Title: evil, Method: "DELETE", Target: apiBase + "/x/1"},
			},
		}
		for _, name := range []string{"name", "hostname", "status", "summary", "deny-reason", "errors", "output", "notes", "first-name", "username", "description", "rate", "expiration-date", "create-date", "ip", "tier", "state", "price-from"} {
			d.Props = append(d.Props, hal.Prop{Name: name, Value: hal.String(evil)})
		}
		rows := []hal.Document{*d}
		for _, rel := range []string{"jobs", "subjobs", "servers", "history", "cb:deploy-items", "cb:mod-items", "cb:action-items", "cb:memberships", "cb:snapshots", "cb:services", "cb:approvers"} {
			d.Embedded = append(d.Embedded, hal.Embedded{Rel: rel, Many: true, Docs: rows})
		}
		got := f.Append(nil, &view.View{Doc: d, Of: &resource.Def{Plural: plural}, Path: apiBase + "/x/1"})
		if bytes.Contains(got, []byte("<script>")) {
			t.Errorf("%s: a name became HTML", plural)
		}
	}
}
