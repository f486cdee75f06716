package e2e

import (
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"halcyon/cmd/halcyon/app"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/demo"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// unaudited lets a cloud answer from memory, as it does outside of tests.
func unaudited(s *app.Settings) { s.Audit = nil }

// statements counts what is asked of the database from now on.
func (c *cloud) statements(t *testing.T) *atomic.Int64 {
	t.Helper()
	n := &atomic.Int64{}
	count := func(*gorm.DB) { n.Add(1) }
	watch := func(db *gorm.DB) {
		cb := db.Callback()
		for _, err := range []error{
			cb.Query().Register("count", count), cb.Row().Register("count", count), cb.Raw().Register("count", count),
			cb.Create().Register("count", count), cb.Update().Register("count", count), cb.Delete().Register("count", count),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	watch(c.app.Store.Read(t.Context()).DB)
	if c.app.Store.Dialect() == store.SQLite {
		if err := c.app.Store.InTx(t.Context(), func(tx *store.Tx) error { watch(tx.DB); return nil }); err != nil {
			t.Fatal(err)
		}
	} else {
		watch(c.app.Store.ReadOutsideTx(t.Context()).DB)
	}
	return n
}

// signedIn returns calls of a user with a token.
func (c *cloud) signedIn(t *testing.T, user string) func(path, tag string) *answer {
	t.Helper()
	a := c.want(t, http.StatusOK, call{method: "POST", path: "/api/v2/api-token-auth/", body: `{"username":"` + user + `","password":"` + demo.Password + `"}`, accept: "application/json"})
	token := "Bearer " + a.text(t, "/token")
	return func(path, tag string) *answer {
		h := http.Header{"Authorization": {token}}
		if tag != "" {
			h.Set("If-None-Match", tag)
		}
		return c.ask(t, call{path: path, header: h})
	}
}

// Who has a document is told so by no statement at all where all changes are
// announced, and by one where they are not.
func TestUnchangedDocumentsAreNotRead(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := newCloud(t, open(t), unaudited)
		c.stopWorkers(t)
		get := c.signedIn(t, "admin")
		n := c.statements(t)
		for path, most := range map[string]int64{
			"/api/v2/environments/3": 0, "/api/v2/os-builds/1": 0, "/api/v2/perf-types/1": 0, "/api/v2/blueprints/1": 0,
			"/api/v2/roles/1": 0, "/api/v2/users/2": 0, "/api/v2/resource-handlers/1": 0, "/api/v2/memberships/1": 0,
			"/api/v2/servers/1/": 1, "/api/v2/orders/1": 1, "/api/v2/jobs/1": 1, "/api/v2/services/1": 1, "/api/v2/groups/2": 1,
		} {
			tag := get(path, "").header.Get("ETag")
			if tag == "" {
				t.Fatalf("%s has no ETag", path)
			}
			get(path, tag) // by now it is remembered
			asked := int64(-1)
			for range 5 { // what goes on beside it asks now and then, too
				if asked == most {
					break
				}
				before := n.Load()
				a := get(path, tag)
				if a.status != http.StatusNotModified || a.header.Get("ETag") != tag || len(a.body) > 0 {
					t.Errorf("%s: %s", path, a.print())
				}
				asked = n.Load() - before
			}
			if asked != most {
				t.Errorf("%s took %d statements, not %d", path, asked, most)
			}
		}
		before := n.Load()
		if get("/api/v2/servers/1/", ""); n.Load() == before {
			t.Error("nothing is counted")
		}
	})
}

// Whatever a document shows, its change is seen: also of what is not its row's.
func TestNoChangeIsHidden(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := newCloud(t, open(t), unaudited)
		c.stopWorkers(t)
		alice := c.signedIn(t, "alice")
		sys, ctx := access.System("test"), t.Context()
		tags := map[string]string{}
		know := func(paths ...string) {
			for _, path := range paths {
				tags[path] = alice(path, "").header.Get("ETag")
				if a := alice(path, tags[path]); a.status != http.StatusNotModified {
					t.Errorf("%s: %d at once", path, a.status)
				}
			}
		}
		changed := func(what string, status int, paths ...string) {
			t.Helper()
			for _, path := range paths {
				if a := alice(path, tags[path]); a.status != status {
					t.Errorf("%s: %s is %d, not %d", what, path, a.status, status)
				}
			}
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		const server, order, environment, service, job = "/api/v2/servers/1/", "/api/v2/orders/1", "/api/v2/environments/3", "/api/v2/services/1", "/api/v2/jobs/1"

		know(server, order, environment, service)
		_, err := c.app.Tenancy.Groups.Update(ctx, sys, "2", func(g *models.Group) error { g.Name = "Renamed"; return nil })
		must(err)
		changed("a linked group has another name", http.StatusOK, server, order, environment, service)

		know(service)
		must(c.app.Store.InTx(ctx, func(tx *store.Tx) error {
			sv, err := store.First[models.Server](tx.Where("id = 1"))
			if err != nil {
				return err
			}
			sv.Hostname = "another"
			return store.Save(tx, sv, "hostname")
		}))
		changed("a server of the service has another name", http.StatusOK, service)

		know(job)
		must(c.app.Store.InTx(ctx, func(tx *store.Tx) error {
			return tx.Create(&models.JobMessage{JobID: 1, Level: "info", Message: "One more.", CreatedAt: tx.Now}).Error
		}))
		changed("the job has a new message", http.StatusOK, job)

		know(order)
		must(c.app.Store.InTx(ctx, func(tx *store.Tx) error {
			return store.Insert(tx, &models.Job{Type: models.JobAction, Status: models.JobQueued, OrderID: 1, OwnerID: 2, GroupID: 2})
		}))
		changed("the order has a new job", http.StatusOK, order)

		know(server)
		_, err = c.app.Catalog.Environments.Update(ctx, sys, "3", func(e *models.Environment) error { e.GroupIDs = []models.ID{5}; return nil })
		must(err)
		changed("the server's environment is hidden from her", http.StatusOK, server)

		know(server)
		must(c.app.Store.InTx(ctx, func(tx *store.Tx) error {
			return tx.Exec("UPDATE servers SET owner_id = 1 WHERE id = 1").Error
		}))
		must(c.app.Tenancy.Memberships.Delete(ctx, sys, c.membership(t, 2, 2)))
		changed("she is in the group no more", http.StatusNotFound, server)

		know("/api/v2/user", "/api/v2/users/2")
		_, err = c.app.Tenancy.Users.Update(ctx, sys, "2", func(u *models.User) error { u.FirstName = "Alicia"; return nil })
		must(err)
		changed("she has another name", http.StatusOK, "/api/v2/user", "/api/v2/users/2")
	})
}

// membership finds the grant of a user on a group.
func (c *cloud) membership(t *testing.T, user, group models.ID) string {
	t.Helper()
	m, err := store.First[models.Membership](c.app.Store.Read(t.Context()).Where("user_id = ? AND group_id = ?", user, group))
	if err != nil {
		t.Fatal(err)
	}
	return m.ID.String()
}

// Another replica's change is seen as soon as it is heard of.
func TestChangesOfAnotherReplicaAreSeen(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		url := open(t)
		c := newCloud(t, url, unaudited)
		c.stopWorkers(t)
		get := c.signedIn(t, "alice")
		const path = "/api/v2/environments/3"
		tag := get(path, "").header.Get("ETag")
		there := storetest.Open(t, url)
		err := there.InTx(t.Context(), func(tx *store.Tx) error {
			e, err := store.First[models.Environment](tx.Where("id = 3"))
			if err != nil {
				return err
			}
			e.Description = "Changed elsewhere."
			tx.Signal("environments", 3)
			return store.Save(tx, e, "description")
		})
		if err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			if a := get(path, tag); a.status == http.StatusOK {
				if got := a.text(t, "/description"); got != "Changed elsewhere." {
					t.Errorf("it is %q", got)
				}
				return
			}
			if time.Now().After(end) {
				t.Fatal("the change is not seen")
			}
		}
	})
}

// What is compressed on its way has a tag of its own, and is known by either.
func TestTagsOfCompressedAnswers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := newCloud(t, open(t))
		const path = "/api/v2/servers/1/"
		ask := func(h http.Header) (status int, header http.Header, body io.Reader) {
			t.Helper()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.srv.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.SetBasicAuth("alice", demo.Password)
			req.Header.Set("Accept-Encoding", "identity")
			maps.Copy(req.Header, h)
			res, err := noRedirects.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			data, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			return res.StatusCode, res.Header, bytes.NewReader(data)
		}
		_, header, plain := ask(nil)
		p := header.Get("ETag")
		_, header, packed := ask(http.Header{"Accept-Encoding": {"gzip"}})
		z := header.Get("ETag")
		if header.Get("Content-Encoding") != "gzip" || z != strings.TrimSuffix(p, `"`)+`-gzip"` {
			t.Errorf("%q, and %s: %q", p, header.Get("Content-Encoding"), z)
		}
		unzip, err := gzip.NewReader(packed)
		if err != nil {
			t.Fatal(err)
		}
		x, _ := io.ReadAll(plain)
		y, err := io.ReadAll(unzip)
		if err != nil || string(x) != string(y) {
			t.Errorf("%v\n%s", err, diff(string(x), string(y)))
		}
		for _, tag := range []string{p, z, "W/" + p} {
			for coding, want := range map[string]string{"identity": p, "gzip": z} {
				status, header, _ := ask(http.Header{"Accept-Encoding": {coding}, "If-None-Match": {tag}})
				if status != http.StatusNotModified || header.Get("ETag") != want || header.Get("Content-Encoding") != "" {
					t.Errorf("%s of %s: %d %v", coding, tag, status, header)
				}
			}
		}
	})
}

// Of two changes to one version only one is made, whichever replica is asked.
func TestIfMatchRace(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := newCloud(t, open(t))
		for range 10 {
			tag := c.want(t, http.StatusOK, call{actor: "admin", path: "/api/v2/groups/2"}).header.Get("ETag")
			var won, lost atomic.Int64
			var wg sync.WaitGroup
			for i := range 4 {
				wg.Go(func() {
					a, err := c.do(call{
						actor: "admin", method: "PATCH", path: "/api/v2/groups/2", header: http.Header{"If-Match": {tag}},
						body: `{"description": "` + strings.Repeat("x", i+1) + `"}`,
					})
					switch {
					case err != nil:
						t.Error(err)
					case a.status == http.StatusOK:
						won.Add(1)
					case a.status == http.StatusPreconditionFailed:
						lost.Add(1)
					default:
						t.Errorf("%s", a.print())
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 || lost.Load() != 3 {
				t.Fatalf("%d changes were made, %d refused", won.Load(), lost.Load())
			}
		}
	})
}
