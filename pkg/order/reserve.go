package order

import (
	"slices"

	"halcyon/models"
	"halcyon/pkg/quota"
)

// reservations returns the quota reservations of an order from its submission on: one for each new server,
// and one for each server that grows.
func reservations(o *models.Order, p *Plan) []models.Reservation {
	var out []models.Reservation
	for _, sv := range p.made() {
		out = append(out, quota.Creation(sv.Item, &models.Server{
			GroupID: o.GroupID, EnvironmentID: sv.Env.ID, ItemKey: sv.Key,
			CPUs: sv.CPUs, MemoryMB: sv.MemoryMB, Rate: sv.Rate.Total(),
		}))
	}
	for _, m := range p.Mods {
		out = append(out, quota.Growth(m.Item, m.Server, m.Args))
	}
	return out
}

// made returns all new servers of the plan, those of services first.
func (p *Plan) made() []PlannedServer {
	var out []PlannedServer
	for _, svc := range p.Services {
		out = append(out, svc.Servers...)
	}
	return slices.Concat(out, p.Servers)
}
