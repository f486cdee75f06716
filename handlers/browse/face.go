// Package browse is what a person with nothing but a browser sees: a page for every
// document of the API, made on the server from the same value as the JSON. It knows
// documents, templates and declarations, and no rule: what can be done is what the
// document offers.
package browse

import (
	"bytes"
	"sync"

	"github.com/labstack/echo/v4"

	"halcyon/pkg/fault"
	"halcyon/pkg/view"
	"halcyon/pkg/web"
)

// Base is the path of the API whose pages these are.
const Base = "/api/v2"

// Face writes pages and serves what they need.
type Face struct {
	assets     assets
	viewerOnce func() (viewer, error) // reads the files once
}

// New makes the face.
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
	_ = f.layout(v).Render(b) // a buffer takes everything
	return b.Bytes()
}

var _ web.Face = (*Face)(nil)

// Prefixes implements web.Face.
func (f *Face) Prefixes() []string { return []string{assetsPath, viewerPath, iconPath} }

// Authenticate implements web.Face: what pages need is the same for everybody.
func (f *Face) Authenticate(echo.Context) error { return nil }

// WriteFault implements web.Face.
func (f *Face) WriteFault(c echo.Context, err error) error {
	return c.String(web.Status(err), fault.From(err).Message+"\n")
}
