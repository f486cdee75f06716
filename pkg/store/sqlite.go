package store

import (
	"database/sql"
	"strconv"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"
)

// sqliteDialector implements gorm's dialect of SQLite, as far as this project uses it: migrations define
// the schema, and the store translates errors.
type sqliteDialector struct {
	pool *sql.DB
}

// Name implements gorm.Dialector.
func (sqliteDialector) Name() string { return string(SQLite) }

// Initialize implements gorm.Dialector.
func (d sqliteDialector) Initialize(db *gorm.DB) error {
	db.ConnPool = d.pool
	callbacks.RegisterDefaultCallbacks(db, &callbacks.Config{
		CreateClauses:        []string{"INSERT", "VALUES", "ON CONFLICT", "RETURNING"},
		UpdateClauses:        []string{"UPDATE", "SET", "FROM", "WHERE", "RETURNING"},
		DeleteClauses:        []string{"DELETE", "FROM", "WHERE", "RETURNING"},
		LastInsertIDReversed: true,
	})
	db.ClauseBuilders["LIMIT"] = sqliteLimit
	return nil
}

// sqliteLimit writes a LIMIT, which SQLite requires before every OFFSET.
func sqliteLimit(c clause.Clause, b clause.Builder) {
	limit, ok := c.Expression.(clause.Limit)
	if !ok {
		return
	}
	most := -1 // no limit
	if limit.Limit != nil && *limit.Limit >= 0 {
		most = *limit.Limit
	}
	if most < 0 && limit.Offset <= 0 {
		return
	}
	_, _ = b.WriteString("LIMIT " + strconv.Itoa(most)) // writes to memory
	if limit.Offset > 0 {
		_, _ = b.WriteString(" OFFSET " + strconv.Itoa(limit.Offset))
	}
}

// BindVarTo implements gorm.Dialector.
func (sqliteDialector) BindVarTo(w clause.Writer, _ *gorm.Statement, _ any) {
	_ = w.WriteByte('?') // to memory
}

// QuoteTo implements gorm.Dialector. The name may be qualified by its table.
func (sqliteDialector) QuoteTo(w clause.Writer, name string) {
	for i, part := range strings.Split(name, ".") {
		if i > 0 {
			_ = w.WriteByte('.') // to memory
		}
		_, _ = w.WriteString("`" + strings.ReplaceAll(part, "`", "``") + "`")
	}
}

// Explain implements gorm.Dialector.
func (sqliteDialector) Explain(statement string, vars ...any) string {
	return logger.ExplainSQL(statement, nil, `"`, vars...)
}

// DefaultValueOf implements gorm.Dialector: in a VALUES of several rows SQLite takes NULL as the next key.
func (sqliteDialector) DefaultValueOf(*schema.Field) clause.Expression {
	return clause.Expr{SQL: "NULL"}
}

// DataTypeOf implements gorm.Dialector, for a Migrator.
func (sqliteDialector) DataTypeOf(*schema.Field) string { return "" }

// Migrator implements gorm.Dialector. It returns nil: see Store.Migrate.
func (sqliteDialector) Migrator(*gorm.DB) gorm.Migrator { return nil }
