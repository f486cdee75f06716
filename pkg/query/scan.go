package query

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/store"
)

// Read returns rows by a condition of our own, in an order and up to a limit. from is the whole FROM
// clause, and columns include their prefix.
func Read[T any](tx *store.Tx, columns []string, from string, w access.Where, order string, limit int) ([]*T, error) {
	var b builder
	b.text("SELECT ").text(strings.Join(columns, ", ")).text(" FROM ").text(from).where(w)
	b.text(" ORDER BY ").text(order).text(" LIMIT ").text(strconv.Itoa(limit))
	rows, _, err := scan[T](tx, b, nil, nil)
	return rows, err
}

// ByIDs returns the condition that a column holds one of the ids. The ids are bound: they differ for every
// page, and inlining them would make the database plan a new statement for each page.
func ByIDs(tx *store.Tx, column string, ids []models.ID) access.Where {
	if len(ids) == 1 {
		return access.Where{SQL: column + " = ?", Args: []any{int64(ids[0])}}
	}
	if tx.Dialect() != store.Postgres {
		return access.In(column, ids) // SQLite plans every statement anyway
	}
	list := []byte{'{'}
	for i, id := range ids {
		if i > 0 {
			list = append(list, ',')
		}
		list = strconv.AppendInt(list, int64(id), 10)
	}
	return access.Where{SQL: column + " = ANY (CAST(? AS bigint[]))", Args: []any{string(append(list, '}'))}}
}

// scan reads rows: columns into the fields of T, and the key columns after them, which T does not have. It
// replaces gorm and database/sql, which take several allocations and conversions per value; these dominate
// a page of a hundred rows. Rows come from the pool while it has some; a nil pool has none.
func scan[T any](tx *store.Tx, b builder, kinds []Kind, r *rowPool[T]) (list []*T, keys [][]keyValue, err error) {
	rows, err := tx.Raw(b.sql.String(), b.args...).Rows()
	if err != nil {
		return nil, nil, store.Fault(err)
	}
	defer func() {
		if e := rows.Close(); err == nil && e != nil {
			err = store.Fault(e)
		}
	}()
	names, err := rows.Columns()
	if err != nil {
		return nil, nil, store.Fault(err)
	}
	columns, err := columnsOf[T](tx, names[:len(names)-len(kinds)])
	if err != nil {
		return nil, nil, err
	}
	raw, dest := make([]any, len(names)), make([]any, len(names))
	for i := range raw {
		dest[i] = &raw[i]
	}
	var slab []keyValue
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return nil, nil, store.Fault(err)
		}
		row := r.next()
		v := reflect.ValueOf(row).Elem()
		for i := range columns {
			if err := columns[i].set(tx, v, raw[i]); err != nil {
				return nil, nil, fmt.Errorf("read the column %s: %w", names[i], err)
			}
		}
		list = append(list, row)
		if len(kinds) > 0 {
			if cap(slab)-len(slab) < len(kinds) {
				slab = make([]keyValue, 0, len(kinds)*(defaultMax+1))
			}
			slab = slab[:len(slab)+len(kinds)]
			values := slab[len(slab)-len(kinds):]
			for i := range kinds {
				if values[i], err = keyValueOf(kinds[i], raw[len(columns)+i]); err != nil {
					return nil, nil, err
				}
			}
			keys = append(keys, values)
		}
	}
	return list, keys, store.Fault(rows.Err())
}

// rowPool holds the rows of a page. Lists reuse it one after the other, because the rows of pages are most
// of the garbage that lists produce.
type rowPool[T any] struct {
	rows [defaultMax + 1]T
	used int
}

// rowPools holds the unused pools, by row type.
var rowPools sync.Map // reflect.Type -> *sync.Pool

func poolOf[T any]() *sync.Pool {
	t := reflect.TypeFor[T]()
	if p, ok := rowPools.Load(t); ok {
		return p.(*sync.Pool)
	}
	p, _ := rowPools.LoadOrStore(t, &sync.Pool{New: func() any { return new(rowPool[T]) }})
	return p.(*sync.Pool)
}

func (r *rowPool[T]) next() *T {
	if r == nil || r.used == len(r.rows) {
		return new(T)
	}
	r.used++
	return &r.rows[r.used-1]
}

// release empties the pool for the next list.
func (r *rowPool[T]) release() {
	clear(r.rows[:r.used])
	r.used = 0
	poolOf[T]().Put(r)
}

// column is the destination of a result column.
type column struct {
	field *schema.Field // nil: discard
	index []int         // of the field, through embedded structs
	into  into
}

// into is the way to store a value in its field.
type into int

const (
	byGorm    into = iota // all rarer types
	asText                // kinds of string
	asInt                 // kinds of int
	asBool                // kinds of bool
	asID                  // models.ID, 0 for NULL
	asTime                // time.Time
	asPointer             // *time.Time, nil for NULL
	asJSON                // gorm's serializer:json
	byScanner             // sql.Scanner
)

// set stores a value from the driver in the row's field.
func (c *column) set(tx *store.Tx, row reflect.Value, raw any) error {
	if c.field == nil {
		return nil
	}
	f := row.FieldByIndex(c.index)
	switch c.into {
	case asText:
		if s, ok := raw.(string); ok {
			f.SetString(s)
			return nil
		}
	case asInt:
		if n, ok := raw.(int64); ok && !f.OverflowInt(n) {
			f.SetInt(n)
			return nil
		}
	case asBool:
		if b, ok := raw.(bool); ok {
			f.SetBool(b)
			return nil
		}
	case asID:
		switch n := raw.(type) {
		case int64:
			f.SetInt(n)
			return nil
		case nil:
			f.SetInt(0)
			return nil
		}
	case asTime:
		if t, ok := raw.(time.Time); ok {
			*f.Addr().Interface().(*time.Time) = t
			return nil
		}
	case asPointer:
		switch t := raw.(type) {
		case time.Time:
			*f.Addr().Interface().(**time.Time) = &t
			return nil
		case nil:
			f.SetZero()
			return nil
		}
	case asJSON:
		switch text := raw.(type) {
		case nil:
			return nil
		case string:
			return unmarshal([]byte(text), f)
		case []byte:
			return unmarshal(text, f)
		}
	case byScanner:
		return f.Addr().Interface().(sql.Scanner).Scan(raw)
	case byGorm:
	}
	if raw == nil && f.Kind() != reflect.Pointer && c.into != asJSON {
		return fmt.Errorf("NULL cannot be kept in a %s", f.Type())
	}
	if n, ok := raw.(int64); ok && f.CanInt() && f.OverflowInt(n) {
		return fmt.Errorf("%d is out of the range of a %s", n, f.Type())
	}
	return c.field.Set(tx.Statement.Context, row, raw)
}

func unmarshal(text []byte, f reflect.Value) error {
	if len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, f.Addr().Interface())
}

// plan is the mapping of the columns of a result.
type plan struct {
	names   []string
	columns []column
}

// plans holds the latest plan per row type: nearly all results of a type have the same columns. Callers can
// request any combination of columns, so only one is kept.
var plans sync.Map // reflect.Type -> *plan

// columnsOf returns the destination of each column.
func columnsOf[T any](tx *store.Tx, names []string) ([]column, error) {
	t := reflect.TypeFor[T]()
	if p, ok := plans.Load(t); ok && slices.Equal(p.(*plan).names, names) {
		return p.(*plan).columns, nil
	}
	stmt := gorm.Statement{DB: tx.DB}
	if err := stmt.Parse(new(T)); err != nil {
		return nil, fmt.Errorf("read the fields of %s: %w", t, err)
	}
	p := &plan{names: slices.Clone(names), columns: make([]column, len(names))}
	for i, name := range names {
		if f := stmt.Schema.LookUpField(name); f != nil {
			p.columns[i] = column{field: f, index: f.StructField.Index, into: intoOf(f)}
		}
	}
	plans.Store(t, p)
	return p.columns, nil
}

func intoOf(f *schema.Field) into {
	t := f.FieldType
	switch {
	case f.Serializer != nil:
		if _, ok := f.Serializer.(schema.JSONSerializer); ok {
			return asJSON
		}
		return byGorm
	case t == reflect.TypeFor[models.ID]():
		return asID
	case t == reflect.TypeFor[time.Time]():
		return asTime
	case t == reflect.TypeFor[*time.Time]():
		return asPointer
	case reflect.PointerTo(t).Implements(reflect.TypeFor[sql.Scanner]()):
		return byScanner
	}
	//exhaustive:ignore
	switch t.Kind() {
	case reflect.String:
		return asText
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return asInt
	case reflect.Bool:
		return asBool
	}
	return byGorm
}
