package query_test

import (
	"context"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/query"
	"halcyon/pkg/store/storetest"
)

var ctx = context.Background()

func TestMain(m *testing.M) { os.Exit(m.Run()) }

// The naive evaluation: rows in memory, relations followed by hand, lookups as Go's strings and times
// define them. It shares no code with the compiler.

type rec struct {
	table string
	id    models.ID
	text  map[string]string
	num   map[string]float64
	flag  map[string]bool
	at    map[string]*time.Time
	one   map[string]*rec
	many  map[string][]*rec
	group models.ID
	owner models.ID
}

type world struct {
	f       *fixture
	servers []*rec
	groups  map[models.ID]*rec
}

func newWorld(f *fixture) *world {
	w := &world{f: f, groups: map[models.ID]*rec{}}
	users, envs := map[models.ID]*rec{}, map[models.ID]*rec{}
	for _, g := range f.groups {
		w.groups[g.ID] = &rec{table: "groups", id: g.ID, text: map[string]string{"name": g.Name, "date": g.Type}, flag: map[string]bool{"auto-approval": g.AutoApproval}, one: map[string]*rec{}, many: map[string][]*rec{}}
	}
	for _, g := range f.groups {
		w.groups[g.ID].one["parent"] = w.groups[g.ParentID]
	}
	for _, u := range f.users {
		users[u.ID] = &rec{table: "users", id: u.ID, text: map[string]string{"username": u.Username, "first-name": u.FirstName, "email": u.Email}, flag: map[string]bool{"is-superuser": u.SuperAdmin}}
	}
	for _, e := range f.environments {
		envs[e.ID] = &rec{table: "environments", id: e.ID, text: map[string]string{"name": e.Name}, one: map[string]*rec{}, group: e.GroupID, flag: map[string]bool{"open": e.HandlerID != 0}}
		envs[e.ID].one["group"] = w.groups[e.GroupID]
	}
	byID := map[models.ID]*rec{}
	for _, s := range f.servers {
		r := &rec{
			table: "servers", id: s.ID, owner: s.OwnerID, group: s.GroupID,
			text: map[string]string{"hostname": s.Hostname, "status": string(s.Status), "expires-on": s.ExpiresOn},
			num:  map[string]float64{"cpu-cnt": float64(s.CPUs), "mem-size": float64(s.MemoryMB) / 1024, "rate": float64(s.Rate) / float64(models.Unit)},
			at:   map[string]*time.Time{"date-added": &s.AddedAt, "synced": s.SyncedAt},
			one:  map[string]*rec{}, many: map[string][]*rec{},
		}
		r.one["owner"], r.one["group"], r.one["environment"] = users[s.OwnerID], w.groups[s.GroupID], envs[s.EnvironmentID]
		byID[s.ID] = r
		w.servers = append(w.servers, r)
		if s.GroupID != 0 {
			w.groups[s.GroupID].many["servers"] = append(w.groups[s.GroupID].many["servers"], r)
		}
	}
	for _, j := range f.jobs {
		s := byID[j.ServerID]
		s.many["jobs"] = append(s.many["jobs"], &rec{
			table: "jobs", id: j.ID, owner: j.OwnerID, group: j.GroupID,
			text: map[string]string{"type": string(j.Type), "status": string(j.Status)},
			at:   map[string]*time.Time{"start-date": j.StartedAt}, one: map[string]*rec{"owner": users[j.OwnerID], "server": s},
		})
	}
	return w
}

func (w *world) sees(a access.Actor, r *rec) bool {
	if r == nil {
		return false
	}
	if a.SeesAll() {
		return true
	}
	switch r.table {
	case "groups":
		return slices.Contains(a.Named(), r.id)
	case "users": // alice and bob are each alone in their tenant
		return r.id == a.ID && a.ID != 0
	case "environments":
		return a.ID != 0 && r.flag["open"]
	}
	return a.ID != 0 && (r.owner == a.ID || slices.Contains(a.With(access.GroupView), r.group))
}

type clause struct {
	path   []string
	lookup string
	values []string
}

func (w *world) holds(a access.Actor, r *rec, list []clause) bool {
	behind := map[string][]clause{}
	for _, c := range list {
		if len(c.path) == 1 {
			if !w.leaf(a, r, c) {
				return false
			}
			continue
		}
		// A null value at the end of a to-one path also counts as missing.
		if one, ok := r.one[c.path[0]]; ok && c.lookup == "isnull" && c.values[0] == "true" && len(c.path) == 2 {
			if w.sees(a, one) && !w.leaf(a, one, clause{c.path[1:], c.lookup, c.values}) {
				return false
			}
			continue
		}
		behind[c.path[0]] = append(behind[c.path[0]], clause{c.path[1:], c.lookup, c.values})
	}
	for name, rest := range behind {
		targets := r.many[name]
		if one := r.one[name]; one != nil {
			targets = []*rec{one}
		}
		if !slices.ContainsFunc(targets, func(x *rec) bool { return w.sees(a, x) && w.holds(a, x, rest) }) {
			return false
		}
	}
	return true
}

func (w *world) leaf(a access.Actor, r *rec, c clause) bool {
	name := c.path[0]
	if name == "id" {
		return slices.Contains(c.values, r.id.String())
	}
	if one, ok := r.one[name]; ok {
		if c.lookup == "isnull" {
			return w.sees(a, one) == (c.values[0] == "false")
		}
		return w.sees(a, one) && slices.Contains(c.values, one.id.String())
	}
	if list, ok := r.many[name]; ok || name == "jobs" || name == "servers" {
		has := slices.ContainsFunc(list, func(x *rec) bool { return w.sees(a, x) })
		return has == (c.values[0] == "false")
	}
	if name == "email" && !a.SeesAll() && r.id != a.ID {
		return false
	}
	if at, ok := r.at[name]; ok {
		return timeHolds(at, c)
	}
	if n, ok := r.num[name]; ok {
		return ordered(c, func(v string) int {
			x, err := strconv.ParseFloat(v, 64)
			if err != nil {
				panic(err)
			}
			return compare(n, x)
		})
	}
	if b, ok := r.flag[name]; ok {
		return b == (c.values[0] == "true" || c.values[0] == "1")
	}
	x, ok := r.text[name]
	if !ok {
		panic("no field " + name)
	}
	v := c.values[0]
	if name == "status" || name == "type" {
		return slices.ContainsFunc(c.values, func(v string) bool { return strings.EqualFold(v, x) })
	}
	if name == "expires-on" {
		switch {
		case c.lookup == "isnull":
			return (x == "") == (v == "true")
		case x == "":
			return false
		case c.lookup == "year" || c.lookup == "month" || c.lookup == "day":
			d, err := time.Parse(time.DateOnly, x)
			if err != nil {
				panic(err)
			}
			return timeHolds(&d, c)
		}
	}
	switch c.lookup {
	case "iexact":
		return strings.EqualFold(x, v)
	case "contains":
		return strings.Contains(x, v)
	case "startswith":
		return strings.HasPrefix(x, v)
	case "endswith":
		return strings.HasSuffix(x, v)
	case "icontains", "istartswith", "iendswith":
		hay, needle := []rune(x), []rune(v)
		for i := 0; i+len(needle) <= len(hay); i++ {
			if strings.EqualFold(string(hay[i:i+len(needle)]), v) &&
				(c.lookup != "istartswith" || i == 0) && (c.lookup != "iendswith" || i+len(needle) == len(hay)) {
				return true
			}
		}
		return false
	}
	return ordered(c, func(v string) int { return strings.Compare(x, v) })
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func ordered(c clause, cmp func(string) int) bool {
	switch c.lookup {
	case "exact", "in":
		return slices.ContainsFunc(c.values, func(v string) bool { return cmp(v) == 0 })
	case "gt":
		return cmp(c.values[0]) > 0
	case "gte":
		return cmp(c.values[0]) >= 0
	case "lt":
		return cmp(c.values[0]) < 0
	case "lte":
		return cmp(c.values[0]) <= 0
	case "range":
		return cmp(c.values[0]) >= 0 && cmp(c.values[1]) <= 0
	}
	panic("no lookup " + c.lookup)
}

func timeHolds(at *time.Time, c clause) bool {
	if c.lookup == "isnull" {
		return (at == nil) == (c.values[0] == "true")
	}
	if at == nil {
		return false
	}
	u, v := at.UTC(), c.values[0]
	switch c.lookup {
	case "date":
		return u.Format(time.DateOnly) == v
	case "year":
		return strconv.Itoa(u.Year()) == strings.TrimLeft(v, "0")
	case "month":
		return strconv.Itoa(int(u.Month())) == strings.TrimLeft(v, "0")
	case "day":
		return strconv.Itoa(u.Day()) == strings.TrimLeft(v, "0")
	}
	return ordered(c, func(v string) int {
		for _, layout := range []string{time.DateOnly, time.RFC3339Nano, "2006-01-02T15:04:05.999999"} {
			if t, err := time.Parse(layout, v); err == nil {
				return u.Compare(t)
			}
		}
		panic(v)
	})
}

var (
	fieldPaths = map[string]query.Kind{
		"hostname": query.Text, "status": query.Enum, "cpu-cnt": query.Int, "mem-size": query.Int, "rate": query.Int, "date-added": query.Time,
		"synced": query.Time, "expires-on": query.Date, "owner": query.Ref, "owner.username": query.Text, "owner.email": query.Text, "owner.is-superuser": query.Bool,
		"group": query.Ref, "group.name": query.Text, "group.date": query.Text, "group.auto-approval": query.Bool, "group.parent": query.Ref, "group.parent.name": query.Text,
		"environment": query.Ref, "environment.name": query.Text, "environment.group": query.Ref, "environment.group.name": query.Text, "group.servers.hostname": query.Text,
		"jobs.status": query.Enum, "jobs.type": query.Enum, "jobs.start-date": query.Time, "jobs.owner": query.Ref, "jobs.owner.username": query.Text, "jobs": query.Ref,
	}
	lookupsOf = map[query.Kind][]string{
		query.Text: {"exact", "iexact", "contains", "icontains", "startswith", "istartswith", "endswith", "iendswith", "in", "gt", "gte", "lt", "lte", "range"},
		query.Int:  {"exact", "in", "gt", "gte", "lt", "lte", "range"},
		query.Bool: {"exact"},
		query.Enum: {"exact", "in"},
		query.Time: {"exact", "in", "gt", "gte", "lt", "lte", "range", "isnull", "date", "year", "month", "day"},
		query.Date: {"exact", "in", "gt", "gte", "lt", "lte", "range", "isnull", "year", "month", "day"},
		query.Ref:  {"exact", "in", "isnull"},
	}
)

func literals(t *rapid.T, path string, kind query.Kind, lookup string) []string {
	var gen *rapid.Generator[string]
	switch {
	case lookup == "isnull" || kind == query.Bool:
		gen = rapid.SampledFrom([]string{"true", "false"})
	case lookup == "year":
		gen = rapid.SampledFrom([]string{"2018", "2019", "2020", "9999", "1"})
	case lookup == "month":
		gen = rapid.SampledFrom([]string{"1", "07", "12", "2"})
	case lookup == "day":
		gen = rapid.SampledFrom([]string{"26", "27", "1", "31", "29"})
	case lookup == "date" || kind == query.Date:
		gen = rapid.SampledFrom([]string{"2018-07-26", "2018-07-27", "2019-01-01", "2020-02-29", "9999-12-31", "0001-01-01"})
	case kind == query.Time:
		gen = rapid.SampledFrom([]string{"2018-07-26", "2018-07-27", "2018-07-26T17:43:47.463904", "2018-07-26T17:43:47Z", "2018-07-27T01:59:59.999999+02:00", "2019-01-01T00:00:00Z", "2020-02-29T12:00:00.5Z", "9999-12-31T23:59:59.999999Z", "0001-01-01"})
	case kind == query.Int && path == "cpu-cnt":
		gen = rapid.SampledFrom([]string{"0", "1", "2", "3", "4", "-1", "99999999999", "-9223372036854775808"})
	case kind == query.Int:
		gen = rapid.SampledFrom([]string{"0", "0.5", "1", "1.5", "0.3333", "-0.1", "0.50000001", "2"})
	case kind == query.Ref:
		gen = rapid.SampledFrom([]string{"1", "2", "3", "4", "77"})
	case path == "jobs.type":
		gen = rapid.SampledFrom([]string{"provision", "DECOM", "Modify"})
	case path == "status":
		gen = rapid.SampledFrom([]string{"PROV", "active", "Decom"})
	case path == "jobs.status":
		gen = rapid.SampledFrom([]string{"SUCCESS", "running", "Pending"})
	default:
		gen = rapid.OneOf(
			rapid.SampledFrom([]string{"Acme", "acme lab", "größe", "GLOBEX", "alice", "bob", "@example", "Dev", "x"}),
			rapid.Custom(func(t *rapid.T) string { // part of a hostname, with its case changed
				h := []rune(rapid.SampledFrom(hostnames).Draw(t, "hostname"))
				if len(h) == 0 {
					return ""
				}
				from := rapid.IntRange(0, len(h)-1).Draw(t, "from")
				s := string(h[from:rapid.IntRange(from, len(h)).Draw(t, "to")])
				return rapid.SampledFrom([]string{s, strings.ToUpper(s), strings.ToLower(s)}).Draw(t, "case")
			}),
			rapid.SampledFrom([]string{"%", "_", `\`, "'", `"`, ";", ":", ",", "*", "?", "[", "]", "^", "$", "(", "a%", "_b", `\b`, "k", "K", "\u212A", "s", "\u017F", "ß", "ẞ", "i", "I", "İ", "ı", "σ", "ς"}),
			rapid.StringN(0, 6, 60).Filter(func(s string) bool { return !strings.ContainsRune(s, 0) }),
		)
	}
	n := 1
	switch lookup {
	case "range":
		n = 2
	case "in":
		n = rapid.IntRange(1, 4).Draw(t, "n")
	}
	out := make([]string, n)
	for i := range out {
		out[i] = gen.Draw(t, "value")
	}
	return out
}

// Both databases return what Go computes, for every caller, and never a row that the caller cannot see
// without the filter.
func TestFiltersAnswerAsGoDoes(t *testing.T) {
	t.Parallel()
	var all []*fixture
	for _, open := range storetest.Databases(t) {
		all = append(all, fill(t, open(t)))
	}
	w := newWorld(all[0])
	paths := make([]string, 0, len(fieldPaths))
	for p := range fieldPaths {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	matched, checked := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var clauses []clause
		var terms []string
		for range rapid.IntRange(1, 3).Draw(t, "terms") {
			path := rapid.SampledFrom(paths).Draw(t, "path")
			kind := fieldPaths[path]
			lookup := rapid.SampledFrom(lookupsOf[kind]).Draw(t, "lookup")
			values := literals(t, path, kind, lookup)
			if path == "jobs" && lookup != "isnull" {
				continue // job ids are different
			}
			clauses = append(clauses, clause{strings.Split(path, "."), lookup, values})
			escaped := make([]string, len(values))
			for i, v := range values {
				escaped[i] = query.Escape(v)
			}
			terms = append(terms, path+"."+lookup+":"+strings.Join(escaped, ","))
		}
		text := strings.Join(terms, ";")
		who := rapid.SampledFrom([]string{"alice", "bob", "carol", "nobody"}).Draw(t, "actor")
		var want []models.ID
		for _, r := range w.servers {
			if w.sees(all[0].actors()[who], r) && w.holds(all[0].actors()[who], r, clauses) {
				want = append(want, r.id)
			}
		}
		for _, f := range all {
			a := f.actors()[who]
			q := f.parse(t, f.schemas.servers, a, "filter="+url.QueryEscape(text))
			got := ids(t, f, f.schemas.servers, a, q, serverID)
			if !slices.Equal(got, want) {
				t.Fatalf("%s as %s on %s: got %v, want %v", text, who, f.store.Dialect(), got, want)
			}
		}
		checked++
		if len(want) > 0 && len(want) < len(w.servers) {
			matched++
		}
	})
	if matched*10 < checked {
		t.Errorf("only %d of %d filters matched some rows and not others", matched, checked)
	}
}

// Both databases return the rows in the same order, for any sort keys, and paging by number and by cursor,
// forward and back, keeps it.
func TestOrderAndPages(t *testing.T) {
	t.Parallel()
	var all []*fixture
	for _, open := range storetest.Databases(t) {
		all = append(all, fill(t, open(t)))
	}
	names := []string{"hostname", "hostname.icase", "owner.email.icase", "group.parent.name.icase", "status", "cpu-cnt", "mem-size", "date-added", "synced", "expires-on", "id", "owner.username", "owner.email", "group.name", "group.auto-approval", "group.parent.name", "environment.name"}
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			return rapid.SampledFrom([]string{"", "-"}).Draw(t, "dir") + rapid.SampledFrom(names).Draw(t, "key")
		}), 0, 4).Draw(t, "keys")
		who := rapid.SampledFrom([]string{"alice", "bob", "carol"}).Draw(t, "actor")
		size := rapid.IntRange(1, 12).Draw(t, "size")
		// Lists of a few environments by id use a separate code path.
		filter := rapid.SampledFrom([]string{"", "environment.name.contains:Dev", "group.name.startswith:Acme;environment.name.contains:Dev", "environment.name:nowhere"}).Draw(t, "filter")
		// Columns of the index are not read from the rows.
		var opts []query.ListOption
		if rapid.Bool().Draw(t, "covered") {
			opts = append(opts, query.Columns("id", "owner_id", "hostname"))
		}
		raw := "filter=" + filter + "&order=" + strings.Join(keys, ",")
		var first []models.ID
		for n, f := range all {
			a, s := f.actors()[who], f.schemas.servers
			q := f.parse(t, s, a, raw)
			whole := ids(t, f, s, a, q, serverID)
			if n == 0 {
				first = whole
			} else if !slices.Equal(first, whole) {
				t.Fatalf("%s as %s: %s gives %v, %s %v", raw, who, all[0].store.Dialect(), first, f.store.Dialect(), whole)
			}
			q.Size = size
			var pages [][]models.ID
			at := q
			for at.Page = 1; ; at.Page++ {
				byCursor, err := query.List[models.Server](f.store.Read(ctx), s.Entity, a, at, opts...)
				if err != nil {
					t.Fatal(err)
				}
				numbered := at
				numbered.After = ""
				byNumber, err := query.List[models.Server](f.store.Read(ctx), s.Entity, a, numbered, opts...)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(byNumber, byCursor, cmpopts.IgnoreUnexported(byNumber)); diff != "" {
					t.Fatalf("%s page %d on %s: number and cursor differ\n%s", raw, at.Page, f.store.Dialect(), diff)
				}
				if int(byCursor.Total) != len(whole) {
					t.Fatalf("a total of %d of %d", byCursor.Total, len(whole))
				}
				var page []models.ID
				for _, r := range byCursor.Rows {
					page = append(page, r.ID)
				}
				pages = append(pages, page)
				if at.After = byCursor.Next; at.After == "" {
					at.Before = byCursor.Prev
					break
				}
			}
			if !slices.Equal(slices.Concat(pages...), whole) {
				t.Fatalf("%s: the pages hold %v, the list %v", raw, pages, whole)
			}
			for i := len(pages) - 2; i >= 0; i-- {
				p, err := query.List[models.Server](f.store.Read(ctx), s.Entity, a, at, opts...)
				if err != nil {
					t.Fatal(err)
				}
				var page []models.ID
				for _, r := range p.Rows {
					page = append(page, r.ID)
				}
				if !slices.Equal(page, pages[i]) || p.Next == "" || (p.Prev == "") != (i == 0) {
					t.Fatalf("%s: back on page %d: %v, want %v", raw, i+1, page, pages[i])
				}
				at.Before = p.Prev
			}
		}
	})
}
