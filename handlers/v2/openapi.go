package v2

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
)

// This file describes the whole face: as OpenAPI, and by the JSON Schemas of its
// documents. Both are made once, of the declarations, and answered from memory.
// They are the same for every caller, and need no credentials: which resources there
// are is no secret, what is in them is.

const (
	schemasPath     = Base + resource.SchemasPath
	openAPIPath     = Base + "/openapi.json"
	openAPIYAMLPath = Base + "/openapi.yaml"

	typeSchema  = "application/schema+json"
	typeOpenAPI = "application/vnd.oai.openapi+json;version=3.1"
	typeYAML    = "application/yaml"
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

// send answers the document, or 304 to who has it.
func (p *printed) send(c echo.Context) error {
	t, given, err := readTags(c.Request().Header, headerNoneMatch)
	if err != nil {
		return err
	}
	h := c.Response().Header()
	varying(h)
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

// descriptions are the documents that are made of the declarations, when somebody
// asks for the first of them: a start need not wait for what few read.
type descriptions struct {
	json, yaml *printed
	schemas    map[string]*printed // by name of a resource or of a collection
}

// describeAll gives what makes the descriptions, once.
func (f *Face) describeAll() func() (*descriptions, error) {
	return sync.OnceValues(func() (*descriptions, error) {
		api := f.API()
		all := &descriptions{schemas: map[string]*printed{}}
		data, err := api.OpenAPI()
		if err != nil {
			return nil, err
		}
		if all.json, err = newPrinted(typeOpenAPI, data); err != nil {
			return nil, err
		}
		if data, err = schema.YAML(data); err != nil {
			return nil, err
		}
		if all.yaml, err = newPrinted(typeYAML, data); err != nil {
			return nil, err
		}
		for _, d := range f.reg.Defs() {
			name := apidoc.TypeName(d.Name)
			for path, x := range map[string][2]string{d.Name: {name, d.Noun + ": an item"}, d.Plural: {name + apidoc.Page, "List of " + d.Noun}} {
				data, err := apidoc.Alone(api.Schemas, x[0], schemasPath+path, x[1])
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

func (f *Face) openAPI(c echo.Context) error {
	all, err := f.descriptions()
	if err != nil {
		return err
	}
	return alone(c, all.json)
}

func (f *Face) openAPIAsYAML(c echo.Context) error {
	all, err := f.descriptions()
	if err != nil {
		return err
	}
	return alone(c, all.yaml)
}

// schemaOf answers the schema of a document.
func (f *Face) schemaOf(c echo.Context) error {
	all, err := f.descriptions()
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
	if err := noQuery(c); err != nil {
		return err
	}
	return p.send(c)
}

// API describes the face.
func (f *Face) API() *apidoc.API {
	a := &apidoc.API{
		Title: "Halcyon", Summary: "A self-service cloud behind one hypermedia API.", Version: "2",
		Doc: strings.TrimSpace(apiDoc), TagPages: map[string]string{tagSession: docsPath, tagDocs: docsPath},
		Tags: schema.Of(tagSession, "Signing in and out, and the root.", tagDocs, "The API about itself. No credentials are needed."),
		Security: schema.Of(
			"token", schema.Of("type", "http", "scheme", "bearer", "bearerFormat", "JWT", "description", "A token from "+Base+"/api-token-auth/, or an API token."),
			"password", schema.Of("type", "http", "scheme", "basic", "description", "Username and password."),
			"session", schema.Of("type", "apiKey", "in", "cookie", "name", "halcyon_session", "description", "The session of a browser that has signed in."),
		),
		Schemas: apidoc.Common(), Params: commonParams(), Headers: answerHeaders(), Answers: problemAnswers(),
		Operations: f.operations(),
	}
	hand := f.handMadeSchemas()
	for _, m := range apidoc.Resources(f.reg.Defs()) {
		if hand.Get(m.Name) == nil {
			a.Schemas = append(a.Schemas, m)
		}
	}
	a.Schemas = append(a.Schemas, hand...)
	for _, d := range f.reg.Defs() {
		a.Tags = append(a.Tags, schema.Member{Name: d.Plural, Value: d.Doc})
		a.TagPages[d.Plural] = resourcesPath + d.Plural
		a.Params = append(a.Params, listParameters(d)...)
	}
	return a
}

const apiDoc = `
Halcyon speaks HAL: every document links what can be done with it next, and offers what its reader may do now. The
description lists all routes all the same, for generators and explorers; a client that follows links needs none of
the paths but the root's.

The same values come in several representations, chosen by Accept: application/hal+json, the same with forms as
application/prs.hal-forms+json, and, to who asks for application/json alone, the shape of the CloudBolt v2 API. Paths
answer with and without a slash at their end; ids may be numbers, global ids or uuids. HEAD works wherever GET does.

The guide at /api/v2/docs/ has the rest.
`

func parameterOf(name, in, doc string, o schema.Object) schema.Object {
	return schema.Of("name", name, "in", in, "description", doc, "schema", o)
}

func commonParams() schema.Object {
	text := schema.String()
	return schema.Of(
		"Page", parameterOf("page", "query", "Number of the page, from 1. A page past the end is empty.", schema.Of("type", "integer", "minimum", 1, "default", 1)),
		"PageSize", parameterOf("page_size", "query", "How many items a page has, 100 at most; more is 100.", schema.Of("type", "integer", "minimum", 1, "default", 10)),
		"After", parameterOf("after", "query", "Where the page begins, as next has it: no row is seen twice while rows are added.", text),
		"Before", parameterOf("before", "query", "Where the page ends, as prev has it.", text),
		"DryRun", parameterOf(dryRun, "query", "1 asks what it would lead to, and does nothing.", schema.Enum("0", "1", "true", "false")),
		"ReplaceExisting", parameterOf("replace-existing", "query", "1 replaces the row of the same name.", schema.Enum("", "0", "1", "true", "false")),
		"IdempotencyKey", parameterOf(headerIdempotencyKey, "header", "A key of the caller's choice. The same request with the same key, within 24 hours, happens once, and gets the same answer.", text.With("maxLength", 255)),
		"EventResource", parameterOf(paramResource, "query", "Collections whose rows the events are about, with commas between them.", text),
		"EventAbout", parameterOf(paramAbout, "query", "The href or id of what the events are about; an order brings its jobs and servers with it.", text),
		"EventType", parameterOf(paramType, "query", "Types of events, with commas between them, such as job.*", text),
		"LastEventID", parameterOf("Last-Event-ID", "header", "The last event that the reader of a stream has seen: the stream goes on behind it.", text),
		"LastEventIDInQuery", parameterOf("last-event-id", "query", "The same, for readers that cannot send the header.", text),
		"IfMatch", parameterOf(headerIfMatch, "header", "The ETag of the document that the write goes by: when it was changed since, nothing happens and the answer is 412.", text),
		"IfNoneMatch", parameterOf(headerNoneMatch, "header", "The ETag of the document that the caller has: when it is the same still, the answer is 304.", text),
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
func problemAnswers() schema.Object {
	var list schema.Object
	headers := map[string]string{"Unauthenticated": "WWW-Authenticate", "Limited": "Retry-After", "Unavailable": "Retry-After"}
	for _, name := range slices.Sorted(maps.Keys(problemNames)) {
		o := schema.Of("description", problems[problemNames[name]])
		if header := headers[name]; header != "" {
			o = o.With("headers", schema.Of(header, schema.Ref("#/components/headers/"+header)))
		}
		list = append(list, schema.Member{Name: name, Value: o.With("content", schema.Of(
			"application/problem+json", schema.Of("schema", schema.Ref("Problem")),
			typeJSON, schema.Of("schema", schema.Ref("Problem"+apidoc.CloudBolt)),
		))})
	}
	return append(list, schema.Member{Name: sharedAnswers[http.StatusNotModified], Value: schema.Of("description", "The caller has it already.")})
}

// listParameters are the parameters of a collection's queries that say what can be
// asked of it.
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
		if r.Linked() {
			embeds = append(embeds, rel)
		}
	}
	text := schema.String()
	list := schema.Of(
		name+"Filter", parameterOf("filter", "query", "Terms `field.lookup:value` with `;` between them, all of which must hold, such as `"+apidoc.Example(d)+"`. Without a lookup it is exact. Fields:\n\n"+strings.Join(filters, "\n"), text.With("maxLength", 4096)).
			With("allowReserved", true),
		name+"Attributes", parameterOf("attributes", "query", "Further members of each item, with commas between them: "+strings.Join(attributes, ", ")+".", text),
		name+"Order", parameterOf("order", "query", "Fields to sort by, with commas between them and `-` before those that go down: "+strings.Join(orders, ", ")+".", text),
	)
	if len(embeds) > 0 {
		list = append(list, schema.Member{Name: name + "Embed", Value: parameterOf("embed", "query", "Relations whose targets come with the document, in short: "+strings.Join(embeds, ", ")+".", text)})
	}
	return list
}
