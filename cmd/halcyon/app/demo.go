package app

import (
	"context"

	"halcyon/pkg/demo"
	"halcyon/pkg/provider/vcsim"
)

// SimulatedVCenter is the vCenter that vcsim simulates.
func SimulatedVCenter(username, password string) demo.VCenter {
	return demo.VCenter{
		Username: username, Password: password,
		Datacenter: vcsim.Datacenter, Cluster: vcsim.Cluster, Datastore: vcsim.Datastore,
		Folder: vcsim.Folder, Network: vcsim.Network, Templates: vcsim.Templates(),
	}
}

// Fill makes the demo's content, or, when it is there, tells it where the vCenter
// is now.
func (a *App) Fill(ctx context.Context, vc demo.VCenter) error {
	d := &demo.Demo{Tenancy: a.Tenancy, Catalog: a.Catalog, Orders: a.Orders, Actions: a.Actions, RefData: a.Refdata, Now: a.Store.Now}
	empty, err := a.Tenancy.Empty(ctx)
	if err != nil {
		return err
	}
	if !empty {
		return d.UpdateVCenter(ctx, vc)
	}
	if err := d.Seed(ctx, vc); err != nil {
		return err
	}
	return d.History(ctx)
}
