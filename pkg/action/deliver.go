package action

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"halcyon/models"
	"halcyon/pkg/job"
	"halcyon/pkg/provider"
	"halcyon/pkg/webhook"
)

// This file delivers webhooks.

// event is the body of a webhook; see docs/actions.md.
type event struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      eventData `json:"data"`
}

type eventData struct {
	Action     subject           `json:"action"`
	By         subject           `json:"by"`
	Job        *subject          `json:"job,omitempty"`
	Parameters map[string]string `json:"parameters"`
	*Facts
}

type subject struct {
	Kind string `json:"kind,omitempty"`
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// payload returns the body of a webhook call.
func payload(kind string, at time.Time, x *models.Action, by models.Named, j *models.Job, params []models.Param, f *Facts) ([]byte, error) {
	e := event{Type: kind, Timestamp: at, Data: eventData{
		Action: subject{ID: x.ID.String(), Name: x.Name}, By: subject{by.Kind, by.ID.String(), by.Name},
		Parameters: parameters(params), Facts: f,
	}}
	if j != nil {
		e.Data.Job = &subject{ID: j.ID.String()}
	}
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("body of a webhook: %w", err)
	}
	return body, nil
}

// messageID returns the id of a call that belongs to no job.
func messageID() string { return "msg_" + uuid.NewString() }

// send calls the action's receiver once.
func (s *Service) send(ctx context.Context, x *models.Action, id string, body []byte, timeout time.Duration) (status, message string, err error) {
	headers, secret, err := s.openHeaders(x)
	if err != nil {
		return "", "", err
	}
	return s.sender.Send(ctx, webhook.Message{
		URL: x.URL, ID: id, Body: body, Headers: headers, Secret: secret, Timeout: timeout, At: s.store.Now(),
	})
}

// Memo keys of a delivery.
const (
	memoStatus  = "answer"
	memoMessage = "message"
)

// deliver returns the job step that calls the receiver. The message id is that of the
// job's attempt, so that a receiver can detect repeated calls.
func (s *Service) deliver(x *models.Action, j *models.Job, body []byte) job.Step {
	return job.Step{Step: provider.Step{
		Name: "deliver", Title: "Calling the webhook of " + x.Name,
		Run: func(ctx context.Context, memo provider.Memo) (time.Duration, error) {
			id := fmt.Sprintf("msg_%s_%d", j.UUID, j.Attempts) // a manual retry is a new message
			status, message, err := s.send(ctx, x, id, body, time.Duration(x.Timeout)*time.Second)
			if err == nil {
				memo[memoStatus], memo[memoMessage] = status, message
			}
			return 0, err
		},
	}}
}
