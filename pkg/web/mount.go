package web

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// mounts are the faces by their prefixes.
type mounts struct {
	list   []mounted       // the longest prefix first
	packed map[string]bool // routes that compress their answers themselves
}

type mounted struct {
	prefix  string // without a slash at its end, but for "/"
	face    Face
	router  *echo.Router       // of the face, shared by its prefixes
	rewrite func(echo.Context) // the face's, when it is a Rewriter
}

// mount returns the faces by their prefixes. Each has a router of its own, so that no
// route of one face answers what another face authenticates. It is an error when a
// prefix is not a clean path, or is there twice, and when a route of a face is at a
// path of another one.
func mount(e *echo.Echo, faces []Face) (*mounts, error) {
	m := &mounts{packed: map[string]bool{}}
	for _, f := range faces {
		router := echo.NewRouter(e)
		for _, p := range f.Prefixes() {
			if err := m.add(p, f, router); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(m.list, func(a, b mounted) int {
		return cmp.Or(cmp.Compare(len(b.prefix), len(a.prefix)), strings.Compare(a.prefix, b.prefix))
	})
	for _, f := range faces {
		if err := m.addRoutes(f); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *mounts) add(prefix string, f Face, router *echo.Router) error {
	if prefix == "" || prefix[0] != '/' || prefix != squeeze(prefix) {
		return fmt.Errorf("mount %T: prefix %q must begin with a slash, end without one and have no empty segment", f, prefix)
	}
	if i := slices.IndexFunc(m.list, func(x mounted) bool { return x.prefix == prefix }); i >= 0 {
		return fmt.Errorf("mount %T: prefix %s belongs to %T already", f, prefix, m.list[i].face)
	}
	to := mounted{prefix: prefix, face: f, router: router}
	if r, ok := f.(Rewriter); ok {
		to.rewrite = r.Rewrite
	}
	m.list = append(m.list, to)
	return nil
}

func (m *mounts) addRoutes(f Face) error {
	for _, r := range f.Routes() {
		to := m.at(r.Path)
		if to == nil || to.face != f {
			return fmt.Errorf("mount %T: %s %s is not below a prefix of this face", f, r.Method, r.Path)
		}
		to.router.Add(r.Method, r.Path, r.Handle)
		bound(to.router, r.Path)
		m.packed[r.Path] = m.packed[r.Path] || r.Packed
		if r.Method == http.MethodGet {
			to.router.Add(http.MethodHead, r.Path, r.Handle)
		}
	}
	return nil
}

// methods are those that a path without routes of its own may be asked by.
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodConnect, http.MethodOptions, http.MethodTrace, echo.PROPFIND, echo.REPORT,
}

// bound keeps a parameter at the end of a path to one segment. Without anything below
// it echo has it take all that follows, so that /sizes/actions/delete would also be
// the size with the id actions/delete.
func bound(router *echo.Router, path string) {
	if i := strings.LastIndex(path, "/:"); i >= 0 && !strings.Contains(path[i+1:], "/") {
		for _, method := range methods {
			router.Add(method, path+"/-", echo.NotFoundHandler)
		}
	}
}

// at returns where a path belongs: the longest prefix that ends where a segment ends,
// nil for none.
func (m *mounts) at(path string) *mounted {
	for i := range m.list {
		p := m.list[i].prefix
		if path == p || len(p) > 1 && len(path) > len(p) && path[len(p)] == '/' && path[:len(p)] == p {
			return &m.list[i]
		}
	}
	return nil
}

// of returns where a request belongs, nil for nowhere. It looks at the path that the
// router looks at, in which an encoded slash is part of its segment.
func (m *mounts) of(c echo.Context) *mounted { return m.at(echo.GetPath(c.Request())) }

// orRoot returns where a request belongs, and the place of "/" when it belongs nowhere;
// nil when there is no such place either.
func (m *mounts) orRoot(c echo.Context) *mounted {
	if to := m.of(c); to != nil {
		return to
	}
	return m.at("/")
}
