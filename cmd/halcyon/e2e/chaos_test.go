package e2e

import (
	"testing"
	"time"

	"halcyon/cmd/chaos/drill"
	"halcyon/pkg/store/storetest"
)

// The server is killed while it works: every order ends, and in the end there is
// one machine for each server, and none besides. `make chaos` does it for longer.
func TestKilledWhileItWorks(t *testing.T) {
	t.Parallel()
	for name, url := range storetest.URLs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			report, err := drill.Run(t.Context(), drill.Config{
				Halcyon: halcyon, DatabaseURL: url(t), Dir: t.TempDir(),
				Orders: 100, Kills: 10, Seed: seed, Log: t.Logf,
			})
			if report != nil {
				t.Log("\n" + report.String())
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
