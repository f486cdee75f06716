package e2e

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/quota"
	"halcyon/pkg/store/storetest"
)

// A hundred orders for the ten servers that there are, at the same moment, at two
// processes on one database: ten get one each, and nobody else anything.
func TestReplicasKeepToTheQuota(t *testing.T) {
	t.Parallel()
	const room, asked = 10, 100
	for name, open := range storetest.URLs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, dir := open(t), t.TempDir()
			seedDemo(t, url, dir)
			s := storetest.Open(t, url)
			most := "10"
			limit := &models.Quota{GroupID: 4, Kind: models.QuotaServers, NewLimit: &most} // Acme, with both groups below
			if err := quota.New(s, nil).Quotas.Create(context.Background(), access.System("test"), limit); err != nil {
				t.Fatal(err)
			}
			replicas := []string{startReplica(t, url, dir), startReplica(t, url, dir)}
			var (
				mu     sync.Mutex
				wg     sync.WaitGroup
				status = map[int]int{}
				start  = make(chan struct{})
			)
			for i := range asked {
				// Group Foo's orders are approved at once, Group Bar's wait.
				body := `{"group":"/api/v2/groups/` + []string{"2", "3"}[i/2%2] + `","submit-now":true,"items":{"deploy-items":[` + item + `]}}`
				wg.Go(func() {
					<-start
					code, answer := post(t, replicas[i%2]+"/api/v2/orders/", "alice", body)
					if code == http.StatusConflict && !strings.Contains(answer, "Quota of Acme exceeded: servers 10 of 10 used, 1 more asked") {
						t.Errorf("refused for another reason: %s", answer)
					}
					mu.Lock()
					defer mu.Unlock()
					status[code]++
				})
			}
			close(start)
			wg.Wait()
			if status[http.StatusCreated] != room || status[http.StatusConflict] != asked-room {
				t.Errorf("statuses %v, want %d times 201 and %d times 409", status, room, asked-room)
			}
			read := s.Read(t.Context())
			var got struct{ Orders, Servers, Kept, Used, Wrong int64 }
			err := read.Raw(`SELECT (SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM servers) AS servers,
				(SELECT count(*) FROM reservations) AS kept, (SELECT used FROM quotas) AS used,
				(SELECT count(*) FROM (` + quota.Mismatch + `) m) AS wrong`).Scan(&got).Error
			if err != nil {
				t.Fatal(err)
			}
			if got.Orders != room || got.Servers+got.Kept != room || got.Used != room || got.Wrong != 0 {
				t.Errorf("%+v, want %d orders with a server each, or one kept, and as many counted", got, room)
			}
		})
	}
}
