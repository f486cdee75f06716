package query

import (
	"fmt"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/store"
)

// LoadRelated returns the visible rows behind a relation of the entity, for each of the rows with these ids
// and at most most rows each. from holds, for each row, the id that it was reached from. It takes one
// query.
func LoadRelated[T any](tx *store.Tx, of *Entity, h *Hop, a access.Actor, ids []models.ID, columns []string, most int) (rows []*T, from []models.ID, err error) {
	to := h.Target.Table
	inner := access.And(
		ByIDs(tx, "f.id", ids),
		access.Where{SQL: h.On("t", "f")},
		access.Visible(to, a, "t"),
	)
	var b builder
	b.text("SELECT t." + strings.Join(columns, ", t.") + ", x.f AS qk0 FROM (SELECT f.id AS f, t.id AS t, row_number() OVER (PARTITION BY f.id ORDER BY t.id) AS n FROM ")
	b.text(of.Table + " f CROSS JOIN " + to + " t").where(inner)
	b.text(fmt.Sprintf(") x JOIN %s t ON t.id = x.t WHERE x.n <= %d ORDER BY x.f, t.id", to, most))
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
