package quota

import (
	"halcyon/models"
	"halcyon/pkg/store"
)

// This file is the rule of what is reserved. Everything that makes, changes or
// removes servers says so here, and nothing else touches what is reserved.

// Columns are those of a server's row that hold what it has reserved, for who
// saves only a part of the row.
var Columns = []string{"reserved_servers", "reserved_cpus", "reserved_memory_mb", "reserved_disk_gb", "reserved_rate"}

// due is what a server has to have reserved in the state in which it is. One that
// was found in a back end, and not ordered here, takes nothing.
func due(sv *models.Server) models.Amounts {
	if sv.OrderID == 0 {
		return models.Amounts{}
	}
	switch sv.Status {
	case models.ServerProv, models.ServerActive:
		return takes(sv)
	case models.ServerModify:
		// What it grows to was reserved when the change was asked for; what it
		// shrinks by is free when the change has succeeded.
		return sv.Reserved.Max(takes(sv))
	case models.ServerDecom:
		return sv.Reserved // until it is gone
	case models.ServerProvFailed, models.ServerHistorical:
	}
	return models.Amounts{}
}

// takes is what a server that is there takes.
func takes(sv *models.Server) models.Amounts {
	return models.Amounts{
		Servers: 1, CPUs: int64(sv.CPUs), MemoryMB: int64(sv.MemoryMB), DiskGB: int64(sv.DiskGB), Rate: sv.Rate,
	}
}

// changed is what a server takes after a change.
func changed(sv *models.Server, c models.JobArgs) models.Amounts {
	a := takes(sv)
	if c.CPUs != 0 {
		a.CPUs = int64(c.CPUs)
	}
	if c.MemoryMB != 0 {
		a.MemoryMB = int64(c.MemoryMB)
	}
	for _, d := range sv.Disks {
		if c.DiskGB != 0 && d.UUID == c.DiskUUID {
			a.DiskGB += int64(c.DiskGB - d.SizeGB)
		}
	}
	if c.Rate != nil {
		a.Rate = c.Rate.Total()
	}
	return a
}

// Settle brings what a server has reserved to what its state calls for. It is
// called before every save of a server's row: what is the case is counted, room
// or not.
func Settle(tx *store.Tx, sv *models.Server) { set(tx, sv, due(sv), false) }

// Claim reserves for a server that is about to be made, or made again. The
// transaction ends in a Conflict when there is no room.
func Claim(tx *store.Tx, sv *models.Server) { set(tx, sv, due(sv), true) }

// ClaimChange reserves what a server that is about to be changed grows by. The
// transaction ends in a Conflict when there is no room.
func ClaimChange(tx *store.Tx, sv *models.Server, c models.JobArgs) {
	if sv.OrderID != 0 {
		set(tx, sv, sv.Reserved.Max(changed(sv, c)), true)
	}
}

func set(tx *store.Tx, sv *models.Server, to models.Amounts, asks bool) {
	changeOf(tx).add(place{sv.GroupID, sv.EnvironmentID}, to.Minus(sv.Reserved), asks)
	sv.Reserved = to
}

// Creation is what an order would take for a server that it makes.
func Creation(it *models.OrderItem, sv *models.Server) models.Reservation {
	return models.Reservation{
		OrderItemID: it.ID, ItemKey: sv.ItemKey, GroupID: sv.GroupID, EnvironmentID: sv.EnvironmentID, Reserved: takes(sv),
	}
}

// Growth is what an order would take for a server that it changes: nothing of
// what shrinks.
func Growth(it *models.OrderItem, sv *models.Server, c models.JobArgs) models.Reservation {
	r := models.Reservation{OrderItemID: it.ID, ServerID: sv.ID, GroupID: sv.GroupID, EnvironmentID: sv.EnvironmentID}
	if sv.OrderID != 0 {
		r.Reserved = sv.Reserved.Max(changed(sv, c)).Minus(sv.Reserved)
	}
	return r
}

// Keep writes what an order takes while it waits for its approval. The transaction
// ends in a Conflict when there is no room.
func Keep(tx *store.Tx, order models.ID, list []models.Reservation) error {
	t := changeOf(tx)
	rows := make([]models.Reservation, 0, len(list))
	for _, r := range list {
		if r.Reserved == (models.Amounts{}) {
			continue
		}
		r.OrderID = order
		rows = append(rows, r)
		t.add(place{r.GroupID, r.EnvironmentID}, r.Reserved, true)
	}
	if len(rows) == 0 {
		return nil
	}
	return store.Fault(tx.Create(&rows).Error)
}

// Free gives back what an order has kept: it goes on, or has come to its end.
func Free(tx *store.Tx, order models.ID) error {
	rows, err := store.Find[models.Reservation](tx.Where("order_id = ?", order))
	if err != nil || len(rows) == 0 {
		return err
	}
	t := changeOf(tx)
	for _, r := range rows {
		t.add(place{r.GroupID, r.EnvironmentID}, models.Amounts{}.Minus(r.Reserved), false)
	}
	return store.Fault(tx.Where("order_id = ?", order).Delete(&models.Reservation{}).Error)
}
