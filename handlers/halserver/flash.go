package halserver

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/resource"
	"halcyon/pkg/view"
	"halcyon/pkg/web"
)

// The page after a form shows its result. The address of that page refers to the result
// by names. Anyone can write an address, so the message shows only the API's own texts
// for these names, about rows that the caller sees.

const (
	doneCreate = "create"
	doneChange = "change"
	doneDelete = "delete"
)

// did returns the name of the request's operation and the path of its object.
func (s *Server) did(c echo.Context, doc *hal.Document) (name, at string) {
	r := c.Request()
	if r.Method == http.MethodPost {
		if of, action, ok := s.cutAction(r.URL.Path); ok {
			return action, of
		}
		if to := c.Response().Header().Get(echo.HeaderLocation); to != "" {
			return doneCreate, to
		}
	}
	return doneChange, doc.Self().Href
}

// cutAction splits the href of an action into the path of its object and its name.
func (s *Server) cutAction(path string) (of, action string, ok bool) {
	i := strings.LastIndex(path, "/actions/")
	if i <= len(s.base) { // there is a collection of that name
		return "", "", false
	}
	return path[:i], path[i+len("/actions/"):], true
}

// flash returns the result of the form before the page, nil for none or an unknown one.
func (s *Server) flash(c echo.Context, doc *hal.Document) *view.Flash {
	name, at := doneBefore(c)
	if name == "" {
		return nil
	}
	if name == doneDelete && at == "" {
		return &view.Flash{Name: name}
	}
	d, id := s.named(at)
	if d == nil {
		return nil
	}
	done := &view.Flash{Name: name}
	if name != doneCreate && name != doneChange {
		if done.Title = s.actionTitle(c, d, name, id == ""); done.Title == "" {
			return nil
		}
	}
	switch self := doc.Self(); {
	case id == "":
		done.What = hal.Link{Href: d.Path(), Title: d.Noun}
	case strings.Trim(self.Href, "/") == strings.Trim(at, "/"):
		done.What = hal.Link{Href: self.Href, Title: self.Title}
	default:
		row, err := d.Find(c.Request().Context(), web.Actor(c), id)
		if err != nil {
			return nil
		}
		done.What = hal.Link{Href: d.Href(d.RowKey(row).ID), Title: d.TitleOf(row)}
	}
	return done
}

// named returns the declaration behind a path and the id of its row: "" for the
// collection. The declaration is nil for any other path.
func (s *Server) named(at string) (d *resource.Def, id string) {
	at = strings.TrimSuffix(at, "/") + "/"
	for _, d := range s.reg.Defs() {
		rest, ok := strings.CutPrefix(at, d.Path())
		if rest = strings.TrimSuffix(rest, "/"); ok && strings.Trim(rest, "0123456789") == "" && len(rest) < 19 {
			return d, rest
		}
	}
	return nil, ""
}

// actionTitle returns the title of an action on a row or on the collection, "" when
// there is none of that name.
func (s *Server) actionTitle(c echo.Context, d *resource.Def, name string, whole bool) string {
	if whole {
		for _, b := range d.Batch {
			if b.Rel == name {
				return b.Title
			}
		}
		return ""
	}
	actions, err := d.ActionsOn(c.Request().Context())
	if err != nil {
		return ""
	}
	for _, x := range actions {
		if x.Path == name {
			return x.Title
		}
	}
	return ""
}

// actionAt returns the action at a path, nil for none.
func (s *Server) actionAt(path string) *resource.ActionDef {
	of, name, ok := s.cutAction(path)
	if !ok {
		return nil
	}
	d, _ := s.named(of)
	if d == nil {
		return nil
	}
	return d.Action(name)
}

// headers returns the headers that describe the representation on a page.
func (s *Server) headers(rep hal.Representation, row *models.Row, data []byte) []view.Header {
	v := validatorOf(rep.ContentType(), row, data)
	list := []view.Header{
		{Name: echo.HeaderContentType, Value: rep.ContentType()},
		{Name: headerETag, Value: `"` + v.tag + `"`},
	}
	if !v.modified.IsZero() {
		list = append(list, view.Header{Name: echo.HeaderLastModified, Value: v.modified.UTC().Format(http.TimeFormat)})
	}
	return append(list,
		view.Header{Name: echo.HeaderCacheControl, Value: "private, no-cache"},
		view.Header{Name: echo.HeaderVary, Value: echo.HeaderAcceptEncoding + ", " + echo.HeaderAccept},
	)
}
