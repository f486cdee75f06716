package catalog_test

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"

	"halcyon/models"
	"halcyon/pkg/bundle"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// packed exports and encodes a blueprint, as for another installation.
func (x *shop) packed(ref string) []byte {
	x.t.Helper()
	m, err := x.ExportBlueprint(context.Background(), system, ref)
	x.must(err)
	data, err := bundle.Write(m)
	x.must(err)
	return data
}

func (x *shop) imported(data []byte, replace bool) (*models.Blueprint, bool) {
	x.t.Helper()
	n, err := bundle.Read(data, "blueprint")
	x.must(err)
	b, replaced, err := x.ImportBlueprint(context.Background(), system, n, replace)
	x.must(err)
	return b, replaced
}

// whole returns a blueprint with a value in every member.
func (x *shop) whole() *models.Blueprint {
	if x.lab == 0 {
		x.lab = x.environment(models.Environment{Name: "Lab", HandlerID: x.second.ID})
	}
	if x.mark == 0 {
		a := &models.Action{Name: "Mark", Kind: models.ActionBuiltIn, BuiltIn: models.BuiltInAddLabel, Inputs: []models.Input{{Name: "label", Type: models.InputText}}}
		x.must(x.store.InTx(context.Background(), func(tx *store.Tx) error { return store.Insert(tx, a) }))
		x.mark = a.ID
	}
	return &models.Blueprint{
		Name: "Whole", Description: "All of it.", State: models.BlueprintPaused, GroupID: x.foo, GroupIDs: []models.ID{x.foo, x.globex},
		Items: []models.BlueprintItem{
			{Name: "A", Type: models.BlueprintItemServer, Quantity: 3, OSBuildID: x.rocky, SizeID: x.large, Hostname: "a-{n}", EnvironmentID: x.lab, Parameters: []models.Param{{Name: "os_build", Value: x.rocky.String()}}},
			{Name: "B", Type: models.BlueprintItemAction, Quantity: 1, ActionID: x.mark, Parameters: []models.Param{{Name: "label", Value: "web"}}},
		},
		Inputs: []models.Input{
			{
				Name: "os_build", Label: "L", Description: "D", Type: models.InputOSBuild, Required: true,
				Default: x.rocky.String(), Options: []string{x.debian.String(), x.rocky.String()},
			},
			{Name: "vm-size", Type: models.InputSize, Options: []string{"small", "large"}},
			{Name: "floor", Type: models.InputInteger, Minimum: new(int64(-1)), Maximum: new(int64(9))},
			{Name: "code", Type: models.InputText, Pattern: "^x"},
		},
	}
}

// TestWholeIsWhole fails if blueprints get a member that whole, and so perhaps the bundle, does not set.
func TestWholeIsWhole(t *testing.T) {
	t.Parallel()
	x := &shop{lab: 6, mark: 7, foo: 1, globex: 2, rocky: 3, debian: 4, large: 5}
	b := x.whole()
	empty := func(v any, of string, but ...string) {
		known := map[string]bool{"Row": true, "ID": true, "BlueprintID": true, "Position": true, "Clears": true}
		for _, name := range but {
			known[name] = true
		}
		r := reflect.ValueOf(v)
		for i := range r.NumField() {
			if name := r.Type().Field(i).Name; !known[name] && r.Field(i).IsZero() {
				t.Errorf("%s.%s is empty: does the bundle have it?", of, name)
			}
		}
	}
	empty(*b, "Blueprint", "PriceFrom") // derived from the rest
	empty(b.Items[0], "BlueprintItem", "ActionID", "Action")
	empty(b.Items[1], "BlueprintItem", "Action", "OSBuildID", "SizeID", "Hostname", "EnvironmentID")
	empty(b.Inputs[0], "Input", "Minimum", "Maximum", "Pattern")
}

func TestBlueprintsTravelWhole(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newShop(t, s)
		b := x.whole()
		x.must(x.Blueprints.Create(ctx, system, b))
		before := content(t, x, b.ID)
		data := x.packed(b.UUID)
		x.must(x.Blueprints.Delete(ctx, system, b.ID.String()))
		again, replaced := x.imported(data, false)
		if replaced || again.ID == b.ID || again.UUID == b.UUID {
			t.Errorf("it is the row %+v again", again.Row)
		}
		if after := content(t, x, again.ID); after != before {
			t.Errorf("went out as\n%s\nand came in as\n%s", before, after)
		}
		_, err := x.Blueprints.Update(ctx, system, again.ID.String(), func(b *models.Blueprint) error {
			*b = models.Blueprint{Row: b.Row, Name: b.Name, State: models.BlueprintDraft}
			return nil
		})
		x.must(err)
		over, replaced := x.imported(data, true)
		if !replaced || over.ID != again.ID {
			t.Errorf("replaced is %t, %+v", replaced, over.Row)
		}
		if after := content(t, x, over.ID); after != before {
			t.Errorf("went out as\n%s\nand replaced by\n%s", before, after)
		}
	})
}

// content returns a blueprint without ids and other values that identify it.
func content(t *testing.T, x *shop, id models.ID) string {
	t.Helper()
	b, err := x.Blueprints.Find(context.Background(), system, id.String())
	x.must(err)
	b.Row = models.Row{}
	for i := range b.Items {
		b.Items[i].ID, b.Items[i].BlueprintID = 0, 0
	}
	text, err := json.MarshalIndent(b, "", " ")
	x.must(err)
	return string(text)
}

func TestExportIsForWhoMayChange(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newShop(t, s)
		b := x.whole()
		x.must(x.Blueprints.Create(ctx, system, b))
		_, err := x.ExportBlueprint(ctx, viewer, b.ID.String())
		wants(t, "by who only looks", err, fault.Forbidden)
		_, err = x.ExportBlueprint(ctx, system, "999")
		wants(t, "of none", err, fault.NotFound)
		n, err := bundle.Read(x.packed(b.ID.String()), "blueprint")
		x.must(err)
		_, _, err = x.ImportBlueprint(ctx, viewer, n, true)
		wants(t, "an import by who only looks", err, fault.Forbidden)
	})
}

// TestImportNamesWhatIsMissing imports a blueprint where none of its references exists.
func TestImportNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newShop(t, s)
		b := x.whole()
		b.Inputs[0].Options = append(b.Inputs[0].Options, "999") // does not exist here either
		x.must(x.Blueprints.Create(ctx, system, b))
		data := x.packed(b.ID.String())
		other := newShop(t, storetest.SQLite(t))
		for id, name := range map[models.ID]string{other.rocky: "Alma", other.debian: "Ubuntu"} {
			_, err := other.OSBuilds.Update(ctx, system, id.String(), func(o *models.OSBuild) error { o.Name = name; return nil })
			other.must(err)
		}
		_, err := other.Sizes.Update(ctx, system, other.large.String(), func(z *models.Size) error { z.Name = "huge"; return nil })
		other.must(err)
		other.must(other.store.InTx(ctx, func(tx *store.Tx) error {
			return tx.Exec("UPDATE groups SET name = 'Fool' WHERE id = ?", other.foo).Error
		}))
		n, err := bundle.Read(data, "blueprint")
		x.must(err)
		_, _, err = other.ImportBlueprint(ctx, system, n, false)
		blames(t, "strange names", err, "content.group", "content.groups.0",
			"content.build-items.0.os-build", "content.build-items.0.perf-type", "content.build-items.0.environment", "content.build-items.1.action",
			"content.inputs.0.default", "content.inputs.0.options.0", "content.inputs.0.options.1", "content.inputs.0.options.2",
			"content.inputs.1.options.1", "content.build-items.0, parameter os_build")
		var rows int64
		other.must(other.store.Read(ctx).Model(&models.Blueprint{}).Count(&rows).Error)
		if rows != 0 {
			t.Errorf("%d blueprints were made", rows)
		}
	})
}
