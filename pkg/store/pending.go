package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"halcyon/models"
)

// Count is a number of rows to insert into a table.
type Count struct {
	Table string
	Rows  int
}

// AllocateIDs reserves the ids of rows that the transaction is about to insert, all with one statement.
// Insert and Add defer rows with a reserved id, to write many at once; a Save of a deferred row changes it
// before it is written. Unused ids are lost on PostgreSQL, and used again on SQLite.
func (tx *Tx) AllocateIDs(counts ...Count) error {
	s := tx.session()
	if s == nil {
		return nil
	}
	if s.ids == nil {
		s.ids, s.last = map[string][]models.ID{}, map[string]models.ID{}
	}
	if tx.store.dialect == SQLite {
		return tx.allocateSQLite(s, counts)
	}
	return tx.allocatePostgres(s, counts)
}

func (tx *Tx) allocatePostgres(s *session, counts []Count) error {
	// A few numbers are one row of a statement that is cheap to plan.
	var b strings.Builder
	n := 0
	for _, c := range counts {
		for range c.Rows {
			if n++; n > 1 {
				b.WriteByte(',')
			}
			b.WriteString(" nextval('" + c.Table + "_id_seq')")
		}
	}
	if n == 0 {
		return nil
	}
	const few = 8
	ids := make([]models.ID, n)
	if n <= few {
		into := make([]any, n)
		for i := range ids {
			into[i] = &ids[i]
		}
		if err := s.ConnPool.QueryRowContext(tx.Statement.Context, "SELECT"+b.String()).Scan(into...); err != nil {
			return translate(err)
		}
	} else {
		b.Reset()
		args := make([]any, 0, len(counts))
		for i, c := range counts {
			if i > 0 {
				b.WriteString(" UNION ALL ")
			}
			args = append(args, c.Rows)
			fmt.Fprintf(&b, "SELECT nextval('%s_id_seq') FROM generate_series(1, $%d::int)", c.Table, i+1)
		}
		rows, err := s.ConnPool.QueryContext(tx.Statement.Context, b.String(), args...)
		if err != nil {
			return translate(err)
		}
		defer rows.Close()
		for i := 0; rows.Next(); i++ {
			if err := rows.Scan(&ids[i]); err != nil {
				return translate(err)
			}
		}
		if err := rows.Err(); err != nil {
			return translate(err)
		}
	}
	for _, c := range counts {
		s.ids[c.Table], ids = append(s.ids[c.Table], ids[:c.Rows]...), ids[c.Rows:]
	}
	return nil
}

// allocateSQLite continues after the highest id that the table ever had or that was reserved before. SQLite
// has no other writer meanwhile.
func (tx *Tx) allocateSQLite(s *session, counts []Count) error {
	for _, c := range counts {
		var last models.ID
		err := s.ConnPool.QueryRowContext(tx.Statement.Context, "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?), 0)", c.Table).Scan(&last)
		if err != nil {
			return translate(err)
		}
		last = max(last, s.last[c.Table])
		for range c.Rows {
			last++
			s.ids[c.Table] = append(s.ids[c.Table], last)
		}
		s.last[c.Table] = last
	}
	return nil
}

// take gives a row the next reserved id of its table and defers the row. It returns false if no id is
// reserved.
func (tx *Tx) take(row any, keyed models.Keyed, id *models.ID) bool {
	s := tx.session()
	if s == nil || len(s.ids) == 0 {
		return false
	}
	t, err := tableOf(tx.DB, row)
	if err != nil || len(s.ids[t.name]) == 0 {
		return false
	}
	*id, s.ids[t.name] = s.ids[t.name][0], s.ids[t.name][1:]
	s.rows = append(s.rows, pendingWrite{table: t, row: row})
	if keyed != nil {
		if s.keyed == nil {
			s.keyed = map[models.Keyed]bool{}
		}
		s.keyed[keyed] = true
	}
	return true
}

// Add inserts a new row of a type that has only an id, and sets the id.
func Add(tx *Tx, row any, id *models.ID) error {
	if tx.take(row, nil, id) {
		return nil
	}
	return translate(tx.Create(row).Error)
}

// Note inserts a row that no other row refers to and with an id that is not needed: a line of history. The
// write is deferred. Callers must not change the row afterwards.
func Note(tx *Tx, row any) error {
	tx.wrote(row, true)
	s := tx.session()
	if s == nil {
		return translate(tx.Create(row).Error)
	}
	t, err := tableOf(tx.DB, row)
	if err != nil {
		return err
	}
	s.notes = append(s.notes, pendingWrite{table: t, row: row})
	return nil
}

// Rewrite updates columns of a row that the transaction has locked and read. It is like Save, but does not
// wait for the result: the lock prevents changes by others. No columns means all.
func Rewrite(tx *Tx, row models.Keyed, columns ...string) error {
	s := tx.session()
	if s == nil || s.holds(row) {
		return Save(tx, row, columns...)
	}
	k := row.Key()
	k.Version++
	k.UpdatedAt = tx.Now
	if len(columns) > 0 {
		columns = append([]string{"version", "updated_at"}, columns...)
	}
	if err := s.rewrite(tx, row, columns); err != nil {
		return err
	}
	tx.wrote(row, false)
	return nil
}

// RewritePart is Rewrite for a row of a type that has only an id.
func RewritePart(tx *Tx, row any, columns ...string) error {
	s := tx.session()
	if s == nil {
		return errors.New("store: a row is rewritten outside InTx")
	}
	return s.rewrite(tx, row, columns)
}

func (s *session) rewrite(tx *Tx, row any, columns []string) error {
	t, err := tableOf(tx.DB, row)
	if err != nil {
		return err
	}
	x, err := t.update(tx.Statement.Context, row, columns, s.conn != nil)
	if err != nil {
		return err
	}
	s.rows = append(s.rows, pendingWrite{sql: x.sql, args: x.args})
	return nil
}

// later defers a statement in the database's own dialect until the next query of the transaction or its
// commit. It only works in InTx.
func (tx *Tx) later(statement string, args ...any) {
	s := tx.session()
	s.rows = append(s.rows, pendingWrite{sql: statement, args: args})
}

// table describes how to write rows of a type.
type table struct {
	name   string
	key    *schema.Field
	fields []*schema.Field // without the key
	into   string          // the columns in parentheses, without the key
}

var tables sync.Map // reflect.Type -> *table

func tableOf(db *gorm.DB, row any) (*table, error) {
	kind := reflect.TypeOf(row)
	if t, ok := tables.Load(kind); ok {
		return t.(*table), nil
	}
	stmt := gorm.Statement{DB: db}
	if err := stmt.Parse(row); err != nil {
		return nil, fmt.Errorf("read the fields of %s: %w", kind, err)
	}
	t := &table{name: stmt.Schema.Table, key: stmt.Schema.PrioritizedPrimaryField}
	var names []string
	for _, name := range stmt.Schema.DBNames {
		if f := stmt.Schema.FieldsByDBName[name]; f != t.key {
			t.fields = append(t.fields, f)
			names = append(names, `"`+name+`"`)
		}
	}
	t.into = strings.Join(names, ", ")
	tables.Store(kind, t)
	return t, nil
}

// statement is an SQL statement with its arguments.
type statement struct {
	sql  string
	args []any
}

// statements turns deferred writes into statements. Consecutive rows of one table share one statement.
func statements(ctx context.Context, list []pendingWrite, postgres bool) ([]statement, error) {
	out := make([]statement, 0, len(list))
	for len(list) > 0 {
		t := list[0].table
		if t == nil {
			out = append(out, statement{list[0].sql, list[0].args})
			list = list[1:]
			continue
		}
		n := 1
		for n < len(list) && list[n].table == t {
			n++
		}
		n = batch(n)
		x, err := t.insert(ctx, list[:n], postgres)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
		list = list[n:]
	}
	return out, nil
}

// batch returns how many of n rows to write at once. It returns few different numbers: each leads to a
// statement that the database prepares and keeps.
func batch(n int) int {
	if n <= 4 {
		return n
	}
	size := 4
	for size*2 <= min(n, 64) {
		size *= 2
	}
	return size
}

// insert returns the statement that inserts rows.
func (t *table) insert(ctx context.Context, rows []pendingWrite, postgres bool) (statement, error) {
	first := reflect.ValueOf(rows[0].row).Elem()
	_, fresh := t.key.ValueOf(ctx, first) // the database assigns the id
	columns := t.into
	if !fresh {
		columns = `"` + t.key.DBName + `", ` + columns
	}
	var b strings.Builder
	b.WriteString(`INSERT INTO "` + t.name + `" (` + columns + ") VALUES ")
	args := make([]any, 0, len(rows)*(len(t.fields)+1))
	for i, h := range rows {
		row := reflect.ValueOf(h.row).Elem()
		if i > 0 {
			b.WriteString(", ")
		}
		from := len(args)
		if !fresh {
			id, _ := t.key.ValueOf(ctx, row)
			args = append(args, id)
		}
		for _, f := range t.fields {
			v, _ := f.ValueOf(ctx, row)
			args = append(args, v)
		}
		for j := from; j < len(args); j++ {
			b.WriteByte("(,"[min(j-from, 1)])
			if postgres {
				b.WriteByte('$')
				b.WriteString(strconv.Itoa(j + 1))
			} else {
				b.WriteByte('?')
			}
		}
		b.WriteByte(')')
	}
	return t.bound(b.String(), args)
}

// once lists the columns that never change after the insert.
var once = []string{"uuid", "global_id", "created_at"}

// update returns the statement that writes columns of a row. Without columns it writes all that can change.
func (t *table) update(ctx context.Context, row any, columns []string, postgres bool) (statement, error) {
	value := reflect.ValueOf(row).Elem()
	var b strings.Builder
	var args []any
	set := func(name string, f *schema.Field) {
		v, _ := f.ValueOf(ctx, value)
		args = append(args, v)
		b.WriteString(`"` + name + `" = `)
		if postgres {
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(len(args)))
		} else {
			b.WriteByte('?')
		}
	}
	b.WriteString(`UPDATE "` + t.name + `" SET `)
	for _, f := range t.fields {
		if len(columns) > 0 && !slices.Contains(columns, f.DBName) || len(columns) == 0 && slices.Contains(once, f.DBName) {
			continue
		}
		if len(args) > 0 {
			b.WriteString(", ")
		}
		set(f.DBName, f)
	}
	b.WriteString(" WHERE ")
	set(t.key.DBName, t.key)
	return t.bound(b.String(), args)
}

// bound returns a statement with arguments that every driver accepts.
func (t *table) bound(text string, args []any) (statement, error) {
	for i, v := range args {
		plain, err := driver.DefaultParameterConverter.ConvertValue(v)
		if err != nil {
			return statement{}, fmt.Errorf("write a row of %s: %w", t.name, err)
		}
		args[i] = plain
	}
	return statement{text, args}, nil
}
