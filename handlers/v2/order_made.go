package v2

import (
	"halcyon/models"
	"halcyon/pkg/access"
)

// The rows that an order has just created are linked without reading them.

func madeJobs(a access.Actor, o *models.Order) ([]any, bool) {
	if o.Made == nil {
		return nil, false
	}
	return own(a, o.Made.Jobs, func(j *models.Job) models.ID { return j.OwnerID })
}

func madeServers(a access.Actor, o *models.Order) ([]any, bool) {
	if o.Made == nil {
		return nil, false
	}
	return own(a, o.Made.Servers, func(sv *models.Server) models.ID { return sv.OwnerID })
}

// mostMade is the limit of links to created rows; more rows are read by the query, which
// has a limit of its own.
const mostMade = 100

// own returns the rows if the actor is certain to see all of them: as their owner, or
// seeing everything. Any other visibility is left to the database.
func own[T any](a access.Actor, rows []*T, owner func(*T) models.ID) ([]any, bool) {
	if len(rows) > mostMade {
		return nil, false
	}
	list := make([]any, len(rows))
	for i, row := range rows {
		if !a.SeesAll() && (a.ID == 0 || owner(row) != a.ID) {
			return nil, false
		}
		list[i] = row
	}
	return list, true
}
