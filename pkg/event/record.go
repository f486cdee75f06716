package event

import (
	"fmt"
	"slices"

	"halcyon/models"
	"halcyon/pkg/store"
)

// mostMessages is how many new messages of a job one event holds; the job has all.
const mostMessages = 50

// key names an object.
type key struct {
	object string
	id     models.ID
}

// object is what a transaction has come to know of one.
type object struct {
	facts    models.Event // as it is by now, without a type
	known    bool         // its row was written, and not only a message of it
	messages []models.EventMessage
	drafts   []*draft
}

// draft is an event to be.
type draft struct {
	of     *object
	kind   string
	status string
	was    string
	weak   bool // says no more than that something has changed
}

// journal gathers what a transaction does, and writes it at its end.
type journal struct {
	svc     *Service
	objects map[key]*object
	drafts  []*draft
}

type journalKey struct{}

func (s *Service) journal(tx *store.Tx) *journal {
	return tx.BeforeCommit(journalKey{}, func() store.BeforeCommit {
		return &journal{svc: s, objects: map[key]*object{}}
	}).(*journal)
}

// written is told of every row that is written.
func (s *Service) written(tx *store.Tx, row any, fresh bool) {
	if m, ok := row.(*models.JobMessage); ok {
		s.journal(tx).said(m)
		return
	}
	facts, ok := factsOf(row)
	if !ok {
		return
	}
	k := row.(models.Keyed).Key()
	left := k.Left
	k.Left = nil
	s.journal(tx).note(facts, left, fresh)
}

// factsOf returns what an event says of a row, and false for rows that have no events.
func factsOf(row any) (models.Event, bool) {
	switch r := row.(type) {
	case *models.Order:
		return models.Event{
			ObjectType: models.ObjectOrder, ObjectID: r.ID, Status: string(r.Status),
			OwnerID: r.OwnerID, RecipientID: r.RecipientID, GroupID: r.GroupID, OrderID: r.ID,
		}, true
	case *models.Job:
		return models.Event{
			ObjectType: models.ObjectJob, ObjectID: r.ID, Status: string(r.Status),
			OwnerID: r.OwnerID, GroupID: r.GroupID, OrderID: r.OrderID, ParentID: r.ParentID, ServiceID: r.ServiceID, ServerID: r.ServerID,
			Data: models.EventData{Total: r.TotalTasks, Completed: r.CompletedTasks},
		}, true
	case *models.Server:
		return models.Event{
			ObjectType: models.ObjectServer, ObjectID: r.ID, Status: string(r.Status),
			OwnerID: r.OwnerID, GroupID: r.GroupID, OrderID: r.OrderID, ServiceID: r.ServiceID, ServerID: r.ID,
			Data: models.EventData{Name: r.Hostname, Power: r.PowerStatus},
		}, true
	case *models.Service:
		return models.Event{
			ObjectType: models.ObjectService, ObjectID: r.ID, Status: string(r.Status),
			OwnerID: r.OwnerID, GroupID: r.GroupID, OrderID: r.OrderID, ServiceID: r.ID,
			Data: models.EventData{Name: r.Name},
		}, true
	}
	return models.Event{}, false
}

func (j *journal) object(k key) *object {
	o := j.objects[k]
	if o == nil {
		o = &object{facts: models.Event{ObjectType: k.object, ObjectID: k.id}}
		j.objects[k] = o
	}
	return o
}

// note draws up the events of a row that was written. Left are the statuses that it
// has left, the present one comes after them.
func (j *journal) note(facts models.Event, left []string, fresh bool) {
	o := j.object(key{facts.ObjectType, facts.ObjectID})
	o.facts, o.known = facts, true
	way := append(slices.Clip(left), facts.Status)
	if fresh {
		j.add(o, &draft{kind: facts.ObjectType + ".created", status: way[0]})
	}
	for i, from := range left {
		for _, kind := range moved(facts.ObjectType, from, way[i+1]) {
			j.add(o, &draft{kind: kind, status: way[i+1], was: from})
		}
	}
	if !fresh && len(left) == 0 {
		j.touch(o)
	}
}

// touch says that the object is not quite as it was, where nothing else says more.
func (j *journal) touch(o *object) {
	if len(o.drafts) > 0 {
		return
	}
	kind := o.facts.ObjectType + ".changed"
	if o.facts.ObjectType == models.ObjectJob {
		kind = jobProgress
	}
	j.add(o, &draft{kind: kind, weak: true})
}

// add takes an event in. It replaces a weak one; and what happens to a server or a
// service within a transaction is one event, as nobody has seen what was in between.
func (j *journal) add(o *object, d *draft) {
	d.of = o
	if n := len(o.drafts); n > 0 {
		last := o.drafts[n-1]
		whole := o.facts.ObjectType == models.ObjectServer || o.facts.ObjectType == models.ObjectService
		switch {
		case last.weak:
			*last = *d
			return
		case whole && last.kind == d.kind, whole && last.kind == o.facts.ObjectType+".created" && d.kind == o.facts.ObjectType+".changed":
			last.status = d.status
			return
		case whole && d.kind == o.facts.ObjectType+".removed" && last.kind == o.facts.ObjectType+".changed":
			last.kind, last.status = d.kind, d.status
			return
		}
	}
	o.drafts = append(o.drafts, d)
	j.drafts = append(j.drafts, d)
}

// said takes a new message of a job in.
func (j *journal) said(m *models.JobMessage) {
	o := j.object(key{models.ObjectJob, m.JobID})
	if len(o.messages) < mostMessages {
		o.messages = append(o.messages, models.EventMessage{Level: m.Level, Text: m.Message})
	}
	j.touch(o)
}

// Flush implements store.Late: all events of the transaction go out in one row.
func (j *journal) Flush(tx *store.Tx) error {
	if err := j.complete(tx); err != nil {
		return err
	}
	order := j.order()
	row := &models.OutboxRow{Events: make([]models.Event, 0, len(j.drafts))}
	for _, d := range j.drafts {
		if d.kind == jobProgress && d.weak && len(d.of.messages) == 0 && !j.svc.further(tx, d.of) {
			continue
		}
		row.Events = append(row.Events, d.event(tx, order))
	}
	if len(row.Events) == 0 {
		return nil
	}
	if err := store.Note(tx, row); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	j.objects, j.drafts = map[key]*object{}, nil
	tx.OnCommit(j.svc.nudge)
	return nil
}

// complete reads the jobs of which only messages are known.
func (j *journal) complete(tx *store.Tx) error {
	for k, o := range j.objects {
		if o.known {
			continue
		}
		row, err := store.First[models.Job](tx.Where("id = ?", k.id))
		if err != nil {
			return fmt.Errorf("load job %s: %w", k.id, err)
		}
		o.facts, _ = factsOf(row)
		o.known = true
	}
	return nil
}

// order returns the one order that the transaction works for, 0 when there is none or
// there are several. What it does to a server belongs to that order, whichever one
// the server was made by.
func (j *journal) order() models.ID {
	var one models.ID
	for k, o := range j.objects {
		if id := o.facts.OrderID; id != 0 && (k.object == models.ObjectOrder || k.object == models.ObjectJob) {
			if one != 0 && one != id {
				return 0
			}
			one = id
		}
	}
	return one
}

func (d *draft) event(tx *store.Tx, order models.ID) models.Event {
	e := d.of.facts
	e.Type, e.ActorID, e.CreatedAt = d.kind, tx.Actor(), tx.Now
	if !d.weak {
		e.Status, e.Data.Was = d.status, d.was
	}
	if e.ObjectType == models.ObjectServer || e.ObjectType == models.ObjectService {
		e.Status = d.of.facts.Status
		if order != 0 {
			e.OrderID = order
		}
	}
	if d == d.of.drafts[len(d.of.drafts)-1] {
		e.Data.Messages = d.of.messages
	}
	return e
}

// further reports whether a job has other numbers than those that this process said
// last: a step that only waits has its job written again and again.
func (s *Service) further(tx *store.Tx, o *object) bool {
	now := [2]int{o.facts.Data.Total, o.facts.Data.Completed}
	s.progressMu.Lock()
	defer s.progressMu.Unlock()
	if was, ok := s.progress[o.facts.ObjectID]; ok && was == now {
		return false
	}
	id := o.facts.ObjectID
	tx.OnCommit(func() { s.reached(id, now) })
	return true
}

// progressKept is how many jobs' numbers are remembered.
const progressKept = 4096

func (s *Service) reached(id models.ID, at [2]int) {
	s.progressMu.Lock()
	defer s.progressMu.Unlock()
	if len(s.progress) >= progressKept {
		clear(s.progress)
	}
	s.progress[id] = at
}
