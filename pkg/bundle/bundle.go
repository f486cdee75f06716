// Package bundle is the file that a row travels in from one installation to
// another: a zip with one JSON manifest. It knows the file and its limits, and
// nothing of what the rows mean. Whatever is read is taken to come from a stranger.
package bundle

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"halcyon/pkg/fault"
	"halcyon/pkg/jsonbody"
)

// ManifestName is the one file of a bundle.
const ManifestName = "manifest.json"

// Version is the version of the manifest that is written, and the one that is read.
const Version = 1

// The limits of what is read. The size of the zip itself is the edge's to limit.
const (
	// MaxUnpacked is how many bytes all that is in the zip may have together. They
	// are counted as they come out: what the zip says of itself is not believed.
	MaxUnpacked = 8 << 20
	// MaxRatio is how many times its packed size a file may come to, once it is
	// larger than a plain body may be. Text of people stays below a tenth of it.
	MaxRatio = 200
	// maxEntries is how many entries are looked at. There is one file; the others
	// are there to be named in the complaint.
	maxEntries = 64

	ratioExempt = 1 << 20
)

// Manifest is a row on its way out.
type Manifest struct {
	Kind    string // the resource's name, such as "blueprint"
	Name    string // the row's, which the file is called after
	Content any    // what encodes to the row as JSON: no ids, no secrets
}

// manifest is the form of the manifest in the file.
type manifest struct {
	Version int    `json:"schema-version"`
	Kind    string `json:"kind"`
	Content any    `json:"content"`
}

// modTime is the time that all files of all bundles have, the first that a zip can
// tell: the same row makes the same bytes.
var modTime = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

// Write gives the zip of a row.
func Write(m Manifest) ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(manifest{Version: Version, Kind: m.Kind, Content: m.Content}); err != nil {
		return nil, fmt.Errorf("encode %s %q: %w", m.Kind, m.Name, err)
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	h := &zip.FileHeader{Name: ManifestName, Method: zip.Deflate, Modified: modTime}
	h.SetMode(0o644)
	w, err := z.CreateHeader(h)
	if err != nil {
		return nil, fmt.Errorf("pack %s %q: %w", m.Kind, m.Name, err)
	}
	if _, err := text.WriteTo(w); err != nil {
		return nil, fmt.Errorf("pack %s %q: %w", m.Kind, m.Name, err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("pack %s %q: %w", m.Kind, m.Name, err)
	}
	return out.Bytes(), nil
}

// Read gives the content of a bundle of the kind, a JSON object that is still to be
// read member by member. Whatever is wrong with the file is an Invalid fault that
// says what, and names the file or the member in the manifest.
func Read(data []byte, kind string) (*jsonbody.Value, error) {
	text, err := unpack(data)
	if err != nil {
		return nil, err
	}
	n, err := jsonbody.Parse(text)
	if err != nil {
		return nil, manifestFault(err)
	}
	version, of, content := n.Field("schema-version"), n.Field("kind"), n.Field("content")
	if v := version.Int(); version.Present() && v != Version {
		version.Complain("%d is not a version that this installation reads, which is %d", v, Version)
	}
	if k := of.String(); of.Present() && k != kind {
		of.Complain("%s is not what is imported here, which is %q", quoted(k), kind)
	}
	for _, required := range []*jsonbody.Value{version, of, content} {
		if !required.Present() {
			required.Complain("is required")
		}
	}
	if content.Present() && !content.IsObject() {
		content.Complain("is no object")
	}
	n.Done()
	if err := n.Faults().Err(); err != nil {
		return nil, manifestFault(err)
	}
	return content, nil
}

// manifestFault returns the fault with the name of the file in front: the names of its
// members are the same through every face.
func manifestFault(err error) error {
	e := *fault.From(err)
	e.Message = ManifestName + ": " + fault.Message(err)
	return &e
}

// unpack gives the manifest out of the zip.
func unpack(data []byte) ([]byte, error) {
	// Readers disagree about what is in a file with something in front of the zip.
	if !bytes.HasPrefix(data, []byte("PK\x03\x04")) && !bytes.HasPrefix(data, []byte("PK\x05\x06")) {
		return nil, fault.Invalidf("The file is no zip.")
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // the names are looked at below
		return nil, fault.Wrap(fault.Invalid, err, "The zip is damaged, or was cut off.")
	}
	if len(z.File) > maxEntries {
		return nil, fault.Invalidf("The zip has %d files; a bundle has one.", len(z.File))
	}
	var found *zip.File
	for _, f := range z.File {
		if err := checkEntry(f); err != nil {
			return nil, err
		}
		if found != nil {
			return nil, fault.Invalidf("The zip has the file %s twice.", ManifestName)
		}
		found = f
	}
	if found == nil {
		return nil, fault.Invalidf("The zip has no file %s.", ManifestName)
	}
	return readEntry(found, len(data))
}

// checkEntry refuses every entry that is not the manifest, plain and readable.
func checkEntry(f *zip.File) error {
	if err := checkName(f.Name); err != nil {
		return err
	}
	const encrypted = 1 | 1<<6 | 1<<13 // traditional, strong, and hidden headers
	switch {
	case f.Mode()&fs.ModeSymlink != 0:
		return fault.Invalidf("The zip's file %s is a symbolic link.", quoted(f.Name))
	case f.Flags&encrypted != 0:
		return fault.Invalidf("The zip's file %s is encrypted.", quoted(f.Name))
	case f.Name != ManifestName:
		return fault.Invalidf("The zip has the file %s; a bundle has %s alone.", quoted(f.Name), ManifestName)
	case !f.Mode().IsRegular():
		return fault.Invalidf("The zip's %s is no file.", ManifestName)
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return fault.Invalidf("The zip's file %s is packed by a method that is not read here: use deflate.", ManifestName)
	}
	return nil
}

// checkName refuses a name by which a file could end up where it does not belong.
// Nothing is ever written to disk here; who unpacks the file elsewhere should not
// be surprised either.
func checkName(name string) error {
	switch {
	case !utf8.ValidString(name):
		return fault.Invalidf("The zip has a file whose name is not UTF-8.")
	case strings.ContainsFunc(name, unicode.IsControl):
		return fault.Invalidf("The zip has a file with control characters in its name, %s.", quoted(name))
	case strings.Contains(name, `\`):
		return fault.Invalidf("The zip has a file with a backslash in its name, %s.", quoted(name))
	case path.IsAbs(name), len(name) > 1 && name[1] == ':':
		return fault.Invalidf("The zip has a file with an absolute path, %s.", quoted(name))
	case !fs.ValidPath(strings.TrimSuffix(name, "/")):
		return fault.Invalidf("The zip has a file with a path that leads elsewhere, %s.", quoted(name))
	}
	return nil
}

// readEntry reads a file out of a zip of so many bytes, and counts what comes.
func readEntry(f *zip.File, zipped int) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "The zip's file %s cannot be read.", f.Name)
	}
	defer r.Close()
	packed := min(f.CompressedSize64, uint64(zipped)) //nolint:gosec // a length is not negative
	limit := min(max(packed*MaxRatio, ratioExempt), MaxUnpacked)
	data, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	switch {
	case uint64(len(data)) > limit && limit < MaxUnpacked:
		return nil, fault.Invalidf("The zip's file %s comes to more than %d times its packed size.", f.Name, MaxRatio)
	case uint64(len(data)) > limit:
		return nil, fault.Invalidf("The zip's file %s comes to more than %d bytes.", f.Name, MaxUnpacked)
	case err != nil:
		return nil, fault.Wrap(fault.Invalid, err, "The zip's file %s is damaged.", f.Name)
	}
	return data, nil
}

// quoted writes a stranger's text into a message.
func quoted(text string) string {
	const most = 80
	if len(text) > most {
		cut := most
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	return fmt.Sprintf("%q", text)
}
