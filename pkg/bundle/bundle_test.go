package bundle_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"halcyon/pkg/bundle"
	"halcyon/pkg/fault"
)

type wine struct {
	Name   string `json:"name"`
	Litres int    `json:"litres,omitempty"`
}

func write(t testing.TB, kind, name string) []byte {
	t.Helper()
	data, err := bundle.Write(bundle.Manifest{Kind: kind, Name: name, Content: wine{Name: name, Litres: 3}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestWhatIsWrittenCanBeRead(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Ping Test", "<b>&amp;\u2028 \U0001f377", strings.Repeat("x", 1<<20-200), ""} {
		data := write(t, "wine", name)
		n, err := bundle.Read(data, "wine")
		if err != nil {
			t.Fatalf("%.40q: %v", name, err)
		}
		if got := n.Field("name").Text(); got != name {
			t.Errorf("%.40q came back as %.40q", name, got)
		}
		if got := n.Field("litres"); got.Int() != 3 || got.Path().String() != "content.litres" {
			t.Errorf("litres are %d, at %s", got.Int(), got.Path())
		}
		n.Done()
		if err := n.Faults().Err(); err != nil {
			t.Errorf("%.40q: %v", name, err)
		}
		if !bytes.Equal(data, write(t, "wine", name)) {
			t.Errorf("%.40q was written to other bytes", name)
		}
	}
}

func TestWriteTellsWhatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	if _, err := bundle.Write(bundle.Manifest{Kind: "wine", Content: func() {}}); err == nil {
		t.Error("a function was written")
	}
}

// TestManifestIsReadable checks the file as other programs see it.
func TestManifestIsReadable(t *testing.T) {
	t.Parallel()
	data := write(t, "wine", "Grüner <Veltliner>")
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if len(z.File) != 1 || z.File[0].Name != "manifest.json" || z.File[0].Modified.Year() != 1980 {
		t.Errorf("the zip has %+v", z.File)
	}
	r, err := z.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
  "schema-version": 1,
  "kind": "wine",
  "content": {
    "name": "Grüner <Veltliner>",
    "litres": 3
  }
}
`
	if string(text) != want {
		t.Errorf("the manifest is\n%s", text)
	}
}

// TestSizesAreCounted forges the sizes in the zip's headers: only the unpacked bytes
// count.
func TestSizesAreCounted(t *testing.T) {
	t.Parallel()
	pack := func(text string) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, err := z.Create("manifest.json")
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		if err == nil {
			err = z.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	const packed, unpacked = 20, 24 // offsets in a directory entry
	lie := func(data []byte, field int, size uint32) []byte {
		out := bytes.Clone(data)
		at := bytes.LastIndex(out, []byte("PK\x01\x02"))
		binary.LittleEndian.PutUint32(out[at+field:], size)
		return out
	}
	long := func(size int) []byte {
		return pack(`{"schema-version": 1, "kind": "wine", "content": {"name": "` + strings.Repeat("x", size) + `"}}`)
	}
	bomb, small := long(64<<20), long(2<<20)
	if _, err := bundle.Read(long(1<<19), "wine"); err != nil {
		t.Errorf("one within the limits: %v", err)
	}
	for name, data := range map[string][]byte{
		"honest":                   bomb,
		"says that it is small":    lie(bomb, unpacked, 100),
		"says that it is large":    lie(small, unpacked, 1<<31),
		"says that it packs badly": lie(small, packed, 1<<31),
		"steep":                    small,
	} {
		if _, err := bundle.Read(data, "wine"); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzRead looks for input that yields neither content nor an Invalid fault, and for
// messages with control characters.
func FuzzRead(f *testing.F) {
	good := write(f, "wine", "Ping Test")
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Add([]byte("PK\x03\x04"))
	f.Add(write(f, "action", ""))
	for _, name := range []string{"../manifest.json", "/manifest.json", `C:\manifest.json`, "manifest.json/", "a.zip"} {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		if _, err := z.Create(name); err != nil {
			f.Fatal(err)
		}
		if err := z.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := bundle.Read(data, "wine")
		switch {
		case err == nil && (n == nil || !n.IsObject()):
			t.Fatal("neither content nor an error")
		case err != nil && !fault.Is(err, fault.Invalid):
			t.Fatalf("not the caller's mistake: %v", err)
		case err != nil && strings.ContainsAny(fault.Message(err), "\x00\n\r"):
			t.Fatalf("control characters in the message %q", fault.Message(err))
		}
	})
}

// FuzzManifest packs any text as the manifest, since random bytes are rarely a zip.
func FuzzManifest(f *testing.F) {
	f.Add(`{"schema-version": 1, "kind": "wine", "content": {}}`)
	f.Add(`{"schema_version": "1", "kind": "wine", "content": {"a": [{}]}}`)
	f.Add(`{"schema-version": 1e400, "kind": [], "content": null}`)
	f.Add("[")
	f.Fuzz(func(t *testing.T, text string) {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, err := z.Create("manifest.json")
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		if err == nil {
			err = z.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bundle.Read(b.Bytes(), "wine"); err != nil && !fault.Is(err, fault.Invalid) {
			t.Fatalf("not the caller's mistake: %v", err)
		}
	})
}
