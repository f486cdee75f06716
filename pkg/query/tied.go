package query

import (
	"fmt"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/store"
)

// Relation is a relation from the rows of one table to those of another.
type Relation struct {
	From, To string // tables
	Join     string // condition over {from} and {to}
	Visible  access.Where
}

// LoadRelated gives the rows that the relation leads to from each of the rows with these
// ids, at most so many each, and beside each row the id that it was reached from:
// one query for all of them. Visible is over the alias t.
func LoadRelated[T any](tx *store.Tx, tie Relation, ids []models.ID, columns []string, most int) (rows []*T, from []models.ID, err error) {
	inner := access.And(
		ByIDs(tx, "f.id", ids),
		access.Where{SQL: strings.NewReplacer("{to}", "t", "{from}", "f").Replace(tie.Join)},
		tie.Visible,
	)
	var b builder
	b.text("SELECT t." + strings.Join(columns, ", t.") + ", x.f AS qk0 FROM (SELECT f.id AS f, t.id AS t, row_number() OVER (PARTITION BY f.id ORDER BY t.id) AS n FROM ")
	b.text(tie.From + " f CROSS JOIN " + tie.To + " t").where(inner)
	b.text(fmt.Sprintf(") x JOIN %s t ON t.id = x.t WHERE x.n <= %d ORDER BY x.f, t.id", tie.To, most))
	rows, keys, err := scan[T](tx, b, []Kind{Int}, nil)
	if err != nil {
		return nil, nil, err
	}
	from = make([]models.ID, len(rows))
	for i := range keys {
		from[i] = models.ID(keys[i][0].num)
	}
	return rows, from, nil
}
