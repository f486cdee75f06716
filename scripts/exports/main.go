// Command exports lists the exported functions, methods, types, variables and constants
// that no other package uses: they should be unexported or deleted. It exits with 1 when
// there are any.
//
// It does not list fields, what the declaration of something exported names (the type
// that a function returns), the values of an exported enumeration, errors that callers
// may match (ErrOpen), methods by which a type implements an interface, and the methods
// of types that are not exported. Tests of other packages count as users; those of the
// package itself do not, whatever package clause they have.
package main

import (
	"go/ast"
	"go/token"
	"go/types"
	"log"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// checked are the folders whose packages only this module imports. Package hal is
// written to be a module of its own.
var checked = []string{"halcyon/pkg/", "halcyon/handlers/", "halcyon/models"}

// allowed are the exceptions, with their reasons.
var allowed = map[string]string{
	"halcyon/models.Row.Key":   "rows that embed it implement Keyed by it",
	"halcyon/pkg/action.Facts": "conditions know its parts by their names",
	"halcyon/pkg/query.AnyOf":  faces,
	"halcyon/pkg/query.Asc":    faces,
	"halcyon/pkg/query.Cond":   faces,
	"halcyon/pkg/query.Desc":   faces,
	"halcyon/pkg/query.Eq":     faces,
}

const faces = "faces without a filter language of their own build queries with it"

// byName are methods that the standard library finds by interfaces that it does not export.
var byName = []string{"Unwrap", "Is", "As"}

func main() {
	log.SetFlags(0)
	list, err := packages.Load(&packages.Config{
		Tests: true,
		Mode: packages.NeedName | packages.NeedImports | packages.NeedTypes | packages.NeedSyntax |
			packages.NeedTypesInfo | packages.NeedTypesSizes | packages.NeedExportFile,
	}, "./...")
	if err != nil {
		log.Fatal(err)
	}
	if packages.PrintErrors(list) > 0 {
		os.Exit(1)
	}
	c := &checker{interfaces: map[*types.Interface]bool{}, declared: map[string]token.Position{}, used: map[string]bool{}}
	for _, c.Package = range list {
		c.findInterfaces()
		c.findUses()
	}
	for _, c.Package = range list {
		c.findDeclarations()
	}
	unused := 0
	for _, name := range slices.Sorted(maps.Keys(c.declared)) {
		if !c.used[name] && allowed[name] == "" {
			log.Printf("%s: no other package uses %s", c.declared[name], name)
			unused++
		}
	}
	if unused > 0 {
		log.Fatalf("%d exported identifiers are unused: unexport or delete them", unused)
	}
}

type checker struct {
	*packages.Package // the one that is looked at

	interfaces map[*types.Interface]bool
	declared   map[string]token.Position // what is exported, by its name
	used       map[string]bool           // by name
}

// findInterfaces collects the interfaces that the package and its imports name.
func (c *checker) findInterfaces() {
	for _, p := range append(c.Types.Imports(), c.Types) {
		for _, n := range p.Scope().Names() {
			if i, ok := p.Scope().Lookup(n).Type().Underlying().(*types.Interface); ok {
				c.interfaces[i] = true
			}
		}
	}
}

// findUses records what the package uses of others. A test package ("order_test") is a
// part of the one that it tests.
func (c *checker) findUses() {
	self := strings.TrimSuffix(c.PkgPath, "_test")
	for _, obj := range c.TypesInfo.Uses {
		if obj.Pkg() != nil && obj.Pkg().Path() != self {
			c.used[name(obj)] = true
		}
	}
}

// findDeclarations records what the package exports.
func (c *checker) findDeclarations() {
	if !slices.ContainsFunc(checked, func(dir string) bool { return strings.HasPrefix(c.PkgPath, dir) }) {
		return
	}
	for _, f := range c.Syntax {
		if strings.HasSuffix(c.Fset.Position(f.Package).Filename, "_test.go") {
			continue
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				c.declare(d.Name, d.Type)
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.ValueSpec:
						for i, n := range s.Names {
							of := s.Type
							if i < len(s.Values) && of == nil {
								of = typeOf(s.Values[i])
							}
							c.declare(n, of)
						}
					case *ast.TypeSpec:
						c.declare(s.Name, s.Type)
					}
				}
			}
		}
	}
}

// typeOf returns the type that a composite literal names, nil for other expressions.
func typeOf(x ast.Expr) ast.Expr {
	if lit, ok := x.(*ast.CompositeLit); ok {
		return lit.Type
	}
	return nil
}

// declare records an identifier, unless it is one of the exceptions, and what its
// declaration names as used.
func (c *checker) declare(id *ast.Ident, of ast.Expr) {
	obj := c.TypesInfo.Defs[id]
	if name(obj) == "" || strings.HasPrefix(id.Name, "Err") {
		return
	}
	if named, ok := obj.Type().(*types.Named); ok && named.Obj().Exported() && named.Obj().Pkg() == obj.Pkg() {
		if _, ok := obj.(*types.Const); ok {
			return
		}
	}
	c.declared[name(obj)] = c.Fset.Position(id.Pos())
	if f, ok := obj.(*types.Func); ok && c.implements(f) {
		c.used[name(obj)] = true
	}
	if of == nil {
		return
	}
	ast.Inspect(of, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.StructType: // fields that are not exported use nothing
			n.Fields.List = slices.DeleteFunc(n.Fields.List, func(f *ast.Field) bool {
				return len(f.Names) > 0 && !slices.ContainsFunc(f.Names, (*ast.Ident).IsExported)
			})
		case *ast.Ident:
			if obj := c.TypesInfo.Uses[n]; obj != nil {
				c.used[name(obj)] = true
			}
		}
		return true
	})
}

// implements reports whether the function is a method of an interface that its receiver
// implements. Of generic types the name of the method decides.
func (c *checker) implements(m *types.Func) bool {
	t := receiver(m)
	for i := range c.interfaces {
		found, _, _ := types.LookupFieldOrMethod(i, false, nil, m.Name())
		if t != nil && found != nil && (t.TypeParams().Len() > 0 || types.Implements(types.NewPointer(t), i)) {
			return true
		}
	}
	return t != nil && slices.Contains(byName, m.Name())
}

// receiver returns the type whose method the object is, nil for all other objects.
func receiver(obj types.Object) *types.Named {
	f, ok := obj.(*types.Func)
	if !ok || f.Signature().Recv() == nil {
		return nil
	}
	t := f.Origin().Signature().Recv().Type()
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	named, _ := t.(*types.Named)
	return named
}

// name returns the name under which an exported object is known in all variants of its
// package, "" for fields, local objects, and methods of types that are not exported.
func name(obj types.Object) string {
	if obj == nil || obj.Pkg() == nil || !obj.Exported() {
		return ""
	}
	path := obj.Pkg().Path() + "."
	if t := receiver(obj); t != nil && t.Obj().Exported() {
		return path + t.Obj().Name() + "." + obj.Name()
	}
	if obj.Parent() != obj.Pkg().Scope() {
		return ""
	}
	return path + obj.Name()
}
