package server

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"halcyon/models"
	"halcyon/pkg/provider"
)

func TestPlacementOf(t *testing.T) {
	t.Parallel()
	env := &models.Environment{Datacenter: "DC0", Cluster: "DC0_C0", ResourcePool: "Gold", Datastore: "local", Folder: "Halcyon", Network: "lan"}
	own := provider.Placement{Datacenter: "DC0", Cluster: "DC0_C0", ResourcePool: "Gold", Datastore: "local", Folder: "Halcyon", Network: "lan"}
	for name, c := range map[string]struct {
		params []models.Param
		want   func(*provider.Placement)
	}{
		"nothing chosen": {nil, func(*provider.Placement) {}},
		"everything": {
			[]models.Param{
				{Name: "sc_nic_0", Value: "dmz"},
				{Name: "vmware_datastore", Value: "fast"},
				{Name: "vmware_cluster", Value: "DC0_C1"},
				{Name: "vmware_disk_type", Value: "thin"},
				{Name: "link_clone", Value: "true"},
			},
			func(p *provider.Placement) {
				p.Network, p.Datastore, p.Cluster, p.ResourcePool, p.DiskType, p.LinkedClone = "dmz", "fast", "DC0_C1", "", "thin", true
			},
		},
		"the environment's cluster keeps its pool": {[]models.Param{{Name: "vmware_cluster", Value: "DC0_C0"}}, func(*provider.Placement) {}},
		"cards in any order": {
			[]models.Param{{Name: "sc_nic_2", Value: "dmz"}, {Name: "sc_nic_1", Value: "backup"}},
			func(p *provider.Placement) { p.MoreNetworks = []string{"backup", "dmz"} },
		},
		"a card between stays": {
			[]models.Param{{Name: "sc_nic_3", Value: "dmz"}},
			func(p *provider.Placement) { p.MoreNetworks = []string{"", "", "dmz"} },
		},
		"no linked clone": {[]models.Param{{Name: "link_clone", Value: "false"}}, func(*provider.Placement) {}},
	} {
		want := own
		c.want(&want)
		if d := cmp.Diff(want, placementOf(env, &models.Server{Parameters: c.params})); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
