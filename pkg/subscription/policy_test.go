package subscription

import (
	"testing"
	"time"

	"halcyon/models"
)

// A receiver may ask for more time, and for no more than the longest pause.
func TestPause(t *testing.T) {
	t.Parallel()
	p := defaultPolicy()
	for _, c := range []struct {
		tries     int
		asked     time.Duration
		low, high time.Duration
	}{
		{1, 0, 5 * time.Second, 6 * time.Second},
		{2, 0, time.Minute, 72 * time.Second},
		{6, 0, 8 * time.Hour, 8*time.Hour + 96*time.Minute},
		{1, time.Second, 5 * time.Second, 6 * time.Second},
		{1, time.Hour, time.Hour, time.Hour},
		{1, 1000 * time.Hour, 8 * time.Hour, 8 * time.Hour},
	} {
		seen := map[time.Duration]bool{}
		for range 50 {
			got, more := p.pause(c.tries, c.asked)
			if !more || got < c.low || got > c.high {
				t.Fatalf("%d tries, asked for %s: %s, %v", c.tries, c.asked, got, more)
			}
			seen[got] = true
		}
		if c.low != c.high && len(seen) == 1 {
			t.Errorf("%d tries: always the same pause", c.tries)
		}
	}
	for _, tries := range []int{0, 7, 100} {
		if _, more := p.pause(tries, time.Hour); more {
			t.Errorf("after %d tries there is another", tries)
		}
	}
}

// What is given up while it is sent can still turn out to have arrived.
func TestLateAnswer(t *testing.T) {
	t.Parallel()
	p, now := defaultPolicy(), time.Unix(1_700_000_000, 0)
	for status, want := range map[int]models.DeliveryStatus{200: models.DeliverySuccess, 500: models.DeliveryFailure} {
		d := &models.WebhookDelivery{Status: models.DeliveryFailure, Error: errDisabled}
		reason, err := p.settle(now, &models.Webhook{}, d, outcome{DeliveryAttempt: models.DeliveryAttempt{Status: status}})
		if err != nil || reason != "" || d.Status != want || d.Attempts != 1 || d.DueAt != nil {
			t.Errorf("%d: %+v, %q, %v", status, d, reason, err)
		}
	}
}

// A delivery remembers its latest attempts, however often it is replayed.
func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	p, d, w := defaultPolicy(), &models.WebhookDelivery{}, &models.Webhook{Enabled: true}
	for i := range 200 {
		d.Status, d.Tries = models.DeliveryPending, 0
		if _, err := p.settle(time.Unix(int64(i), 0), w, d, outcome{DeliveryAttempt: models.DeliveryAttempt{Status: 500, DurationMS: int64(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(d.Log) != keptAttempts || d.Log[keptAttempts-1].DurationMS != 199 || d.Attempts != 200 {
		t.Errorf("%d attempts are kept of %d", len(d.Log), d.Attempts)
	}
}
