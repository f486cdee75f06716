// Package bundle reads and writes the file in which a row is moved between installations:
// a zip with one JSON manifest. It checks the file and its limits, not the content. Files
// are treated as untrusted.
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

// manifestName is the name of the only file in a bundle.
const manifestName = "manifest.json"

// manifestVersion is the manifest version that is written and accepted.
const manifestVersion = 1

// Limits of Read. The HTTP layer limits the size of the zip itself.
const (
	// maxUnpacked is the maximum size of the unpacked manifest in bytes. Bytes are
	// counted while unpacking; the sizes in the zip's headers are not trusted.
	maxUnpacked = 8 << 20
	// maxRatio is the maximum ratio of unpacked to packed size of files over ratioExempt
	// bytes. Ordinary text stays below a tenth of it.
	maxRatio = 200
	// maxEntries is the number of entries up to which error messages name the unexpected
	// ones.
	maxEntries = 64

	ratioExempt = 1 << 20
)

// Manifest is a row to export.
type Manifest struct {
	Kind    string // name of the resource, such as "blueprint"
	Name    string // name of the row; the file is named after it
	Content any    // the row, to be encoded as JSON: no ids, no secrets
}

// manifest is the JSON document in the file.
type manifest struct {
	Version int    `json:"schema-version"`
	Kind    string `json:"kind"`
	Content any    `json:"content"`
}

// modTime is the modification time of all files in bundles, the earliest that a zip can
// store: equal rows give equal bytes.
var modTime = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

// Write returns the zip of a row.
func Write(m Manifest) ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(manifest{Version: manifestVersion, Kind: m.Kind, Content: m.Content}); err != nil {
		return nil, fmt.Errorf("encode %s %q: %w", m.Kind, m.Name, err)
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	h := &zip.FileHeader{Name: manifestName, Method: zip.Deflate, Modified: modTime}
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

// Read returns the content of a bundle of the kind, a JSON object whose members are still
// to be checked. For an invalid file it returns an Invalid fault that names the file or
// the member of the manifest.
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
	if v := version.Int(); version.Present() && v != manifestVersion {
		version.Complain("%d is not a version that this installation reads, which is %d", v, manifestVersion)
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

// manifestFault prefixes the message of a JSON fault with the manifest's name.
func manifestFault(err error) error {
	e := *fault.From(err)
	e.Message = manifestName + ": " + fault.Message(err)
	return &e
}

// unpack returns the manifest of a zip.
func unpack(data []byte) ([]byte, error) {
	// Zip readers disagree about files with data before the zip.
	if !bytes.HasPrefix(data, []byte("PK\x03\x04")) && !bytes.HasPrefix(data, []byte("PK\x05\x06")) {
		return nil, fault.Invalidf("The file is no zip.")
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // names are checked below
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
			return nil, fault.Invalidf("The zip has the file %s twice.", manifestName)
		}
		found = f
	}
	if found == nil {
		return nil, fault.Invalidf("The zip has no file %s.", manifestName)
	}
	return readEntry(found, len(data))
}

// checkEntry returns Invalid for every entry but a readable manifest.
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
	case f.Name != manifestName:
		return fault.Invalidf("The zip has the file %s; a bundle has %s alone.", quoted(f.Name), manifestName)
	case !f.Mode().IsRegular():
		return fault.Invalidf("The zip's %s is no file.", manifestName)
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return fault.Invalidf("The zip's file %s is packed by a method that is not read here: use deflate.", manifestName)
	}
	return nil
}

// checkName returns Invalid for a name that could lead outside the target folder. Read
// does not write to disk, but other programs may unpack the file.
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

// readEntry unpacks a file from a zip of zipped bytes, up to the limits.
func readEntry(f *zip.File, zipped int) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "The zip's file %s cannot be read.", f.Name)
	}
	defer r.Close()
	packed := min(f.CompressedSize64, uint64(zipped)) //nolint:gosec // a length is not negative
	limit := min(max(packed*maxRatio, ratioExempt), maxUnpacked)
	data, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	switch {
	case uint64(len(data)) > limit && limit < maxUnpacked:
		return nil, fault.Invalidf("The zip's file %s comes to more than %d times its packed size.", f.Name, maxRatio)
	case uint64(len(data)) > limit:
		return nil, fault.Invalidf("The zip's file %s comes to more than %d bytes.", f.Name, maxUnpacked)
	case err != nil:
		return nil, fault.Wrap(fault.Invalid, err, "The zip's file %s is damaged.", f.Name)
	}
	return data, nil
}

// quoted returns an untrusted text for a message, quoted and shortened.
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
