package server

import (
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/catalog"
	"halcyon/pkg/fault"
)

// This file returns the questions for extending a lease. They have no labels: each face has its own
// wording.

// ExtendQuestions returns the questions for extending the lease of a server that the
// actor may extend. It asks whether to switch the server on only where the end of the
// lease switched it off.
func (s *Service) ExtendQuestions(a access.Actor, sv *models.Server) []catalog.Question {
	list := []catalog.Question{s.lastDayQuestion(a, sv.GroupID, sv.ExpiresOn)}
	if sv.LeaseExpiredAt != nil && sv.PowerStatus == models.PowerOff {
		list = append(list, powerOnQuestion())
	}
	return list
}

// ExtendServiceQuestions returns the questions for extending the leases of all servers
// of a service that the actor may extend.
func (s *Service) ExtendServiceQuestions(a access.Actor, svc *models.Service) []catalog.Question {
	return []catalog.Question{s.lastDayQuestion(a, svc.GroupID, svc.ExpiresOn), powerOnQuestion()}
}

// lastDayQuestion asks for the new last day of a lease that ends on expires. The default is an answer that
// the actor may give. If no later day is allowed, that is models.Never, a text, which only managers of the
// group see.
func (s *Service) lastDayQuestion(a access.Actor, group models.ID, expires string) catalog.Question {
	q := catalog.Question{Path: fault.Member("expiration-date"), Type: catalog.AskText, Required: true, Default: models.Never}
	next, last := s.suggested(a, group, expires)
	if next == models.Never {
		return q
	}
	q.Type, q.Default = catalog.AskDate, next
	q.Earliest, q.Latest = dayAfter(expires), last
	return q
}

func powerOnQuestion() catalog.Question {
	return catalog.Question{Path: fault.Member("power-on"), Type: catalog.AskBoolean}
}

// suggested returns a last day, or models.Never, to which the actor may extend a lease
// that ends on expires, and the latest day that a lease may have, "" for no limit.
func (s *Service) suggested(a access.Actor, group models.ID, expires string) (next, last string) {
	now := s.store.Now()
	next, last = after(expires, 30, now), s.lastDay(now)
	if last == "" || next <= last {
		return next, last
	}
	if expires >= last && a.Can(access.GroupManage, group) {
		return models.Never, last
	}
	return last, last
}

// dayAfter returns the day after a date, or "" if the text is not a date.
func dayAfter(date string) string {
	d, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return ""
	}
	return day(d.AddDate(0, 0, 1))
}
