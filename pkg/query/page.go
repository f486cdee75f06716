package query

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
)

// ListOption changes what List and Find read.
type ListOption func(*listOptions)

type listOptions struct {
	base    access.Where
	columns []string
	known   *int64 // the total
	update  bool
}

// Base narrows the list to a subset, such as the servers of one group. The condition qualifies columns by
// Root.
func Base(w access.Where) ListOption {
	return func(o *listOptions) { o.base = access.And(o.base, w) }
}

// Among narrows the list to the rows with these ids.
func Among(ids []models.ID) ListOption { return Base(access.In(Root+".id", ids)) }

// Columns limits which columns of the schema's table are read.
func Columns(columns ...string) ListOption {
	return func(o *listOptions) { o.columns = append(o.columns, columns...) }
}

// Total skips the count: the caller already knows the total.
func Total(n int64) ListOption {
	return func(o *listOptions) { o.known = &n }
}

// ForUpdate locks the rows until the transaction ends.
func ForUpdate() ListOption {
	return func(o *listOptions) { o.update = true }
}

func options(opts []ListOption) listOptions {
	var o listOptions
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

func (o *listOptions) columnList() string {
	if len(o.columns) == 0 {
		return Root + ".*"
	}
	return Root + "." + strings.Join(o.columns, ", "+Root+".")
}

func (o *listOptions) lock(b *builder, tx *store.Tx) {
	if o.update && tx.Dialect() == store.Postgres {
		b.text(" FOR UPDATE OF " + Root)
	}
}

// List returns one page of the rows that match the query and that the actor sees, in the order of the query
// and then by id, with the total of all pages. A cursor takes precedence over the page number, which then
// is only a label.
//
// T is a gorm model of the entity's table, or a struct with some of its columns. Fields of nullable columns
// are pointers or scanners.
func List[T any](tx *store.Tx, e *Entity, a access.Actor, q Query, opts ...ListOption) (Page[T], error) {
	l, err := newListing(tx, e, a, q, opts)
	p := Page[T]{Number: l.number, Size: l.size}
	if err != nil {
		return p, err
	}
	statement, counted := l.statement()
	kinds := l.kinds
	if counted {
		kinds = append(slices.Clone(kinds), Int)
	}
	p.pool = poolOf[T]().Get().(*rowPool[T])
	rows, values, err := scan[T](tx, statement, kinds, p.pool)
	if err != nil {
		return p, err
	}
	if counted {
		l.takeTotal(values)
	}
	more := len(rows) > l.size
	if more {
		rows, values = rows[:l.size], values[:l.size]
	}
	if l.back {
		slices.Reverse(rows)
		slices.Reverse(values)
	}
	p.Rows = rows
	p.Next, p.Prev = l.cursors(values, more)
	p.Total, err = l.total(len(rows), more)
	return p, err
}

// listing is a list being compiled into a statement.
type listing struct {
	tx     *store.Tx
	entity *Entity
	actor  access.Actor
	query  Query
	listOptions
	compiler *compiler

	number, size int
	where        access.Where // the query, as far as the actor sees it
	counter      access.Where // the total, where the database maintains it
	counts       bool         // whether counter is set

	keys   []sortKey
	kinds  []Kind // of the keys
	joins  access.Where
	cursor []keyValue // nil: use the page number
	back   bool       // the page ends at the cursor
	offset int
}

// newListing compiles the conditions and the order of a list.
func newListing(tx *store.Tx, e *Entity, a access.Actor, q Query, opts []ListOption) (listing, error) {
	l := listing{tx: tx, entity: e, actor: a, query: q, listOptions: options(opts), number: max(q.Page, 1), size: q.Size}
	if l.size < 1 {
		l.size = defaultSize
	}
	c := newCompiler(tx, a)
	l.compiler = c
	if c.postgres {
		c.resolve = &resolver{tx: tx}
	}
	visible, asked := c.visible(e, Root), access.None
	if !isNone(visible) {
		asked = access.And(l.base, c.all(Root, pendings(q.Filter)))
	}
	l.where = access.And(asked, visible)
	if c.resolve != nil && c.resolve.err != nil {
		return l, c.resolve.err
	}
	l.counter, l.counts = countersOf[e.Table].total(e, a, asked)
	if err := l.readCursor(); err != nil {
		return l, err
	}
	l.keys, l.joins = c.order(q.Order, l.back)
	l.kinds = make([]Kind, len(l.keys))
	for i, k := range l.keys {
		l.kinds[i] = k.kind
	}
	return l, nil
}

// readCursor reads where the page begins or ends.
func (l *listing) readCursor() error {
	q := &l.query
	name, text := "after", q.After
	if text == "" && q.Before != "" {
		name, text, l.back = "before", q.Before, true
	}
	if text == "" {
		l.offset = (l.number - 1) * l.size
		return nil
	}
	var err error
	l.cursor, err = decodeCursor(name, text, q.name(l.entity), l.actor, *q)
	return err
}

// statement returns the statement for the rows of the page plus one, which shows whether there are more.
// counted reports whether the total is a column after the keys.
func (l *listing) statement() (b builder, counted bool) {
	c, where, limit := l.compiler, l.where, l.size+1
	if l.cursor != nil {
		where = access.And(c.keyset(l.keys, l.cursor), where)
	}
	if n := c.narrow; n != nil && len(n.ids) > 1 && len(l.keys) == 1 && !l.update {
		along := l.totalAlong(n)
		c.picked(&b, l.entity, &l.listOptions, l.keys, where, limit, l.offset, along)
		return b, !along.IsAll()
	}
	c.selected(&b, l.entity, &l.listOptions, l.keys, access.All, l.joins, where)
	c.orderBy(&b, l.keys)
	b.text(fmt.Sprintf(" LIMIT %d", limit))
	if l.offset > 0 {
		b.text(" OFFSET ?")
		b.args = append(b.args, l.offset)
	}
	l.lock(&b, l.tx)
	return b, false
}

// totalAlong returns an expression for the total if it is nearly free, and access.All otherwise.
func (l *listing) totalAlong(n *narrow) access.Where {
	switch {
	case l.known != nil:
	case l.counts && l.actor.SeesAll():
		return l.counter
	case l.where.SQL == n.where().SQL:
		return access.Where{SQL: fmt.Sprintf("(SELECT count(*) FROM %s %s WHERE %s)", l.entity.Table, Root, n.where().SQL)}
	}
	return access.All
}

// takeTotal removes the total from the values that were read.
func (l *listing) takeTotal(values [][]keyValue) {
	keys := len(l.keys)
	for i := range values {
		if i == 0 {
			n := values[0][keys].num
			l.known = &n
		}
		values[i] = values[i][:keys]
	}
}

// cursors returns the cursors of the next and the previous page, given the key values of this one. It
// returns "" where there is no such page.
func (l *listing) cursors(values [][]keyValue, more bool) (next, prev string) {
	n := len(values)
	if n == 0 {
		return "", ""
	}
	stamp := stampOf(l.query.name(l.entity), l.query)
	if more || l.back {
		next = encodeCursor(stamp, l.kinds, values[n-1])
	}
	if l.back && more || !l.back && (l.cursor != nil || l.number > 1) {
		prev = encodeCursor(stamp, l.kinds, values[0])
	}
	return next, prev
}

// total returns the total of all pages, given the number of rows on this one.
func (l *listing) total(rows int, more bool) (int64, error) {
	switch {
	case l.known != nil:
		return *l.known, nil
	case l.cursor == nil && !more && (rows > 0 || l.offset == 0):
		return int64(l.offset + rows), nil // the list ends here
	case l.counts:
		return number(l.tx, access.Where{SQL: "SELECT " + l.counter.SQL, Args: l.counter.Args})
	}
	return count(l.tx, l.entity, l.where)
}

// selected writes the statement up to its order.
func (c *compiler) selected(b *builder, e *Entity, o *listOptions, keys []sortKey, more, joins, where access.Where) {
	b.text("SELECT ").text(o.columnList())
	for i, k := range keys {
		b.text(", ").add(k.expr).text(fmt.Sprintf(" AS qk%d", i))
	}
	b.add(more).text(" FROM " + e.Table + " " + Root).add(joins).where(where)
}

// picked writes the statement for rows with a few known values of an indexed column, in the order of their
// ids. It merges the index entries of each value; PostgreSQL would otherwise scan all rows until enough
// match. If the index has all requested columns, it reads nothing else; otherwise it takes the ids, mostly
// from the index alone, and then reads only those rows. The total is a further column.
func (c *compiler) picked(b *builder, e *Entity, o *listOptions, keys []sortKey, where access.Where, limit, offset int, total access.Where) {
	desc, more := "", access.All
	if keys[0].desc {
		desc = " DESC"
	}
	if !total.IsAll() {
		more = access.Where{SQL: ", " + total.SQL + " AS total", Args: total.Args}
	}
	covered := len(o.columns) > 0 && !slices.ContainsFunc(o.columns, func(column string) bool { return !slices.Contains(c.narrow.covers, column) })
	if covered {
		b.text("SELECT m.*").add(more).text(" FROM (")
	} else {
		c.selected(b, e, o, keys, more, access.All, access.All)
		b.text(" WHERE " + Root + ".id = ANY (ARRAY(")
	}
	for i, id := range c.narrow.ids {
		if i > 0 {
			b.text(" UNION ALL ")
		}
		each := access.And(access.Where{SQL: Root + "." + c.narrow.column + " = " + id.String()}, where)
		b.text("(")
		if covered {
			c.selected(b, e, o, keys, access.All, access.All, each)
		} else {
			b.text(fmt.Sprintf("SELECT %s.id AS qk0 FROM %s %s", Root, e.Table, Root)).where(each)
		}
		b.text(fmt.Sprintf(" ORDER BY %s.id%s LIMIT %d)", Root, desc, offset+limit))
	}
	if covered {
		b.text(") m")
	}
	b.text(fmt.Sprintf(" ORDER BY qk0%s LIMIT %d OFFSET %d", desc, limit, offset))
	if !covered {
		b.text(fmt.Sprintf(")) ORDER BY %s.id%s", Root, desc))
	}
}

func count(tx *store.Tx, e *Entity, where access.Where) (int64, error) {
	var b builder
	b.text("SELECT count(*) FROM " + e.Table + " " + Root).where(where)
	return number(tx, b.build())
}

// number returns the single number that a statement selects.
func number(tx *store.Tx, statement access.Where) (int64, error) {
	var n int64
	if err := tx.Raw(statement.SQL, statement.Args...).Row().Scan(&n); err != nil {
		return 0, store.Fault(err)
	}
	return n, nil
}

// keyValue is the value of a sort key in a row.
type keyValue struct {
	null bool
	text string
	num  int64 // Int, Ref; Bool as 0 and 1; Time in microseconds
}

func (v keyValue) arg(k Kind) any {
	switch {
	case v.null:
		return nil
	case k == Int, k == Ref:
		return v.num
	case k == Bool:
		return v.num != 0
	case k == Time:
		return time.UnixMicro(v.num).UTC()
	}
	return v.text
}

// keyValueOf converts a value from the driver. SQLite has its own types.
func keyValueOf(k Kind, raw any) (keyValue, error) {
	switch v := raw.(type) {
	case nil:
		return keyValue{null: true}, nil
	case int64:
		return keyValue{num: v}, nil
	case bool:
		if v {
			return keyValue{num: 1}, nil
		}
		return keyValue{}, nil
	case time.Time:
		return keyValue{num: v.UnixMicro()}, nil
	case []byte:
		return keyValueOf(k, string(v))
	case string:
		if k == Time {
			// An expression has no declared type, so the driver cannot convert it.
			t, err := time.Parse("2006-01-02 15:04:05.999999999-07:00", v)
			if err != nil {
				return keyValue{}, fmt.Errorf("read a sort key: %w", err)
			}
			return keyValue{num: t.UnixMicro()}, nil
		}
		return keyValue{text: v}, nil
	}
	return keyValue{}, fault.New(fault.Internal, "query: a sort key is a %T", raw)
}
