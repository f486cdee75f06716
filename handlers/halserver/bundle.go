package halserver

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"halcyon/pkg/apidoc"
	"halcyon/pkg/bundle"
	"halcyon/pkg/fault"
	"halcyon/pkg/resource"
	"halcyon/pkg/web"
)

// importPath is the last segment of where files of rows are sent to.
const importPath = "import"

// bundleDocs explain the relations of rows that go out and come in as files.
var bundleDocs = map[string]string{
	"export":   "A zip with the whole definition, for another installation.",
	importPath: "Makes a row of a zip that export gave. POST to it, as the field file of a multipart form or by itself; with replace-existing=1 it replaces the row of the same name.",
}

// export answers a row as a file.
func (s *Server) export(d *resource.Def) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := NoQuery(c); err != nil {
			return err
		}
		m, err := d.Export(c.Request().Context(), web.Actor(c), c.Param("id"))
		if err != nil {
			return err
		}
		data, err := bundle.Write(m)
		if err != nil {
			return err
		}
		h := c.Response().Header()
		h.Set(echo.HeaderCacheControl, "private, no-cache")
		h.Set(echo.HeaderXContentTypeOptions, "nosniff")
		h.Set(echo.HeaderContentDisposition, attachment(m.Name, d.Name))
		return c.Blob(http.StatusOK, apidoc.TypeZip, data)
	}
}

// attachment returns the Content-Disposition of a zip named after a row. The plain name
// is not quoted, since CloudBolt's clients cut it out without quotes. Characters that
// need quotes or are not ASCII become _ there, and are complete in filename*.
func attachment(name, kind string) string {
	full := fileName(name, kind)
	plain := strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf || strings.ContainsRune(`";,=()<>@?[]{}%'*`, r) {
			return '_'
		}
		return r
	}, full)
	out := "attachment; filename=" + plain
	if plain != full {
		out += "; filename*=UTF-8''" + strings.ReplaceAll(url.QueryEscape(full), "+", "%20")
	}
	return out
}

// fileName returns the zip's file name for a row's name: without path separators, not
// hidden, and short enough for every file system.
func fileName(name, kind string) string {
	const most = 180
	name = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
			return -1
		case strings.ContainsRune(`/\:`, r):
			return '_'
		}
		return r
	}, name)
	for len(name) > most {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	if name = strings.Trim(name, " ."); name == "" {
		name = kind
	}
	return name + ".zip"
}

// importing serves the creation of a row from a file.
func (s *Server) importing(d *resource.Def) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx, a := c.Request().Context(), web.Actor(c)
		// Check the right before the file: a refusal reveals nothing about it.
		if err := d.CanCreate(a); err != nil {
			return err
		}
		replace, err := replaceExisting(c)
		if err != nil {
			return err
		}
		data, err := uploaded(c)
		if err != nil {
			return err
		}
		content, err := bundle.Read(data, d.Name)
		if err != nil {
			return err
		}
		row, replaced, err := d.Import(ctx, a, content, replace)
		if err != nil {
			return err
		}
		c.Response().Header().Set(echo.HeaderLocation, d.Href(d.RowKey(row).ID))
		if replaced {
			return s.Show(c, http.StatusOK, d, row)
		}
		return s.Show(c, http.StatusCreated, d, row)
	}
}

// besideImport keeps the routes of items from taking the import for an id, which the
// router does for all methods but POST.
func besideImport(add func(method, path, doc string, handle echo.HandlerFunc), one string) func(method, path, doc string, handle echo.HandlerFunc) {
	return func(method, path, doc string, handle echo.HandlerFunc) {
		if path != one {
			add(method, path, doc, handle)
			return
		}
		add(method, path, doc, func(c echo.Context) error {
			if c.Param("id") != importPath {
				return handle(c)
			}
			c.Response().Header().Set(echo.HeaderAllow, "OPTIONS, POST")
			return fault.Wrap(fault.Invalid, web.ErrMethodNotAllowed, "Method %q not allowed.", c.Request().Method)
		})
	}
}

// replaceExisting reads the one query parameter of an import.
func replaceExisting(c echo.Context) (bool, error) {
	const name = "replace-existing"
	if err := OnlyQuery(c, name); err != nil {
		return false, err
	}
	replace, given := false, false
	for _, pair := range strings.Split(c.Request().URL.RawQuery, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if key == "" {
			continue
		}
		if given {
			return false, fault.InvalidField(fault.Argument(name), "is there twice")
		}
		given = true
		switch strings.ToLower(value) {
		case "1", "true":
			replace = true
		case "", "0", "false":
		default:
			return false, fault.InvalidField(fault.Argument(name), "is neither 1 nor 0")
		}
	}
	return replace, nil
}

// uploaded returns the uploaded file: the field file of a form, or the whole body.
func uploaded(c echo.Context) ([]byte, error) {
	data, err := web.ReadBody(c)
	if err != nil {
		return nil, err
	}
	label := c.Request().Header.Get(echo.HeaderContentType)
	kind, params, err := mime.ParseMediaType(label)
	if err != nil && kind == "" {
		kind = strings.ToLower(label)
	}
	switch kind {
	case "", apidoc.TypeZip, "application/x-zip-compressed", echo.MIMEOctetStream:
		return data, nil
	case echo.MIMEApplicationForm:
		// curl --data-apidoc.Binary labels everything so.
		if bytes.HasPrefix(data, []byte("PK")) {
			return data, nil
		}
	case echo.MIMEMultipartForm:
		if params["boundary"] == "" {
			return nil, fault.Invalidf("The form's Content-Type names no boundary.")
		}
		return field(multipart.NewReader(bytes.NewReader(data), params["boundary"]))
	}
	return nil, fault.Wrap(fault.Invalid, web.ErrWrongType, "A body of type %q is not read here. Send multipart/form-data with the field file, or application/zip.", kind)
}

// field returns the only field "file" of a form.
func field(form *multipart.Reader) ([]byte, error) {
	var file []byte
	found := false
	for {
		p, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "The form is cut off, or its boundary is not the one that its Content-Type names.")
		}
		if name := p.FormName(); name != "file" {
			return nil, fault.InvalidField(fault.Argument("file"), "is the one field that is known here, and not %.64q", strings.ToValidUTF8(name, "?"))
		}
		if found {
			return nil, fault.InvalidField(fault.Argument("file"), "is there twice")
		}
		found = true
		if file, err = io.ReadAll(p); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "The form is cut off.")
		}
	}
	if !found {
		return nil, fault.InvalidField(fault.Argument("file"), "is missing: the form has no such field, or another boundary than its Content-Type names")
	}
	return file, nil
}
