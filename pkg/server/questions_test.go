package server

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/catalog"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

func TestExtendQuestions(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		const group = models.ID(7)
		member := access.NewActor(&models.User{Row: models.Row{ID: 1}}, "", &access.Rights{Own: []models.ID{group}})
		manager := access.NewActor(&models.User{Row: models.Row{ID: 2}}, "", &access.Rights{Own: []models.ID{group}, By: map[access.Permission][]models.ID{access.GroupManage: {group}}})
		in := func(days int) string { return day(s.Now().AddDate(0, 0, days)) }
		date := func(value, earliest, latest string) catalog.Question {
			return catalog.Question{Path: fault.Member("expiration-date"), Type: catalog.AskDate, Required: true, Default: value, Earliest: earliest, Latest: latest}
		}
		never := catalog.Question{Path: fault.Member("expiration-date"), Type: catalog.AskText, Required: true, Default: models.Never}
		for _, c := range []struct {
			name    string
			a       access.Actor
			maximum int // days
			expires int // days from today
			want    catalog.Question
		}{
			{"no limit", member, 0, 5, date(in(35), in(6), "")},
			{"within the limit", member, 40, 5, date(in(35), in(6), in(40))},
			{"cut to the limit", member, 40, 20, date(in(40), in(21), in(40))},
			{"ended", member, 40, -3, date(in(30), in(-2), in(40))},
			{"manager within the limit", manager, 40, 20, date(in(40), in(21), in(40))},
			{"manager at the limit", manager, 40, 40, never},
		} {
			svc := &Service{store: s, Leases: LeasePolicy{Maximum: c.maximum}}
			sv := &models.Server{GroupID: group, ExpiresOn: in(c.expires), PowerStatus: models.PowerOff}
			if d := cmp.Diff([]catalog.Question{c.want}, svc.ExtendQuestions(c.a, sv)); d != "" {
				t.Errorf("%s (-want +got):\n%s", c.name, d)
			}
			whole := &models.Service{GroupID: group, ExpiresOn: in(c.expires)}
			if d := cmp.Diff([]catalog.Question{c.want, powerOnQuestion()}, svc.ExtendServiceQuestions(c.a, whole)); d != "" {
				t.Errorf("%s, service (-want +got):\n%s", c.name, d)
			}
		}
	})
}

// A server that was switched off at the end of its lease can be switched on again.
func TestExtendAsksForPower(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		svc := &Service{store: s}
		ended := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
		for _, c := range []struct {
			ended *time.Time
			power models.PowerStatus
			asks  bool
		}{
			{nil, models.PowerOff, false}, {&ended, models.PowerOn, false}, {&ended, models.PowerOff, true},
		} {
			sv := &models.Server{ExpiresOn: "2027-01-30", LeaseExpiredAt: c.ended, PowerStatus: c.power}
			list := svc.ExtendQuestions(root, sv)
			if asks := list[len(list)-1].Type == catalog.AskBoolean; asks != c.asks {
				t.Errorf("lease ended %v, %s: asks %v", c.ended, c.power, asks)
			}
		}
	})
}
