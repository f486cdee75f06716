package tenancy

import (
	"context"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/store"
)

// FillGroups works out what the servers of many groups cost.
func (t *Service) FillGroups(ctx context.Context, _ access.Actor, rows []*models.Group) error {
	ids := make([]models.ID, len(rows))
	for i, g := range rows {
		ids[i] = g.ID
	}
	var sums []struct {
		GroupID models.ID
		Rate    models.Money
	}
	err := t.store.Read(ctx).Table("servers").Select("group_id, sum(rate) AS rate").
		Where("group_id IN ? AND status <> ?", ids, models.ServerHistorical).Group("group_id").Scan(&sums).Error
	if err != nil {
		return store.Fault(err)
	}
	by := make(map[models.ID]models.Money, len(sums))
	for _, s := range sums {
		by[s.GroupID] = s.Rate
	}
	for _, g := range rows {
		g.Rate = by[g.ID]
	}
	return nil
}
