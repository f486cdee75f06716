package app

import (
	"context"
	"errors"
	"io/fs"
	"os"

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

// Fill creates the demo's content, or, when it exists, gives it the address of this run's
// vCenter. Marker is the path of a file that exists while the content is incomplete: see
// DiscardUnfinished; there is no such file when it is "".
func (a *App) Fill(ctx context.Context, vc demo.VCenter, marker string) error {
	d := &demo.Demo{Tenancy: a.Tenancy, Catalog: a.Catalog, Orders: a.Orders, Actions: a.Actions, RefData: a.Refdata, Now: a.Store.Now}
	empty, err := a.Tenancy.Empty(ctx)
	if err != nil {
		return err
	}
	if !empty {
		err := d.UpdateVCenter(ctx, vc)
		a.filled.Store(err == nil)
		return err
	}
	if marker != "" {
		if err := os.WriteFile(marker, nil, 0o600); err != nil {
			return err
		}
	}
	if err := d.Seed(ctx, vc); err != nil {
		return err
	}
	if err := d.History(ctx); err != nil {
		return err
	}
	if marker != "" {
		if err := os.Remove(marker); err != nil {
			return err
		}
	}
	a.filled.Store(true)
	return nil
}

// DiscardUnfinished removes the given files if the marker exists: a demo was ended while
// it created its content. The content refers to itself by ids that are given in order, so
// the next demo starts with an empty database. The marker goes last.
func DiscardUnfinished(marker string, files ...string) error {
	if _, err := os.Stat(marker); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	for _, file := range append(files, marker) {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
