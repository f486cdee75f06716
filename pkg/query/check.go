package query

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"halcyon/pkg/access"
	"halcyon/pkg/store"
)

// catalogue maps each table of the database to its columns, and each column to whether it is nullable.
type catalogue map[string]map[string]bool

// readCatalogue reads the tables and columns of the database.
func readCatalogue(tx *store.Tx) (catalogue, error) {
	statement := "SELECT m.name, p.name, p.\"notnull\" = 0 AND p.pk = 0 FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table'"
	if tx.Dialect() == store.Postgres {
		statement = "SELECT table_name, column_name, is_nullable = 'YES' FROM information_schema.columns WHERE table_schema = current_schema()"
	}
	rows, err := tx.Raw(statement).Rows()
	if err != nil {
		return nil, store.Fault(err)
	}
	defer rows.Close()
	c := catalogue{}
	for rows.Next() {
		var table, column string
		var null bool
		if err := rows.Scan(&table, &column, &null); err != nil {
			return nil, store.Fault(err)
		}
		if c[table] == nil {
			c[table] = map[string]bool{}
		}
		c[table][column] = null
	}
	return c, store.Fault(rows.Err())
}

// prepare tells the relations of the schemas which indexes the database has for them. Everything works
// without it, but large lists are slower.
func prepare(tx *store.Tx, schemas []*Schema) error {
	if tx.Dialect() != store.Postgres {
		return nil // SQLite does not use it
	}
	rows, err := tx.Raw(`SELECT c.relname, a.attname,
			array_to_string(ARRAY(SELECT x.attname FROM unnest(i.indkey) k JOIN pg_attribute x ON x.attrelid = c.oid AND x.attnum = k), ',')
		FROM pg_index i
		JOIN pg_class c ON c.oid = i.indrelid
		JOIN pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
		JOIN pg_attribute b ON b.attrelid = c.oid AND b.attnum = i.indkey[1]
		WHERE n.nspname = current_schema() AND b.attname = 'id' AND i.indpred IS NULL AND i.indisvalid`).Rows()
	if err != nil {
		return store.Fault(err)
	}
	defer rows.Close()
	covers := map[string][]string{}
	for rows.Next() {
		var table, column, all string
		if err := rows.Scan(&table, &column, &all); err != nil {
			return store.Fault(err)
		}
		covers[table+"."+column] = strings.Split(all, ",")
	}
	for _, s := range schemas {
		for i := range s.Hops {
			if h := &s.Hops[i]; h.Column != "" {
				h.covers = covers[s.Table+"."+h.Column]
			}
		}
	}
	return store.Fault(rows.Err())
}

// check finds mistakes in declarations, including those that relations lead to, so that they show at
// startup and not when a caller filters.
func check(schemas []*Schema, columns catalogue) error {
	k := checker{columns: columns, seen: map[*Schema]bool{}, wellFormed: wellFormedName}
	names := map[string]bool{}
	for _, s := range schemas {
		if s != nil && names[s.Name] {
			k.wrong(s, "the name is declared twice")
		}
		k.schema(s)
		if s != nil {
			names[s.Name] = true
		}
	}
	return errors.Join(k.errs...)
}

type checker struct {
	columns catalogue
	seen    map[*Schema]bool
	errs    []error

	wellFormed func(name string) bool
}

// add records an error in a schema. A nil error is ignored.
func (k *checker) add(s *Schema, err error) {
	if err != nil {
		k.wrong(s, "%v", err)
	}
}

func (k *checker) wrong(s *Schema, format string, args ...any) {
	k.errs = append(k.errs, fmt.Errorf("schema %s: %s", s.Name, fmt.Sprintf(format, args...)))
}

func (k *checker) schema(s *Schema) {
	if s == nil {
		k.errs = append(k.errs, errors.New("a schema is nil"))
		return
	}
	if k.seen[s] {
		return
	}
	k.seen[s] = true
	if !wellFormedName(s.Name) || !wellFormedName(s.Plural) {
		k.wrong(s, "name %q or plural %q is not in small letters, digits and single hyphens", s.Name, s.Plural)
	}
	table, ok := k.columns[s.Table]
	if !ok {
		k.wrong(s, "there is no table %q", s.Table)
	}
	own := []string{"id"}
	if s.Prefix != "" {
		own = append(own, "uuid", "global_id")
	}
	for _, column := range own {
		if _, has := table[column]; ok && !has {
			k.wrong(s, "the table %s has no column %s", s.Table, column)
		}
	}
	fields := map[string]*Field{}
	for i := range s.Fields {
		f := &s.Fields[i]
		if fields[f.Name] != nil {
			k.wrong(s, "the field %s is declared twice", f.Name)
		}
		fields[f.Name] = f
		k.field(s, f, table)
	}
	hops := map[string]bool{}
	for i := range s.Hops {
		h := &s.Hops[i]
		if hops[h.Name] {
			k.wrong(s, "the relation %s is declared twice", h.Name)
		}
		hops[h.Name] = true
		if f := fields[h.Name]; f != nil && (f.Kind != Ref || h.Many || f.Target != h.Target) {
			k.wrong(s, "%s is a field and a relation, and they do not mean the same", h.Name)
		}
		k.hop(s, h)
	}
}

var secretWords = []string{"password", "token", "secret", "key", "hash"}

func (k *checker) field(s *Schema, f *Field, table map[string]bool) {
	if !k.wellFormed(f.Name) {
		k.wrong(s, "the field name %q is not in small letters, digits and single hyphens", f.Name)
	}
	if f.Name == idName && f.Column != "id" {
		k.wrong(s, "the field id is the column %q", f.Column)
	}
	null, ok := table[f.Column]
	if !ok || !wellFormedWord(f.Column) {
		k.wrong(s, "the field %s: the table %s has no column %q", f.Name, s.Table, f.Column)
	}
	for _, word := range strings.FieldsFunc(f.Name+"_"+f.Column, func(r rune) bool { return r == '-' || r == '_' }) {
		if slices.Contains(secretWords, word) {
			k.wrong(s, "the field %s looks like a secret, and can be guessed letter by letter when it can be filtered", f.Name)
			break
		}
	}
	if f.Before != "" && (f.Kind != Text || strings.ContainsAny(f.Before, "'?\\")) {
		k.wrong(s, "the field %s: the text %q stands before a text only, and has no quote, backslash or question mark", f.Name, f.Before)
	}
	if null && f.Kind != Time && f.Kind != Ref {
		k.wrong(s, "the field %s: the column %s may be NULL, which only times and references may", f.Name, f.Column)
	}
	switch f.Kind {
	case Ref:
		if f.Target == nil {
			k.wrong(s, "the field %s refers to nothing: it needs a Target", f.Name)
		} else {
			k.schema(f.Target)
		}
	case Enum:
		if len(f.Enum) == 0 {
			k.wrong(s, "the field %s has no codes", f.Name)
		}
		for i, code := range f.Enum {
			if slices.ContainsFunc(f.Enum[:i], func(other string) bool { return strings.EqualFold(code, other) }) {
				k.wrong(s, "the field %s: the code %s differs from another by letter case only", f.Name, code)
			}
		}
		for spelling, code := range f.Codes {
			if spelling != strings.ToLower(spelling) || !slices.Contains(f.Enum, code) {
				k.wrong(s, "the field %s: the spelling %q of %q is not in small letters, or not of a code", f.Name, spelling, code)
			}
		}
	case Text, Int, Bool, Time, Date:
	default:
		k.wrong(s, "the field %s has the kind %d, which there is not", f.Name, f.Kind)
	}
	if f.Scale < 0 || f.Scale != 0 && f.Kind != Int {
		k.wrong(s, "the field %s has a scale, which only numbers have, above zero", f.Name)
	}
	if f.Scope != nil && isNone(f.Scope(access.System("check"), Root)) {
		k.wrong(s, "the field %s is hidden from everybody", f.Name)
	}
}

func (k *checker) hop(s *Schema, h *Hop) {
	if !k.wellFormed(h.Name) || h.Name == idName {
		k.wrong(s, "the relation name %q is not in small letters, digits and single hyphens", h.Name)
	}
	if !strings.Contains(h.Join, "{from}") || !strings.Contains(h.Join, "{to}") {
		k.wrong(s, "the relation %s: the join %q lacks {from} or {to}", h.Name, h.Join)
	}
	if h.Column != "" {
		if _, has := k.columns[s.Table][h.Column]; !has || !wellFormedWord(h.Column) {
			k.wrong(s, "the relation %s: the table %s has no column %q", h.Name, s.Table, h.Column)
		}
	}
	if h.Target == nil {
		k.wrong(s, "the relation %s leads nowhere: it needs a Target", h.Name)
		return
	}
	k.schema(h.Target)
}

// wellFormedName reports whether callers can write the name in a path.
func wellFormedName(name string) bool {
	return name != "" && name == fold(name) && !strings.Contains("-"+name+"-", "--") && wellFormedWord(strings.ReplaceAll(name, "-", "_"))
}

// wellFormedWord reports whether the name is a domain name, written like a column name.
func wellFormedWord(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return name != ""
}
