package browse

import (
	"strconv"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/pkg/view"
)

// server returns the page of a server.
func (f *Face) server(v *view.View, title string) g.Node {
	d := v.Doc
	return live(v, isIdle(d, "ACTIVE"),
		heading(v, title),
		region("server-state",
			h.Div(h.Class("state"), badge(textOf(d, "status")), powerBadge(d)),
			buttons(v, primaryPowerAction(d)),
		),
		region("server-forms", formsExcept(v, "")),
		h.Div(h.Class("columns"),
			h.Div(
				region("server-facts", section("What it is", facts(
					fact{"Address", optionalText(textOf(d, "ip"))},
					fact{"Processors", optionalText(textOf(d, "cpu-cnt"))},
					fact{"Memory", optionalText(trimSize(textOf(d, "mem-size")))},
					fact{"Disk", optionalText(textOf(d, "disk-size"))},
					fact{"Size", linkTo(d, "perf-type")},
					fact{"Operating system", operatingSystem(d)},
					fact{"Environment", linkTo(d, "environment")},
					fact{"Labels", optionalProp(d, "labels")},
					fact{"Notes", optionalProp(d, "notes")},
				))),
				region("server-networks", section("Networks", networks(prop(d, "networks")))),
				region("server-disks", section("Disks", disks(prop(d, "disks")))),
				region("server-snapshots", section("Snapshots", snapshots(embeddedOf(d, "cb:snapshots")), allLink(d, "cb:snapshots", "All snapshots"))),
				region("server-jobs", section("Jobs", jobTree(embeddedOf(d, "jobs")), allLink(d, "jobs", "All jobs"))),
			),
			h.Div(
				region("server-whose", section("Whose it is", facts(
					fact{"Owner", person(d, "owner")},
					fact{"Group", linkTo(d, "group")},
					fact{"Service", linkTo(d, "service")},
					fact{"Tier", optionalText(textOf(d, "tier"))},
					fact{"Order", linkTo(d, "order")},
					fact{"Added", when(textOf(d, "date-added-to-cloudbolt"))},
					fact{"Lease", lease(d, v.Now)},
				))),
				region("server-cost", section("Cost", cost(d))),
				region("server-history", history(d)),
				collapsedSection("What its order said", prop(d, "parameters")),
				collapsedSection("What the back end says", prop(d, "tech-specific-details")),
				ids(d),
			),
		),
		formsOf(v, ""),
	)
}

// formsOf returns the form of the template with the key, nil when it has no input or is
// not offered.
func formsOf(v *view.View, key string) g.Node {
	if t := template(v.Doc, key); t != nil && len(t.Properties) > 0 {
		return form(v, t)
	}
	return nil
}

// powerBadge returns the power state of a server, nil when it was removed.
func powerBadge(d *hal.Document) g.Node {
	if textOf(d, "status") == "HISTORICAL" {
		return nil
	}
	return badge(textOf(d, "power-status"))
}

// primaryPowerAction returns the key of the button that comes first: power-on for a
// server that is off, "-" (no template) otherwise.
func primaryPowerAction(d *hal.Document) string {
	if textOf(d, "power-status") == "POWEROFF" {
		return "power-on"
	}
	return "-"
}

func operatingSystem(d *hal.Document) g.Node {
	if build := linkTo(d, "os-build"); build != nil {
		return build
	}
	return optionalProp(d, "os-family")
}

// lease returns the expiration date of a server or service and the days left.
func lease(d *hal.Document, now time.Time) g.Node {
	text := textOf(d, "expiration-date")
	if text == "" {
		return g.Text("without end")
	}
	last, err := time.Parse(time.DateOnly, text)
	if err != nil || now.IsZero() {
		return day(text)
	}
	days := int(last.Sub(now.UTC().Truncate(24*time.Hour)).Hours() / 24)
	left, is := strconv.Itoa(days)+" days left", neutral
	switch {
	case days < 0:
		left, is = "over", bad
	case days == 0:
		left, is = "its last day", warn
	case days == 1:
		left, is = "1 day left", warn
	case days < 8:
		is = warn
	}
	return g.Group{g.Text("until "), day(text), g.Text(" "), toneBadge(left, is)}
}

// cost returns the price of a server, and its parts when there are several.
func cost(d *hal.Document) g.Node {
	rate := price(textOf(d, "rate"))
	if rate == nil {
		return nil
	}
	parts := make([]fact, 0, 3)
	for _, name := range []string{"hardware", "software", "extra"} {
		text := member(prop(d, "rate-breakdown").Props(), name).Text()
		if text != "" && !strings.HasPrefix(text, "0.00/") {
			parts = append(parts, fact{label(name), price(text)})
		}
	}
	if len(parts) == 1 {
		parts = nil // the only part equals the total
	}
	return g.Group{h.P(h.Class("total"), rate), facts(parts...)}
}

func networks(list hal.Value) g.Node {
	rows := rowsOf(list, "name", "network", "ip", "additional-ips", "mac")
	if rows == nil {
		return nil
	}
	return grid([]string{"Name", "Network", "Address", "More addresses", "Hardware address"}, rows)
}

func disks(list hal.Value) g.Node {
	rows := rowsOf(list, "name", "disk-size", "datastore", "provisioning-type")
	if rows == nil {
		return nil
	}
	return grid([]string{"Name", "Size", "Datastore", "Kind"}, rows)
}

// rowsOf returns a list of objects as table rows, with the named members as cells; nil
// for an empty list.
func rowsOf(list hal.Value, names ...string) g.Node {
	var rows g.Group
	for x := range list.Items() {
		cells := make(g.Group, 0, len(names))
		for _, name := range names {
			cells = append(cells, cell(label(name), optionalText(member(x.Props(), name).Text())))
		}
		rows = append(rows, h.Tr(cells))
	}
	if rows == nil {
		return nil
	}
	return rows
}

func snapshots(docs []hal.Document) g.Node {
	if len(docs) == 0 {
		return nil
	}
	var items g.Group
	for i := range docs {
		items = append(items, h.Li(selfLink(&docs[i])))
	}
	return h.Ul(h.Class("values"), items)
}

// collapsedSection returns a section that is collapsed at first, nil for an empty value.
func collapsedSection(title string, v hal.Value) g.Node {
	if v.Len() == 0 {
		return nil
	}
	return h.Details(h.Class("card part"), h.Summary(g.Text(title)), value(v))
}

// serverTable returns servers as a table.
func serverTable(docs []hal.Document) g.Node {
	if len(docs) == 0 {
		return nil
	}
	rows := make(g.Group, 0, len(docs))
	for i := range docs {
		d := &docs[i]
		rows = append(rows, h.Tr(
			cell("Server", selfLink(d)),
			cell("Status", badge(textOf(d, "status"))),
			cell("Power", badge(textOf(d, "power-status"))),
			cell("Address", optionalText(textOf(d, "ip"))),
			cell("Size", optionalText(sizeOf(d))),
		))
	}
	return grid([]string{"Server", "Status", "Power", "Address", "Size"}, rows)
}

// sizeOf returns the processors and the memory of a server as text.
func sizeOf(d *hal.Document) string {
	cpus := prop(d, "cpu-cnt").Int()
	if cpus == 0 {
		return ""
	}
	return strconv.FormatInt(cpus, 10) + " CPU, " + trimSize(textOf(d, "mem-size"))
}
