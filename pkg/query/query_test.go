package query_test

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
)

func TestFiltersByHand(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		srv := f.servers[4]
		for _, c := range []struct {
			as   access.Actor
			raw  string
			want []string
		}{
			{f.carol, "filter=hostname.contains:%25", []string{"a%b"}},
			{f.carol, "filter=hostname.icontains:_", []string{"a_b"}},
			{f.carol, `filter=hostname:a\\b`, []string{`a\b`}},
			{f.carol, "filter=hostname.icontains:*", []string{"***=x", "a*b?c"}},
			{f.carol, "filter=hostname.icontains:?", []string{"a*b?c"}},
			{f.carol, "filter=hostname.icontains:[", []string{"[abc]"}},
			{f.carol, "filter=hostname.iendswith:X^", []string{"]x^"}},
			{f.carol, "filter=hostname.istartswith:***=X", []string{"***=x"}},
			{f.carol, "filter=expires-on.lt:2019-01-01;hostname.startswith:a", []string{`a\b`}},
			{f.carol, "filter=synced.year:9999", []string{"SET"}},
			{f.carol, "filter=synced.date:9999-12-31", []string{"SET"}},
			{f.carol, "filter=synced.gt:2021-01-01", []string{"SET"}},
			{f.carol, "filter=hostname.iexact:größe", []string{"GRÖẞE", "Größe"}},
			{f.carol, "filter=hostname.istartswith:ÉCO", []string{"ÉCOLE", "école"}},
			{f.carol, "filter=hostname.icontains:KELVIN", []string{"kelvin", "\u212Aelvin"}},
			{f.carol, "filter=hostname.iexact:istanbul", []string{"istanbul"}},
			{f.carol, "filter=hostname.iendswith:σ", []string{"ΣΊΣΥΦΟΣ", "σίσυφος"}},
			{f.carol, "filter=hostname.startswith:web;", []string{"web1", "web10"}},
			{f.carol, "filter=hostname:WEB1;status:active", []string{"WEB1"}},
			{f.carol, "filter=HostName:WEB1;server.status:ACTIVE", []string{"WEB1"}},
			{f.carol, `filter=hostname.in:web1,semi\;colon\:comma\,,nope`, []string{"semi;colon:comma,", "web1"}},
			{f.carol, "filter=hostname:semi%5C;colon:comma,", []string{"semi;colon:comma,"}},
			{f.carol, "filter=hostname:say+%22hi%22", []string{`say "hi"`}},
			{f.carol, "filter=hostname:", []string{""}},
			{f.carol, "filter=hostname:' OR 1=1 --", []string{"' OR 1=1 --"}},
			{f.carol, `filter=hostname.icontains:'\;+DROP+TABLE+servers\;--`, []string{}},
			{f.carol, "filter=cpu_cnt.gte:3;hostname.startswith:a", []string{"a%b", "aXb"}},
			{f.carol, "filter=cpu-cnt.range:99999999999,999999999999", []string{}},
			{f.carol, "filter=mem_size.gt:1.2;hostname.startswith:a", []string{"a%b", "a*b?c"}},
			{f.carol, "filter=group.date:y;hostname.istartswith:WEB", []string{"WEB1"}},
			{f.carol, "filter=group.date.iexact:Y;hostname.istartswith:WEB", []string{"WEB1"}},
			{f.carol, "filter=date-added.date:2018-07-26;hostname.istartswith:web", []string{"WEB1", "web1"}},
			{f.carol, "filter=date-added:2018-07-26T19:43:47.463904+02:00;hostname.startswith:web", []string{"web1"}},
			{f.carol, "filter=group:" + f.groups[1].GlobalID + ";hostname.istartswith:web", []string{"WEB1"}},
			{f.carol, "filter=group.in:" + f.groups[1].GlobalID + "," + f.groups[2].UUID + ";hostname.istartswith:web", []string{"WEB1", "web10"}},
			{f.carol, `filter=group:https\://h/api/v2/groups/` + f.groups[1].ID.String() + "/;hostname.istartswith:web", []string{"WEB1"}},
			{f.carol, "filter=id:" + srv.GlobalID, []string{srv.Hostname}},
			{f.carol, "filter=id.in:" + srv.UUID + "," + f.servers[0].ID.String(), []string{srv.Hostname, "web1"}},
			{f.carol, "filter=id.gt:" + f.servers[0].ID.String() + ";id.lt:" + f.servers[2].ID.String(), []string{f.servers[1].Hostname}},
			{f.carol, "filter=id.range:" + f.servers[0].ID.String() + "," + f.servers[1].ID.String(), []string{f.servers[0].Hostname, f.servers[1].Hostname}},
			{f.carol, "filter=group.id.gte:" + f.groups[1].ID.String() + ";group.id.lte:" + f.groups[1].ID.String() + ";hostname.istartswith:web", []string{"WEB1"}},
			{f.alice, "filter=group.id.gte:" + f.groups[2].ID.String() + ";group.id.lte:" + f.groups[2].ID.String(), []string{}},
			{f.carol, "filter=owner.isnull:1;hostname.startswith:a", []string{`a\b`}},
			{f.carol, "filter=owner.isnull:0;hostname.startswith:a", []string{"a%b", "aXb", "a_b", `a*b?c`}},
			// Hidden rows: alice owns servers in Globex, a group that she does not see.
			{f.alice, "filter=group.name.icontains:globex", []string{}},
			{f.alice, "filter=group:" + f.groups[2].ID.String(), []string{}},
			{f.alice, "filter=group.id:" + f.groups[2].GlobalID, []string{}},
			{f.alice, "filter=group.in:" + f.groups[2].UUID + "," + f.groups[2].ID.String(), []string{}},
			{f.alice, "filter=group.servers.owner.username:bob", []string{}},
			{f.nobody, "filter=hostname:web1", []string{}},
			{f.nobody, "", []string{}},
		} {
			got := f.hosts(t, c.as, c.raw)
			slices.Sort(c.want)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s\n%s", c.raw, diff)
			}
		}
		if n := len(f.hosts(t, f.carol, "")); n != len(hostnames) {
			t.Errorf("%d servers after the injections", n)
		}
		// alice does have servers in Globex: the tests above cannot pass for want of rows.
		if !slices.ContainsFunc(f.servers, func(s *models.Server) bool { return s.OwnerID == f.alice.ID && s.GroupID == f.groups[2].ID }) {
			t.Error("the fixture lacks a server of alice's in the hidden group")
		}
	})
}

// Two conditions on the same to-many relation are about the same row.
func TestToManyConditionsShareARow(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		var first, second *models.Job
		for i := 1; i < len(f.jobs); i++ {
			if a, b := f.jobs[i-1], f.jobs[i]; a.ServerID == b.ServerID && a.Type != b.Type && a.Status != b.Status {
				first, second = a, b
				break
			}
		}
		has := func(typ, status any) bool {
			q := f.parse(t, f.schemas.servers, f.carol, fmt.Sprintf("filter=id:%s;jobs.type:%s;jobs.status:%s", first.ServerID, typ, status))
			return len(ids(t, f, f.schemas.servers, f.carol, q, serverID)) == 1
		}
		if !has(first.Type, first.Status) || !has(second.Type, second.Status) {
			t.Error("a job is not found by its type and status")
		}
		if has(first.Type, second.Status) {
			t.Error("the type of one job and the status of another are taken together")
		}
	})
}

func TestHiddenRowsCountAsAbsent(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		for _, path := range []string{"group", "owner", "environment"} {
			hidden, shown := 0, 0
			for _, s := range f.servers {
				if s.OwnerID != f.alice.ID {
					continue
				}
				sees := map[string]bool{
					"group": s.GroupID == f.groups[0].ID || s.GroupID == f.groups[1].ID, "owner": true,
					"environment": s.EnvironmentID == f.environments[0].ID || s.EnvironmentID == f.environments[2].ID,
				}[path]
				if sees {
					shown++
				} else {
					hidden++
				}
			}
			if n := len(f.hosts(t, f.alice, "filter="+path+".isnull:true")); n != hidden {
				t.Errorf("%s.isnull:true gives %d, want %d", path, n, hidden)
			}
			if n := len(f.hosts(t, f.alice, "filter="+path+".isnull:false")); n != shown {
				t.Errorf("%s.isnull:false gives %d, want %d", path, n, shown)
			}
		}
	})
}

func TestScopedFields(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		all := []string{"alice", "bob", "carol", "dave"}
		list := func(a access.Actor, raw string) []string {
			p, err := query.List[models.User](f.store.Read(t.Context()), f.schemas.users.Entity, a, f.parse(t, f.schemas.users, a, raw))
			if err != nil {
				t.Fatal(err)
			}
			out := []string{}
			for _, u := range p.Rows {
				out = append(out, u.Username)
			}
			return out
		}
		if diff := cmp.Diff(all, list(f.carol, "filter=user.email.contains:@;user.username.contains:a")); diff == "" {
			t.Error("bob has an a")
		}
		if diff := cmp.Diff(all, list(f.carol, "filter=email.contains:@&order=email")); diff != "" {
			t.Error(diff)
		}
		// A tenant admin of both groups sees bob's row, but not his address.
		both := access.NewActor(f.users[0], "", access.NewRights([]access.Grant{{Group: f.groups[0].ID}, {Group: f.groups[2].ID}}, nil, nil))
		if diff := cmp.Diff([]string{"alice", "bob"}, list(both, "order=username")); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"alice"}, list(both, "filter=email.contains:@")); diff != "" {
			t.Error(diff)
		}
		// Sorting reveals nothing either: hidden addresses count as missing and come last.
		bob := access.NewActor(f.users[1], "", access.NewRights([]access.Grant{{Group: f.groups[0].ID}, {Group: f.groups[2].ID}}, nil, nil))
		if diff := cmp.Diff([]string{"bob", "alice"}, list(bob, "order=email")); diff != "" {
			t.Error(diff)
		}
	})
}

// Sorting by a field behind a relation does not distinguish hidden rows from missing ones.
func TestOrderOverHiddenRows(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		q := f.parse(t, f.schemas.servers, f.alice, "order=group.name")
		got := ids(t, f, f.schemas.servers, f.alice, q, serverID)
		var named, rest []models.ID // her groups come first; the others and missing ones follow by id
		for _, g := range []models.ID{f.groups[0].ID, f.groups[1].ID} {
			for _, s := range f.servers {
				if s.OwnerID == f.alice.ID && s.GroupID == g {
					named = append(named, s.ID)
				}
			}
		}
		for _, s := range f.servers {
			if s.OwnerID == f.alice.ID && !slices.Contains(named, s.ID) {
				rest = append(rest, s.ID)
			}
		}
		if diff := cmp.Diff(append(named, rest...), got); diff != "" {
			t.Error(diff)
		}
	})
}

func faultOf(t *testing.T, err error, parameter string) *fault.Error {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Code != fault.Invalid || len(e.Fields) == 0 || e.Fields[0].Path.String() != parameter {
		t.Fatalf("got %v, want an invalid %s", err, parameter)
	}
	return e
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	d := declare()
	alice := access.NewActor(&models.User{Row: models.Row{ID: 1}}, "", nil)
	for _, c := range []struct{ raw, pointer, message, detail string }{
		{"colour=red", "colour", `Unknown query parameter "colour": valid are filter, attributes, order, page, page_size, after, before, format.`, "Valid parameters:"},
		{"page=0", "page", `"0" is not a whole number from 1`, ""},
		{"page=x", "page", `"x"`, ""},
		{"page=-1", "page", `"-1"`, ""},
		{"page=99999999999999999999", "page", "too large", ""},
		{"page_size=ten", "page_size", `"ten"`, ""},
		{"page_size=0", "page_size", `"0"`, ""},
		{"filter=%zz", "filter", "percent-encoded", ""},
		{"filter=hostname:%ff", "filter", "UTF-8", ""},
		{"filter=hostname:%00", "filter", "UTF-8", ""},
		{"filter=hostname:a&filter=hostname:b", "filter", "once", ""},
		{"filter=status:ACTIVE;;hostname:a", "filter", "term 2 \"\": is empty", "A term is"},
		{"filter=;", "filter", "term 1", ""},
		{"filter=hostname", "filter", `term 1 "hostname": has no colon`, ""},
		{"filter=:x", "filter", "the field is missing", ""},
		{"filter=hostname..exact:x", "filter", "empty segment", ""},
		{"filter= hostname:x", "filter", "other characters", ""},
		{"filter=status:ACTIVE;nosuch:1", "filter", `term 2 "nosuch:1": servers have no field "nosuch"`, "Valid fields of servers: id, hostname, status, cpu-cnt, mem-size, rate, date-added, synced, expires-on, owner, os-build. Relations: owner, group, environment, jobs."},
		{"filter=owner.nosuch:1", "filter", `users have no field "nosuch"`, "Valid fields of users: id, username, first-name, is-superuser, email. Relations: servers."},
		{"filter=hostname.nosuch:1", "filter", `there is no lookup "nosuch"`, "Valid lookups: exact, iexact,"},
		{"filter=hostname.regex:1", "filter", "the lookup regex is not available", "Valid lookups: exact, iexact,"},
		{"filter=hostname.iregex:1", "filter", "the lookup iregex is not available", ""},
		{"filter=cpu-cnt.contains:1", "filter", "contains does not fit", "Valid lookups: exact, in, gt, gte, lt, lte, range."},
		{"filter=hostname.isnull:1", "filter", "isnull does not fit", ""},
		{"filter=id.contains:1", "filter", "contains does not fit", "Valid lookups: exact, in, gt, gte, lt, lte, range."},
		{"filter=id.gt:GRP-1", "filter", "is not a whole number", ""},
		{"filter=hostname.exact.iexact:1", "filter", "nothing but one lookup", ""},
		{"filter=cpu-cnt:1.5", "filter", `"1.5" is not a whole number`, ""},
		{"filter=cpu-cnt:0x10", "filter", "whole number", ""},
		{"filter=cpu-cnt:99999999999999999999", "filter", "too large", ""},
		{"filter=rate:9999999999999999", "filter", "too large", ""},
		{"filter=rate:1e5", "filter", "is not a number", ""},
		{"filter=status:gone", "filter", `"gone" is none of its values`, "Valid values: PROV, ACTIVE, MODIFY, DECOM, HISTORICAL, PROVFAILED."},
		{"filter=group.auto-approval:yes", "filter", "neither true nor false", "0, 1, true, false"},
		{"filter=date-added:yesterday", "filter", "is not a time", "2018-07-26"},
		{"filter=date-added.date:2018-02-30", "filter", "is not a day", ""},
		{"filter=date-added.month:13", "filter", "is not a month", "1 to 12"},
		{"filter=date-added:9999-12-31T23:59:59-02:00", "filter", "is not a time", ""},
		{"filter=owner:GRP-abc", "filter", "theirs begin with USR-", ""},
		{"filter=owner:/api/v2/groups/5/", "filter", "not the address", ""},
		{"filter=owner:0", "filter", "is no id", ""},
		{"filter=cpu-cnt.range:1", "filter", "exactly two", ""},
		{"filter=cpu-cnt.range:1,2,3", "filter", "exactly two", ""},
		{"filter=cpu-cnt.in:" + strings.Repeat("1,", 100) + "1", "filter", "at most 100", ""},
		{`filter=hostname:a\b`, "filter", "backslash", ""},
		{`filter=hostname:a\`, "filter", "backslash", ""},
		{"filter=hostname:" + strings.Repeat("x", 513), "filter", "at most 512", ""},
		{"filter=" + strings.Repeat("cpu-cnt:1;", 17), "filter", "17 terms, at most 16", ""},
		{"filter=" + strings.Repeat("hostname:"+strings.Repeat("x", 500)+";", 9), "filter", "at most 4096", ""},
		{"filter=group.parent.parent.parent.name:x", "filter", "more than 4 segments", ""},
		{"order=nosuch", "order", `servers cannot be ordered by "nosuch"`, "Valid in the order of servers: id, hostname, status, cpu-cnt,"},
		{"order=rate", "order", `servers cannot be ordered by "rate"`, ""},
		{"order=jobs.status", "order", `"jobs"`, ""},
		{"order=hostname,", "order", "missing", ""},
		{"order=--hostname", "order", `"--hostname"`, ""},
		{"order=cpu-cnt.icase", "order", `"cpu-cnt" is not a text`, ""},
		{"order=icase", "order", `servers cannot be ordered by "icase"`, "texts with .icase after it"},
		{"order=owner.icase", "order", `"owner"`, ""},
		{"attributes=nosuch", "attributes", `"nosuch"`, "Valid fields of servers"},
		{"attributes=jobs.status", "attributes", `"jobs"`, ""},
		{"attributes=owner.password", "attributes", `users have no field "password"`, ""},
		{"after=x", "after", "no cursor of ours", ""},
		{"after=W10", "after", "no cursor of ours", ""},
		{"before=AAAA", "before", "no cursor of ours", ""},
		{"after=a&before=b", "before", "cannot be combined", ""},
	} {
		_, err := query.Parse(c.raw, d.servers, alice, query.Options{Extra: []string{"format"}})
		e := faultOf(t, err, c.pointer)
		if !strings.Contains(fault.Message(e), c.message) || !strings.Contains(e.Detail, c.detail) {
			t.Errorf("%.80s: %q, %q", c.raw, fault.Message(e), e.Detail)
		}
	}
}

// A secret and a missing name get the same answer, byte for byte.
func TestSecretsAnswerAsMissing(t *testing.T) {
	t.Parallel()
	d := declare()
	alice := access.NewActor(&models.User{Row: models.Row{ID: 1}}, "", nil)
	for _, form := range []string{
		"filter=%s:x", "filter=%s.icontains:x", "filter=%s.regex:x", "filter=%s.nosuch:x", "filter=%s.name:x", "filter=%s.isnull:1", "filter=%s.a.b.c.d.e:x",
		"filter=jobs.server.%s:x", "order=%s", "order=-%s.name", "attributes=%s", "attributes=%s.name",
	} {
		var want string
		for _, name := range []string{"missing-name", "backend-name", "backend", "resource-handler", "password"} {
			_, err := query.Parse(fmt.Sprintf(form, name), d.servers, alice, query.Options{Attribute: nil})
			var e *fault.Error
			if !errors.As(err, &e) {
				t.Fatalf("%s: %v", fmt.Sprintf(form, name), err)
			}
			got := strings.ReplaceAll(e.Error()+"\n"+e.Detail, name, "NAME")
			if want == "" {
				want = got
			}
			if got != want {
				t.Errorf("%s: %q, and %q for a missing one", fmt.Sprintf(form, name), got, want)
			}
		}
	}
	// The resource layer cannot expose them.
	for _, name := range []string{"backend", "resource-handler", "resource-handler.name"} {
		_, err := query.Parse("attributes="+name, d.servers, alice, query.Options{Attribute: func([]string) bool { return true }})
		_ = faultOf(t, err, "attributes")
	}
	carol := access.System("carol")
	for _, raw := range []string{"filter=backend:x", "filter=resource-handler.name:x", "attributes=backend,resource-handler.name"} {
		if _, err := query.Parse(raw, d.servers, carol, query.Options{}); err != nil {
			t.Error(err)
		}
	}
}

func TestParseAccepts(t *testing.T) {
	t.Parallel()
	d := declare()
	q, err := query.Parse("&page_size=5&filter=hostname.icontains:a%20b%26c;status:ACTIVE%3B&attributes=owner.first_name,Owner,server.notes&&order=-hostname,group.name,hostname&page=3&page_size=999&format=json&format=&dry-run",
		d.servers, access.System("x"), query.Options{Extra: []string{"format", "dry-run"}, Attribute: func(p []string) bool { return p[0] == "owner" || p[0] == "notes" }})
	if err != nil {
		t.Fatal(err)
	}
	if q.Page != 3 || q.Size != 100 || len(q.Filter) != 2 || q.Filter[0].Values[0].Text != "a b&c" || len(q.Order) != 2 || !q.Order[0].Desc || q.Order[1].Desc {
		t.Errorf("%+v", q)
	}
	if diff := cmp.Diff(url.Values{"format": {"json", ""}, "dry-run": {""}}, q.Extra); diff != "" {
		t.Error(diff)
	}
	var paths []string
	for _, at := range q.Attributes {
		paths = append(paths, strings.Join(at.Path, "."))
	}
	if diff := cmp.Diff([]string{"owner.first-name", "owner", "notes"}, paths); diff != "" {
		t.Error(diff)
	}
	if at := q.Attributes[0]; at.Asked != "owner.first_name" || at.Field == nil || len(at.Hops) != 1 {
		t.Errorf("%+v", at)
	}
	const kept = "filter=hostname.icontains:a%20b%26c;status:ACTIVE;&attributes=owner.first_name,Owner,server.notes&order=-hostname,group.name,hostname"
	if q.LinkParams != kept {
		t.Errorf("kept %s", q.LinkParams)
	}
	if q, err = query.Parse("", d.servers, access.System("x"), query.Options{}); err != nil || q.Page != 1 || q.Size != 10 || q.LinkParams != "" {
		t.Errorf("%+v, %v", q, err)
	}
	// A form with empty inputs sends this.
	if _, err = query.Parse("filter=&order=&page=&page_size=&after=&attributes=", d.servers, access.System("x"), query.Options{}); err != nil {
		t.Error(err)
	}
}

// The parameters in links mean the same as the original request.
func TestKeptMeansTheSame(t *testing.T) {
	t.Parallel()
	d := declare()
	a := access.System("x")
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.String().Filter(func(s string) bool { return len(s) < 150 && !strings.ContainsRune(s, 0) }).Draw(t, "value")
		q, err := query.Parse("filter="+url.QueryEscape("hostname.iexact:"+query.Escape(value)), d.servers, a, query.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := q.Filter[0].Values[0].Text; got != value {
			t.Fatalf("%q was read as %q", value, got)
		}
		again, err := query.Parse(q.LinkParams, d.servers, a, query.Options{})
		if err != nil || again.Filter[0].Values[0].Text != value || again.LinkParams != q.LinkParams {
			t.Fatalf("%s: %+v, %v", q.LinkParams, again, err)
		}
		if strings.ContainsAny(q.LinkParams, " \"<>'&#+\n") {
			t.Fatalf("kept %s", q.LinkParams)
		}
	})
}

func TestQueriesByHand(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		s := f.schemas.servers
		must := func(term query.Term, err error) query.Term {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			return term
		}
		count := func(a access.Actor, terms ...query.Term) int64 {
			n, err := query.Count(f.store.Read(t.Context()), s.Entity, a, query.Query{Filter: terms})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		web := must(query.Eq(s, "hostname", "web1"))
		big := must(query.Cond(s, "hostname", query.StartsWith, "WEB"))
		if n := count(f.carol, web); n != 1 {
			t.Errorf("%d are web1", n)
		}
		if n := count(f.carol, web, big); n != 0 {
			t.Errorf("%d are web1 and WEB", n)
		}
		if n := count(f.carol, query.AnyOf(web, big)); n != 2 {
			t.Errorf("%d are web1 or WEB", n)
		}
		prod := must(query.Eq(s, "environment.name", "Prod"))
		if some, more := count(f.carol, prod), count(f.carol, query.AnyOf(web, prod)); some == 0 || more != some+1 {
			t.Errorf("%d in Prod, %d in Prod or web1", some, more)
		}
		// Neither is a condition that every row meets.
		dev := must(query.Cond(s, "environment.name", query.StartsWith, "Dev"))
		all := must(query.Cond(s, "hostname", query.Contains, ""))
		p, err := query.List[models.Server](f.store.Read(t.Context()), s.Entity, f.carol, query.Query{Filter: []query.Term{query.AnyOf(dev, all)}, Size: 100})
		if err != nil || len(p.Rows) != len(f.servers) {
			t.Errorf("%d of %d in Dev, or anywhere: %v", len(p.Rows), len(f.servers), err)
		}
		// Lists compare names in memory where they can; counts run in the database.
		for _, l := range []query.Lookup{query.Exact, query.In, query.Contains, query.StartsWith, query.EndsWith, query.IContains} {
			for _, v := range []string{"Dev East", "Dev", "Größe", "East", "prod", ""} {
				for who, a := range f.actors() {
					term := must(query.Cond(s, "environment.name", l, v))
					p, err := query.List[models.Server](f.store.Read(t.Context()), s.Entity, a, query.Query{Filter: []query.Term{term}, Size: 100})
					if n := count(a, term); err != nil || int64(len(p.Rows)) != n {
						t.Errorf("%s %q as %s: %d rows of %d: %v", l, v, who, len(p.Rows), n, err)
					}
				}
			}
		}
	})
}

func TestHandMadeTermsKeepTheRules(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		s := f.schemas.servers
		if _, err := query.Eq(s, "nosuch", "x"); !fault.Is(err, fault.Internal) {
			t.Errorf("an undeclared field: %v", err)
		}
		_, err := query.Eq(s, "owner", "GRP-abc")
		_ = faultOf(t, err, "filter")
		// A field that the actor does not know matches nothing, also in other dialects.
		term, err := query.Eq(s, "backend", "vm0")
		if err != nil {
			t.Fatal(err)
		}
		for a, none := range map[*access.Actor]bool{&f.alice: true, &f.carol: false} {
			n, err := query.Count(f.store.Read(t.Context()), s.Entity, *a, query.Query{Filter: []query.Term{term}})
			if err != nil || (n == 0) != none {
				t.Errorf("%d rows for %s, %v", n, a.Username, err)
			}
		}
		term, err = query.Eq(s, "resource-handler.name", "vc")
		if err != nil {
			t.Fatal(err)
		}
		for a, none := range map[*access.Actor]bool{&f.alice: true, &f.dave: true, &f.carol: false} {
			n, err := query.Count(f.store.Read(t.Context()), s.Entity, *a, query.Query{Filter: []query.Term{term}})
			if err != nil || (n == 0) != none {
				t.Errorf("%d rows for %s, %v", n, a.Username, err)
			}
		}
	})
}

func TestListReadsWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		tx := f.store.Read(t.Context())
		p, err := query.List[models.Server](tx, f.schemas.servers.Entity, f.carol, query.Query{Size: 2},
			query.Columns("id", "hostname", "labels"), query.Base(access.Where{SQL: query.Root + ".group_id = ?", Args: []any{int64(f.groups[1].ID)}}))
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Rows) != 2 || p.Rows[0].Hostname != "WEB1" || p.Rows[0].Status != "" || p.Rows[0].Labels == nil {
			t.Errorf("read %+v", p.Rows[0])
		}
		total := 0
		for _, s := range f.servers {
			if s.GroupID == f.groups[1].ID {
				total++
			}
		}
		if int(p.Total) != total {
			t.Errorf("a total of %d, want %d", p.Total, total)
		}
		if p, err = query.List[models.Server](tx, f.schemas.servers.Entity, f.carol, query.Query{Size: 2}, query.Total(77)); err != nil || p.Total != 77 {
			t.Errorf("a total of %d, %v", p.Total, err)
		}
		// Whole rows come back as they were written.
		whole, err := query.Find[models.Server](tx, f.schemas.servers.Entity, f.carol, f.servers[1].GlobalID)
		if err != nil {
			t.Fatal(err)
		}
		direct, err := store.First[models.Server](tx.Where("id = ?", f.servers[1].ID))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(direct, whole); diff != "" {
			t.Error(diff)
		}
		// A page past the end is empty, and the total is still right.
		p, err = query.List[models.Server](tx, f.schemas.servers.Entity, f.carol, query.Query{Page: 1000, Size: 10})
		if err != nil || len(p.Rows) != 0 || int(p.Total) != len(f.servers) || p.Next != "" {
			t.Errorf("%+v, %v", p, err)
		}
		err = f.store.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := query.Find[models.Server](tx, f.schemas.servers.Entity, f.carol, "1", query.ForUpdate())
			if err == nil {
				_, err = query.List[models.Server](tx, f.schemas.servers.Entity, f.carol, f.parse(t, f.schemas.servers, f.carol, "order=group.name"), query.ForUpdate())
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// Rows that are added during paging do not make a caller see a row twice.
func TestCursorsWhileRowsAreAdded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		s := f.schemas.servers
		for _, raw := range []string{"order=hostname", "order=-hostname,cpu-cnt", "order=-synced", "order=synced,-hostname", ""} {
			q := f.parse(t, s, f.carol, raw)
			q.Size = 4
			seen := map[models.ID]bool{}
			for n := 0; ; n++ {
				p, err := query.List[models.Server](f.store.Read(t.Context()), s.Entity, f.carol, q)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range p.Rows {
					if seen[r.ID] {
						t.Errorf("%s: server %s was seen twice", raw, r.ID)
					}
					seen[r.ID] = true
				}
				if q.After = p.Next; q.After == "" {
					break
				}
				if n < 8 {
					err := f.store.InTx(t.Context(), func(tx *store.Tx) error {
						row := *f.servers[n]
						row.Row, row.Hostname = models.Row{}, []string{"", "zzz", "m", "ÿ"}[n%4]
						return store.Insert(tx, &row)
					})
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			for _, r := range f.servers {
				if !seen[r.ID] {
					t.Errorf("%s: server %s was not seen", raw, r.ID)
				}
			}
		}
	})
}

// An order that ignores case sorts small and capital letters together, beyond ASCII too.
func TestOrderIgnoresCase(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		s, added := f.schemas.servers, []string{"ZEBRA", "Ärger", "apple", "zoo", "ärmel", "APPLY", "_x"}
		err := f.store.InTx(t.Context(), func(tx *store.Tx) error {
			for _, name := range added {
				row := *f.servers[0]
				row.Row, row.Hostname = models.Row{}, name
				if err := store.Insert(tx, &row); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for order, want := range map[string][]string{
			"hostname.icase":        {"_x", "apple", "APPLY", "ZEBRA", "zoo", "Ärger", "ärmel"},
			"-Hostname.iCase":       {"ärmel", "Ärger", "zoo", "ZEBRA", "APPLY", "apple", "_x"},
			"server.hostname.icase": {"_x", "apple", "APPLY", "ZEBRA", "zoo", "Ärger", "ärmel"},
			"hostname":              {"APPLY", "ZEBRA", "_x", "apple", "zoo", "Ärger", "ärmel"},
		} {
			q := f.parse(t, s, f.carol, "page_size=3&filter=hostname.in:"+strings.Join(added, ",")+"&order="+order)
			var got []string
			for {
				p, err := query.List[models.Server](f.store.Read(t.Context()), s.Entity, f.carol, q)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range p.Rows {
					got = append(got, r.Hostname)
				}
				if q.After = p.Next; q.After == "" {
					break
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", order, diff)
			}
		}
	})
}

func TestCursorsOfOtherLists(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		s := f.schemas.servers
		p, err := query.List[models.Server](f.store.Read(t.Context()), s.Entity, f.carol, f.parse(t, s, f.carol, "order=hostname&filter=cpu-cnt.lt:5"))
		if err != nil {
			t.Fatal(err)
		}
		for raw, ok := range map[string]bool{
			"order=hostname&filter=cpu-cnt.lt:5":  true,
			"order=hostname&filter=cpu_cnt.lt:05": true,
			"order=-hostname&filter=cpu-cnt.lt:5": false,
			"filter=cpu-cnt.lt:5":                 false,
			"order=hostname&filter=cpu-cnt.lt:6":  false,
			"order=hostname&filter=cpu-cnt.lte:5": false,
			"order=hostname":                      false,
		} {
			_, err := query.Parse(raw+"&after="+p.Next, s, f.carol, query.Options{})
			if ok && err != nil {
				t.Errorf("%s: %v", raw, err)
			}
			if !ok {
				_ = faultOf(t, err, "after")
			}
		}
		q := f.parse(t, s, f.carol, "order=-hostname")
		q.After = p.Next
		_, err = query.List[models.Server](f.store.Read(t.Context()), s.Entity, f.carol, q)
		_ = faultOf(t, err, "after")
	})
}

func TestFind(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		tx := f.store.Read(t.Context())
		acme, globex := f.groups[0], f.groups[2]
		id := acme.ID.String()
		for _, ref := range []string{id, acme.GlobalID, strings.ToLower(acme.GlobalID[:3]) + acme.GlobalID[3:], acme.UUID, strings.ReplaceAll(strings.ToUpper(acme.UUID), "-", ""), "/base/groups/" + id, "/base/groups/" + id + "/", "https://cb.example.com:8443/api/v2/groups/" + id + "?x=1", "/base/projects/" + acme.UUID + "/", "/base/groups/" + acme.GlobalID} {
			g, err := query.Find[models.Group](tx, f.schemas.groups.Entity, f.alice, ref)
			if err != nil || g.ID != acme.ID {
				t.Errorf("%s: %v, %v", ref, g, err)
			}
		}
		for _, ref := range []string{globex.ID.String(), globex.GlobalID, globex.UUID, "/base/groups/" + globex.ID.String(), "999", "GRP-nosuch", "SVR-x", f.servers[0].GlobalID, "", "0", "-1", "x", "99999999999999999999", "/", "\x00", "\xff", "/base/users/" + id, "1 OR 1=1"} {
			_, err := query.Find[models.Group](tx, f.schemas.groups.Entity, f.alice, ref)
			var e *fault.Error
			if !errors.As(err, &e) || e.Code != fault.NotFound || e.Message != "Not found." {
				t.Errorf("%q: %v", ref, err)
			}
		}
		if _, err := query.Find[models.ResourceHandler](tx, f.handlers.Entity, f.dave, "1"); !fault.Is(err, fault.NotFound) {
			t.Errorf("a denied resource: %v", err)
		}
		if _, err := query.ParseRef(f.schemas.groups, "SVR-x"); !fault.Is(err, fault.Invalid) {
			t.Errorf("a wrong prefix: %v", err)
		}
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		columns, err := query.ReadCatalogue(f.store.Read(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		if err := query.Check(declare().list(), columns); err != nil {
			t.Error(err)
		}
		for want, breakIt := range map[string]func(d schemas){
			"no column \"nosuch\"":         func(d schemas) { d.servers.Fields[0].Column = "nosuch" },
			"no table":                     func(d schemas) { d.jobs.Table = "nosuch" },
			"hostname is declared twice":   func(d schemas) { d.servers.Fields[1].Name = "hostname" },
			"not in small letters":         func(d schemas) { d.servers.Fields[0].Name = "host_name" },
			"lacks {from} or {to}":         func(d schemas) { d.servers.Hops[4].Join = "{to}.server_id = t0.id" },
			"needs a Target":               func(d schemas) { d.servers.Fields[8].Target = nil },
			"leads nowhere":                func(d schemas) { d.servers.Hops[1].Target = nil },
			"has no codes":                 func(d schemas) { d.jobs.Fields[0].Enum, d.jobs.Fields[0].Codes = nil, nil },
			"not of a code":                func(d schemas) { d.jobs.Fields[0].Codes["x"] = "y" },
			"looks like a secret":          func(d schemas) { d.users.Fields[0].Column = "password_hash" },
			"may be NULL":                  func(d schemas) { d.servers.Fields[6].Kind = query.Date },
			"has a scale":                  func(d schemas) { d.servers.Fields[0].Scale = 3 },
			"they do not mean the same":    func(d schemas) { d.servers.Fields[0].Name = "group" },
			"jobs is declared twice":       func(d schemas) { d.servers.Hops[1].Name = "jobs" },
			"has no column \"owner_idea\"": func(d schemas) { d.servers.Hops[0].Column = "owner_idea" },
		} {
			d := declare()
			breakIt(d)
			if err := query.Check([]*query.Schema{d.servers}, columns); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("want %q, got %v", want, err)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, raw := range []string{"", "filter=hostname:a;status:ACTIVE", "filter=owner.username.icontains:%25&page=2", `filter=hostname.in:a\,b,c`, "attributes=owner,group.name&order=-hostname", "filter=cpu-cnt.range:1,2;date-added.year:2018", "filter=group:GRP-abc;owner:/api/v2/users/2/", "after=WyJ4Il0&page_size=1000", "filter=rate.gte:1.5;expires-on.isnull:1;jobs.isnull:0", "%=&=%&filter", "filter=group.date.date:x"} {
		f.Add(raw)
	}
	d := declare()
	a := access.NewActor(&models.User{Row: models.Row{ID: 1}}, "", nil)
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := query.Parse(raw, d.servers, a, query.Options{})
		if err != nil {
			var e *fault.Error
			if !errors.As(err, &e) || e.Code != fault.Invalid || len(e.Fields) != 1 {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		if q.Page < 1 || q.Size < 1 || q.Size > 100 {
			t.Fatalf("%q: %+v", raw, q)
		}
		again, err := query.Parse(q.LinkParams, d.servers, a, query.Options{})
		if err != nil || again.LinkParams != q.LinkParams || len(again.Filter) != len(q.Filter) || len(again.Order) != len(q.Order) {
			t.Fatalf("%q kept as %q: %v", raw, q.LinkParams, err)
		}
	})
}

func FuzzCursor(f *testing.F) {
	fx := fill(f, newSQLite(f))
	q, err := query.Parse("order=hostname,-synced,cpu-cnt,group.auto-approval", fx.schemas.servers, fx.carol, query.Options{})
	if err != nil {
		f.Fatal(err)
	}
	q.Size = 3
	for range 5 {
		p, err := query.List[models.Server](fx.store.Read(f.Context()), fx.schemas.servers.Entity, fx.carol, q)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(decode(p.Next))
		q.After = p.Next
	}
	f.Add("[]")
	f.Add(`["x",1]`)
	f.Fuzz(func(t *testing.T, text string) {
		q.After = encode(text)
		p, err := query.List[models.Server](fx.store.Read(ctx), fx.schemas.servers.Entity, fx.carol, q)
		if err != nil && !fault.Is(err, fault.Invalid) {
			t.Fatalf("%q: %v", text, err)
		}
		if err == nil && int(p.Total) != len(fx.servers) {
			t.Fatalf("%q: a total of %d", text, p.Total)
		}
	})
}
