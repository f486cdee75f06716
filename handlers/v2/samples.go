package v2

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"halcyon/handlers/halserver"
)

// samplesPath is where the sample client is downloaded from. It needs no
// credentials: people fetch it before they have a client that could send any, and it
// reveals nothing about the installation.
const samplesPath = basePath + "/api-samples.zip"

//go:embed samples/api_samples
var samples embed.FS

// samplesZip is the sample client as it goes over the wire.
type samplesZip struct {
	data []byte
	etag string // without quotes
}

// zipSamples packs the sample client. The same sources produce the same bytes, on every
// replica and after every start, so that their hash is what an ETag has to be.
func zipSamples() (samplesZip, error) {
	tree, err := fs.Sub(samples, "samples")
	if err != nil {
		return samplesZip{}, err
	}
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)}
		h.SetMode(0o644)
		if strings.HasPrefix(string(data), "#!") { // which the embedded tree has forgotten
			h.SetMode(0o755)
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	})
	if err != nil {
		return samplesZip{}, err
	}
	if err := z.Close(); err != nil {
		return samplesZip{}, err
	}
	sum := sha256.Sum256(buf.Bytes())
	return samplesZip{data: buf.Bytes(), etag: hex.EncodeToString(sum[:16])}, nil
}

// apiSamples answers the sample client as a zip file.
func (f *Face) apiSamples(c echo.Context) error {
	if err := halserver.NoQuery(c); err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set(echo.HeaderCacheControl, "public, no-cache")
	if has, err := halserver.NotModified(c, f.samples.etag); has || err != nil {
		return err
	}
	h.Set(echo.HeaderContentDisposition, "attachment; filename=api-samples.zip")
	return c.Blob(http.StatusOK, "application/zip", f.samples.data)
}
