package halserver

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestEveryProblemHasAPage reads the code for the types of problems that it makes:
// the codes of faults, and what problemType tells apart besides.
func TestEveryProblemHasAPage(t *testing.T) {
	t.Parallel()
	names := append(constants(t, "../../pkg/fault/fault.go", "Code"), returned(t, "problemType")...)
	if len(names) < 12 {
		t.Fatalf("only %q were found", names)
	}
	for _, name := range names {
		if problems[strings.ReplaceAll(name, "_", "-")] == "" {
			t.Errorf("problems of the type %s have no page", name)
		}
	}
}

// constants returns the texts of a file's constants of one type.
func constants(t *testing.T, path, kind string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if of, ok := spec.Type.(*ast.Ident); ok && of.Name == kind && len(spec.Values) == 1 {
			list = append(list, text(spec.Values[0]))
		}
		return true
	})
	return list
}

// returned returns the texts that a function of this package returns as they stand.
func returned(t *testing.T, function string) []string {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Name.Name != function {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) == 1 {
					if s := text(r.Results[0]); s != "" {
						list = append(list, s)
					}
				}
				return true
			})
		}
	}
	return list
}

// text returns the value of a string literal.
func text(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return s
}
