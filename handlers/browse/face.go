// Package browse renders every document of the API as an HTML page, on the server and
// from the same value as the JSON. It knows documents, templates and declarations, and no
// rules: a page offers the actions that the document offers.
package browse

import (
	"bytes"
	"sync"

	"github.com/labstack/echo/v4"

	"halcyon/pkg/fault"
	"halcyon/pkg/view"
	"halcyon/pkg/web"
)

// apiBase is the path of the API whose documents are rendered.
const apiBase = "/api/v2"

// Face renders pages and serves their assets.
type Face struct {
	assets     assets
	viewerOnce func() (viewer, error) // loads the files with the first call
}

// New returns a Face with its assets loaded.
func New() (*Face, error) {
	a, err := loadAssets()
	if err != nil {
		return nil, err
	}
	f := &Face{assets: a}
	f.viewerOnce = sync.OnceValues(f.loadViewer)
	return f, nil
}

var _ view.Writer = (*Face)(nil)

// Append implements view.Writer.
func (f *Face) Append(dst []byte, v *view.View) []byte {
	b := bytes.NewBuffer(dst)
	_ = f.layout(v).Render(b) // writing to a buffer does not fail
	return b.Bytes()
}

var _ web.Face = (*Face)(nil)

// Prefixes implements web.Face.
func (f *Face) Prefixes() []string { return []string{assetsPath, viewerPath, iconPath} }

// Authenticate implements web.Face. Assets are public.
func (f *Face) Authenticate(echo.Context) error { return nil }

// WriteFault implements web.Face.
func (f *Face) WriteFault(c echo.Context, err error) error {
	return c.String(web.Status(err), fault.Message(err)+"\n")
}
