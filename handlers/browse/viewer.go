package browse

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io"
	"net/http"
	"path"
	"strings"

	"github.com/labstack/echo/v4"
	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/pkg/fault"
	"halcyon/pkg/view"
	"halcyon/pkg/web"
)

// viewerPath is the address of the Swagger UI page; its files lie below it.
const viewerPath = apiBase + "/docs/openapi"

//go:embed viewer
var viewerFiles embed.FS

// viewerFile is one file of the viewer. The large ones are embedded compressed, as they
// go over the wire.
type viewerFile struct {
	mediaType    string
	data         []byte // gzip, unless uncompressed
	uncompressed bool   // data is the file itself
	etag         string
}

// viewer holds the page and its files, by their names.
type viewer struct {
	files map[string]viewerFile
	html  []byte
}

// loadViewer reads the files. They are half a megabyte, so it runs with the first request
// for one.
func (f *Face) loadViewer() (viewer, error) {
	v := viewer{files: map[string]viewerFile{}}
	entries, err := viewerFiles.ReadDir("viewer")
	if err != nil {
		return v, err
	}
	for _, e := range entries {
		data, err := viewerFiles.ReadFile("viewer/" + e.Name())
		if err != nil {
			return v, err
		}
		name, packed := strings.CutSuffix(e.Name(), ".gz")
		sum := sha256.Sum256(data)
		file := viewerFile{data: data, uncompressed: !packed, mediaType: mediaTypes[path.Ext(name)], etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
		if file.mediaType == "" {
			file.mediaType = "text/plain; charset=utf-8"
		}
		v.files[name] = file
	}
	var b bytes.Buffer
	err = f.viewerPage().Render(&b)
	v.html = b.Bytes()
	return v, err
}

// viewerPage returns the page around the viewer. It is the same for all users.
func (f *Face) viewerPage() g.Node {
	const title = "OpenAPI description"
	v := &view.View{Path: viewerPath, Doc: &hal.Document{Links: []hal.Rel{
		{Name: "self", Links: []hal.Link{{Href: viewerPath + "/", Title: title}}},
		{Name: "up", Links: []hal.Link{{Href: apiBase + "/docs/", Title: "Documentation"}}},
	}}}
	return f.page(v, title,
		g.Group{
			h.Link(h.Rel("stylesheet"), h.Href(viewerPath+"/swagger-ui.css")),
			h.Link(h.Rel("stylesheet"), h.Href(viewerPath+"/frame.css")),
			h.Script(h.Src(viewerPath+"/swagger-ui-bundle.js"), h.Defer()),
			h.Script(h.Src(viewerPath+"/start.js"), h.Defer()),
		},
		g.Group{
			h.H1(g.Text(title)),
			h.P(g.Text("All routes, to read and to try out. The description itself: "),
				h.A(h.Href(apiBase+"/openapi.json"), g.Text("JSON")), g.Text(", "), h.A(h.Href(apiBase+"/openapi.yaml"), g.Text("YAML")), g.Text(".")),
			h.Div(h.ID("viewer"), g.Attr("data-url", apiBase+"/openapi.json")),
			h.NoScript(h.P(g.Text("The viewer is a script. The pages of the resources say the same without one: "), h.A(h.Href(apiBase+"/docs/resources/"), g.Text("Resources")), g.Text("."))),
		})
}

func (f *Face) viewer(c echo.Context) error {
	v, err := f.viewerOnce()
	if err != nil {
		return err
	}
	header := c.Response().Header()
	header.Set(echo.HeaderContentSecurityPolicy, view.Policy)
	header.Set(echo.HeaderXContentTypeOptions, "nosniff")
	header.Set(echo.HeaderReferrerPolicy, "same-origin")
	header.Set(echo.HeaderCacheControl, "public, no-cache")
	return c.Blob(http.StatusOK, "text/html; charset=utf-8", v.html)
}

func (f *Face) viewerAsset(c echo.Context) error {
	v, err := f.viewerOnce()
	if err != nil {
		return err
	}
	file, ok := v.files[c.Param("file")]
	if !ok {
		return fault.NotFoundf("Not found.")
	}
	header := c.Response().Header()
	header.Set(echo.HeaderCacheControl, "public, no-cache")
	header.Set(echo.HeaderXContentTypeOptions, "nosniff")
	header.Set("ETag", file.etag)
	header.Add(echo.HeaderVary, echo.HeaderAcceptEncoding)
	if strings.Contains(c.Request().Header.Get("If-None-Match"), file.etag) {
		return c.NoContent(http.StatusNotModified)
	}
	if file.uncompressed {
		return c.Blob(http.StatusOK, file.mediaType, file.data)
	}
	if strings.Contains(c.Request().Header.Get(echo.HeaderAcceptEncoding), "gzip") {
		header.Set(echo.HeaderContentEncoding, "gzip")
		return c.Blob(http.StatusOK, file.mediaType, file.data)
	}
	z, err := gzip.NewReader(bytes.NewReader(file.data))
	if err != nil {
		return err
	}
	data, err := io.ReadAll(z)
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, file.mediaType, data)
}

// viewerRoutes returns the routes of the page and its files.
func (f *Face) viewerRoutes() []web.Route {
	return []web.Route{
		{Method: http.MethodGet, Path: viewerPath, Doc: "anybody", Handle: f.viewer},
		{Method: http.MethodGet, Path: viewerPath + "/:file", Doc: "anybody", Handle: f.viewerAsset, Packed: true},
	}
}
