package browse

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/labstack/echo/v4"

	"halcyon/pkg/fault"
	"halcyon/pkg/web"
)

// assetsPath is the folder of style sheets and scripts. File names contain a hash of the
// content, so that browsers may cache them permanently.
const assetsPath = apiBase + "/assets"

// iconPath is where browsers look for a site's icon when no page names one.
const iconPath = "/favicon.ico"

//go:embed assets
var assetFiles embed.FS

// mediaTypes are the media types of assets by file extension. The operating system's
// tables differ between machines, and they are large.
var mediaTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// asset is one file.
type asset struct {
	mediaType string
	data      []byte
}

// assets holds the files by their hashed name, and the hashed name by the plain one.
type assets struct {
	files map[string]asset
	names map[string]string
}

func loadAssets() (assets, error) {
	a := assets{files: map[string]asset{}, names: map[string]string{}}
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		return a, err
	}
	for _, e := range entries {
		data, err := assetFiles.ReadFile("assets/" + e.Name())
		if err != nil {
			return a, err
		}
		sum := sha256.Sum256(data)
		ext := path.Ext(e.Name())
		name := strings.TrimSuffix(e.Name(), ext) + "-" + hex.EncodeToString(sum[:6]) + ext
		file := asset{mediaType: mediaTypes[ext], data: data}
		if file.mediaType == "" {
			return a, fmt.Errorf("asset %s has no media type", e.Name())
		}
		a.files[name], a.names[e.Name()] = file, name
	}
	return a, nil
}

// url returns the address of a file.
func (a *assets) url(name string) string { return assetsPath + "/" + a.names[name] }

// Routes implements web.Face.
func (f *Face) Routes() []web.Route {
	return append(f.viewerRoutes(),
		web.Route{Method: http.MethodGet, Path: assetsPath + "/:name", Doc: "anybody", Handle: f.asset},
		web.Route{Method: http.MethodGet, Path: iconPath, Doc: "anybody", Handle: f.icon},
	)
}

// icon serves the site icon to browsers that request it without being told by a page.
func (f *Face) icon(c echo.Context) error {
	return f.assets.files[f.assets.names["icon.svg"]].send(c, "public, max-age=86400")
}

func (f *Face) asset(c echo.Context) error {
	file, ok := f.assets.files[c.Param("name")]
	if !ok {
		return fault.NotFoundf("Not found.")
	}
	return file.send(c, "public, max-age=31536000, immutable")
}

func (a asset) send(c echo.Context, cache string) error {
	h := c.Response().Header()
	h.Set(echo.HeaderCacheControl, cache)
	h.Set(echo.HeaderXContentTypeOptions, "nosniff")
	return c.Blob(http.StatusOK, a.mediaType, a.data)
}
