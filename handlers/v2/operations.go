package v2

import (
	"net/http"
	"slices"
	"strings"

	"halcyon/handlers/halserver"
	"halcyon/handlers/signin"
	"halcyon/models"
	"halcyon/pkg/apidoc"
	"halcyon/pkg/resource"
	"halcyon/pkg/schema"
	"halcyon/pkg/web"
)

// descriptions are the texts of the documentation that do not follow from declarations.
type descriptions struct{ face *Face }

// Tags of operations that belong to no resource.
const (
	tagSession = signin.Tag
	tagDocs    = "docs"
)

const openAPIPath = basePath + "/openapi.json"

// documentation returns the part of the documentation that does not follow from
// declarations.
func (x descriptions) documentation() halserver.Documentation {
	return halserver.Documentation{
		API: apidoc.API{
			Title: "Halcyon", Summary: "A self-service cloud behind one hypermedia API.", Version: "2", Doc: strings.TrimSpace(apiDoc),
			Tags: schema.Of(tagSession, "Signing in and out, and the root."), TagPages: map[string]string{tagSession: basePath + "/docs/"},
			Security: schema.Of(
				"token", schema.Of("type", "http", "scheme", "bearer", "bearerFormat", "JWT", "description", "A token from "+basePath+"/api-token-auth/, or an API token."),
				"password", schema.Of("type", "http", "scheme", "basic", "description", "Username and password."),
				"session", schema.Of("type", "apiKey", "in", "cookie", "name", "halcyon_session", "description", "The session of a browser that has signed in."),
			),
		},
		Guide: guide(x.face.cfg.Address), Rels: rootRels, Problems: ownProblems,
		Routes: x.face.Routes, Public: x.face.isPublic, Operations: x.describeOthers, Schemas: x.handMadeSchemas, Params: eventParameters(),
	}
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

// eventParameters are the parameters of the list of events, by name.
func eventParameters() schema.Object {
	text := schema.String()
	return schema.Of(
		"EventResource", apidoc.Parameter(paramResource, "query", "Collections whose rows the events are about, with commas between them.", text),
		"EventAbout", apidoc.Parameter(paramAbout, "query", "The href or id of what the events are about; an order brings its jobs and servers with it.", text),
		"EventType", apidoc.Parameter(paramType, "query", "Types of events, with commas between them, such as job.*", text),
		"LastEventID", apidoc.Parameter("Last-Event-ID", "header", "The last event that the reader of a stream has seen: the stream goes on behind it.", text),
		"LastEventIDInQuery", apidoc.Parameter("last-event-id", "query", "The same, for readers that cannot send the header.", text),
	)
}

// describeOthers describes the routes without a declaration.
func (x descriptions) describeOthers(known apidoc.Operations) {
	rootDoc := "The one URL that a client has to know: it links everything that the caller may use."
	for i, path := range []string{basePath, "/api", "/"} {
		known.AddGet(path, "readRoot"+[]string{"", "OfAPI", "OfHost"}[i], tagSession, "Read the root", rootDoc, apidoc.OtherDocument("Root"))
	}
	known.AddGet(basePath+"/user", "readCaller", tagSession, "Read the caller", "The user who is signed in.", apidoc.ItemDocument(x.face.reg.Def("users")))
	for path, x := range map[string][3]string{
		basePath + "/api-token-auth":    {"signIn", "Get a token", "Gives a token for a username and a password. token is the code of two-factor authentication where it is set up."},
		basePath + "/api-token-refresh": {"refreshToken", "Renew a token", "Gives a new token for one that is still good, within seven days of the first."},
		basePath + "/api-token-verify":  {"verifyToken", "Verify a token", "Answers the token when it is good."},
	} {
		body := "Credentials"
		if x[0] != "signIn" {
			body = "TokenBody"
		}
		known.Add(http.MethodPost, path, apidoc.Operation{
			ID: x[0], Tag: tagSession, Title: x[1], Doc: x[2], Public: true, SignsIn: true, Must: true, Body: apidoc.JSONBody(schema.Ref(body)),
			Answers: []apidoc.Answer{apidoc.OK("The token.", nil, []apidoc.Media{{Type: apidoc.TypeJSON, Schema: schema.Ref("Token")}})},
		})
	}
	known.Add(http.MethodPost, basePath+"/user/actions/sign-out", apidoc.Operation{
		ID: "signOut", Tag: tagSession, Title: "Sign out", Doc: rootRels["sign-out"], Params: []string{"IdempotencyKey"}, Body: apidoc.NoBody(),
		Answers: []apidoc.Answer{{Status: http.StatusNoContent, Doc: "The session is over."}},
	})
	zip := known.AddGet(samplesPath, "readSamples", tagDocs, "Download the sample client", rootRels["api-samples"], []apidoc.Media{{Type: apidoc.TypeZip, Schema: apidoc.Binary()}})
	zip.Answers[0].Headers = append(zip.Answers[0].Headers, "Content-Disposition")
	x.face.pages.Describe(known, apidoc.ItemDocument(x.face.reg.Def("users")))
	x.describeCarts(known)
	describeEvents(known)
	known.AddGet(basePath+"/blueprints/:id/sample-order", "readSampleOrder", "blueprints", "Read a sample order", "The body of an order of the blueprint, ready to be sent.", apidoc.OtherDocument("SampleOrder"))
	known.AddGet(basePath+"/jobs/:id/log-download-txt", "readLog", "jobs", "Read a log", "The whole log of the job as text.", []apidoc.Media{{Type: apidoc.TypeText, Schema: schema.String()}}).Answers[0].Headers = nil
	known.AddGet(basePath+"/jobs/:id/log-download", "readLogZip", "jobs", "Download a log", "The whole log of the job as a zip.", []apidoc.Media{{Type: apidoc.TypeZip, Schema: apidoc.Binary()}}).Answers[0].Headers = []string{"Content-Disposition"}
	known.AddGet(basePath+"/resource-handlers/:id/"+templatesPath, "listTemplates", "resource-handlers", "List templates", "What the back end has to clone from, read now; 100 to a page unless fewer are asked for.", apidoc.OtherDocument("TemplatesOfHandler"), "Page", "PageSize")
	resources := x.face.reg.Def("resources")
	known.AddGet(basePath+"/resources", "listAllResources", "resources", "List resources of all types", resources.Doc, apidoc.PageDocument(resources), slices.DeleteFunc(apidoc.ListParams(resources), func(p string) bool { return p == "IfNoneMatch" })...)
}

// describeEvents describes the list of events, which is a stream as well.
func describeEvents(known apidoc.Operations) {
	op := known[http.MethodGet+" "+strings.TrimSuffix(eventsPath, "/")]
	op.Params = append(op.Params, "EventResource", "EventAbout", "EventType", "LastEventID", "LastEventIDInQuery")
	op.Answers[0].Content = append(op.Answers[0].Content, apidoc.Media{Type: web.EventStream, Schema: schema.String()})
}

// describeCarts describes the routes of the parts of carts.
func (x descriptions) describeCarts(known apidoc.Operations) {
	orders := x.face.reg.Def("orders")
	item := apidoc.ItemDocument(orders)
	for _, cart := range []string{basePath + "/orders/:id", basePath + "/user/current-order"} {
		of, what := "Order", "an order"
		if !strings.Contains(cart, ":id") {
			of, what = "CurrentOrder", "the caller's cart"
		}
		places := map[string]string{"id": apidoc.IDDoc, "n": "The position of the item, from 1."}
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
			known.Add(method, path, op)
		}
		asItIs := apidoc.OK("The order as it is now.", apidoc.Dated, item)
		if of == "CurrentOrder" {
			add(http.MethodGet, cart, "readCurrentOrder", "Read the caller's cart", "It is made on first use.", nil, asItIs)
		}
		add(http.MethodPatch, cart, "change"+of, "Change "+what, "Changes the cart's own members.", apidoc.PatchBody(schema.Ref("Order"+apidoc.Patch)), asItIs)
		add(http.MethodPut, cart, "replace"+of, "Replace "+what, "Makes the cart what the body says.", apidoc.JSONBody(schema.Ref("Order"+apidoc.Replacement)), asItIs)
		for _, kind := range models.ItemKinds {
			name, words := itemName(kind), string(kind)+" item"
			items := cart + "/" + itemMember(kind)
			body := schema.Ref(name + apidoc.Body)
			add(http.MethodGet, items, "list"+of+name+"s", "List "+words+"s of "+what, "The items of this kind, 100 to a page unless fewer are asked for.", nil, apidoc.OK("The items.", apidoc.Dated, apidoc.OtherDocument(name+"s")))
			listed := known[http.MethodGet+" "+items]
			listed.Params = append([]string{"Page", "PageSize"}, listed.Params...)
			add(http.MethodPost, items, "add"+of+name, "Add a "+words+" to "+what, "Adds an item to the cart.", apidoc.JSONBody(body), asItIs)
			add(http.MethodGet, items+"/:n", "read"+of+name, "Read a "+words+" of "+what, "One item.", nil, apidoc.OK("The item.", apidoc.Dated, apidoc.OtherDocument(name)))
			add(http.MethodPatch, items+"/:n", "change"+of+name, "Change a "+words+" of "+what, "Changes the members that the body has.", apidoc.PatchBody(body), asItIs)
			add(http.MethodPut, items+"/:n", "replace"+of+name, "Replace a "+words+" of "+what, "Makes the item what the body says.", apidoc.JSONBody(body), asItIs)
			add(http.MethodDelete, items+"/:n", "remove"+of+name, "Remove a "+words+" from "+what, "Takes the item out of the cart.", apidoc.NoBody(), asItIs)
		}
	}
}

// handMadeSchemas are the schemas of documents and bodies without a declaration.
// pageJSON returns the schema of one page of a list that is in memory as a whole, with
// these members.
func pageJSON(members ...schema.Member) schema.Object {
	link := linkJSON()
	links := apidoc.Links(schema.M("first", link), schema.M("prev?", link), schema.M("next?", link), schema.M("last", link), schema.M("up", link))
	counts := []schema.Member{links}
	for _, name := range []string{"total", "count", "page", "page_size"} {
		counts = append(counts, schema.M(name, schema.Integer()))
	}
	return schema.Struct(append(counts, members...)...)
}

func (x descriptions) handMadeSchemas() schema.Object {
	link, text := linkJSON(), schema.String()
	templates := schema.M("_templates?", schema.Ref("Templates"))
	orders := x.face.reg.Def("orders")
	list := schema.Of(
		"Forecast", x.forecastJSON(),
		"Root", x.rootJSON(),
		"Credentials", schema.Struct(append([]schema.Member{schema.M("username", text), schema.M("password", text)}, schema.Optional("token", apidoc.Word(), "domain", apidoc.Word())...)...),
		"TokenBody", schema.Struct(schema.M("token", text)),
		"Token", schema.Struct(schema.M("token", text), schema.M("expires-in?", schema.Integer().Doc("Seconds.")), schema.M("refresh-token?", text)),
		"SampleOrder", schema.Struct(apidoc.Links(schema.M("up", link), schema.M("orders", link)), schema.M("body", schema.Struct(
			schema.M("group", hrefJSON("groups")), schema.M("items", itemsJSON()), schema.M("submit-now", text)))),
		"TemplatesOfHandler", pageJSON(schema.M("templates", schema.Array(schema.Struct(
			schema.M("name", text), schema.M("os-family", text), schema.M("cpu-cnt", schema.Integer()), schema.M("mem-size", resource.MemoryJSON()),
			schema.M("is-imported", schema.Boolean()), schema.M("os-build?", hrefJSON("os-builds")))))),
		"Order"+apidoc.Patch, apidoc.Lenient(schema.Struct(cartMembers()[:3]...)),
		"Order"+apidoc.Replacement, replacedOrder(orders),
	)
	list = append(list, signin.Schemas()...)
	for _, kind := range models.ItemKinds {
		name := itemName(kind)
		members := append(slices.Clone(itemMembers(kind)), schema.M("rate", resource.RateJSON()), templates)
		list = append(list,
			schema.Member{Name: name, Value: schema.Struct(append([]schema.Member{apidoc.Links(schema.M("up", link))}, members...)...)},
			schema.Member{Name: name + "s", Value: pageJSON(schema.M("_embedded", schema.Struct(schema.M(itemMember(kind), schema.Array(schema.Ref(name))))), templates)},
			schema.Member{Name: name + apidoc.Body, Value: apidoc.Lenient(itemBody(kind))},
		)
	}
	return list
}

// replacedOrder takes an order as it came.
func replacedOrder(d *resource.Def) schema.Object {
	members := cartMembers()
	for _, x := range d.Fields {
		if x.InItem() != resource.Never && x.Name != "name" && x.Name != "items" {
			members = append(members, schema.M(x.Name+"?", schema.Any().Doc("As it is.")))
		}
	}
	for _, name := range []string{"_links", "_embedded", "_templates"} {
		members = append(members, schema.M(name+"?", schema.Of("type", "object")))
	}
	return apidoc.Lenient(schema.Struct(members...))
}

// rootJSON is the root: a link and a flat member for each collection, of which some
// are hidden from some callers.
func (x descriptions) rootJSON() schema.Object {
	rels := []schema.Member{schema.M("service-doc", linkJSON()), schema.M("service-desc", linkJSON())}
	for _, rel := range []string{"cb:user", "cb:current-order", "cb:sign-out?", "cb:events", "cb:api-samples"} {
		name := strings.TrimSuffix(strings.TrimPrefix(rel, "cb:"), "?")
		rels = append(rels, schema.M(rel, linkJSON().Doc(rootRels[name])))
	}
	var flat []schema.Member
	for _, d := range x.face.reg.Defs() {
		name := d.Plural
		if d.Entity.Hidden != nil {
			name += "?"
		}
		rels = append(rels, schema.M(name, linkJSON().Doc(d.Doc)))
		flat = append(flat, schema.M(name, schema.String()))
		for _, b := range d.Batch {
			rels = append(rels, schema.M("cb:"+b.Rel+"?", linkJSON().Doc(b.Doc)))
		}
	}
	return schema.Struct(append([]schema.Member{apidoc.Links(rels...)}, flat...)...)
}

// forecastJSON is an order as a dry run shows it.
func (x descriptions) forecastJSON() schema.Object {
	d := x.face.reg.Def("orders")
	text := schema.String()
	members := []schema.Member{schema.M("_links", schema.Map(schema.Either(linkJSON(), schema.Array(linkJSON()), schema.Ref("Curies"))))}
	for _, x := range d.Fields {
		if x.InItem() != resource.Never {
			members = append(members, schema.M(x.Name+"?", x.JSON().Doc(x.Doc)))
		}
	}
	planned := schema.Struct(schema.M("type", jobTypesJSON()), schema.M("hostname?", text), schema.M("service-name?", text), schema.M("action?", text), schema.M("prerequisite", schema.Nullable(text)),
		schema.M("jobs?", schema.Array(schema.Of("type", "object"))))
	return schema.Struct(append(members, schema.M(memberDryRun, schema.Struct(
		schema.M("approvals", schema.Array(schema.Struct(schema.M("policy", schema.Enum("automatic", "approver")), schema.M("reason?", text),
			schema.M("group?", linkJSON()), schema.M("approvers?", schema.Array(linkJSON()))))),
		schema.M("quota", schema.Array(schema.Struct(schema.M("href", text), schema.M("title", text), schema.M("kind", text),
			schema.M("limit", amountJSON()), schema.M("used", amountJSON()), schema.M("after", amountJSON())))),
		schema.M("jobs", schema.Array(planned)),
	)))...).Doc("The order as it would be, and what it would lead to. A new one has no id.")
}
