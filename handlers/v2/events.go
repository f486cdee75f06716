package v2

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/event"
	"halcyon/pkg/fault"
	"halcyon/pkg/resource"
	"halcyon/pkg/schema"
	"halcyon/pkg/web"
)

const (
	eventsPlural = "events"
	eventsPath   = basePath + "/" + eventsPlural + "/"
)

func (f *Face) events() resource.Resource[models.Event] {
	type row = models.Event
	key := func(e *row) *models.Row { return e.Key() }
	types := make([]string, len(event.Types))
	for i, t := range event.Types {
		types[i] = t.Name
	}
	return resource.Resource[row]{
		Name: "event", Plural: eventsPlural, Noun: "Events", Entity: event.Events,
		Doc: "What has happened to an order, a job, a server or a service, seen by whoever sees that. " +
			"Its id is its number in the one sequence of all events. With Accept: text/event-stream the list is a stream that goes on; " +
			"both know the parameters resource, about and type. Events are kept for some days.",
		Key: key, Title: func(e *row) string { return "Event id " + e.ID.String() },
		Columns: []string{"id", "date", "type", "object-type", "object-id", "status", "order", "user.username"},
		Fields: []resource.Field[row]{
			resource.ID(key),
			resource.Time("date", func(e *row) *time.Time { return &e.CreatedAt }, "When it happened.").On("created_at").Listed(),
			resource.Enum("type", types, func(e *row) string { return e.Type }, "What happened.").On("type").Listed(),
			resource.Text("object-type", func(e *row) string { return e.ObjectType }, "Kind of object that it happened to.").On("object_type").Listed(),
			resource.IDOf("object-id", "object_id", func(e *row) models.ID { return e.ObjectID }, "Id of the object.").Listed(),
			resource.Text("status", func(e *row) string { return e.Status }, "Status of the object from then on.").On("status").Listed(),
			resource.Value("was", func(e *row) hal.Value { return textOrNull(e.Data.Was) }, "Status of the object before, when it has changed.").Typed(schema.String()).From("data").OmitEmpty(),
			resource.Value("power-status", func(e *row) hal.Value { return textOrNull(string(e.Data.Power)) }, "Power of a server.").Typed(schema.String()).From("data").OmitEmpty(),
			resource.Value("progress", eventProgress, "Of a job: tasks in all, tasks completed, and the messages that were new.").Typed(progressJSON()).From("data", "object_type").OmitEmpty(),
		},
		Relations: []resource.Relation[row]{
			resource.Path("about", func(base string, e *row) (hal.Link, bool) { return aboutLink(e), true }, "The object."),
			resource.One("order", "orders", "order", func(e *row) models.ID { return e.OrderID }, "Order that it was a part of.").Optional(),
			resource.One("user", "users", "actor", func(e *row) models.ID { return e.ActorID }, "Who did it, when it was not the service itself.").Optional(),
		},
		List: f.Events.List, Find: f.Events.Find,
	}
}

// objectPlurals are the collections of the objects that have events.
var objectPlurals = map[string]string{
	models.ObjectOrder: "orders", models.ObjectJob: "jobs", models.ObjectServer: "servers", models.ObjectService: "services",
}

// aboutLink is the object of an event. Every user who sees the event sees its object.
func aboutLink(e *models.Event) hal.Link {
	title := e.Data.Name
	switch e.ObjectType {
	case models.ObjectOrder:
		title = "Order id " + e.ObjectID.String()
	case models.ObjectJob:
		title = "Job id " + e.ObjectID.String()
	}
	return hal.Link{Href: href(objectPlurals[e.ObjectType], e.ObjectID).Text(), Title: title}
}

// eventsAbout declares the link to the events of a row.
func eventsAbout[T any](plural string, id func(*T) models.ID, doc string) resource.Relation[T] {
	return resource.Path("cb:events", func(base string, row *T) (hal.Link, bool) {
		link := hal.Link{Href: base + "/" + eventsPlural + "/?about=" + base + "/" + plural + "/" + id(row).String(), Title: "Events"}
		return link, id(row) != 0 // a dry run has no order
	}, doc)
}

func eventProgress(e *models.Event) hal.Value {
	if e.ObjectType != models.ObjectJob {
		return hal.Null()
	}
	messages := make([]string, len(e.Data.Messages))
	for i, m := range e.Data.Messages {
		messages[i] = m.Text
	}
	return hal.Object([]hal.Prop{
		{Name: "total-tasks", Value: hal.Int(int64(e.Data.Total))},
		{Name: "completed", Value: hal.Int(int64(e.Data.Completed))},
		{Name: "messages", Value: hal.Strings(messages)},
	})
}

// EventData returns an event as the stream has it: one line of JSON.
func (f *Face) EventData(e *models.Event) []byte {
	link := aboutLink(e)
	props := []hal.Prop{
		{Name: "id", Value: hal.String(e.ID.String())},
		{Name: "type", Value: hal.String(e.Type)},
		{Name: "date", Value: hal.String(e.CreatedAt.UTC().Format(resource.TimeLayout))},
		{Name: "object", Value: hal.LinkValue(link)},
		{Name: "status", Value: hal.String(e.Status)},
	}
	optional := func(name string, v hal.Value) {
		if v.Kind() != hal.KindNull {
			props = append(props, hal.Prop{Name: name, Value: v})
		}
	}
	optional("was", textOrNull(e.Data.Was))
	optional("power-status", textOrNull(string(e.Data.Power)))
	optional("progress", eventProgress(e))
	if e.OrderID != 0 && e.ObjectType != models.ObjectOrder {
		props = append(props, hal.Prop{Name: "order", Value: href("orders", e.OrderID)})
	}
	return f.hal.Encoder().AppendJSON(nil, &hal.Document{Props: props}, hal.CloudBolt)
}

// The parameters by which events are chosen.
const (
	paramResource = "resource"
	paramAbout    = "about"
	paramType     = "type"
)

var eventParams = []string{paramResource, paramAbout, paramType}

// eventList answers events: as a stream to clients that accept its type, else as a list.
func (f *Face) eventList(d *resource.Def) echo.HandlerFunc {
	return func(c echo.Context) error {
		chosen, rest, err := eventQuery(c.Request().URL.RawQuery)
		if err != nil {
			return err
		}
		filter, err := f.eventFilter(c, chosen)
		if err != nil {
			return err
		}
		if web.WantsEvents(c.Request()) {
			return f.stream(c, filter)
		}
		c.Request().URL.RawQuery = rest
		return f.hal.Page(c, d, resource.Page{Keep: keptParams(chosen)}, filter.Option())
	}
}

// eventQuery takes the parameters that choose events out of a query string.
func eventQuery(raw string) (chosen map[string]string, rest string, err error) {
	chosen = map[string]string{}
	var others []string
	for pair := range strings.SplitSeq(raw, "&") {
		name, text, _ := strings.Cut(pair, "=")
		if !slices.Contains(eventParams, name) {
			others = append(others, pair)
			continue
		}
		value, err := url.QueryUnescape(text)
		if err != nil || value == "" || len(value) > 512 {
			return nil, "", fault.InvalidField(fault.Argument(name), "cannot be read")
		}
		if _, twice := chosen[name]; twice {
			return nil, "", fault.InvalidField(fault.Argument(name), "is there more than once")
		}
		chosen[name] = value
	}
	return chosen, strings.Join(others, "&"), nil
}

// plain are the characters that need no escape in a query, and are easier to read so.
var plain = strings.NewReplacer("%2F", "/", "%2A", "*", "%2C", ",")

// keptParams is how the parameters stand in the links to other pages.
func keptParams(chosen map[string]string) string {
	var parts []string
	for _, name := range eventParams {
		if v, ok := chosen[name]; ok {
			parts = append(parts, name+"="+plain.Replace(url.QueryEscape(v)))
		}
	}
	return strings.Join(parts, "&")
}

func (f *Face) eventFilter(c echo.Context, chosen map[string]string) (event.Filter, error) {
	var filter event.Filter
	if text, ok := chosen[paramResource]; ok {
		for name := range strings.SplitSeq(text, ",") {
			object := objectOf(name)
			if object == "" {
				return filter, fault.InvalidField(fault.Argument(paramResource), "%q is none of orders, jobs, servers, services", strings.ToValidUTF8(name, "?"))
			}
			filter.Objects = append(filter.Objects, object)
		}
	}
	if text, ok := chosen[paramType]; ok {
		for pattern := range strings.SplitSeq(text, ",") {
			if !event.Known(pattern) {
				return filter, fault.InvalidField(fault.Argument(paramType), "%q is no type of event; there are order.*, job.*, server.*, service.* and those that the documentation lists", strings.ToValidUTF8(pattern, "?"))
			}
			filter.Types = append(filter.Types, pattern)
		}
	}
	if text, ok := chosen[paramAbout]; ok {
		var err error
		if filter.About, err = f.aboutOf(c, text); err != nil {
			return filter, err
		}
	}
	return filter, nil
}

// objectOf returns the type of object of a collection, "" for one without events.
func objectOf(plural string) string {
	if plural == "resources" {
		return models.ObjectService
	}
	for object, name := range objectPlurals {
		if name == plural {
			return object
		}
	}
	return ""
}

// aboutOf finds the object of a reference: an href, or an id that includes the kind. An
// object that the caller does not see is not found.
func (f *Face) aboutOf(c echo.Context, text string) (event.About, error) {
	none := fault.InvalidField(fault.Argument(paramAbout), "%q is neither the href nor the global id of an order, a job, a server or a service that you see", strings.ToValidUTF8(text, "?"))
	for _, object := range event.Objects {
		d := f.reg.Def(objectPlurals[object])
		if !refersTo(d, text) {
			continue
		}
		row, err := d.Find(c.Request().Context(), web.Actor(c), text)
		if fault.Is(err, fault.NotFound) {
			return event.About{}, none
		}
		if err != nil {
			return event.About{}, err
		}
		return event.About{Object: object, ID: d.RowKey(row).ID}, nil
	}
	return event.About{}, none
}

// refersTo reports whether a reference names a row of the collection.
func refersTo(d *resource.Def, text string) bool {
	if prefix, _, ok := strings.Cut(text, "-"); ok && strings.EqualFold(prefix, d.Entity.Prefix) {
		return true
	}
	path := text
	if u, err := url.Parse(text); err == nil {
		path = u.Path
	}
	path = strings.TrimSuffix(path, "/")
	dir := path[:strings.LastIndexByte(path, '/')+1]
	return dir == d.Path() || d.Plural == "services" && dir == basePath+"/resources/service/"
}
