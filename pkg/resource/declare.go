// Package resource turns one declaration per resource into everything that serves it: rendering in every
// representation, filters, attributes, request bodies and the startup check all come from the fields,
// relations, actions and sub-collections of the declaration. A declaration never queries: its values are in
// the row, or this package fetches them, once per page and relation.
//
// A GET of a collection reaches its SQL in five steps:
//
//  1. handlers/halserver/routes.go serves the path of the declaration by Server.Page,
//  2. which parses the query string by Def.Schema and calls Def.List.
//  3. Def.List is the List of the declaration, such as server.Service.List in
//     handlers/v2/servers.go.
//  4. The service calls query.List with its entity.
//  5. query.List compiles the statement: see listing.statement.
package resource

import (
	"context"
	"math"
	"strconv"
	"time"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/bundle"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/query"
	"halcyon/pkg/schema"
)

// Resource declares the resource whose rows are T.
type Resource[T any] struct {
	Name   string        // "server": starts paths in filters
	Plural string        // "servers": the collection's path and the key of its embedded items
	Noun   string        // "Servers", as in "List of Servers"
	Entity *query.Entity // entity of the rows
	Doc    string
	Path   string // below the base, if it is not Plural: "resources/service"
	Slash  bool   // the item's canonical href ends in a slash

	Title     func(*T) string
	TitleFrom []string // columns that Title reads

	Key       func(*T) *models.Row
	Fields    []Field[T]
	Relations []Relation[T]
	Display   *Display[T]
	Columns   []string // columns of the HTML table of rows, in this order; nil: the Listed fields
	Actions   []Action[T]
	Subs      []Sub[T]
	Batch     []BatchAction // on the collection: /{plural}/actions/{name}

	// Offers returns further actions, defined by administrators, each with a number as its path; nil for
	// none.
	Offers    func(ctx context.Context) ([]Action[T], error)
	OfferBody schema.Object // accepted members of their bodies, for the documentation
	OfferedBy string        // plural of the resource that defines them; it and the number name their relations

	Find func(ctx context.Context, a access.Actor, ref string) (*T, error)
	List func(ctx context.Context, a access.Actor, q query.Query, opts ...query.ListOption) (query.Page[T], error)

	// Write operations. A nil function disables the operation.
	New       func() *T // initial row of Create; nil: new(T)
	CanCreate func(a access.Actor) error
	Create    func(ctx context.Context, a access.Actor, row *T) error
	Once      bool // the created row shows a secret that is never shown again
	CanUpdate func(a access.Actor, row *T) error
	Update    func(ctx context.Context, a access.Actor, ref string, apply func(*T) error) (*T, error)
	CanDelete func(a access.Actor, row *T) error
	Delete    func(ctx context.Context, a access.Actor, ref string) (Result[T], error)

	// Post replaces Create if a body is more than the declared fields. PostForm lists the properties of its
	// form.
	Post     func(ctx context.Context, a access.Actor, refs *Refs, n *jsonbody.Value) (*T, error)
	PostForm func(ctx context.Context, a access.Actor) ([]hal.TemplateProperty, error)
	PostBody schema.Object // accepted members of such a body, for the documentation
	PostNone bool          // the body may be empty

	Started *Started // rows are work started by operations; nil: they are not

	CreateDryRun *DryRun // tries a create out; nil: not supported

	DeleteResults Results // results of Delete; nil: only the deletion

	// Unused returns an error if another row refers to this one, so that Delete would not remove it; nil:
	// rows are always unused.
	Unused func(ctx context.Context, a access.Actor, row *T) error
	// Templates returns further templates for the row, given its address; nil for none. The first one
	// precedes all others if it has no key.
	Templates func(ctx context.Context, a access.Actor, row *T, self string) ([]hal.Template, error)

	// Fill reads the values of the Filled fields for all rows of a list at once. Find returns rows with
	// these values set.
	Fill func(ctx context.Context, a access.Actor, rows []*T) error

	Bundle *Bundle[T] // export and import of rows as files; nil: not supported
}

// Bundle exports rows as files (GET …/{id}/export/, for callers who may update the row) and imports them
// (POST /{plural}/import/, for callers who may create one). The kind of the manifest is the name of the
// resource.
type Bundle[T any] struct {
	Export func(ctx context.Context, a access.Actor, ref string) (bundle.Manifest, error)
	// Import creates a row from the content of a manifest, or replaces the row with the same name if
	// replace is set. replaced reports which.
	Import func(ctx context.Context, a access.Actor, content *jsonbody.Value, replace bool) (row *T, replaced bool, err error)
}

// Result is the result of a write. Exactly one member is set, or none after a plain deletion.
type Result[T any] struct {
	Row   *T    // the row after the write
	Work  Work  // work in progress
	Other Other // a row of another resource
}

// Work is work that an operation has started or requested: a row of a resource that clients can watch.
type Work struct {
	Of string // plural of that resource; "" for none
	ID models.ID
}

// Started describes the answers to operations that start Work of this resource.
type Started struct {
	Doc string // of that answer, for the documentation

	// Follow returns the work that clients of actions wait for instead of the row, or the zero Work for the
	// row itself; nil: always the row. It is of the resource Into.
	Follow func(ctx context.Context, a access.Actor, id models.ID) (Work, error)
	Into   string
}

// Other is a row of another resource that a write created or found.
type Other struct {
	Of   string // plural of that resource; "" for none
	Row  any    // pointer to its row
	Made bool   // the write created it
}

// Field is a property of the resource.
type Field[T any] struct {
	Name     string
	Kind     query.Kind
	Doc      string
	Values   []string          // of an enum
	codes    map[string]string // further spellings of an enum's values
	Column   string            // the field of the entity that filters and order= use; "" for none
	Reads    []string          // columns that Value needs, if not just Column
	Value    func(*T) hal.Value
	listed   bool
	listOnly bool
	hidden   bool // never shown: a password
	demand   bool
	omit     bool
	required bool
	filled   bool
	fallback string
	scale    int64
	see      func(a access.Actor, row *T) bool
	set      func(n *jsonbody.Value, r *Refs) func(*T)
	input    Input
	picked   func(*T) []models.ID // of a list of references
	exact    func(*T) string      // for forms, where Value is rounded
	fetch    func(ctx context.Context, a access.Actor, row *T) (hal.Value, error)
	json     schema.Object // of Value; nil if not declared
	cbJSON   schema.Object // of Value in the CloudBolt shape; nil: json
}

// On names the field of the entity to filter and sort by.
func (f Field[T]) On(column string) Field[T] {
	f.Column = column
	f.Reads = append(f.Reads, column)
	return f
}

// Over names a field of the entity without a column of its own, to filter and sort by, and the columns that
// the value is made from.
func (f Field[T]) Over(field string, columns ...string) Field[T] {
	f.Column = field
	f.Reads = append(f.Reads, columns...)
	return f
}

// From names columns that the value is made from, without filter or order.
func (f Field[T]) From(columns ...string) Field[T] { f.Reads = append(f.Reads, columns...); return f }

// Listed adds the field to the short form in lists.
func (f Field[T]) Listed() Field[T] { f.listed = true; return f }

// ListOnly omits the field from the item.
func (f Field[T]) ListOnly() Field[T] { f.listOnly = true; return f }

// OnDemand shows the field only if the request names it in attributes=.
func (f Field[T]) OnDemand() Field[T] { f.demand = true; return f }

// OmitEmpty leaves the field out when it is null.
func (f Field[T]) OmitEmpty() Field[T] { f.omit = true; return f }

// Filled declares that the value is not in the row's columns: lists with the field call the resource's
// Fill.
func (f Field[T]) Filled() Field[T] { f.filled = true; return f }

// Required rejects a create without the field.
func (f Field[T]) Required() Field[T] { f.required = true; return f }

// Default sets the value, as the text that a body would hold. It applies if a body says null, or replaces
// the row without the field.
func (f Field[T]) Default(text string) Field[T] { f.fallback = text; return f }

// Codes sets further spellings (lower case) of the values that filters accept.
func (f Field[T]) Codes(codes map[string]string) Field[T] { f.codes = codes; return f }

// SeenBy limits who sees the field of a row. The entity must limit filters on the field to the same
// callers.
func (f Field[T]) SeenBy(see func(access.Actor, *T) bool) Field[T] { f.see = see; return f }

// Set makes the field editable. read takes the value from the body, reports a bad one with Complain, and
// returns the function that changes the row.
func (f Field[T]) Set(read func(n *jsonbody.Value, r *Refs) func(*T)) Field[T] {
	f.set = read
	return f
}

// SetText makes the field editable as a string.
func (f Field[T]) SetText(set func(*T, string)) Field[T] {
	if f.input.MaxLength == 0 {
		f.input.MaxLength = maxText
	}
	return f.Set(func(n *jsonbody.Value, _ *Refs) func(*T) {
		v := n.Text()
		return func(t *T) { set(t, v) }
	})
}

// maxText is the maximum number of characters of a text without a limit of its own.
const maxText = 4096

// SetInt makes the field editable as a whole number.
func (f Field[T]) SetInt(set func(*T, int)) Field[T] {
	f.input.Type = "number"
	if f.input.Min == "" && f.input.Max == "" {
		f = f.Between(math.MinInt32, math.MaxInt32)
	}
	return f.Set(func(n *jsonbody.Value, _ *Refs) func(*T) {
		v := n.Int()
		return func(t *T) { set(t, int(v)) }
	})
}

// SetBool makes the field editable as a boolean.
func (f Field[T]) SetBool(set func(*T, bool)) Field[T] {
	f.input.Options = []string{"true", "false"}
	return f.Set(func(n *jsonbody.Value, _ *Refs) func(*T) {
		v := n.Bool()
		return func(t *T) { set(t, v) }
	})
}

// SetMoney makes the field editable as an amount of money.
func (f Field[T]) SetMoney(set func(*T, models.Money)) Field[T] {
	f.input.Type = "number"
	return f.Set(func(n *jsonbody.Value, _ *Refs) func(*T) {
		v := n.Money()
		return func(t *T) { set(t, v) }
	})
}

// SetTexts makes the field editable as a list of strings.
func (f Field[T]) SetTexts(set func(*T, []string)) Field[T] {
	f.input.Multiple = true
	return f.Set(func(n *jsonbody.Value, _ *Refs) func(*T) {
		v := n.Texts()
		return func(t *T) { set(t, v) }
	})
}

// Picked declares a limit of a row to some rows of a collection. It is set as a list of references and
// shown as the links of a relation instead of a field.
func Picked[T any](plural string, at func(*T) *[]models.ID, doc string) Field[T] {
	f := WriteOnly[T](plural, doc).Set(func(n *jsonbody.Value, r *Refs) func(*T) {
		ids := r.Each(n, plural)
		return func(t *T) { *at(t) = ids }
	})
	return f.picks(plural, func(t *T) []models.ID { return *at(t) })
}

// WriteOnly declares a field that can be set and is never shown.
func WriteOnly[T any](name, doc string) Field[T] {
	return Field[T]{Name: name, Doc: doc, hidden: true, Value: func(*T) hal.Value { return hal.Null() }}
}

// Texts declares a list of strings.
func Texts[T any](name string, get func(*T) []string, doc string) Field[T] {
	return Field[T]{Name: name, Doc: doc, json: schema.Array(schema.String()), Value: func(t *T) hal.Value { return hal.Strings(get(t)) }}
}

// OptionalTime declares an instant that may be missing and can be set; at returns its address in the row.
func OptionalTime[T any](name string, at func(*T) **time.Time, doc string) Field[T] {
	f := Time(name, func(t *T) *time.Time { return *at(t) }, doc).As("datetime-local")
	return f.Set(func(n *jsonbody.Value, _ *Refs) func(*T) {
		v := ReadTime(n)
		return func(t *T) { *at(t) = v }
	})
}

// ReadTime reads an instant. It returns nil for a missing one, and complains about an invalid one.
func ReadTime(n *jsonbody.Value) *time.Time {
	if !n.Present() {
		return nil
	}
	text := n.Text()
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			t = t.UTC().Truncate(time.Microsecond)
			return &t
		}
	}
	n.Complain("%q is no instant such as 2027-01-31T12:00:00Z", text)
	return nil
}

// Text declares a string.
func Text[T any](name string, get func(*T) string, doc string) Field[T] {
	return Field[T]{Name: name, Kind: query.Text, Doc: doc, json: schema.String(), Value: func(t *T) hal.Value { return hal.String(get(t)) }}
}

// Int declares a whole number.
func Int[T any](name string, get func(*T) int64, doc string) Field[T] {
	return Field[T]{Name: name, Kind: query.Int, Doc: doc, json: schema.Integer(), Value: func(t *T) hal.Value { return hal.Int(get(t)) }}
}

// Bool declares a boolean.
func Bool[T any](name string, get func(*T) bool, doc string) Field[T] {
	return Field[T]{Name: name, Kind: query.Bool, Doc: doc, json: schema.Boolean(), Value: func(t *T) hal.Value { return hal.Bool(get(t)) }}
}

// Enum declares one of a closed set of codes.
func Enum[T any, E ~string](name string, values []E, get func(*T) E, doc string) Field[T] {
	f := Field[T]{Name: name, Kind: query.Enum, Doc: doc, Value: func(t *T) hal.Value { return hal.String(string(get(t))) }}
	for _, v := range values {
		f.Values = append(f.Values, string(v))
	}
	f.json = schema.Enum(f.Values...)
	return f
}

// Time declares an instant that may be missing.
func Time[T any](name string, get func(*T) *time.Time, doc string) Field[T] {
	return Field[T]{Name: name, Kind: query.Time, Doc: doc, json: schema.Nullable(schema.Like(timePattern)), Value: func(t *T) hal.Value {
		at := get(t)
		if at == nil || at.IsZero() {
			return hal.Null()
		}
		return hal.String(at.UTC().Format(TimeLayout))
	}}
}

// Date declares a day, kept as text.
func Date[T any](name string, get func(*T) string, doc string) Field[T] {
	return Field[T]{Name: name, Kind: query.Date, Doc: doc, json: schema.Nullable(schema.Like(datePattern)), Value: func(t *T) hal.Value {
		if d := get(t); d != "" {
			return hal.String(d)
		}
		return hal.Null()
	}}
}

// Rate declares an amount of money per month, "28.80/month".
func Rate[T any](name string, get func(*T) models.Money, doc string) Field[T] {
	return Field[T]{
		Name: name, Kind: query.Int, Doc: doc, scale: int64(models.Unit), json: schema.Like(ratePattern),
		Value: func(t *T) hal.Value { return hal.String(get(t).PerMonth()) },
		exact: func(t *T) string { return get(t).Exact() },
	}
}

// Memory declares an amount of memory stored in MB and shown in GB, "1.2500 GB". Filters take GB.
func Memory[T any](name string, get func(*T) int, doc string) Field[T] {
	return Field[T]{
		Name: name, Kind: query.Int, Doc: doc, scale: 1024, json: schema.Like(memoryPattern),
		Value: func(t *T) hal.Value { return hal.String(GB(get(t))) },
	}
}

// Disk declares an amount of disk space stored in GB, "56 GB".
func Disk[T any](name string, get func(*T) int, doc string) Field[T] {
	return Field[T]{
		Name: name, Kind: query.Int, Doc: doc, json: schema.Like(diskPattern),
		Value: func(t *T) hal.Value { return hal.String(strconv.Itoa(get(t)) + " GB") },
	}
}

// GB formats an amount in MB the way servers show their memory: "1.2500 GB".
func GB(mb int) string {
	return strconv.FormatFloat(float64(mb)/1024, 'f', 4, 64) + " GB"
}

// Value declares a property of any other form.
func Value[T any](name string, get func(*T) hal.Value, doc string) Field[T] {
	return Field[T]{Name: name, Doc: doc, Value: get}
}

// Fetched declares a property that a service looks up for the item. Lists omit it, since they would need a
// look-up per row.
func Fetched[T any](name string, fetch func(ctx context.Context, a access.Actor, row *T) (hal.Value, error), doc string) Field[T] {
	return Field[T]{Name: name, Doc: doc, fetch: fetch, Value: func(*T) hal.Value { return hal.Null() }}
}

// ID declares the id, a string on the wire.
func ID[T any](get func(*T) *models.Row) Field[T] {
	return Field[T]{
		Name: "id", Kind: query.Int, Doc: "Number of the resource, as a string.", listed: true, json: schema.Like(idPattern),
		Column: "id", Reads: []string{"id"},
		Value: func(t *T) hal.Value { return hal.String(strconv.FormatInt(int64(get(t).ID), 10)) },
	}
}

// IDOf declares the id of another row, a string on the wire like every id.
func IDOf[T any](name, column string, get func(*T) models.ID, doc string) Field[T] {
	return Field[T]{
		Name: name, Kind: query.Int, Doc: doc, Column: column, Reads: []string{column}, json: schema.Like(idPattern),
		Value: func(t *T) hal.Value { return hal.String(get(t).String()) },
	}
}

// Identity declares the ids of a resource and the times of its creation and last change.
func Identity[T any](get func(*T) *models.Row) []Field[T] {
	return []Field[T]{
		Text("global-id", func(t *T) string { return get(t).GlobalID }, "Id that tells the kind as well.").On("global_id"),
		Text("uuid", func(t *T) string { return get(t).UUID }, "Id that is unique everywhere.").On("uuid"),
		Time("created", func(t *T) *time.Time { return &get(t).CreatedAt }, "When it was made.").On("created_at").OnDemand(),
		Time("updated", func(t *T) *time.Time { return &get(t).UpdatedAt }, "When it was changed last.").On("updated_at").OnDemand(),
	}
}

// TimeLayout is the format of instants: UTC, microseconds, no zone.
const TimeLayout = "2006-01-02T15:04:05.000000"

// Relation is a link from the resource to others.
type Relation[T any] struct {
	Rel       string
	Alias     string // further name in the CloudBolt shape
	Group     string // parent key in the CloudBolt shape
	Doc       string
	To        string // plural of the target; "" if Link sets the target
	Many      bool
	Of        string // the relation of the entity
	ID        func(*T) models.ID
	Link      func(base string, row *T) (hal.Link, bool)
	optional  bool
	required  bool
	extra     func(target any) []hal.Prop
	extraFrom []string
	set       func(*T, models.ID)
	limit     func(a access.Actor) (ids []models.ID, limited bool)
	guard     func(a access.Actor, row *T) error
	known     func(a access.Actor, row *T) ([]any, bool)
}

// One declares a relation to one row of another resource, by the name of a relation of the entity.
func One[T any](rel, to, relation string, id func(*T) models.ID, doc string) Relation[T] {
	return Relation[T]{Rel: rel, To: to, Of: relation, ID: id, Doc: doc}
}

// Many declares a relation to several rows of another resource, by the name of a relation of the entity.
func Many[T any](rel, to, relation, doc string) Relation[T] {
	return Relation[T]{Rel: rel, To: to, Many: true, Of: relation, Doc: doc}
}

// Path declares a link with a path of its own.
func Path[T any](rel string, link func(base string, row *T) (hal.Link, bool), doc string) Relation[T] {
	return Relation[T]{Rel: rel, Link: link, Doc: doc, optional: true}
}

// Also sets a further name of the relation in the CloudBolt shape.
func (r Relation[T]) Also(alias string) Relation[T] { r.Alias = alias; return r }

// Within nests the relation below a key in the CloudBolt shape.
func (r Relation[T]) Within(group string) Relation[T] { r.Group = group; return r }

// Optional also omits an empty relation from the CloudBolt shape.
func (r Relation[T]) Optional() Relation[T] { r.optional = true; return r }

// Set makes the relation editable.
func (r Relation[T]) Set(set func(*T, models.ID)) Relation[T] { r.set = set; return r }

// Required rejects a create without the relation.
func (r Relation[T]) Required() Relation[T] { r.required = true; return r }

// Among limits the possible targets for callers who may not choose freely: limit returns the ids, and
// whether there is a limit. A form for a new row then requires a choice. The service must reject other
// choices.
func (r Relation[T]) Among(limit func(a access.Actor) (ids []models.ID, limited bool)) Relation[T] {
	r.limit = limit
	return r
}

// If shows the link only to callers who pass the guard.
func (r Relation[T]) If(guard func(a access.Actor, row *T) error) Relation[T] {
	r.guard = guard
	return r
}

// ExtraFrom adds members to each of its links, computed from the target's row. It lists the columns to
// read.
func (r Relation[T]) ExtraFrom(props func(target any) []hal.Prop, columns ...string) Relation[T] {
	r.extra, r.extraFrom = props, columns
	return r
}

// Known skips the query of a to-many relation if the row already holds the related rows: all that the actor
// sees, by id.
func (r Relation[T]) Known(rows func(a access.Actor, row *T) ([]any, bool)) Relation[T] {
	r.known = rows
	return r
}

// Action is an operation on one row, POST …/actions/{Path}.
type Action[T any] struct {
	Rel    string // "power-on"
	Name   string // key in the hybrid array and the CloudBolt shape; "" for Rel
	Path   string // last segment of the href; "" for Rel
	Number int    // number that scripts use, also as last segment of the href; 0 for none
	Title  string // "Submit": the link says "Submit 'Order id 1'"
	Doc    string
	Slash  bool
	NoBulk bool // the caller has to read the answer: it cannot run on several rows at once
	Can    func(a access.Actor, row *T) error
	Do     func(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (Result[T], error)
	// Form lists the members of the body for the action's template; nil for none.
	Form func(ctx context.Context, a access.Actor, row *T) ([]hal.TemplateProperty, error)

	DryRun *DryRun // tries the action out; nil: not supported

	// For the documentation: the accepted members of the body, nil for none, and the possible results.
	Body    schema.Object
	Results Results
}

// DryRun tries an operation out: the answer to a request with dry-run=1 describes the outcome, and nothing
// changes.
type DryRun struct {
	// Do returns the preview; it may use the arena for its document. ref is the row of an action, "" for a
	// create.
	Do func(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value, on *Arena) (*Preview, error)

	Schema string // name of the document's schema, for the documentation
}

// Preview describes the outcome of an operation.
type Preview struct {
	Doc *hal.Document
	// Parts returns further content for the HTML page; nil for none.
	Parts func(ctx context.Context) ([]hal.Embedded, error)
}

// BatchAction is an operation on the collection.
type BatchAction struct {
	Rel, Title, Doc string
	Starts          string // plural of the resource of the work that it starts
	Can             func(a access.Actor) error
	Do              func(ctx context.Context, a access.Actor, n *jsonbody.Value) ([]Work, error)
}

// Sub is a collection below an item.
type Sub[T any] struct {
	Path  string // "related-jobs"
	Rel   string // relation of the link to it; "" for none
	Alias string // name of the link in the CloudBolt shape
	Of    string // plural of the listed resource
	Title func(*T) string
	Doc   string
	Can   func(a access.Actor, row *T) error // guard of the list; nil: everyone who sees the item
	Paged bool                               // the title names the page, and Title is the noun

	Relation string // to-many relation of the entity
	// Rows narrows the list to rows that no relation describes, given the id of the item. It replaces
	// Relation.
	Rows func(ctx context.Context, id models.ID) (query.ListOption, error)
}
