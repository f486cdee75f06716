package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// This file holds what the tests see against the API's own description: every
// answer's status, type and body, and the bodies of requests that were taken, must be
// as /api/v2/openapi.json says.

const openAPIPath = "/api/v2/openapi.json"

// description is the OpenAPI document, with its schemas ready for use.
type description struct {
	doc   map[string]any
	paths []describedPath

	mu       sync.Mutex
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema // by where they stand
}

type describedPath struct {
	template string
	is       *regexp.Regexp
	literals int // segments that are no parameter: the more, the better it fits
}

// theDescription is read once: it is the same in all clouds.
var theDescription struct {
	once sync.Once
	d    *description
	err  error
}

// described returns the description as the cloud serves it.
func described(h http.Handler) (*description, error) {
	theDescription.once.Do(func() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, openAPIPath, nil))
		if w.Code != http.StatusOK {
			theDescription.err = fmt.Errorf("%s: %d", openAPIPath, w.Code)
			return
		}
		theDescription.d, theDescription.err = readDescription(w.Body.Bytes())
	})
	return theDescription.d, theDescription.err
}

func readDescription(data []byte) (*description, error) {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	d := &description{doc: v.(map[string]any), compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	if err := d.compiler.AddResource("urn:openapi", v); err != nil {
		return nil, err
	}
	parameter := regexp.MustCompile(`\\\{[a-z]+\\\}`)
	for template := range d.doc["paths"].(map[string]any) {
		p := describedPath{template: template, is: regexp.MustCompile("^" + parameter.ReplaceAllString(regexp.QuoteMeta(template), `[^/]+`) + "$")}
		for segment := range strings.SplitSeq(template, "/") {
			if !strings.HasPrefix(segment, "{") {
				p.literals++
			}
		}
		d.paths = append(d.paths, p)
	}
	slices.SortFunc(d.paths, func(a, b describedPath) int {
		if a.literals != b.literals {
			return b.literals - a.literals
		}
		return strings.Compare(a.template, b.template)
	})
	return d, nil
}

// find returns the operation of a request, nil when there is none.
func (d *description) find(method, path string) (template string, operation map[string]any) {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	if path != "/" {
		path = strings.TrimSuffix(path, "/")
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, p := range d.paths {
		if p.is.MatchString(path) {
			op, _ := d.doc["paths"].(map[string]any)[p.template].(map[string]any)[strings.ToLower(method)].(map[string]any)
			if op != nil {
				return p.template, op
			}
		}
	}
	return "", nil
}

// pointer writes a JSON pointer as the fragment of a URL.
func pointer(segments ...string) string {
	var b strings.Builder
	b.WriteByte('#')
	for _, s := range segments {
		b.WriteString("/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(s)))
	}
	return b.String()
}

func (d *description) schema(at string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.schemas[at]; s != nil {
		return s, nil
	}
	s, err := d.compiler.Compile("urn:openapi" + at)
	if err != nil {
		return nil, err
	}
	d.schemas[at] = s
	return s, nil
}

// valid holds a document against the schema at a place of the description.
func (d *description) valid(at string, doc []byte) error {
	s, err := d.schema(at)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// check holds an answer, and the request if it was taken, against the description.
func (d *description) check(a *answer) error {
	if strings.HasPrefix(a.call.accept, "text/html") && a.status >= http.StatusMultipleChoices {
		return nil // the ways of pages are for people, and described to nobody
	}
	path, _, _ := strings.Cut(a.call.path, "?")
	if u, err := url.PathUnescape(path); err == nil && !strings.Contains(strings.ToLower(path), "%2f") {
		path = u
	}
	if strings.HasPrefix(path, "/api/v2/assets/") || strings.HasPrefix(path, "/api/v2/docs/openapi/") {
		return nil // what pages are made with
	}
	template, op := d.find(a.call.method, path)
	if op == nil {
		if !slices.Contains([]int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUnauthorized}, a.status) && a.call.method != http.MethodOptions && strings.HasPrefix(path, "/api/") {
			return fmt.Errorf("%s: %d, of a route that is not described", a.call, a.status)
		}
		return nil
	}
	if a.status == http.StatusMethodNotAllowed {
		return nil // an item that the router takes for another route's
	}
	at := []string{"paths", template, strings.ToLower(a.call.method), "responses", strconv.Itoa(a.status)}
	if a.call.method == http.MethodHead {
		at[2] = "get"
	}
	response, _ := op["responses"].(map[string]any)[strconv.Itoa(a.status)].(map[string]any)
	if response == nil {
		return fmt.Errorf("%s: %d is not described for %s", a.call, a.status, template)
	}
	if ref, ok := response["$ref"].(string); ok {
		name := ref[strings.LastIndexByte(ref, '/')+1:]
		at = []string{"components", "responses", name}
		response = d.doc["components"].(map[string]any)["responses"].(map[string]any)[name].(map[string]any)
	}
	if a.call.method == http.MethodHead || len(a.body) == 0 {
		return nil
	}
	content, _ := response["content"].(map[string]any)
	kind := a.kind()
	if _, ok := content[a.header.Get("Content-Type")]; ok {
		kind = a.header.Get("Content-Type")
	}
	if content[kind] == nil {
		return fmt.Errorf("%s: %d with %s is not described for %s", a.call, a.status, kind, template)
	}
	if strings.HasSuffix(a.kind(), "json") {
		if err := d.valid(pointer(append(at, "content", kind, "schema")...), a.body); err != nil {
			return fmt.Errorf("%s: %d is not as it is described: %w", a.call, a.status, err)
		}
	}
	return d.checkRequest(a, template, op)
}

// checkRequest holds the body of a request that was taken against the description.
func (d *description) checkRequest(a *answer, template string, op map[string]any) error {
	if a.status >= 300 || a.call.body == "" || !json.Valid([]byte(a.call.body)) || a.call.label != "" && !strings.HasSuffix(a.call.label, "json") {
		return nil
	}
	if failed, _ := at(a.body, "/failed"); failed != "" && failed != "0" {
		return nil // of several rows, some were refused
	}
	if op["requestBody"] == nil && a.call.method == http.MethodDelete {
		return nil // nobody reads it
	}
	if op["requestBody"] == nil {
		return fmt.Errorf("%s: a body was taken, and none is described for %s", a.call, template)
	}
	place := pointer("paths", template, strings.ToLower(a.call.method), "requestBody", "content", "application/json", "schema")
	if err := d.valid(place, []byte(a.call.body)); err != nil {
		return fmt.Errorf("%s: the request was taken, and is not as it is described: %w\n%s", a.call, err, a.call.body)
	}
	return nil
}
