package order_test

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/catalog"
	"halcyon/pkg/order"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// asked returns the questions, by their paths, with the choices.
func asked(list []catalog.Question) []string {
	out := make([]string, len(list))
	for i, q := range list {
		out[i] = q.Path.String() + " " + string(q.Type)
		if q.Required {
			out[i] += " required"
		}
		if q.Default != "" {
			out[i] += " default " + q.Default
		}
		if q.Fallback != "" {
			out[i] += " or " + q.Fallback
		}
		if q.Label != "" {
			out[i] += " has a label"
		}
		for _, x := range q.Choices {
			out[i] += " | " + x.Value
		}
		for _, p := range q.DependsOn {
			out[i] += " by " + p.String()
		}
	}
	return out
}

func place() *catalog.Setting {
	return &catalog.Setting{
		Offers: []catalog.Offer{{Group: 1, Environments: []models.ID{11, 12}}}, Group: 1, Environment: 11,
		Sizes:  []models.Size{{Name: "small", CPUs: 1, MemoryMB: 1024}, {Name: "large", CPUs: 4, MemoryMB: 8192}},
		Builds: []models.OSBuild{{Row: models.Row{ID: 21}, Name: "Debian"}, {Row: models.Row{ID: 22}, Name: "Rocky"}},
	}
}

func TestProvQuestions(t *testing.T) {
	t.Parallel()
	want := []string{
		"environment environment required default 11 | 11 | 12",
		"os-build os-build required default 21 | 21 | 22 by environment",
		"hostname host-name", "quantity integer default 1",
		"parameter vm-size size required | small | large by environment",
		"parameter mem_size memory", "parameter cpu-cnt integer", "parameter expiration-date date",
	}
	if d := cmp.Diff(want, asked(order.ProvQuestions(place()))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Current values of a server are not offered. With several disks there is a question for the disk, and with
// one only for its size.
func TestModQuestions(t *testing.T) {
	t.Parallel()
	disks := []models.ServerDisk{{UUID: "a", Name: "Disk 1", SizeGB: 20}, {UUID: "b", Name: "Disk 2", SizeGB: 40}}
	of := func(n int) []string {
		list := []string{
			"parameter vm-size size | large by environment", "parameter mem_size memory or 1 GB", "parameter cpu-cnt integer or 1",
			"parameter disk_size integer", "parameter expiration-date date", "disk-uuid text | a | b",
		}
		switch n {
		case 0:
			return append(list[:3:3], list[4])
		case 1:
			return list[:5]
		}
		return list
	}
	for n := range 3 {
		sv := &models.Server{CPUs: 1, MemoryMB: 1024, Disks: disks[:n]}
		list := order.ModQuestionsOf(sv, place())
		if d := cmp.Diff(of(n), asked(list)); d != "" {
			t.Errorf("with %d disks (-want +got):\n%s", n, d)
		}
		for _, q := range list {
			if q.Path.Last().Name == "disk_size" && *q.Min != int64(disks[n-1].SizeGB)+1 {
				t.Errorf("a disk grows to %d GB at least", *q.Min)
			}
		}
	}
}

// The default changes the first tier, also if that has its maximum size.
func TestScaleQuestions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tiers []order.Tier
		want  []string
	}{
		{[]order.Tier{{Name: "Web", Quantity: 2}, {Name: "DB", Quantity: 1}}, []string{"tier text required default Web | Web | DB", "quantity integer required default 3"}},
		{[]order.Tier{{Name: "Web", Quantity: catalog.MaxQuantity}}, []string{"tier text required default Web | Web", "quantity integer required default " + strconv.Itoa(catalog.MaxQuantity-1)}},
	} {
		list := order.ScaleQuestions(c.tiers)
		if d := cmp.Diff(c.want, asked(list)); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if q := list[1]; *q.Min != 1 || *q.Max != catalog.MaxQuantity {
			t.Errorf("between %d and %d", *q.Min, *q.Max)
		}
	}
}

// A cart offers the servers of its group that the caller may change or remove, except those that an item
// refers to already.
func TestCartServers(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		made := r.create(t, r.admin, bar, true, prov(simple, 2, "", "vm-size", "small"))
		if made.Status == models.OrderPending {
			if _, err := r.orders.Approve(t.Context(), r.bob, made.ID.String()); err != nil {
				t.Fatal(err)
			}
		}
		r.work(t)
		list := r.made(t, made)
		first, second := list[0].ID, list[1].ID
		choices := func(a access.Actor, o *models.Order) (mod, decom []string) {
			ask := func(questions []catalog.Question, err error) (values []string) {
				if err != nil {
					t.Fatal(err)
				}
				if questions != nil {
					for _, x := range questions[0].Choices {
						values = append(values, x.Value)
					}
				}
				return values
			}
			return ask(r.orders.CartModQuestions(t.Context(), a, o)), ask(r.orders.CartDecomQuestions(t.Context(), a, o))
		}
		for _, c := range []struct {
			name string
			a    access.Actor
			cart models.Order
			want []string
		}{
			{"no group yet", r.admin, models.Order{}, []string{first.String(), second.String()}},
			{"its group", r.admin, models.Order{GroupID: bar}, []string{first.String(), second.String()}},
			{"another group", r.admin, models.Order{GroupID: globex}, nil},
			{"a stranger", r.carol, models.Order{}, nil},
			{"one is changed", r.admin, models.Order{Items: []models.OrderItem{{Mod: &models.ModItem{ServerID: first}}}}, []string{second.String()}},
			{"both are removed", r.admin, models.Order{Items: []models.OrderItem{{Decom: &models.DecomItem{ServerIDs: []models.ID{first, second}}}}}, nil},
		} {
			mod, decom := choices(c.a, &c.cart)
			if d := cmp.Diff([][]string{c.want, c.want}, [][]string{mod, decom}); d != "" {
				t.Errorf("%s (-want +got):\n%s", c.name, d)
			}
		}
	})
}
