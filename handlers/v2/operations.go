package v2

import (
	"net/http"
	"slices"
	"strings"

	"halcyon/models"
	"halcyon/pkg/apidoc"
	"halcyon/pkg/resource"
	"halcyon/pkg/schema"
	"halcyon/pkg/web"
)

// This file says what each route does, for the documentation. What declared
// resources do follows from their declarations; a route that nobody has described
// gets what its line in the table says, and a test complains of it.

const (
	typeHAL       = "application/hal+json"
	typeForms     = "application/prs.hal-forms+json"
	typeJSON      = "application/json"
	typePatch     = "application/merge-patch+json"
	typeForm      = "application/x-www-form-urlencoded"
	typeMultipart = "multipart/form-data"
	typeText      = "text/plain"
	typeHTML      = "text/html"
)

// Tags of operations that belong to no resource.
const (
	tagSession = "session"
	tagDocs    = "docs"
)

// described collects the operations by their routes.
type described map[string]*apidoc.Operation

func (m described) add(method, path string, op apidoc.Operation) *apidoc.Operation {
	op.Method, op.Path = method, path
	m[method+" "+path] = &op
	return &op
}

// operations gives what each route of the table does, in its order.
func (f *Face) operations() []apidoc.Operation {
	known := described{}
	for _, d := range f.reg.Defs() {
		f.describe(known, d)
	}
	f.describeOthers(known)
	var list []apidoc.Operation
	for _, r := range f.Routes() {
		op := known[r.Method+" "+r.Path]
		if op == nil {
			op = undescribed(&r)
		}
		op.Doc = strings.TrimSpace(op.Doc)
		if r.Doc != "" && !slices.ContainsFunc(f.reg.Defs(), func(d *resource.Def) bool { return isDoc(d, r.Doc) }) {
			op.Doc += " Who may: " + strings.TrimSuffix(r.Doc, ".") + "."
		}
		op.Public = op.Public || isPublic(r.Path)
		op.Answers = append(op.Answers, refusals(op)...)
		pages(op)
		list = append(list, *op)
	}
	return list
}

// pages adds the page that browsers get where others get a document.
func pages(op *apidoc.Operation) {
	for i, a := range op.Answers {
		if a.Status == http.StatusOK && slices.ContainsFunc(a.Content, func(m apidoc.Media) bool { return m.Type == typeHAL }) {
			op.Answers[i].Content = append(slices.Clone(a.Content), apidoc.Media{Type: typeHTML, Schema: schema.String()})
		}
	}
}

// isDoc reports whether the line of a route's table is what the action does, and not
// who may.
func isDoc(d *resource.Def, doc string) bool {
	return slices.ContainsFunc(d.BulkActions(), func(x *resource.ActionDef) bool { return strings.HasSuffix(doc, x.Doc) }) ||
		slices.ContainsFunc(d.Batch, func(b resource.BatchAction) bool { return b.Doc == doc })
}

func undescribed(r *web.Route) *apidoc.Operation {
	id := strings.ToLower(r.Method) + apidoc.TypeName(strings.NewReplacer("/", "-", ":", "-", ".", "-").Replace(strings.TrimPrefix(r.Path, Base)))
	return &apidoc.Operation{
		Method: r.Method, Path: r.Path, ID: id, Tag: tagDocs, Title: r.Method + " " + r.Path,
		Places:  map[string]string{},
		Answers: []apidoc.Answer{{Status: http.StatusOK, Doc: "Done."}},
	}
}

// refusals are the problems that an operation may answer.
func refusals(op *apidoc.Operation) []apidoc.Answer {
	codes := []int{http.StatusBadRequest, http.StatusInternalServerError, http.StatusServiceUnavailable}
	if !op.Public || op.Tag == tagSession {
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

// problemNames are the types of problems that these answers hold, and otherStatus what
// the other types have.
var (
	problemNames = map[string]string{
		"Invalid": "invalid", "Unauthenticated": "unauthenticated", "Forbidden": "forbidden", "NotFound": "not-found", "Conflict": "conflict",
		"Precondition": "precondition", "TooLarge": "too-large", "UnsupportedMediaType": "unsupported-media-type",
		"IdempotencyKeyReused": "idempotency-key-reused", "Limited": "limited", "Internal": "internal", "Unavailable": "unavailable",
	}
	otherStatus = map[string]int{"method-not-allowed": http.StatusMethodNotAllowed, "idempotency-key-in-use": http.StatusConflict}
)

// documentOf is a body in all representations: strict HAL, with and without forms, and
// the CloudBolt shape.
func documentOf(strict, cloudBolt string) []apidoc.Media {
	return []apidoc.Media{
		{Type: typeHAL, Schema: schema.Ref(strict)}, {Type: typeForms, Schema: schema.Ref(strict)}, {Type: typeJSON, Schema: schema.Ref(cloudBolt)},
	}
}

// itemOf is the document of a row.
func itemOf(d *resource.Def) []apidoc.Media {
	name := apidoc.TypeName(d.Name)
	return documentOf(name, name+apidoc.CloudBolt)
}

func pageOf(d *resource.Def) []apidoc.Media {
	name := apidoc.TypeName(d.Name)
	return documentOf(name+apidoc.Page, name+apidoc.Page+apidoc.CloudBolt)
}

// handMade is a document that no declaration makes.
func handMade(name string) []apidoc.Media { return documentOf(name, "Document"+apidoc.CloudBolt) }

// jsonBody is a body in the types that are read.
func jsonBody(o schema.Object) []apidoc.Media {
	return []apidoc.Media{{Type: typeJSON, Schema: o}, {Type: typeForm, Schema: o}}
}

func patchBody(o schema.Object) []apidoc.Media {
	return []apidoc.Media{{Type: typePatch, Schema: o}, {Type: typeJSON, Schema: o}}
}

// noBody is what operations read that are told nothing: nothing, or {}.
func noBody() []apidoc.Media {
	return []apidoc.Media{{Type: typeJSON, Schema: schema.Ref("Nothing")}}
}

var (
	etag    = []string{"ETag"}
	tagged  = []string{"ETag", "Last-Modified"}
	located = []string{"Location"}
)

// ok is a 200 with a document.
func ok(doc string, headers []string, body []apidoc.Media) apidoc.Answer {
	return apidoc.Answer{Status: http.StatusOK, Doc: doc, Headers: headers, Content: body}
}

func listParams(d *resource.Def) []string {
	name := apidoc.TypeName(d.Plural)
	list := []string{name + "Filter", name + "Attributes", name + "Order", "Page", "PageSize", "After", "Before"}
	if embeds(d) {
		list = append(list, name+"Embed")
	}
	return append(list, "IfNoneMatch")
}

func itemParams(d *resource.Def) []string {
	list := []string{apidoc.TypeName(d.Plural) + "Attributes"}
	if embeds(d) {
		list = append(list, apidoc.TypeName(d.Plural)+"Embed")
	}
	return append(list, "IfNoneMatch")
}

func embeds(d *resource.Def) bool {
	return slices.ContainsFunc(d.Relations, func(r *resource.RelationDef) bool { return r.Target() != nil && r.Linked() })
}

const idDoc = "Its number, global id, or uuid."

// describe says what the routes of a declaration do.
func (f *Face) describe(known described, d *resource.Def) {
	all := strings.TrimSuffix(d.Path(), "/")
	one := all + "/:id"
	noun, name, names := strings.ReplaceAll(d.Name, "-", " "), apidoc.TypeName(d.Name), apidoc.TypeName(d.Plural)
	places := map[string]string{"id": idDoc}
	add := func(method, path string, op apidoc.Operation) *apidoc.Operation {
		op.Tag, op.Places = d.Plural, places
		return known.add(method, path, op)
	}
	add(http.MethodGet, all, apidoc.Operation{
		ID: "list" + names, Title: "List " + strings.ToLower(d.Noun), Doc: d.Doc + " Those that the caller sees.", Params: listParams(d),
		Answers: []apidoc.Answer{ok("A page of the list.", etag, pageOf(d))},
	})
	add(http.MethodGet, one, apidoc.Operation{
		ID: "read" + name, Title: "Read one " + noun, Doc: d.Doc, Params: itemParams(d),
		Answers: []apidoc.Answer{ok("The "+noun+", with links to what the caller may do with it now.", tagged, itemOf(d))},
	})
	if d.Create != nil {
		op := add(http.MethodPost, all, apidoc.Operation{
			ID: "create" + name, Title: "Create a " + noun, Doc: "Makes one. The form of the collection says what it asks.", Params: []string{"IdempotencyKey", "IfMatch"},
			Body: jsonBody(schema.Ref(name + apidoc.Body)), Must: d.Plural != "orders",
			Answers: []apidoc.Answer{{Status: http.StatusCreated, Doc: "It was made.", Headers: located, Content: itemOf(d)}},
		})
		f.mayDryRun(op, d, "")
		if d.Once { // a redirect could not show it
			op.Answers[0].Content = append(op.Answers[0].Content, apidoc.Media{Type: typeHTML, Schema: schema.String()})
		}
	}
	changed := []apidoc.Answer{ok("The "+noun+" as it is now.", tagged, itemOf(d))}
	if d.Update != nil {
		add(http.MethodPatch, one, apidoc.Operation{
			ID: "change" + name, Title: "Change a " + noun, Doc: "Changes the members that the body has.", Params: []string{"IfMatch"},
			Body: patchBody(schema.Ref(name + apidoc.Patch)), Answers: changed,
		})
	}
	if d.Replace != nil {
		add(http.MethodPut, one, apidoc.Operation{
			ID: "replace" + name, Title: "Replace a " + noun, Doc: "Makes it what the body says.", Params: []string{"IfMatch"},
			Body: jsonBody(schema.Ref(name + apidoc.Replacement)), Answers: changed,
		})
	}
	if d.Delete != nil {
		add(http.MethodDelete, one, apidoc.Operation{
			ID: "delete" + name, Title: "Delete a " + noun, Doc: "Removes it.", Params: []string{"IfMatch"},
			Answers: f.results(d, orNothing(d.DeleteResults), true),
		})
	}
	for _, x := range d.Actions {
		op := add(http.MethodPost, one+"/actions/"+x.Path, apidoc.Operation{
			ID: "run" + name + apidoc.TypeName(x.Rel), Title: x.Title + " a " + noun, Doc: x.Doc + " It is possible when the item links cb:" + x.Rel + ".",
			Params: []string{"IdempotencyKey", "IfMatch"}, Body: actionBody(x), Answers: f.results(d, x.Results, false),
		})
		f.mayDryRun(op, d, x.Path)
	}
	if d.Offers != nil {
		known.add(http.MethodPost, one+"/actions/:n", apidoc.Operation{
			ID: "run" + name + "Offer", Tag: d.Plural, Title: "Run an action of the site on a " + noun,
			Doc:    "Runs an action that administrators have defined. The item links those that the caller may run now, and its form says what they ask.",
			Places: map[string]string{"id": idDoc, "n": "The number of the action."}, Params: []string{"IdempotencyKey", "IfMatch"},
			Body: jsonBody(runBody()), Answers: f.results(d, resource.ToJob|resource.ToOrder, false),
		})
	}
	for _, s := range d.Subs {
		add(http.MethodGet, one+"/"+s.Path, apidoc.Operation{
			ID: "list" + apidoc.TypeName(s.Path) + "Of" + name, Title: "List " + strings.ReplaceAll(s.Path, "-", " ") + " of a " + noun, Doc: s.Doc, Params: listParams(s.Target()),
			Answers: []apidoc.Answer{ok("A page of the list.", etag, pageOf(s.Target()))},
		})
	}
	f.describeBundle(add, d, all, one)
	f.describeBulk(add, d, all)
}

func orNothing(r resource.Results) resource.Results {
	if r == 0 {
		return resource.ToNothing
	}
	return r
}

func actionBody(x *resource.ActionDef) []apidoc.Media {
	if x.Body == nil {
		return noBody()
	}
	return jsonBody(apidoc.Lenient(x.Body))
}

// mayDryRun adds what the operation answers to who only wants to know.
func (f *Face) mayDryRun(op *apidoc.Operation, d *resource.Def, action string) {
	if f.dry(d, action) == nil {
		return
	}
	op.Params = append(op.Params, "DryRun")
	op.Answers = merged(append(op.Answers, ok("With dry-run=1: what it would lead to. Nothing was done.", nil, handMade("Forecast"))))
}

// results are what an action on a row answers.
func (f *Face) results(d *resource.Def, r resource.Results, removal bool) []apidoc.Answer {
	var list []apidoc.Answer
	strict := func(status int, doc string, headers []string, name string) {
		list = append(list, apidoc.Answer{Status: status, Doc: doc, Headers: headers, Content: []apidoc.Media{
			{Type: typeHAL, Schema: schema.Ref(name)}, {Type: typeForms, Schema: schema.Ref(name)},
		}})
	}
	loose := func(status int, doc, name string) {
		list = append(list, apidoc.Answer{Status: status, Doc: doc, Content: []apidoc.Media{{Type: typeJSON, Schema: schema.Ref(name)}}})
	}
	other := func(plural string, made bool) {
		of := f.reg.Def(plural)
		list = append(list, apidoc.Answer{Status: madeStatus(made), Doc: "The " + strings.ReplaceAll(of.Name, "-", " ") + ".", Headers: located, Content: itemOf(of)})
	}
	if r.Has(resource.ToRow) {
		list = append(list, ok("The "+strings.ReplaceAll(d.Name, "-", " ")+" as it is now.", located, itemOf(d)))
	}
	if r.Has(resource.ToJob) || r.Has(resource.ToOrder) && !removal {
		strict(http.StatusAccepted, "Work has begun: the job to watch.", located, "StartedJob")
	}
	if r.Has(resource.ToOrder) {
		strict(http.StatusAccepted, "An order was submitted, which somebody has to approve: the order to watch.", located, "StartedOrder")
	}
	if r.Has(resource.ToJob) || r.Has(resource.ToOrder) {
		loose(http.StatusOK, "Work has begun: where to watch it.", "RunActionJob")
	}
	if r.Has(resource.ToNewOrder) {
		other("orders", true)
	}
	if r.Has(resource.ToDelivery) {
		other("webhook-deliveries", true)
	}
	if r.Has(resource.ToBuild) {
		other("os-builds", true)
		other("os-builds", false)
	}
	if r.Has(resource.ToNothing) {
		list = append(list, apidoc.Answer{Status: http.StatusNoContent, Doc: "It is gone."})
	}
	return merged(list)
}

// merged makes one answer of those with one status.
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

func (f *Face) describeBundle(add func(method, path string, op apidoc.Operation) *apidoc.Operation, d *resource.Def, all, one string) {
	if d.Export == nil {
		return
	}
	name, noun := apidoc.TypeName(d.Name), strings.ReplaceAll(d.Name, "-", " ")
	add(http.MethodGet, one+"/export", apidoc.Operation{
		ID: "export" + name, Title: "Export a " + noun, Doc: bundleDocs["export"],
		Answers: []apidoc.Answer{{Status: http.StatusOK, Doc: "The zip.", Headers: []string{"Content-Disposition"}, Content: []apidoc.Media{{Type: typeZip, Schema: binary()}}}},
	})
	add(http.MethodPost, all+"/"+importPath, apidoc.Operation{
		ID: "import" + name, Title: "Import a " + noun, Doc: bundleDocs[importPath], Params: []string{"ReplaceExisting", "IdempotencyKey"}, Must: true,
		Body: []apidoc.Media{
			{Type: typeMultipart, Schema: schema.Struct(schema.M("file", binary()))}, {Type: typeZip, Schema: binary()},
		},
		Answers: []apidoc.Answer{
			ok("The row of its name was replaced.", located, itemOf(d)),
			{Status: http.StatusCreated, Doc: "It was made.", Headers: located, Content: itemOf(d)},
		},
	})
}

func binary() schema.Object { return schema.Of("type", "string", "format", "binary") }

func (f *Face) describeBulk(add func(method, path string, op apidoc.Operation) *apidoc.Operation, d *resource.Def, all string) {
	name, noun := apidoc.TypeName(d.Plural), strings.ToLower(d.Noun)
	whole := map[string]resource.BatchAction{}
	for _, b := range d.Batch {
		whole[b.Rel] = b
	}
	started := apidoc.Answer{Status: http.StatusAccepted, Doc: "Work has begun: the jobs to watch.", Headers: located, Content: []apidoc.Media{
		{Type: typeHAL, Schema: schema.Either(schema.Ref("StartedJob"), schema.Ref("StartedJobs"))},
		{Type: typeForms, Schema: schema.Either(schema.Ref("StartedJob"), schema.Ref("StartedJobs"))},
	}}
	for _, x := range d.BulkActions() {
		op := add(http.MethodPost, all+"/actions/"+x.Path, apidoc.Operation{
			ID: "run" + name + apidoc.TypeName(x.Rel), Title: x.Title + " several " + noun,
			Doc:    x.Doc + " For each of up to 100 rows by itself; the answer says what came of each.",
			Params: []string{"IdempotencyKey", "IfMatch"}, Body: jsonBody(bulkBody(x)), Must: true,
			Answers: []apidoc.Answer{ok("What came of each row.", nil, handMade("BulkResults"))},
		})
		if b, too := whole[x.Path]; too {
			op.Doc += " Without items: " + b.Doc
			op.Must = false
			op.Answers = append(op.Answers, started)
		}
		delete(whole, x.Path)
	}
	for _, b := range whole {
		add(http.MethodPost, all+"/actions/"+b.Rel, apidoc.Operation{
			ID: "run" + name + apidoc.TypeName(b.Rel), Title: b.Title, Doc: b.Doc, Params: []string{"IdempotencyKey", "IfMatch"}, Body: noBody(),
			Answers: []apidoc.Answer{ok("In the CloudBolt shape, where to watch the work.", nil, []apidoc.Media{{Type: typeJSON, Schema: schema.Ref("RunActionJob")}}), started},
		})
	}
}

// bulkBody is the rows and what the action's own body has, or the bare list.
func bulkBody(x *resource.ActionDef) schema.Object {
	members := schema.Of("items", refsJSON())
	if own, has := x.Body.Get("properties").(schema.Object); has {
		members = append(members, own...)
	}
	all := schema.Of("type", "object", "properties", members, "additionalProperties", false)
	if open := x.Body.Get("additionalProperties"); open != nil {
		all = all.With("additionalProperties", open)
	}
	return schema.Either(apidoc.Lenient(all), schema.Array(refJSON()))
}

// describeOthers says what the routes do that no declaration makes.
func (f *Face) describeOthers(known described) {
	get := func(path, id, tag, title, doc string, content []apidoc.Media, params ...string) *apidoc.Operation {
		return known.add(http.MethodGet, path, apidoc.Operation{
			ID: id, Tag: tag, Title: title, Doc: doc, Params: append(params, "IfNoneMatch"), Places: map[string]string{"id": idDoc},
			Answers: []apidoc.Answer{ok("The document.", etag, content)},
		})
	}
	rootDoc := "The one URL that a client has to know: it links everything that the caller may use."
	for i, path := range []string{Base, "/api", "/"} {
		get(path, "readRoot"+[]string{"", "OfAPI", "OfHost"}[i], tagSession, "Read the root", rootDoc, handMade("Root"))
	}
	get(Base+"/user", "readCaller", tagSession, "Read the caller", "The user who is signed in.", itemOf(f.reg.Def("users")))
	for path, x := range map[string][3]string{
		Base + "/api-token-auth":    {"signIn", "Get a token", "Gives a token for a username and a password. token is the code of two-factor authentication where it is set up."},
		Base + "/api-token-refresh": {"refreshToken", "Renew a token", "Gives a new token for one that is still good, within seven days of the first."},
		Base + "/api-token-verify":  {"verifyToken", "Verify a token", "Answers the token when it is good."},
	} {
		body := "Credentials"
		if x[0] != "signIn" {
			body = "TokenBody"
		}
		known.add(http.MethodPost, path, apidoc.Operation{
			ID: x[0], Tag: tagSession, Title: x[1], Doc: x[2], Public: true, Must: true, Body: jsonBody(schema.Ref(body)),
			Answers: []apidoc.Answer{ok("The token.", nil, []apidoc.Media{{Type: typeJSON, Schema: schema.Ref("Token")}})},
		})
	}
	known.add(http.MethodPost, Base+"/user/actions/sign-out", apidoc.Operation{
		ID: "signOut", Tag: tagSession, Title: "Sign out", Doc: rootRels["sign-out"], Params: []string{"IdempotencyKey"}, Body: noBody(),
		Answers: []apidoc.Answer{{Status: http.StatusNoContent, Doc: "The session is over."}},
	})
	zip := get(samplesPath, "readSamples", tagDocs, "Download the sample client", rootRels["api-samples"], []apidoc.Media{{Type: typeZip, Schema: binary()}})
	zip.Answers[0].Headers = append(zip.Answers[0].Headers, "Content-Disposition")
	f.describeSignIn(known)
	f.describeDocs(get)
	f.describeCarts(known)
	describeEvents(known)
	get(Base+"/blueprints/:id/sample-order", "readSampleOrder", "blueprints", "Read a sample order", "The body of an order of the blueprint, ready to be sent.", handMade("SampleOrder"))
	get(Base+"/jobs/:id/log-download-txt", "readLog", "jobs", "Read a log", "The whole log of the job as text.", []apidoc.Media{{Type: typeText, Schema: schema.String()}}).Answers[0].Headers = nil
	get(Base+"/jobs/:id/log-download", "readLogZip", "jobs", "Download a log", "The whole log of the job as a zip.", []apidoc.Media{{Type: typeZip, Schema: binary()}}).Answers[0].Headers = []string{"Content-Disposition"}
	get(Base+"/resource-handlers/:id/"+templatesPath, "listTemplates", "resource-handlers", "List templates", "What the back end has to clone from, read now.", handMade("TemplatesOfHandler"))
	resources := f.reg.Def("resources")
	get(Base+"/resources", "listAllResources", "resources", "List resources of all types", resources.Doc, pageOf(resources), slices.DeleteFunc(listParams(resources), func(p string) bool { return p == "IfNoneMatch" })...)
}

func (f *Face) describeDocs(get func(path, id, tag, title, doc string, content []apidoc.Media, params ...string) *apidoc.Operation) {
	get(Base+"/docs", "readDocs", tagDocs, "Read the documentation", "Where the explanations are.", handMade("Docs"))
	get(Base+"/docs/rels", "listRels", tagDocs, "List link relations", "The relations that are not registered with IANA.", handMade("Docs"))
	get(Base+"/docs/problems", "listProblems", tagDocs, "List problem types", "The types of problem documents.", handMade("Docs"))
	get(Base+"/docs/schemas", "listSchemas", tagDocs, "List schemas", "The JSON Schemas of all documents.", handMade("Docs"))
	get(Base+"/docs/guide", "listGuide", tagDocs, "List the chapters of the guide", "How to use the API, chapter by chapter.", handMade("Docs"))
	get(Base+"/docs/guide/:chapter", "readGuide", tagDocs, "Read a chapter of the guide", "A page for people, and Markdown in its member text for others.", handMade("Explanation")).Places = map[string]string{"chapter": "Its name."}
	get(Base+"/docs/resources", "listResourceDocs", tagDocs, "List documented resources", "Every resource: fields, relations, actions.", handMade("Docs"))
	get(Base+"/docs/rels/:rel", "readRel", tagDocs, "Read about a relation", "What a link relation means, and where it is found.", handMade("Explanation")).Places = map[string]string{"rel": "Its name without cb:."}
	get(Base+"/docs/problems/:problem", "readProblem", tagDocs, "Read about a problem", "What a type of problem means, and what helps.", handMade("Explanation")).Places = map[string]string{"problem": "Its name."}
	get(Base+"/docs/resources/:plural", "readResourceDoc", tagDocs, "Read about a resource", "Its fields, what they can be filtered by, its relations and actions.", handMade("ResourceDoc")).Places = map[string]string{"plural": "The name of its collection."}
	get(schemasPath+":schema", "readSchema", tagDocs, "Read a schema", "The JSON Schema (2020-12) of a document in strict HAL.", []apidoc.Media{{Type: typeSchema, Schema: schema.Of("type", "object")}}).Places = map[string]string{"schema": "The name of the resource, or of its collection."}
	get(openAPIPath, "readOpenAPI", tagDocs, "Read this description", "This description as JSON.", []apidoc.Media{{Type: typeOpenAPI, Schema: schema.Of("type", "object")}})
	get(openAPIYAMLPath, "readOpenAPIAsYAML", tagDocs, "Read this description as YAML", "This description as YAML.", []apidoc.Media{{Type: typeYAML, Schema: schema.String()}})
}

// describeEvents adds what the list of events knows besides: it is a stream as well.
func describeEvents(known described) {
	op := known[http.MethodGet+" "+strings.TrimSuffix(eventsPath, "/")]
	op.Params = append(op.Params, "EventResource", "EventAbout", "EventType", "LastEventID", "LastEventIDInQuery")
	op.Answers[0].Content = append(op.Answers[0].Content, apidoc.Media{Type: web.EventStream, Schema: schema.String()})
}

// describeCarts says what can be done with the parts of carts.
func (f *Face) describeCarts(known described) {
	orders := f.reg.Def("orders")
	item := itemOf(orders)
	for _, cart := range []string{Base + "/orders/:id", Base + "/user/current-order"} {
		of, what := "Order", "an order"
		if !strings.Contains(cart, ":id") {
			of, what = "CurrentOrder", "the caller's cart"
		}
		places := map[string]string{"id": idDoc, "n": "The position of the item, from 1."}
		add := func(method, path, id, title, doc string, body []apidoc.Media, answer apidoc.Answer) {
			op := apidoc.Operation{ID: id, Tag: "orders", Title: title, Doc: doc, Places: places, Body: body, Answers: []apidoc.Answer{answer}}
			switch method {
			case http.MethodGet:
				op.Params = []string{"IfNoneMatch"}
			case http.MethodPost:
				op.Params = []string{"IdempotencyKey", "IfMatch"}
			default:
				op.Params = []string{"IfMatch"}
			}
			known.add(method, path, op)
		}
		asItIs := ok("The order as it is now.", tagged, item)
		if of == "CurrentOrder" {
			add(http.MethodGet, cart, "readCurrentOrder", "Read the caller's cart", "It is made on first use.", nil, asItIs)
		}
		add(http.MethodPatch, cart, "change"+of, "Change "+what, "Changes the cart's own members.", patchBody(schema.Ref("Order"+apidoc.Patch)), asItIs)
		add(http.MethodPut, cart, "replace"+of, "Replace "+what, "Makes the cart what the body says.", jsonBody(schema.Ref("Order"+apidoc.Replacement)), asItIs)
		for _, kind := range models.ItemKinds {
			name, words := itemName(kind), string(kind)+" item"
			items := cart + "/" + itemMember(kind)
			body := schema.Ref(name + apidoc.Body)
			add(http.MethodGet, items, "list"+of+name+"s", "List "+words+"s of "+what, "The items of this kind.", nil, ok("The items.", tagged, handMade(name+"s")))
			add(http.MethodPost, items, "add"+of+name, "Add a "+words+" to "+what, "Adds an item to the cart.", jsonBody(body), asItIs)
			add(http.MethodGet, items+"/:n", "read"+of+name, "Read a "+words+" of "+what, "One item.", nil, ok("The item.", tagged, handMade(name)))
			add(http.MethodPatch, items+"/:n", "change"+of+name, "Change a "+words+" of "+what, "Changes the members that the body has.", patchBody(body), asItIs)
			add(http.MethodPut, items+"/:n", "replace"+of+name, "Replace a "+words+" of "+what, "Makes the item what the body says.", jsonBody(body), asItIs)
			add(http.MethodDelete, items+"/:n", "remove"+of+name, "Remove a "+words+" from "+what, "Takes the item out of the cart.", noBody(), asItIs)
		}
	}
}

// handMadeSchemas are those of documents and bodies that no declaration makes.
func (f *Face) handMadeSchemas() schema.Object {
	link, text := linkJSON(), schema.String()
	links := func(members ...schema.Member) schema.Member {
		return schema.M("_links", schema.Struct(append([]schema.Member{schema.M("self", link), schema.M("curies?", schema.Ref("Curies"))}, members...)...))
	}
	templates := schema.M("_templates?", schema.Ref("Templates"))
	runActionJob := schema.Struct(schema.M("self", link))
	jobs, orders := f.reg.Def("jobs"), f.reg.Def("orders")
	list := schema.Of(
		"Nothing", schema.Nullable(schema.Struct()).Doc("Nothing is asked: an empty body, or {}."),
		"StartedJob", apidoc.Item(jobs, schema.M("run-action-job", runActionJob)),
		"StartedOrder", apidoc.Item(orders, schema.M("run-action-job", runActionJob)),
		"StartedJobs", schema.Struct(links(schema.M("jobs", schema.Array(link))),
			schema.M("run-action-job", runActionJob), schema.M("run-action-jobs", schema.Array(runActionJob))),
		"RunActionJob", schema.Struct(schema.M("run-action-job", runActionJob)).Doc("Where to watch the work that was started."),
		"Forecast", f.forecastJSON(),
		"BulkResults", schema.Struct(
			links(schema.M("collection?", link), schema.M("jobs?", schema.Array(link)), schema.M("orders?", schema.Array(link)), schema.M("os-builds?", schema.Array(link)), schema.M("webhook-deliveries?", schema.Array(link))),
			schema.M("total", schema.Integer()), schema.M("succeeded", schema.Integer()), schema.M("failed", schema.Integer()),
			schema.M("results", schema.Array(schema.Of("type", "object", "properties", schema.Of(
				"href", text, "title", text, "status", schema.Integer(), "error", text, "type", text, "errors", problemsJSON()),
				"required", []string{"href", "status"}, "additionalProperties", link).Doc("What came of one row: its status, what went wrong, or links to what was made."))),
		),
		"Root", f.rootJSON(links),
		"Credentials", schema.Struct(append([]schema.Member{schema.M("username", text), schema.M("password", text)}, optional("token", wordJSON(), "domain", wordJSON())...)...),
		"TokenBody", schema.Struct(schema.M("token", text)),
		"Token", schema.Struct(schema.M("token", text), schema.M("expires-in?", schema.Integer().Doc("Seconds.")), schema.M("refresh-token?", text)),
		"Docs", schema.Struct(links(schema.M("up?", link), schema.M("collection?", link), schema.M("item", schema.Array(link)), schema.M("service-desc?", link)),
			schema.M("total?", schema.Integer())),
		"Explanation", schema.Struct(links(schema.M("collection", link)), schema.M("name", text), schema.M("doc?", text), schema.M("on?", schema.Map(text)), schema.M("title?", text), schema.M("text?", text), schema.M("status?", schema.Integer())),
		"ResourceDoc", resourceDocJSON(links),
		"SampleOrder", schema.Struct(links(schema.M("up", link), schema.M("orders", link)), schema.M("body", schema.Struct(
			schema.M("group", hrefJSON("groups")), schema.M("items", itemsJSON()), schema.M("submit-now", text)))),
		"TemplatesOfHandler", schema.Struct(links(schema.M("up", link)), schema.M("total", schema.Integer()), schema.M("templates", schema.Array(schema.Struct(
			schema.M("name", text), schema.M("os-family", text), schema.M("cpu-cnt", schema.Integer()), schema.M("mem-size", resource.MemoryJSON()),
			schema.M("is-imported", schema.Boolean()), schema.M("os-build?", hrefJSON("os-builds")))))),
		"Order"+apidoc.Patch, apidoc.Lenient(schema.Struct(cartMembers()[:3]...)),
		"Order"+apidoc.Replacement, replacedOrder(orders),
	)
	list = append(list, signInSchemas(links)...)
	for _, kind := range models.ItemKinds {
		name := itemName(kind)
		members := append(slices.Clone(itemMembers(kind)), schema.M("rate", resource.RateJSON()), templates)
		list = append(list,
			schema.Member{Name: name, Value: schema.Struct(append([]schema.Member{links(schema.M("up", link))}, members...)...)},
			schema.Member{Name: name + "s", Value: schema.Struct(links(schema.M("up", link)), schema.M("total", schema.Integer()), schema.M("count", schema.Integer()),
				schema.M("_embedded", schema.Struct(schema.M(itemMember(kind), schema.Array(schema.Ref(name))))), templates)},
			schema.Member{Name: name + apidoc.Body, Value: apidoc.Lenient(itemBody(kind))},
		)
	}
	return list
}

// replacedOrder takes an order as it came.
func replacedOrder(d *resource.Def) schema.Object {
	members := cartMembers()
	for _, f := range d.Fields {
		if f.InItem() != resource.Never && f.Name != "name" && f.Name != "items" {
			members = append(members, schema.M(f.Name+"?", schema.Any().Doc("As it is.")))
		}
	}
	for _, name := range []string{"_links", "_embedded", "_templates"} {
		members = append(members, schema.M(name+"?", schema.Of("type", "object")))
	}
	return apidoc.Lenient(schema.Struct(members...))
}

// rootJSON is the root: a link and a flat member for each collection, of which some
// are hidden from some callers.
func (f *Face) rootJSON(links func(...schema.Member) schema.Member) schema.Object {
	rels := []schema.Member{schema.M("service-doc", linkJSON()), schema.M("service-desc", linkJSON())}
	for _, rel := range []string{"cb:user", "cb:current-order", "cb:sign-out?", "cb:events", "cb:api-samples"} {
		name := strings.TrimSuffix(strings.TrimPrefix(rel, "cb:"), "?")
		rels = append(rels, schema.M(rel, linkJSON().Doc(rootRels[name])))
	}
	var flat []schema.Member
	for _, d := range f.reg.Defs() {
		name := d.Plural
		if d.Hidden != nil {
			name += "?"
		}
		rels = append(rels, schema.M(name, linkJSON().Doc(d.Doc)))
		flat = append(flat, schema.M(name, schema.String()))
		for _, b := range d.Batch {
			rels = append(rels, schema.M("cb:"+b.Rel+"?", linkJSON().Doc(b.Doc)))
		}
	}
	return schema.Struct(append([]schema.Member{links(rels...)}, flat...)...)
}

// forecastJSON is an order as a dry run shows it.
func (f *Face) forecastJSON() schema.Object {
	d := f.reg.Def("orders")
	text := schema.String()
	members := []schema.Member{schema.M("_links", schema.Map(schema.Either(linkJSON(), schema.Array(linkJSON()), schema.Ref("Curies"))))}
	for _, x := range d.Fields {
		if x.InItem() != resource.Never {
			members = append(members, schema.M(x.Name+"?", x.JSON().Doc(x.Doc)))
		}
	}
	planned := schema.Struct(schema.M("type", jobTypesJSON()), schema.M("hostname?", text), schema.M("service-name?", text), schema.M("prerequisite", schema.Any()),
		schema.M("jobs?", schema.Array(schema.Of("type", "object"))))
	return schema.Struct(append(members, schema.M(dryRun, schema.Struct(
		schema.M("approvals", schema.Array(schema.Struct(schema.M("policy", schema.Enum("automatic", "approver")), schema.M("reason?", text),
			schema.M("group?", linkJSON()), schema.M("approvers?", schema.Array(linkJSON()))))),
		schema.M("quota", schema.Array(schema.Struct(schema.M("href", text), schema.M("title", text), schema.M("kind", text),
			schema.M("limit", amountJSON()), schema.M("used", amountJSON()), schema.M("after", amountJSON())))),
		schema.M("jobs", schema.Array(planned)),
	)))...).Doc("The order as it would be, and what it would lead to. A new one has no id.")
}
