package halserver

import (
	"net/http"
	"slices"
	"strings"

	"halcyon/pkg/apidoc"
	"halcyon/pkg/resource"
	"halcyon/pkg/schema"
	"halcyon/pkg/web"
)

// This file describes each route for the documentation. The descriptions of declared
// resources follow from their declarations. A route without a description gets the text
// of its line in the table, and fails a test.

// tagDocs is the tag of the documentation.
const tagDocs = "docs"

// operations returns the descriptions of all routes, in the order of the table.
func (docs *docServer) operations() []apidoc.Operation {
	known := apidoc.Operations{}
	for _, d := range docs.server.reg.Defs() {
		docs.describe(known, d)
	}
	docs.describeDocs(known)
	docs.cfg.Operations(known)
	var list []apidoc.Operation
	for _, r := range docs.cfg.Routes() {
		op := known[r.Method+" "+r.Path]
		if op == nil {
			op = docs.undescribed(&r)
		}
		op.Doc = strings.TrimSpace(op.Doc)
		if r.Doc != "" && !slices.ContainsFunc(docs.server.reg.Defs(), func(d *resource.Def) bool { return isDoc(d, r.Doc) }) {
			op.Doc += " Who may: " + strings.TrimSuffix(r.Doc, ".") + "."
		}
		op.Public = op.Public || docs.cfg.Public(r.Path)
		op.Answers = append(op.Answers, refusals(op)...)
		pages(op)
		list = append(list, *op)
	}
	return list
}

// pages adds the page that browsers get where others get a document.
func pages(op *apidoc.Operation) {
	for i, a := range op.Answers {
		if a.Status == http.StatusOK && slices.ContainsFunc(a.Content, func(m apidoc.Media) bool { return m.Type == apidoc.TypeHAL }) {
			op.Answers[i].Content = append(slices.Clone(a.Content), apidoc.Media{Type: apidoc.TypeHTML, Schema: schema.String()})
		}
	}
}

// isDoc reports whether the text of a route's line describes the action, rather than the
// right that it needs.
func isDoc(d *resource.Def, doc string) bool {
	return slices.ContainsFunc(d.BulkActions(), func(x *resource.ActionDef) bool { return strings.HasSuffix(doc, x.Doc) }) ||
		slices.ContainsFunc(d.Batch, func(b resource.BatchAction) bool { return b.Doc == doc })
}

func (docs *docServer) undescribed(r *web.Route) *apidoc.Operation {
	id := strings.ToLower(r.Method) + apidoc.TypeName(strings.NewReplacer("/", "-", ":", "-", ".", "-").Replace(strings.TrimPrefix(r.Path, docs.server.base)))
	return &apidoc.Operation{
		Method: r.Method, Path: r.Path, ID: id, Tag: tagDocs, Title: r.Method + " " + r.Path,
		Places:  map[string]string{},
		Answers: []apidoc.Answer{{Status: http.StatusOK, Doc: "Done."}},
	}
}

// refusals are the problems that an operation may answer.
func refusals(op *apidoc.Operation) []apidoc.Answer {
	codes := []int{http.StatusBadRequest, http.StatusInternalServerError, http.StatusServiceUnavailable}
	if !op.Public || op.SignsIn {
		codes = append(codes, http.StatusUnauthorized)
	}
	if !op.Public || op.Method != http.MethodGet { // pages of other origins may read, and not write
		codes = append(codes, http.StatusForbidden)
	}
	codes = append(codes, http.StatusTooManyRequests)
	if strings.Contains(op.Path, ":") || op.Method == http.MethodGet {
		codes = append(codes, http.StatusNotFound)
	}
	switch op.Method {
	case http.MethodGet:
		codes = append(codes, http.StatusNotModified)
	case http.MethodPost:
		codes = append(codes, http.StatusUnprocessableEntity)
		fallthrough
	default:
		codes = append(codes, http.StatusConflict, http.StatusPreconditionFailed, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	var list []apidoc.Answer
	for _, code := range codes {
		if !slices.ContainsFunc(op.Answers, func(a apidoc.Answer) bool { return a.Status == code }) {
			list = append(list, apidoc.Answer{Status: code, Shared: sharedAnswers[code]})
		}
	}
	return list
}

// sharedAnswers names the answers that many operations have.
var sharedAnswers = map[int]string{
	http.StatusNotModified: "NotModified", http.StatusBadRequest: "Invalid", http.StatusUnauthorized: "Unauthenticated",
	http.StatusForbidden: "Forbidden", http.StatusNotFound: "NotFound", http.StatusConflict: "Conflict",
	http.StatusPreconditionFailed: "Precondition", http.StatusRequestEntityTooLarge: "TooLarge",
	http.StatusUnsupportedMediaType: "UnsupportedMediaType", http.StatusUnprocessableEntity: "IdempotencyKeyReused",
	http.StatusTooManyRequests: "Limited", http.StatusInternalServerError: "Internal", http.StatusServiceUnavailable: "Unavailable",
}

// problemNames maps the names of answers to the types of their problems; otherStatus has
// the statuses of the other types.
var (
	problemNames = map[string]string{
		"Invalid": "invalid", "Unauthenticated": "unauthenticated", "Forbidden": "forbidden", "NotFound": "not-found", "Conflict": "conflict",
		"Precondition": "precondition", "TooLarge": "too-large", "UnsupportedMediaType": "unsupported-media-type",
		"IdempotencyKeyReused": "idempotency-key-reused", "Limited": "limited", "Internal": "internal", "Unavailable": "unavailable",
	}
	otherStatus = map[string]int{"method-not-allowed": http.StatusMethodNotAllowed, "idempotency-key-in-use": http.StatusConflict}
)

// describe adds the descriptions of the routes of a declaration.
func (docs *docServer) describe(known apidoc.Operations, d *resource.Def) {
	all := strings.TrimSuffix(d.Path(), "/")
	one := all + "/:id"
	noun, name, names := strings.ReplaceAll(d.Name, "-", " "), apidoc.TypeName(d.Name), apidoc.TypeName(d.Plural)
	places := map[string]string{"id": apidoc.IDDoc}
	add := func(method, path string, op apidoc.Operation) *apidoc.Operation {
		op.Tag, op.Places = d.Plural, places
		return known.Add(method, path, op)
	}
	add(http.MethodGet, all, apidoc.Operation{
		ID: "list" + names, Title: "List " + strings.ToLower(d.Noun), Doc: d.Doc + " Those that the caller sees.", Params: apidoc.ListParams(d),
		Answers: []apidoc.Answer{apidoc.OK("A page of the list.", apidoc.Tagged, apidoc.PageDocument(d))},
	})
	add(http.MethodGet, one, apidoc.Operation{
		ID: "read" + name, Title: "Read one " + noun, Doc: d.Doc, Params: apidoc.ItemParams(d),
		Answers: []apidoc.Answer{apidoc.OK("The "+noun+", with links to what the caller may do with it now.", apidoc.Dated, apidoc.ItemDocument(d))},
	})
	if d.Create != nil {
		op := add(http.MethodPost, all, apidoc.Operation{
			ID: "create" + name, Title: "Create a " + noun, Doc: "Makes one. The form of the collection says what it asks.", Params: []string{"IdempotencyKey", "IfMatch"},
			Body: apidoc.JSONBody(schema.Ref(name + apidoc.Body)), Must: !d.PostNone,
			Answers: []apidoc.Answer{{Status: http.StatusCreated, Doc: "It was made.", Headers: apidoc.Located, Content: apidoc.ItemDocument(d)}},
		})
		mayDryRun(op, d.CreateDryRun)
		if d.Once { // a redirect could not show it
			op.Answers[0].Content = append(op.Answers[0].Content, apidoc.Media{Type: apidoc.TypeHTML, Schema: schema.String()})
		}
	}
	changed := []apidoc.Answer{apidoc.OK("The "+noun+" as it is now.", apidoc.Dated, apidoc.ItemDocument(d))}
	if d.Update != nil {
		add(http.MethodPatch, one, apidoc.Operation{
			ID: "change" + name, Title: "Change a " + noun, Doc: "Changes the members that the body has.", Params: []string{"IfMatch"},
			Body: apidoc.PatchBody(schema.Ref(name + apidoc.Patch)), Answers: changed,
		})
	}
	if d.Replace != nil {
		add(http.MethodPut, one, apidoc.Operation{
			ID: "replace" + name, Title: "Replace a " + noun, Doc: "Makes it what the body says.", Params: []string{"IfMatch"},
			Body: apidoc.JSONBody(schema.Ref(name + apidoc.Replacement)), Answers: changed,
		})
	}
	if d.Delete != nil {
		add(http.MethodDelete, one, apidoc.Operation{
			ID: "delete" + name, Title: "Delete a " + noun, Doc: "Removes it.", Params: []string{"IfMatch"},
			Answers: docs.results(d, d.DeleteResults.Or(resource.ToNothing), true),
		})
	}
	for _, x := range d.Actions {
		op := add(http.MethodPost, one+"/actions/"+x.Path, apidoc.Operation{
			ID: "run" + name + apidoc.TypeName(x.Rel), Title: x.Title + " a " + noun, Doc: x.Doc + " It is possible when the item links cb:" + x.Rel + ".",
			Params: []string{"IdempotencyKey", "IfMatch"}, Body: actionBody(x), Answers: docs.results(d, x.Results, false),
		})
		mayDryRun(op, x.DryRun)
	}
	if d.Offers != nil {
		known.Add(http.MethodPost, one+"/actions/:n", apidoc.Operation{
			ID: "run" + name + "Offer", Tag: d.Plural, Title: "Run an action of the site on a " + noun,
			Doc:    "Runs an action that administrators have defined. The item links those that the caller may run now, and its form says what they ask.",
			Places: map[string]string{"id": apidoc.IDDoc, "n": "The number of the action."}, Params: []string{"IdempotencyKey", "IfMatch"},
			Body: apidoc.JSONBody(d.OfferBody), Answers: docs.results(d, docs.works(), false),
		})
	}
	for _, s := range d.Subs {
		add(http.MethodGet, one+"/"+s.Path, apidoc.Operation{
			ID: "list" + apidoc.TypeName(s.Path) + "Of" + name, Title: "List " + strings.ReplaceAll(s.Path, "-", " ") + " of a " + noun, Doc: s.Doc, Params: apidoc.ListParams(s.Target()),
			Answers: []apidoc.Answer{apidoc.OK("A page of the list.", apidoc.Tagged, apidoc.PageDocument(s.Target()))},
		})
	}
	docs.describeBundle(add, d, all, one)
	docs.describeBulk(add, d, all)
}

func actionBody(x *resource.ActionDef) []apidoc.Media {
	if x.Body == nil {
		return apidoc.NoBody()
	}
	return apidoc.JSONBody(apidoc.Lenient(x.Body))
}

// mayDryRun adds the answer to a dry run to the operation.
func mayDryRun(op *apidoc.Operation, dry *resource.DryRun) {
	if dry == nil {
		return
	}
	op.Params = append(op.Params, "DryRun")
	op.Answers = merged(append(op.Answers, apidoc.OK("With dry-run=1: what it would lead to. Nothing was done.", nil, apidoc.OtherDocument(dry.Schema))))
}

// works are the results of an action that may lead to any work.
func (docs *docServer) works() resource.Results {
	var list resource.Results
	for _, d := range docs.server.reg.Defs() {
		if d.Started != nil {
			list = append(list, resource.ToWork(d.Plural))
		}
	}
	return list
}

// results returns the answers of an operation on a row. A removal answers its job; other
// operations answer the job that follows, if there is one.
func (docs *docServer) results(d *resource.Def, r resource.Results, removal bool) []apidoc.Answer {
	var list []apidoc.Answer
	if r.Row() {
		list = append(list, apidoc.OK("The "+words(d.Name)+" as it is now.", apidoc.Located, apidoc.ItemDocument(d)))
	}
	var works []string
	for _, plural := range r.Works() {
		if into := docs.server.reg.Def(plural).Started.Into; into != "" && !removal {
			works = append(works, into)
		}
		works = append(works, plural)
	}
	slices.Sort(works)
	for _, plural := range slices.Compact(works) {
		of := docs.server.reg.Def(plural)
		name := schema.Ref(startedSchema(of.Name))
		list = append(list, apidoc.Answer{Status: http.StatusAccepted, Doc: of.Started.Doc, Headers: apidoc.Located, Content: []apidoc.Media{
			{Type: apidoc.TypeHAL, Schema: name}, {Type: apidoc.TypeForms, Schema: name},
		}})
	}
	if works != nil {
		list = append(list, apidoc.Answer{
			Status: http.StatusOK, Doc: "Work has begun: where to watch it.",
			Content: []apidoc.Media{{Type: apidoc.TypeJSON, Schema: schema.Ref(runActionSchema)}},
		})
	}
	for _, x := range r.Others() {
		of := docs.server.reg.Def(x.Of)
		list = append(list, apidoc.Answer{Status: madeStatus(x.Made), Doc: "The " + words(of.Name) + ".", Headers: apidoc.Located, Content: apidoc.ItemDocument(of)})
	}
	if r.Nothing() {
		list = append(list, apidoc.Answer{Status: http.StatusNoContent, Doc: "It is gone."})
	}
	return merged(list)
}

// words returns the name of a resource in words.
func words(name string) string { return strings.ReplaceAll(name, "-", " ") }

// startedSchema names the schema of work, of one row or several by the name or the
// plural of its resource.
func startedSchema(name string) string { return "Started" + apidoc.TypeName(name) }

// runActionSchema names the schema of work in the CloudBolt shape.
const runActionSchema = "RunActionJob"

// merged joins answers of the same status.
func merged(list []apidoc.Answer) []apidoc.Answer {
	var out []apidoc.Answer
	for _, a := range list {
		i := slices.IndexFunc(out, func(b apidoc.Answer) bool { return a.Status == b.Status })
		if i < 0 {
			out = append(out, a)
			continue
		}
		b := &out[i]
		b.Doc += " " + a.Doc
		for _, h := range a.Headers {
			if !slices.Contains(b.Headers, h) {
				b.Headers = append(slices.Clone(b.Headers), h)
			}
		}
		b.Content = mergedMedia(b.Content, a.Content)
	}
	return out
}

func mergedMedia(list, more []apidoc.Media) []apidoc.Media {
	out := slices.Clone(list)
	for _, m := range more {
		i := slices.IndexFunc(out, func(x apidoc.Media) bool { return x.Type == m.Type })
		if i < 0 {
			out = append(out, m)
			continue
		}
		choices, several := out[i].Schema.Get("anyOf").([]schema.Object)
		if !several {
			choices = []schema.Object{out[i].Schema}
		}
		if !slices.ContainsFunc(choices, func(o schema.Object) bool { return o.Get("$ref") == m.Schema.Get("$ref") }) {
			choices = append(slices.Clone(choices), m.Schema)
		}
		out[i].Schema = schema.Either(choices...)
	}
	return out
}

func (docs *docServer) describeBundle(add func(method, path string, op apidoc.Operation) *apidoc.Operation, d *resource.Def, all, one string) {
	if d.Export == nil {
		return
	}
	name, noun := apidoc.TypeName(d.Name), strings.ReplaceAll(d.Name, "-", " ")
	add(http.MethodGet, one+"/export", apidoc.Operation{
		ID: "export" + name, Title: "Export a " + noun, Doc: bundleDocs["export"],
		Answers: []apidoc.Answer{{Status: http.StatusOK, Doc: "The zip.", Headers: []string{"Content-Disposition"}, Content: []apidoc.Media{{Type: apidoc.TypeZip, Schema: apidoc.Binary()}}}},
	})
	add(http.MethodPost, all+"/"+importPath, apidoc.Operation{
		ID: "import" + name, Title: "Import a " + noun, Doc: bundleDocs[importPath], Params: []string{"ReplaceExisting", "IdempotencyKey"}, Must: true,
		Body: []apidoc.Media{
			{Type: apidoc.TypeMultipart, Schema: schema.Struct(schema.M("file", apidoc.Binary()))}, {Type: apidoc.TypeZip, Schema: apidoc.Binary()},
		},
		Answers: []apidoc.Answer{
			apidoc.OK("The row of its name was replaced.", apidoc.Located, apidoc.ItemDocument(d)),
			{Status: http.StatusCreated, Doc: "It was made.", Headers: apidoc.Located, Content: apidoc.ItemDocument(d)},
		},
	})
}

func (docs *docServer) describeBulk(add func(method, path string, op apidoc.Operation) *apidoc.Operation, d *resource.Def, all string) {
	name, noun := apidoc.TypeName(d.Plural), strings.ToLower(d.Noun)
	whole := map[string]resource.BatchAction{}
	for _, b := range d.Batch {
		whole[b.Rel] = b
	}
	started := func(b resource.BatchAction) apidoc.Answer {
		of := docs.server.reg.Def(b.Starts)
		either := schema.Either(schema.Ref(startedSchema(of.Name)), schema.Ref(startedSchema(of.Plural)))
		return apidoc.Answer{Status: http.StatusAccepted, Doc: "Work has begun: the " + words(of.Plural) + " to watch.", Headers: apidoc.Located, Content: []apidoc.Media{
			{Type: apidoc.TypeHAL, Schema: either}, {Type: apidoc.TypeForms, Schema: either},
		}}
	}
	for _, x := range d.BulkActions() {
		op := add(http.MethodPost, all+"/actions/"+x.Path, apidoc.Operation{
			ID: "run" + name + apidoc.TypeName(x.Rel), Title: x.Title + " several " + noun,
			Doc:    x.Doc + " For each of up to 100 rows by itself; the answer says what came of each.",
			Params: []string{"IdempotencyKey", "IfMatch"}, Body: apidoc.JSONBody(bulkBody(x)), Must: true,
			Answers: []apidoc.Answer{apidoc.OK("What came of each row.", nil, apidoc.OtherDocument("BulkResults"))},
		})
		if b, too := whole[x.Path]; too {
			op.Doc += " Without items: " + b.Doc
			op.Must = false
			op.Answers = append(op.Answers, started(b))
		}
		delete(whole, x.Path)
	}
	for _, b := range whole {
		add(http.MethodPost, all+"/actions/"+b.Rel, apidoc.Operation{
			ID: "run" + name + apidoc.TypeName(b.Rel), Title: b.Title, Doc: b.Doc, Params: []string{"IdempotencyKey", "IfMatch"}, Body: apidoc.NoBody(),
			Answers: []apidoc.Answer{apidoc.OK("In the CloudBolt shape, where to watch the work.", nil, []apidoc.Media{{Type: apidoc.TypeJSON, Schema: schema.Ref(runActionSchema)}}), started(b)},
		})
	}
}

// bulkBody returns the schema of a bulk body: the rows with the action's own members, or
// the bare list.
func bulkBody(x *resource.ActionDef) schema.Object {
	members := schema.Of("items", apidoc.References())
	if own, has := x.Body.Get("properties").(schema.Object); has {
		members = append(members, own...)
	}
	all := schema.Of("type", "object", "properties", members, "additionalProperties", false)
	if open := x.Body.Get("additionalProperties"); open != nil {
		all = all.With("additionalProperties", open)
	}
	return schema.Either(apidoc.Lenient(all), schema.Array(schema.Ref("Ref")))
}

// describeDocs adds the descriptions of the documentation's own routes.
func (docs *docServer) describeDocs(known apidoc.Operations) {
	base := docs.server.base
	known.AddGet(base+"/docs", "readDocs", tagDocs, "Read the documentation", "Where the explanations are.", apidoc.OtherDocument("Docs"))
	known.AddGet(base+"/docs/rels", "listRels", tagDocs, "List link relations", "The relations that are not registered with IANA.", apidoc.OtherDocument("Docs"))
	known.AddGet(base+"/docs/problems", "listProblems", tagDocs, "List problem types", "The types of problem documents.", apidoc.OtherDocument("Docs"))
	known.AddGet(base+"/docs/schemas", "listSchemas", tagDocs, "List schemas", "The JSON Schemas of all documents.", apidoc.OtherDocument("Docs"))
	known.AddGet(base+"/docs/guide", "listGuide", tagDocs, "List the chapters of the guide", "How to use the API, chapter by chapter.", apidoc.OtherDocument("Docs"))
	known.AddGet(base+"/docs/guide/:chapter", "readGuide", tagDocs, "Read a chapter of the guide", "A page for people, and Markdown in its member text for others.", apidoc.OtherDocument("Explanation")).Places = map[string]string{"chapter": "Its name."}
	known.AddGet(base+"/docs/resources", "listResourceDocs", tagDocs, "List documented resources", "Every resource: fields, relations, actions.", apidoc.OtherDocument("Docs"))
	known.AddGet(base+"/docs/rels/:rel", "readRel", tagDocs, "Read about a relation", "What a link relation means, and where it is found.", apidoc.OtherDocument("Explanation")).Places = map[string]string{"rel": "Its name without cb:."}
	known.AddGet(base+"/docs/problems/:problem", "readProblem", tagDocs, "Read about a problem", "What a type of problem means, and what helps.", apidoc.OtherDocument("Explanation")).Places = map[string]string{"problem": "Its name."}
	known.AddGet(base+"/docs/resources/:plural", "readResourceDoc", tagDocs, "Read about a resource", "Its fields, what they can be filtered by, its relations and actions.", apidoc.OtherDocument("ResourceDoc")).Places = map[string]string{"plural": "The name of its collection."}
	known.AddGet(docs.paths.schemas+":schema", "readSchema", tagDocs, "Read a schema", "The JSON Schema (2020-12) of a document in strict HAL.", []apidoc.Media{{Type: typeSchema, Schema: schema.Of("type", "object")}}).Places = map[string]string{"schema": "The name of the resource, or of its collection."}
	known.AddGet(docs.paths.openAPI, "readOpenAPI", tagDocs, "Read this description", "This description as JSON.", []apidoc.Media{{Type: apidoc.TypeOpenAPI, Schema: schema.Of("type", "object")}})
	known.AddGet(docs.paths.openAPIYAML, "readOpenAPIAsYAML", tagDocs, "Read this description as YAML", "This description as YAML.", []apidoc.Media{{Type: typeYAML, Schema: schema.String()}})
}

// schemas returns the schemas of documents without a declaration.
func (docs *docServer) schemas() schema.Object {
	link, text := schema.Ref("Link"), schema.String()
	run := schema.Struct(schema.M("self", link))
	list := schema.Of(
		"Nothing", schema.Nullable(schema.Struct()).Doc("Nothing is asked: an empty body, or {}."),
		runActionSchema, schema.Struct(schema.M(memberRunJob, run)).Doc("Where to watch the work that was started."),
		"BulkResults", schema.Struct(
			apidoc.Links(docs.bulkLinks()...),
			schema.M("total", schema.Integer()), schema.M("succeeded", schema.Integer()), schema.M("failed", schema.Integer()),
			schema.M("results", schema.Array(schema.Of("type", "object", "properties", schema.Of(
				"href", text, "title", text, "status", schema.Integer(), "error", text, "type", text, "errors", apidoc.FieldErrors()),
				"required", []string{"href", "status"}, "additionalProperties", link).Doc("What came of one row: its status, what went wrong, or links to what was made."))),
		),
		"Docs", schema.Struct(apidoc.Links(schema.M("up?", link), schema.M("collection?", link), schema.M("item", schema.Array(link)), schema.M("service-desc?", link)),
			schema.M("total?", schema.Integer())),
		"Explanation", schema.Struct(apidoc.Links(schema.M("collection", link)), schema.M("name", text), schema.M("doc?", text), schema.M("on?", schema.Map(text)), schema.M("title?", text), schema.M("text?", text), schema.M("status?", schema.Integer())),
		"ResourceDoc", resourceDocSchema(),
	)
	for _, d := range docs.server.reg.Defs() {
		if d.Started != nil {
			list = append(list, schema.Member{Name: startedSchema(d.Name), Value: apidoc.Item(d, schema.M(memberRunJob, run))})
		}
		for _, b := range d.Batch {
			name := startedSchema(b.Starts)
			if list.Get(name) == nil {
				list = append(list, schema.Member{Name: name, Value: schema.Struct(apidoc.Links(schema.M(b.Starts, schema.Array(link))),
					schema.M(memberRunJob, run), schema.M(memberRunJobs, schema.Array(run)))})
			}
		}
	}
	return list
}

// bulkLinks are the links of the answer to a bulk action: to all work, and to all
// other rows, that such actions can lead to.
func (docs *docServer) bulkLinks() []schema.Member {
	var plurals []string
	for _, d := range docs.server.reg.Defs() {
		for _, x := range d.BulkActions() {
			plurals = append(plurals, x.Results.Works()...)
			for _, other := range x.Results.Others() {
				plurals = append(plurals, other.Of)
			}
		}
	}
	slices.Sort(plurals)
	links := []schema.Member{schema.M("collection?", schema.Ref("Link"))}
	for _, plural := range slices.Compact(plurals) {
		links = append(links, schema.M(plural+"?", schema.Array(schema.Ref("Link"))))
	}
	return links
}
