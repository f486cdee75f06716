package browse

import (
	"strconv"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/pkg/view"
)

// job returns the page of a job.
func (f *Face) job(v *view.View, _ string) g.Node {
	d := v.Doc
	return live(v, isIdle(d),
		heading(v, jobTitle(d)),
		region("job-state",
			h.Div(h.Class("state"), badge(textOf(d, "status")), progressBar(d)),
			failure(d),
			buttons(v, "retry"),
		),
		h.Div(h.Class("columns"),
			h.Div(
				region("job-messages", section("Messages", messages(d))),
				region("job-parts", section("Parts", jobTree(embeddedOf(d, "subjobs")))),
				region("job-output", section("Output", output(textOf(d, "output")))),
				region("job-servers", section("Servers", serverTable(embeddedOf(d, "servers")))),
			),
			h.Div(
				region("job-facts", section("About it", facts(
					fact{"For", person(d, "owner")},
					fact{"Group", linkTo(d, "group")},
					fact{"Order", linkTo(d, "order")},
					fact{"Part of", linkTo(d, "parent")},
					fact{"After", linkTo(d, "prerequisite")},
					fact{"Then", linksList(d, "dependent-jobs")},
					fact{"Service", linkTo(d, "resource")},
					fact{"Back end", linkTo(d, "resource-handler")},
					fact{"Made", when(textOf(d, "create-date"))},
					fact{"Begun", when(textOf(d, "start-date"))},
					fact{"Ended", when(textOf(d, "end-date"))},
					fact{"Attempts", optionalText(textOf(d, "attempts"))},
					fact{"Log", g.Group{linkTo(d, "raw-log"), g.Text(" · "), linkTo(d, "zip-log")}},
				))),
				region("job-history", history(d)),
				ids(d),
			),
		),
		formsExcept(v),
	)
}

// failure returns the error message of a job, nil when it has none.
func failure(d *hal.Document) g.Node {
	text := textOf(d, "errors")
	if text == "" {
		return nil
	}
	return h.Div(h.Class("notice bad"), h.Role("alert"), h.P(h.Strong(g.Text("What went wrong"))), h.Pre(g.Text(text)))
}

// messages returns the progress messages of a job.
func messages(d *hal.Document) g.Node {
	list := member(prop(d, "progress").Props(), "messages")
	if list.Len() == 0 {
		return nil
	}
	var items g.Group
	for x := range list.Items() {
		items = append(items, h.Li(g.Text(x.Text())))
	}
	return h.Ol(h.Class("messages"), items)
}

func output(text string) g.Node {
	if text == "" {
		return nil
	}
	return h.Pre(h.Class("output"), g.Text(text))
}

// linksList returns all links of a relation, nil when there are none.
func linksList(d *hal.Document, rel string) g.Node {
	var items g.Group
	links := linksOf(d, rel)
	for i := range links {
		items = append(items, h.Li(link(&links[i])))
	}
	if items == nil {
		return nil
	}
	return h.Ul(items)
}

// progressBar returns the progress of a job, nil when it is not running.
func progressBar(d *hal.Document) g.Node {
	p := prop(d, "progress").Props()
	total, done := member(p, "total-tasks").Int(), member(p, "completed").Int()
	status := textOf(d, "status")
	name := g.Attr("aria-label", "Progress of "+jobTitle(d))
	switch {
	case total > 0:
		return h.Div(h.Class("bar-row"),
			h.Progress(name, h.Max(strconv.FormatInt(total, 10)), h.Value(strconv.FormatInt(done, 10))),
			h.Span(g.Textf("%d of %d", done, total)))
	case status == "RUNNING":
		return h.Div(h.Class("bar-row"), h.Progress(name))
	}
	return nil
}

// jobTitle returns the type of a job and its number.
func jobTitle(d *hal.Document) string {
	what := textOf(d, "type")
	if a := textOf(d, "action"); a != "" && what == "Run Action" {
		what = label(a)
	}
	if what == "" {
		what = "Job"
	}
	return what + ", job " + textOf(d, "id")
}

// jobTree returns jobs as a tree, each below its parent.
func jobTree(docs []hal.Document) g.Node {
	here, below := map[string]bool{}, map[string][]int{}
	for i := range docs {
		here[selfOf(&docs[i])] = true
	}
	for i := range docs {
		parent := ""
		if l, ok := oneLink(&docs[i], "parent"); ok && here[l.Href] {
			parent = l.Href
		}
		below[parent] = append(below[parent], i)
	}
	var branch func(parent string, depth int) g.Node
	branch = func(parent string, depth int) g.Node {
		if len(below[parent]) == 0 || depth > len(docs) {
			return nil
		}
		items := make(g.Group, 0, len(below[parent]))
		for _, i := range below[parent] {
			items = append(items, h.Li(jobLine(&docs[i]), branch(selfOf(&docs[i]), depth+1)))
		}
		return h.Ul(h.Class("tree"), items)
	}
	return branch("", 0)
}

func jobLine(d *hal.Document) g.Node {
	wrong := ""
	if status := textOf(d, "status"); status == "FAILURE" || status == "WARNING" || status == "CANCELED" {
		wrong = textOf(d, "errors")
	}
	return h.Div(h.Class("job"),
		h.A(h.Href(selfOf(d)), g.Text(jobTitle(d))), badge(textOf(d, "status")), progressBar(d),
		g.If(wrong != "", h.P(h.Class("wrong"), g.Text(wrong))),
	)
}
