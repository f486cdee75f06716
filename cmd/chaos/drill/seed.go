package drill

import (
	"context"
	"path/filepath"

	"halcyon/pkg/auth"
	"halcyon/pkg/catalog"
	"halcyon/pkg/demo"
	"halcyon/pkg/provider/pool"
	"halcyon/pkg/refdata"
	"halcyon/pkg/secret"
	"halcyon/pkg/store"
	"halcyon/pkg/tenancy"
)

// seed fills the empty database with the demo's users and catalogue.
func (d *drill) seed(ctx context.Context) error {
	s, err := store.Open(ctx, store.Config{URL: d.DatabaseURL})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Migrate(ctx); err != nil {
		return err
	}
	if err := tenancy.Bootstrap(ctx, s); err != nil {
		return err
	}
	key, err := secret.LoadOrCreateKey(filepath.Join(d.Dir, "secret.key"))
	if err != nil {
		return err
	}
	box := secret.New(key)
	ref := refdata.New(s)
	content := &demo.Demo{
		Tenancy: tenancy.New(s, ref, auth.NewHasher(s.Now).Hash),
		Catalog: catalog.New(s, ref, pool.New(s, nil, box.Open), box.Seal),
		RefData: ref, Now: s.Now,
	}
	return content.Seed(ctx, d.vcenter)
}
