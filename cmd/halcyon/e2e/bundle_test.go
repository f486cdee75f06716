package e2e

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// keep writes the body of the last answer into a file.
func (p *player) keep(ts *testscript.TestScript, _ bool, args []string) error {
	if len(args) != 1 || p.last == nil {
		return errors.New("usage: keep FILE, after an answer")
	}
	return os.WriteFile(ts.MkAbs(args[0]), p.last.body, 0o600)
}

// pack makes a bundle with the file as its manifest.
func (p *player) pack(ts *testscript.TestScript, _ bool, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: pack ZIP FILE")
	}
	data := zipped(file{name: "manifest.json", text: os.Expand(ts.ReadFile(args[1]), ts.Getenv)})
	return os.WriteFile(ts.MkAbs(args[0]), []byte(data), 0o600)
}

// upload sends a file as browsers and the vendor's clients do.
func (p *player) upload(ts *testscript.TestScript, _ bool, args []string) error {
	if len(args) != 3 {
		return errors.New("usage: upload ACTOR PATH FILE")
	}
	label, body := form("file", ts.ReadFile(args[2]))
	a, err := p.cloud.do(call{actor: args[0], method: http.MethodPost, path: args[1], label: label, body: body})
	if err != nil {
		return err
	}
	p.last = a
	_, err = io.WriteString(ts.Stdout(), a.print())
	return err
}

// form makes a multipart form of fields, each followed by its content.
func form(fields ...string) (label, body string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		part, err := w.CreateFormFile(fields[i], "some.zip")
		if err == nil {
			_, err = io.WriteString(part, fields[i+1])
		}
		if err != nil {
			panic(err) // a buffer takes everything
		}
	}
	_ = w.Close()
	return w.FormDataContentType(), b.String()
}

// file is an entry of a zip.
type file struct {
	name, text string
	mode       fs.FileMode
	flags      uint16
}

// zipped makes a zip, of whatever entries.
func zipped(files ...file) string {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Flags: f.flags}
		h.SetMode(f.mode | 0o644)
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = io.WriteString(w, f.text)
		}
		if err != nil {
			panic(err)
		}
	}
	_ = z.Close()
	return b.String()
}

const goodManifest = `{"schema-version": 1, "kind": "blueprint", "content": {"name": "Wine Press", "state": "Draft", "build-items": [], "inputs": []}}`

// with changes the good manifest.
func with(from, to string) string {
	out := strings.Replace(goodManifest, from, to, 1)
	if out == goodManifest {
		panic(from + " is not in the manifest")
	}
	return out
}

// TestBadBundles sends what is no bundle, or a wrong one, in every way that came to
// mind. Each is refused in words that say what is wrong, and nothing is written.
func TestBadBundles(t *testing.T) {
	t.Parallel()
	one := func(manifest string) string { return zipped(file{name: "manifest.json", text: manifest}) }
	good := one(goodManifest)
	damaged := []byte(good)
	damaged[len("PK..")+40] ^= 0xff
	tests := []struct {
		name, data string
		says       string
	}{
		{"nothing", "", "no zip"},
		{"text", "hello", "no zip"},
		{"json", goodManifest, "no zip"},
		{"cut off", good[:len(good)/2], "cut off"},
		{"cut off at the end", good[:len(good)-1], "cut off"},
		{"something in front", "MZ" + good, "no zip"},
		{"damaged", string(damaged), "damaged"},
		{"empty zip", zipped(), "no file manifest.json"},
		{"another file", zipped(file{name: "readme.txt", text: "x"}), `readme.txt`},
		{"a second file", zipped(file{name: "manifest.json", text: goodManifest}, file{name: "more.json", text: "{}"}), `more.json`},
		{"nested zip", zipped(file{name: "manifest.json", text: goodManifest}, file{name: "inner.zip", text: good}), `inner.zip`},
		{"twice", zipped(file{name: "manifest.json", text: goodManifest}, file{name: "manifest.json", text: goodManifest}), "twice"},
		{"dots", zipped(file{name: "../manifest.json", text: goodManifest}), "leads elsewhere"},
		{"dots inside", zipped(file{name: "a/../../manifest.json", text: goodManifest}), "leads elsewhere"},
		{"absolute", zipped(file{name: "/etc/manifest.json", text: goodManifest}), "absolute"},
		{"backslash", zipped(file{name: `..\manifest.json`, text: goodManifest}), "backslash"},
		{"drive", zipped(file{name: `C:manifest.json`, text: goodManifest}), "absolute"},
		{"control character", zipped(file{name: "mani\nfest.json", text: goodManifest}), "control characters"},
		{"no UTF-8", zipped(file{name: "mani\xfffest.json", text: goodManifest}), "not UTF-8"},
		{"HTML in a file's name", zipped(file{name: "<script>alert(1)<script>", text: goodManifest}), "manifest.json alone"},
		{"symlink", zipped(file{name: "manifest.json", text: "/etc/passwd", mode: fs.ModeSymlink}), "symbolic link"},
		{"folder", zipped(file{name: "manifest.json/"}), "manifest.json alone"},
		{"encrypted", zipped(file{name: "manifest.json", text: goodManifest, flags: 1}), "encrypted"},
		{"many files", zipped(make([]file, 100)...), "100 files"},
		{"bomb", one(strings.Repeat(" ", 4<<20)), "packed size"},
		{"big bomb", one(strings.Repeat(" ", 64<<20)), "8388608 bytes"},
		{"no JSON", one("hello"), "manifest.json"},
		{"a list", one("[]"), "an object is needed"},
		{"deep", one(strings.Repeat(`{"a":`, 100)), "nested deeper"},
		{"NUL", one(with("Wine Press", `Wine\u0000Press`)), "NUL"},
		{"no version", one(with(`"schema-version": 1, `, "")), "schema-version"},
		{"newer version", one(with(`"schema-version": 1`, `"schema-version": 2`)), "schema-version"},
		{"another kind", one(with(`"kind": "blueprint"`, `"kind": "action"`)), "action"},
		{"no kind", one(with(`"kind": "blueprint", `, "")), "kind"},
		{"no content", one(with(`"content": {`, `"contents": {`)), "contents"},
		{"content is a list", one(`{"schema-version": 1, "kind": "blueprint", "content": []}`), "content"},
		{"unknown member outside", one(with(`"kind"`, `"author": "me", "kind"`)), "author"},
		{"unknown member", one(with(`"state"`, `"colour": "red", "state"`)), "/content/colour"},
		{"a thousand unknown members", one(with(`"state"`, many(1000)+`"state"`)), "900 more"},
		{"unknown member of an item", one(with(`"build-items": []`, `"build-items": [{"name": "a", "colour": 1}]`)), "/content/build-items/0/colour"},
		{"twice a member", one(with(`"state"`, `"name": "x", "state"`)), "/content/name"},
		{"no name", one(with("Wine Press", "")), "/content/name"},
		{"long name", one(with("Wine Press", strings.Repeat("x", 300))), "/content/name"},
		{"control character in the name", one(with("Wine Press", `Wine\tPress`)), "/content/name"},
		{"control character in an item's name", one(with(`"build-items": []`, `"build-items": [{"name": "a\u0007"}]`)), "/content/build-items/0/name"},
		{"control character in an input's name", one(with(`"inputs": []`, `"inputs": [{"name": "a\u0007", "type": "text"}]`)), "/content/inputs/0/name"},
		{"unknown state", one(with("Draft", "Drifting")), "/content/state"},
		{"nothing to deploy", one(with("Draft", "Active")), "/content/build-items"},
		{"unknown type of item", one(with(`"build-items": []`, `"build-items": [{"name": "a", "type": "boat"}]`)), "/content/build-items/0/type"},
		{"quantity", one(with(`"build-items": []`, `"build-items": [{"name": "a", "quantity": 100000}]`)), "/content/build-items/0/quantity"},
		{"unknown OS build", one(with(`"build-items": []`, `"build-items": [{"name": "a", "os-build": "<b>CP/M</b>"}]`)), "/content/build-items/0/os-build"},
		{"unknown size", one(with(`"build-items": []`, `"build-items": [{"name": "a", "perf-type": "huge"}]`)), "/content/build-items/0/perf-type"},
		{"unknown group", one(with(`"state"`, `"groups": [["Acme", "Nobody"]], "state"`)), "/content/groups/0"},
		{"unknown provider", one(with(`"state"`, `"group": ["Nobody"], "state"`)), "/content/group"},
		{"unknown size among the options", one(with(`"inputs": []`, `"inputs": [{"name": "vm-size", "type": "size", "options": ["small", "huge"]}]`)), "/content/inputs/0/options/1"},
		{"unknown OS build by default", one(with(`"inputs": []`, `"inputs": [{"name": "os_build", "type": "os-build", "default": "1"}]`)), "/content/inputs/0/default"},
		{"unknown type of input", one(with(`"inputs": []`, `"inputs": [{"name": "a", "type": "boat"}]`)), "/content/inputs"},
		{"bad pattern", one(with(`"inputs": []`, `"inputs": [{"name": "a", "type": "text", "pattern": "("}]`)), "/content/inputs"},
	}
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := newCloud(t, open(t))
		c.stopWorkers(t)
		before := c.fingerprint(t)
		refused := func(name, says string, status int, r call) {
			t.Helper()
			r.actor, r.method = "admin", http.MethodPost
			if r.path == "" {
				r.path = "/api/v2/blueprints/import/"
			}
			a, err := c.do(r)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			if a.status != status || !strings.Contains(string(a.body), says) {
				t.Errorf("%s: %d instead of %d, or it does not say %q\n%s", name, a.status, status, says, a.body)
			}
			if after := c.fingerprint(t); after != before {
				t.Fatalf("%s: something was written\n%s", name, diff(before, after))
			}
		}
		for _, x := range tests {
			refused(x.name, x.says, http.StatusBadRequest, call{label: "application/zip", body: x.data})
			label, body := form("file", x.data)
			refused(x.name+" in a form", x.says, http.StatusBadRequest, call{label: label, body: body})
		}
		label, body := form("file", good)
		other, _ := form("file", good)
		twice, both := form("file", good, "file", good)
		wrong, elsewhere := form("zip", good)
		extra, more := form("file", good, "note", "hello")
		none, empty := form()
		refused("JSON", "multipart/form-data", http.StatusUnsupportedMediaType, call{body: goodManifest})
		refused("HTML", "multipart/form-data", http.StatusUnsupportedMediaType, call{label: "text/html", body: good})
		refused("form", "multipart/form-data", http.StatusUnsupportedMediaType, call{label: "application/x-www-form-urlencoded", body: "file=x"})
		refused("bad label", "multipart/form-data", http.StatusUnsupportedMediaType, call{label: ";;", body: good})
		refused("no boundary", "no boundary", http.StatusBadRequest, call{label: "multipart/form-data", body: body})
		refused("another boundary", "boundary", http.StatusBadRequest, call{label: other, body: body})
		refused("two files", "twice", http.StatusBadRequest, call{label: twice, body: both})
		refused("another field", "zip", http.StatusBadRequest, call{label: wrong, body: elsewhere})
		refused("one field too many", "note", http.StatusBadRequest, call{label: extra, body: more})
		refused("no field", "file", http.StatusBadRequest, call{label: none, body: empty})
		refused("form cut off", "cut off", http.StatusBadRequest, call{label: label, body: body[:len(body)-80]})
		refused("too large", "1048576 bytes", http.StatusRequestEntityTooLarge, call{label: "application/zip", body: good + strings.Repeat("x", 1<<20)})
		refused("too large, of unknown length", "1048576 bytes", http.StatusRequestEntityTooLarge, call{label: "application/zip", body: good + strings.Repeat("x", 1<<20), stream: true})
		for _, q := range []string{"replace=1", "%ff=1", "replace-existing=1&page=1"} {
			refused(q, "query parameter", http.StatusBadRequest, call{path: "/api/v2/blueprints/import/?" + q, label: "application/zip", body: good})
		}
		for _, q := range []string{"replace-existing=perhaps", "replace-existing=1&replace-existing=0", "replace-existing=1;x=2"} {
			refused(q, "replace-existing", http.StatusBadRequest, call{path: "/api/v2/blueprints/import/?" + q, label: "application/zip", body: good})
		}
		for _, actor := range []string{"alice", "bob", "carol"} {
			a := c.want(t, http.StatusForbidden, call{actor: actor, method: http.MethodPost, path: "/api/v2/blueprints/import/", label: "application/zip", body: "rubbish"})
			if strings.Contains(string(a.body), "zip") {
				t.Errorf("%s learns what is in the file: %s", actor, a.body)
			}
		}
		if after := c.fingerprint(t); after != before {
			t.Errorf("something was written\n%s", diff(before, after))
		}
	})
}

// many gives members of an object that nobody knows.
func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"unknown-%d": 1, `, i)
	}
	return b.String()
}

// TestBundleTravels takes a blueprint to another installation, in which everything
// has other ids, and back.
func TestBundleTravels(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		from, to := newCloud(t, open(t)), newCloud(t, open(t))
		to.want(t, http.StatusCreated, call{actor: "admin", method: "POST", path: "/api/v2/os-builds/", body: `{"name": "CP/M"}`})
		from.want(t, http.StatusCreated, call{actor: "admin", method: "POST", path: "/api/v2/os-builds/", body: `{"name": "Plan 9"}`})
		from.want(t, http.StatusCreated, call{actor: "admin", method: "POST", path: "/api/v2/os-builds/", body: `{"name": "CP/M"}`})
		made := from.want(t, http.StatusCreated, call{actor: "admin", method: "POST", path: "/api/v2/blueprints/", body: `{
			"name": "Old & \"new\" <b>ä/ö</b>", "description": "Two\nlines.", "state": "Paused", "group": 2, "groups": [6, 3],
			"build-items": [{"name": "A", "os-build": 4, "perf-type": 2, "quantity": 3, "hostname": "a-{n}"}, {"name": "B"}],
			"inputs": [
				{"name": "os_build", "type": "os-build", "default": "/api/v2/os-builds/4", "options": ["1", "4"], "label": "L", "description": "D", "required": true},
				{"name": "vm-size", "type": "size", "default": "small", "options": ["small", "large"]},
				{"name": "floor", "type": "integer", "minimum": -3, "maximum": 9},
				{"name": "code", "type": "text", "pattern": "^[a-z]+$"}
			]}`})
		href := made.header.Get("Location")
		out := from.want(t, http.StatusOK, call{actor: "admin", path: href + "/export/"})
		again := from.want(t, http.StatusOK, call{actor: "admin", path: href + "/export"})
		if !bytes.Equal(out.body, again.body) {
			t.Error("the same blueprint was exported to other bytes")
		}
		in := to.want(t, http.StatusCreated, call{actor: "admin", method: "POST", path: "/api/v2/blueprints/import/", label: "application/zip", body: string(out.body)})
		if got := in.text(t, "/build-items/0/os-build"); got != "/api/v2/os-builds/3" {
			t.Errorf("the OS build is %s in the other installation", got)
		}
		if got := in.text(t, "/inputs/0/default") + " " + in.text(t, "/inputs/0/options"); got != `3 ["1","3"]` {
			t.Errorf("the input's OS builds are %s in the other installation", got)
		}
		back := to.want(t, http.StatusOK, call{actor: "admin", path: in.header.Get("Location") + "/export/"})
		if !bytes.Equal(out.body, back.body) {
			t.Error("what came back is not what went out")
		}
	})
}
