package job

import (
	"fmt"
	"strings"

	"halcyon/models"
	"halcyon/pkg/store"
)

// follow brings a parent, whose lineage is locked, to the status of its children: it
// runs when the first of them runs, and ends when all have ended.
func (s *Service) follow(tx *store.Tx, l *lineage) error {
	p := l.job
	if p.Ended() {
		return nil
	}
	children, err := store.Find[models.Job](tx.Where("parent_id = ?", p.ID).Order("id"))
	if err != nil {
		return fmt.Errorf("children of job %s: %w", p.ID, err)
	}
	begun, ended := false, 0
	for i := range children {
		c := &children[i]
		if c.Ended() {
			ended++
		}
		if c.Status != models.JobQueued && c.Status != models.JobPending && c.Status != models.JobCanceled {
			begun = true
		}
	}
	was, tasks := p.Status, [2]int{p.TotalTasks, p.CompletedTasks}
	p.TotalTasks, p.CompletedTasks = len(children), ended
	done := ended == len(children)
	if begun && (p.Status == models.JobQueued || p.Status == models.JobPending) || done && p.Status == models.JobPending {
		if err := p.MoveTo(models.JobRunning); err != nil {
			return err
		}
		if p.StartedAt == nil {
			now := tx.Now
			p.StartedAt = &now
		}
		p.Attempts++
	}
	if done {
		to := summary(children)
		if len(children) == 0 && p.CancelRequestedAt != nil {
			to = models.JobCanceled
		}
		if p.Status == models.JobQueued && to != models.JobCanceled {
			if err := p.MoveTo(models.JobRunning); err != nil { // a parent without children
				return err
			}
		}
		p.Output, p.Errors = texts(children)
		return s.end(tx, l, to)
	}
	if was == p.Status && tasks == [2]int{p.TotalTasks, p.CompletedTasks} {
		return nil
	}
	if err := store.Rewrite(tx, p); err != nil {
		return fmt.Errorf("save job %s: %w", p.ID, err)
	}
	if was != p.Status && len(l.parents) > 0 {
		return s.follow(tx, &lineage{job: l.parents[0], parents: l.parents[1:]})
	}
	return nil
}

// summary returns the status of a parent whose children have all ended.
func summary(children []models.Job) models.JobStatus {
	count := map[models.JobStatus]int{}
	for i := range children {
		count[children[i].Status]++
	}
	switch n := len(children); {
	case count[models.JobSuccess] == n:
		return models.JobSuccess
	case count[models.JobCanceled] == n:
		return models.JobCanceled
	case count[models.JobSuccess]+count[models.JobWarning] > 0:
		return models.JobWarning
	default: // failed, or failed and canceled
		return models.JobFailure
	}
}

func texts(children []models.Job) (output, errors string) {
	var out, bad []string
	for i := range children {
		c := &children[i]
		if c.Output != "" {
			out = append(out, c.Output)
		}
		if c.Errors != "" {
			bad = append(bad, fmt.Sprintf("Job id %s: %s", c.ID, c.Errors))
		}
	}
	return strings.Join(out, "\n"), strings.Join(bad, "\n")
}
