// Package handlers_test holds the rules about layers that no general linter can
// express: which words and texts may not occur in which folders. The dependency
// rules (who imports whom) are depguard's, in .golangci.yaml.
package handlers_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// rule forbids something in the Go files of some folders.
type rule struct {
	name string
	in   []string // folders below the repository's root, with all below them

	text   *regexp.Regexp // in the file's text, comments included
	quoted *regexp.Regexp // in the value of a string literal
	ident  *regexp.Regexp // a selector such as access.Where

	instead string // what to do
}

var rules = []rule{
	{
		name: "faces hold no SQL", in: []string{"handlers"},
		quoted:  regexp.MustCompile(`\b(SELECT|INSERT INTO|DELETE FROM|EXISTS|LEFT JOIN|JOIN|IS NULL|IS NOT NULL|ORDER BY|GROUP BY)\b|\bIN \(|\{(from|to|row)\}|\b(t|m|l|s|o)\.\w+ (=|<>) `),
		instead: "declare a relation, a scope or a condition in the schema.go of the noun's service",
	},
	{
		name: "faces know no conditions and no database", in: []string{"handlers"},
		ident:   regexp.MustCompile(`^(access\.(Where|All|None|And|Or|In|Visible)|query\.(Root|Base)|gorm\.\w+)$`),
		instead: "ask the service, which starts from access.Visible",
	},
	{
		name: "no address of a face below the faces", in: []string{"pkg", "models"},
		text:    regexp.MustCompile("[\"`]/api"),
		instead: "take the base as a parameter",
	},
	{
		name: "no wire names of an order's body below the faces", in: []string{"pkg", "models"},
		text:    regexp.MustCompile(`build-item-|blueprint-items-arguments`),
		instead: "use a fault.Path; the face makes its pointer of it",
	},
	{
		name: "no pointer into a body below the faces", in: []string{"pkg", "models"},
		quoted:  regexp.MustCompile(`^/?items/|-items/|^/parameters/|^/attributes/`),
		instead: "use a fault.Path; the face makes its pointer of it",
	},
}

// TestLayers reads every Go file that is not a test. That handlers/halserver knows no
// resource by name is tested there.
func TestLayers(t *testing.T) {
	t.Parallel()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			for _, dir := range r.in {
				eachFile(t, dir, func(path string) {
					for _, found := range r.check(t, path) {
						t.Errorf("%s: %s", found, r.instead)
					}
				})
			}
		})
	}
}

const root = ".."

// eachFile visits the Go files below a folder that are not tests.
func eachFile(t *testing.T, dir string, visit func(path string)) {
	t.Helper()
	seen := 0
	err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			seen++
			visit(path)
		}
		return err
	})
	if err != nil || seen == 0 {
		t.Fatalf("%s: %d files, %v", dir, seen, err)
	}
}

func parse(t *testing.T, path string) (*ast.File, *token.FileSet) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return file, set
}

// literal returns the value of a string literal, "" for every other expression.
func literal(x ast.Expr) string {
	lit, ok := x.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	value, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return value
}

// check returns where the file breaks the rule.
func (r *rule) check(t *testing.T, path string) (found []string) {
	t.Helper()
	file, set := parse(t, path)
	add := func(pos token.Pos, what string) {
		found = append(found, fmt.Sprintf("%s: %s", set.Position(pos), what))
	}
	if r.text != nil {
		whole := set.File(file.Pos())
		for _, at := range r.text.FindAllStringIndex(read(t, path), -1) {
			add(whole.Pos(at[0]), "forbidden text")
		}
	}
	imports := map[ast.Node]bool{}
	for _, i := range file.Imports {
		imports[i.Path] = true
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.BasicLit:
			if r.quoted != nil && !imports[x] && r.quoted.MatchString(literal(x)) {
				add(x.Pos(), x.Value)
			}
		case *ast.SelectorExpr:
			if of, ok := x.X.(*ast.Ident); ok && r.ident != nil && r.ident.MatchString(of.Name+"."+x.Sel.Name) {
				add(x.Pos(), of.Name+"."+x.Sel.Name)
			}
		}
		return true
	})
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
