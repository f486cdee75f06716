package halserver

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ownWords are names of resources that are words of this package as well.
var ownWords = map[string]string{
	"order":     "the query parameter that sorts",
	"actions":   "the segment of a path before the name of an action",
	"resource":  "the kind of page of the documentation",
	"resources": "the list of such pages",
}

// TestKnowsNoNoun finds no name of a declared resource in a string of this package.
// What is special about a resource is data or a hook of its declaration.
func TestKnowsNoNoun(t *testing.T) {
	t.Parallel()
	nouns := declared(t, "../v2")
	if len(nouns) < 50 {
		t.Fatalf("only %d names of resources were found", len(nouns))
	}
	for path, file := range sources(t, ".") {
		ast.Inspect(file, func(n ast.Node) bool {
			if _, ok := n.(*ast.ImportSpec); ok {
				return false
			}
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			for word := range strings.SplitSeq(strings.TrimPrefix(text(e), "application/"), "/") { // media types are no nouns
				word = strings.TrimSuffix(strings.TrimPrefix(word, "cb:"), "?")
				if nouns[word] && ownWords[word] == "" {
					t.Errorf("%s: %q is the name of a resource: let its declaration say what is special", path, text(e))
				}
			}
			return true
		})
	}
}

// declared returns the names and plurals of the resources that a folder declares.
func declared(t *testing.T, dir string) map[string]bool {
	t.Helper()
	nouns := map[string]bool{}
	for _, file := range sources(t, dir) {
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok || !isResource(lit.Type) {
				return true
			}
			for _, e := range lit.Elts {
				kv, ok := e.(*ast.KeyValueExpr)
				if !ok {
					continue
				}
				if key, ok := kv.Key.(*ast.Ident); ok && (key.Name == "Name" || key.Name == "Plural") && text(kv.Value) != "" {
					nouns[text(kv.Value)] = true
				}
			}
			return true
		})
	}
	return nouns
}

// isResource reports whether a type is resource.Resource of something.
func isResource(e ast.Expr) bool {
	of, ok := e.(*ast.IndexExpr)
	if !ok {
		return false
	}
	name, ok := of.X.(*ast.SelectorExpr)
	return ok && name.Sel.Name == "Resource"
}

// sources returns the files of a folder, without its tests, by their paths.
func sources(t *testing.T, dir string) map[string]*ast.File {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if files[path], err = parser.ParseFile(token.NewFileSet(), path, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	return files
}
