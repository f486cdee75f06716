package halserver

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"halcyon/pkg/apidoc"
	"halcyon/pkg/resource"
	"halcyon/pkg/schema"
	"halcyon/pkg/web"
)

// This file describes the whole face: as OpenAPI, and by the JSON Schemas of its
// documents.

const (
	typeSchema = "application/schema+json"
	typeYAML   = "application/yaml"
)

// printed is a document that is the same for every caller, ready to be sent.
type printed struct {
	kind        string
	data, small []byte // as it is, and by gzip
	tag         string // without quotes
}

func newPrinted(kind string, data []byte) (*printed, error) {
	var buf bytes.Buffer
	z, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(data); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	return &printed{kind: kind, data: data, small: buf.Bytes(), tag: base64.RawURLEncoding.EncodeToString(sum[:15])}, nil
}

// send answers the document, or 304 when the client has it.
func (p *printed) send(c echo.Context) error {
	t, given, err := readTags(c.Request().Header, headerNoneMatch)
	if err != nil {
		return err
	}
	h := c.Response().Header()
	web.VaryByAccept(h)
	h.Set(echo.HeaderCacheControl, "public, no-cache")
	h.Set(echo.HeaderXContentTypeOptions, "nosniff")
	data, tag := p.data, p.tag
	if strings.Contains(c.Request().Header.Get(echo.HeaderAcceptEncoding), "gzip") {
		data, tag = p.small, p.tag+gzipped
		h.Set(echo.HeaderContentEncoding, "gzip")
	}
	h.Set(headerETag, `"`+tag+`"`)
	if given && t.match(p.tag) {
		h.Del(echo.HeaderContentEncoding)
		return c.NoContent(http.StatusNotModified)
	}
	return c.Blob(http.StatusOK, p.kind, data)
}

// descriptions are the documents about the declarations. They are built on the first
// request for one of them, so that a start does not wait for them.
type descriptions struct {
	json, yaml *printed
	schemas    map[string]*printed // by name of a resource or of a collection
}

// describeAll returns a function that builds the descriptions on its first call.
func (docs *docServer) describeAll() func() (*descriptions, error) {
	return sync.OnceValues(func() (*descriptions, error) {
		api := docs.api()
		all := &descriptions{schemas: map[string]*printed{}}
		data, err := api.OpenAPI()
		if err != nil {
			return nil, err
		}
		if all.json, err = newPrinted(apidoc.TypeOpenAPI, data); err != nil {
			return nil, err
		}
		if data, err = schema.YAML(data); err != nil {
			return nil, err
		}
		if all.yaml, err = newPrinted(typeYAML, data); err != nil {
			return nil, err
		}
		for _, d := range docs.server.reg.Defs() {
			name := apidoc.TypeName(d.Name)
			for path, x := range map[string][2]string{d.Name: {name, d.Noun + ": an item"}, d.Plural: {name + apidoc.Page, "List of " + d.Noun}} {
				data, err := apidoc.Alone(api.Schemas, x[0], docs.paths.schemas+path, x[1])
				if err != nil {
					return nil, err
				}
				if all.schemas[path], err = newPrinted(typeSchema, data); err != nil {
					return nil, err
				}
			}
		}
		return all, nil
	})
}

func (docs *docServer) openAPI(c echo.Context) error {
	all, err := docs.descriptions()
	if err != nil {
		return err
	}
	return alone(c, all.json)
}

func (docs *docServer) openAPIAsYAML(c echo.Context) error {
	all, err := docs.descriptions()
	if err != nil {
		return err
	}
	return alone(c, all.yaml)
}

// schemaOf answers the schema of a document.
func (docs *docServer) schemaOf(c echo.Context) error {
	all, err := docs.descriptions()
	if err != nil {
		return err
	}
	p := all.schemas[c.Param("schema")]
	if p == nil {
		return errNoPage()
	}
	return alone(c, p)
}

// alone answers a document that has a single representation.
func alone(c echo.Context, p *printed) error {
	if err := NoQuery(c); err != nil {
		return err
	}
	return p.send(c)
}

// api returns the description of the face.
func (docs *docServer) api() *apidoc.API {
	a := docs.cfg.API
	a.Schemas, a.Params, a.Headers, a.Answers = apidoc.Common(), append(commonParams(), docs.cfg.Params...), answerHeaders(), docs.problemAnswers()
	a.TagPages = maps.Clone(a.TagPages)
	a.Tags = append(slices.Clone(a.Tags), schema.Member{Name: tagDocs, Value: "The API about itself. No credentials are needed."})
	a.TagPages[tagDocs] = docs.paths.root
	a.Operations = docs.operations()
	hand := append(docs.schemas(), docs.cfg.Schemas()...)
	for _, m := range apidoc.Resources(docs.server.reg.Defs()) {
		if hand.Get(m.Name) == nil {
			a.Schemas = append(a.Schemas, m)
		}
	}
	a.Schemas = append(a.Schemas, hand...)
	for _, d := range docs.server.reg.Defs() {
		a.Tags = append(a.Tags, schema.Member{Name: d.Plural, Value: d.Doc})
		a.TagPages[d.Plural] = docs.paths.resources + d.Plural
		a.Params = append(a.Params, listParameters(d)...)
	}
	return &a
}

func commonParams() schema.Object {
	text := schema.String()
	return schema.Of(
		"Page", apidoc.Parameter("page", "query", "Number of the page, from 1. A page past the end is empty.", schema.Of("type", "integer", "minimum", 1, "default", 1)),
		"PageSize", apidoc.Parameter("page_size", "query", "How many items a page has, 100 at most; more is 100.", schema.Of("type", "integer", "minimum", 1, "default", 10)),
		"After", apidoc.Parameter("after", "query", "Where the page begins, as next has it: no row is seen twice while rows are added.", text),
		"Before", apidoc.Parameter("before", "query", "Where the page ends, as prev has it.", text),
		"DryRun", apidoc.Parameter(dryRun, "query", "1 asks what it would lead to, and does nothing.", schema.Enum("0", "1", "true", "false")),
		"ReplaceExisting", apidoc.Parameter("replace-existing", "query", "1 replaces the row of the same name.", schema.Enum("", "0", "1", "true", "false")),
		"IdempotencyKey", apidoc.Parameter(web.HeaderIdempotencyKey, "header", "A key of the caller's choice. The same request with the same key, within 24 hours, happens once, and gets the same answer.", text.With("maxLength", 255)),
		"IfMatch", apidoc.Parameter(headerIfMatch, "header", "The ETag of the document that the write goes by: when it was changed since, nothing happens and the answer is 412.", text),
		"IfNoneMatch", apidoc.Parameter(headerNoneMatch, "header", "The ETag of the document that the caller has: when it is the same still, the answer is 304.", text),
	)
}

func answerHeaders() schema.Object {
	header := func(doc string) schema.Object { return schema.Of("description", doc, "schema", schema.String()) }
	return schema.Of(
		"ETag", header("What the document is known by, for If-None-Match and If-Match."),
		"Last-Modified", header("When the row was changed last."),
		"Location", header("Where the document is."),
		"Retry-After", header("Seconds to wait."),
		"Content-Disposition", header("The name of the file."),
		"WWW-Authenticate", header("How to authenticate."),
	)
}

// problemAnswers are the answers that many operations share.
func (docs *docServer) problemAnswers() schema.Object {
	var list schema.Object
	headers := map[string]string{"Unauthenticated": "WWW-Authenticate", "Limited": "Retry-After", "Unavailable": "Retry-After"}
	for _, name := range slices.Sorted(maps.Keys(problemNames)) {
		o := schema.Of("description", docs.problems[problemNames[name]])
		if header := headers[name]; header != "" {
			o = o.With("headers", schema.Of(header, schema.Ref("#/components/headers/"+header)))
		}
		list = append(list, schema.Member{Name: name, Value: o.With("content", schema.Of(
			"application/problem+json", schema.Of("schema", schema.Ref("Problem")),
			apidoc.TypeJSON, schema.Of("schema", schema.Ref("Problem"+apidoc.CloudBolt)),
		))})
	}
	return append(list, schema.Member{Name: sharedAnswers[http.StatusNotModified], Value: schema.Of("description", "The caller has it already.")})
}

// listParameters returns the query parameters of a collection.
func listParameters(d *resource.Def) schema.Object {
	name := apidoc.TypeName(d.Plural)
	var filters, orders, attributes, embeds []string
	for _, f := range d.Fields {
		if q := d.Filter(f); q != nil {
			words := make([]string, 0, len(q.Lookups()))
			for _, l := range q.Lookups() {
				words = append(words, string(l))
			}
			filters = append(filters, "- `"+q.Name+"` ("+strings.Join(words, ", ")+"): "+f.Doc)
			if q.Sort {
				orders = append(orders, q.Name)
			}
		}
		if !f.WriteOnly() && f.InEntry() != resource.Never {
			attributes = append(attributes, f.Name)
		}
	}
	for _, r := range d.Relations {
		if r.Target() == nil {
			continue
		}
		rel := strings.TrimPrefix(r.Rel, "cb:")
		filters = append(filters, "- `"+rel+".…`: what can be asked of "+r.Target().Plural+". "+r.Doc)
		if !r.Many {
			attributes = append(attributes, rel, rel+".…")
		}
		embeds = append(embeds, rel)
	}
	text := schema.String()
	list := schema.Of(
		name+"Filter", apidoc.Parameter("filter", "query", "Terms `field.lookup:value` with `;` between them, all of which must hold, such as `"+apidoc.Example(d)+"`. Without a lookup it is exact. Fields:\n\n"+strings.Join(filters, "\n"), text.With("maxLength", 4096)).
			With("allowReserved", true),
		name+"Attributes", apidoc.Parameter("attributes", "query", "Further members of each item, with commas between them: "+strings.Join(attributes, ", ")+".", text),
		name+"Order", apidoc.Parameter("order", "query", "Fields to sort by, with commas between them, `-` before those that go down, and `.icase` after a text to ignore the case of its letters: "+strings.Join(orders, ", ")+".", text),
	)
	if len(embeds) > 0 {
		list = append(list, schema.Member{Name: name + "Embed", Value: apidoc.Parameter("embed", "query", "Relations whose targets come with the document, in short: "+strings.Join(embeds, ", ")+".", text)})
	}
	return list
}
