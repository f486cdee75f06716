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
	total   *int64
	update  bool
}

// Base narrows the list to a part: the servers of one group. Columns in the
// condition are qualified by Root.
func Base(w access.Where) ListOption {
	return func(o *listOptions) { o.base = access.And(o.base, w) }
}

// Among narrows the list to the rows with these ids.
func Among(ids []models.ID) ListOption { return Base(access.In(Root+".id", ids)) }

// Columns limits what is read to these columns of the schema's table.
func Columns(columns ...string) ListOption {
	return func(o *listOptions) { o.columns = append(o.columns, columns...) }
}

// Total says how many rows there are in all, to whoever keeps count: it is then
// not counted.
func Total(n int64) ListOption {
	return func(o *listOptions) { o.total = &n }
}

// ForUpdate locks the rows that are read until the transaction ends.
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

// List gives one page of the rows that the query asks for and the actor sees, in
// its order and then by id, and how many there are on all pages. A cursor wins
// over the page number, which then only is what the page is called.
//
// T is a gorm model of the schema's table, or a struct with a part of its
// columns. Fields of columns that may be NULL are pointers or scanners.
func List[T any](tx *store.Tx, e *Entity, a access.Actor, q Query, opts ...ListOption) (Page[T], error) {
	o := options(opts)
	p := Page[T]{Number: max(q.Page, 1), Size: q.Size}
	if p.Size < 1 {
		p.Size = defaultSize
	}
	c := newCompiler(tx, a)
	if c.postgres {
		c.resolve = &resolver{tx: tx}
	}
	visible, asked := c.visible(e, Root), access.None
	if !isNone(visible) {
		asked = access.And(o.base, c.all(Root, pendings(q.Filter)))
	}
	where := access.And(asked, visible)
	if c.resolve != nil && c.resolve.err != nil {
		return p, c.resolve.err
	}
	total, counts := countersOf[e.Table].total(e, a, asked)

	var cursor []keyValue
	name, text, back := "after", q.After, false
	if text == "" && q.Before != "" {
		name, text, back = "before", q.Before, true
	}
	if text != "" {
		var err error
		if cursor, err = decodeCursor(name, text, q.name(e), a, q); err != nil {
			return p, err
		}
	}
	offset := 0
	if cursor == nil {
		offset = (p.Number - 1) * p.Size
	}

	keys, joins := c.order(q.Order, back)
	kinds := make([]Kind, len(keys))
	for i, k := range keys {
		kinds[i] = k.kind
	}
	after := access.All
	if cursor != nil {
		after = c.keyset(keys, cursor)
	}
	limit := p.Size + 1 // one more, to know whether it goes on
	var b builder
	counted := false
	if n := c.narrow; n != nil && len(n.ids) > 1 && len(keys) == 1 && !o.update {
		// The total comes along where that is next to no work.
		along := access.All
		switch {
		case o.total != nil:
		case counts && a.SeesAll():
			along = total
		case where.SQL == n.where().SQL:
			along = access.Where{SQL: fmt.Sprintf("(SELECT count(*) FROM %s %s WHERE %s)", e.Table, Root, n.where().SQL)}
		}
		counted = !along.IsAll()
		c.picked(&b, e, &o, keys, access.And(after, where), limit, offset, along)
	} else {
		c.selected(&b, e, &o, keys, access.All, joins, access.And(after, where))
		c.orderBy(&b, keys)
		b.text(fmt.Sprintf(" LIMIT %d", limit))
		if offset > 0 {
			b.text(" OFFSET ?")
			b.args = append(b.args, offset)
		}
		o.lock(&b, tx)
	}
	p.room = poolOf[T]().Get().(*rowPool[T])
	columns := kinds
	if counted {
		columns = append(slices.Clone(kinds), Int)
	}
	rows, values, err := scan[T](tx, b, columns, p.room)
	if err != nil {
		return p, err
	}
	if counted && len(rows) > 0 {
		n := values[0][len(kinds)].num
		o.total = &n
		for i := range values {
			values[i] = values[i][:len(kinds)]
		}
	}
	more := len(rows) > p.Size
	if more {
		rows, values = rows[:p.Size], values[:p.Size]
	}
	if back {
		slices.Reverse(rows)
		slices.Reverse(values)
	}
	p.Rows = rows
	if n := len(rows); n > 0 {
		stamp := stampOf(q.name(e), q)
		if more || back {
			p.Next = encodeCursor(stamp, kinds, values[n-1])
		}
		if back && more || !back && (cursor != nil || p.Number > 1) {
			p.Prev = encodeCursor(stamp, kinds, values[0])
		}
	}

	switch {
	case o.total != nil:
		p.Total = *o.total
	case cursor == nil && !more && (len(rows) > 0 || offset == 0):
		p.Total = int64(offset + len(rows)) // the list ends here
	case counts:
		p.Total, err = number(tx, access.Where{SQL: "SELECT " + total.SQL, Args: total.Args})
	default:
		p.Total, err = count(tx, e, where)
	}
	return p, err
}

// selected is the statement up to its order.
func (c *compiler) selected(b *builder, e *Entity, o *listOptions, keys []sortKey, more, joins, where access.Where) {
	b.text("SELECT ").text(o.columnList())
	for i, k := range keys {
		b.text(", ").add(k.expr).text(fmt.Sprintf(" AS qk%d", i))
	}
	b.add(more).text(" FROM " + e.Table + " " + Root).add(joins).where(where)
}

// picked is the statement for rows of a few known values of an indexed column, in
// the order of their ids. It merges what the index has for each value, where
// PostgreSQL would walk through all rows until it has met enough that fit. When the
// index has all columns that are asked for, that is all; otherwise the ids come out
// of it, mostly by the index alone, and then those rows are read and no others.
// The total is a further column.
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

// Count tells how many rows the query asks for and the actor sees.
func Count(tx *store.Tx, e *Entity, a access.Actor, q Query, opts ...ListOption) (int64, error) {
	o := options(opts)
	return count(tx, e, access.And(o.base, newCompiler(tx, a).filter(e, q.Filter)))
}

func count(tx *store.Tx, e *Entity, where access.Where) (int64, error) {
	var b builder
	b.text("SELECT count(*) FROM " + e.Table + " " + Root).where(where)
	return number(tx, b.build())
}

// number reads one number.
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

// keyValueOf reads what the driver gave: SQLite's types are its own.
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
			// An expression has no declared type by which the driver would know.
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
