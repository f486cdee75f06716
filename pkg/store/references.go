package store

import (
	"fmt"
	"strings"

	"halcyon/models"
)

// Referred reports whether references from other rows prevent the deletion of a row. It ignores references
// that are deleted together with the row.
func Referred(tx *Tx, table string, id models.ID) (bool, error) {
	statement := `SELECT m.name AS "table", f."from" AS "column" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f
		WHERE m.type = 'table' AND f."table" = ? AND f.on_delete IN ('NO ACTION', 'RESTRICT')`
	if tx.Dialect() == Postgres {
		statement = `SELECT r.relname AS "table", a.attname AS "column" FROM pg_constraint c
			JOIN pg_class r ON r.oid = c.conrelid
			JOIN pg_class t ON t.oid = c.confrelid
			JOIN pg_namespace n ON n.oid = t.relnamespace
			JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
			WHERE c.contype = 'f' AND c.confdeltype IN ('a', 'r') AND n.nspname = current_schema() AND t.relname = ?`
	}
	var from []struct{ Table, Column string }
	if err := tx.Raw(statement, table).Scan(&from).Error; err != nil {
		return false, Fault(err)
	}
	if len(from) == 0 {
		return false, nil
	}
	parts, args := make([]string, len(from)), make([]any, len(from))
	for i, r := range from {
		parts[i], args[i] = fmt.Sprintf("EXISTS (SELECT 1 FROM %s WHERE %s = ?)", r.Table, r.Column), int64(id)
	}
	var used bool
	err := tx.Raw("SELECT "+strings.Join(parts, " OR "), args...).Scan(&used).Error
	return used, Fault(err)
}
