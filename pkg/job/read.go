package job

import (
	"fmt"
	"slices"
	"strings"

	"halcyon/models"
	"halcyon/pkg/store"
)

// Say adds a line to a job's progress. The levels are info, warning and error.
func Say(tx *store.Tx, id models.ID, level, message string) error {
	err := store.Note(tx, &models.JobMessage{JobID: id, Level: level, Message: message, CreatedAt: tx.Now})
	if err != nil {
		return fmt.Errorf("message of job %s: %w", id, err)
	}
	return nil
}

// messagesOf returns a job's progress, oldest first.
func messagesOf(tx *store.Tx, id models.ID) ([]models.JobMessage, error) {
	rows, err := store.Find[models.JobMessage](tx.Where("job_id = ?", id).Order("id"))
	if err != nil {
		return nil, fmt.Errorf("messages of job %s: %w", id, err)
	}
	return rows, nil
}

// Log returns the progress of a job and of its children as text, in the order in which
// it happened. An actor who sees a parent sees its children, since they have the same
// owner and group.
func Log(tx *store.Tx, j *models.Job) (string, error) {
	children, err := store.Find[models.Job](tx.Where("parent_id = ?", j.ID).Order("id"))
	if err != nil {
		return "", fmt.Errorf("children of job %s: %w", j.ID, err)
	}
	jobs := append([]models.Job{*j}, children...)
	title := map[models.ID]string{}
	ids := make([]models.ID, 0, len(jobs))
	for i := range jobs {
		c := &jobs[i]
		title[c.ID] = fmt.Sprintf("job %s (%s)", c.ID, c.Type.Title())
		ids = append(ids, c.ID)
	}
	var lines []models.JobMessage
	for part := range slices.Chunk(ids, 500) {
		rows, err := store.Find[models.JobMessage](tx.Where("job_id IN ?", part).Order("id"))
		if err != nil {
			return "", fmt.Errorf("messages of job %s: %w", j.ID, err)
		}
		lines = append(lines, rows...)
	}
	slices.SortFunc(lines, func(a, b models.JobMessage) int { return int(a.ID - b.ID) })
	var b strings.Builder
	for i := range jobs {
		c := &jobs[i]
		fmt.Fprintf(&b, "%s: %s\n", title[c.ID], c.Status)
	}
	const stamp = "2006-01-02T15:04:05.000000Z"
	for _, m := range lines {
		fmt.Fprintf(&b, "%s %-7s %s: %s\n", m.CreatedAt.UTC().Format(stamp), m.Level, title[m.JobID], m.Message)
	}
	for i := range jobs {
		c := &jobs[i]
		for _, part := range []struct{ head, text string }{{"output", c.Output}, {"errors", c.Errors}} {
			if part.text != "" && (i > 0 || len(jobs) == 1) {
				fmt.Fprintf(&b, "%s, %s: %s\n", title[c.ID], part.head, part.text)
			}
		}
	}
	return b.String(), nil
}
