package browse

import (
	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/pkg/page"
)

// job is the page of a piece of work.
func (f *Face) job(v *page.View, _ string) g.Node {
	d := v.Doc
	return moving(v, atRest(d),
		heading(v, titled(d)),
		region("job-state",
			h.Div(h.Class("state"), badge(textOf(d, "status")), bar(d)),
			failure(d),
			buttons(v, "retry"),
		),
		h.Div(h.Class("columns"),
			h.Div(
				region("job-messages", part("Messages", messages(d))),
				region("job-parts", part("Parts", jobTree(embeddedOf(d, "subjobs")))),
				region("job-output", part("Output", output(textOf(d, "output")))),
				region("job-servers", part("Servers", serverTable(embeddedOf(d, "servers")))),
			),
			h.Div(
				region("job-facts", part("About it", facts(
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
					fact{"Attempts", word(textOf(d, "attempts"))},
					fact{"Log", g.Group{linkTo(d, "raw-log"), g.Text(" · "), linkTo(d, "zip-log")}},
				))),
				region("job-history", history(d)),
				ids(d),
			),
		),
		formsBut(v),
	)
}

// failure says why a job did not do what it should.
func failure(d *hal.Document) g.Node {
	text := textOf(d, "errors")
	if text == "" {
		return nil
	}
	return h.Div(h.Class("notice bad"), h.Role("alert"), h.P(h.Strong(g.Text("What went wrong"))), h.Pre(g.Text(text)))
}

// messages are what the job has said so far.
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

// linksList shows all links of a relation, nil when there are none.
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
