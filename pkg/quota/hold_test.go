package quota

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"halcyon/models"
)

// What a server has to have reserved is a matter of its state.
func TestDue(t *testing.T) {
	t.Parallel()
	takes := models.Amounts{Servers: 1, CPUs: 2, MemoryMB: 2048, DiskGB: 10, Rate: 3 * models.Unit}
	more := models.Amounts{Servers: 1, CPUs: 4, MemoryMB: 1024, DiskGB: 10, Rate: 5 * models.Unit}
	both := models.Amounts{Servers: 1, CPUs: 4, MemoryMB: 2048, DiskGB: 10, Rate: 5 * models.Unit}
	none := models.Amounts{}
	for _, x := range []struct {
		status   models.ServerStatus
		reserved models.Amounts
		want     models.Amounts
	}{
		{models.ServerProv, none, takes},
		{models.ServerActive, more, takes}, // a change has ended
		{models.ServerModify, takes, takes},
		{models.ServerModify, more, both},
		{models.ServerDecom, takes, takes},
		{models.ServerDecom, none, none}, // its creation had failed
		{models.ServerProvFailed, takes, none},
		{models.ServerHistorical, takes, none},
	} {
		sv := &models.Server{
			Status: x.status, OrderID: 1, Reserved: x.reserved,
			CPUs: 2, MemoryMB: 2048, DiskGB: 10, Rate: 3 * models.Unit,
		}
		if d := cmp.Diff(x.want, due(sv)); d != "" {
			t.Errorf("%s with %+v (-want +got):\n%s", x.status, x.reserved, d)
		}
		sv.OrderID = 0
		if got := due(sv); got != none {
			t.Errorf("%s, found in a back end: %+v", x.status, got)
		}
	}
}

// A change is counted by what the server takes afterwards.
func TestChanged(t *testing.T) {
	t.Parallel()
	sv := &models.Server{
		CPUs: 2, MemoryMB: 2048, DiskGB: 30, Rate: 3 * models.Unit,
		Disks: []models.ServerDisk{{UUID: "a", SizeGB: 10}, {UUID: "b", SizeGB: 20}},
	}
	for _, x := range []struct {
		change models.JobArgs
		want   models.Amounts
	}{
		{models.JobArgs{}, models.Amounts{Servers: 1, CPUs: 2, MemoryMB: 2048, DiskGB: 30, Rate: 3 * models.Unit}},
		{models.JobArgs{CPUs: 1, MemoryMB: 4096}, models.Amounts{Servers: 1, CPUs: 1, MemoryMB: 4096, DiskGB: 30, Rate: 3 * models.Unit}},
		{models.JobArgs{DiskUUID: "b", DiskGB: 25}, models.Amounts{Servers: 1, CPUs: 2, MemoryMB: 2048, DiskGB: 35, Rate: 3 * models.Unit}},
		{models.JobArgs{Rate: &models.Rate{Hardware: 7, Extra: 1}}, models.Amounts{Servers: 1, CPUs: 2, MemoryMB: 2048, DiskGB: 30, Rate: 8}},
	} {
		if d := cmp.Diff(x.want, changed(sv, x.change)); d != "" {
			t.Errorf("%+v (-want +got):\n%s", x.change, d)
		}
	}
}
