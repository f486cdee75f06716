// Package history records what happened to an object: who did it, when, and what
// it changed. Rows are only ever added.
package history

import (
	"encoding/json"
	"fmt"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/store"
)

// Add records an event in the transaction that makes it happen. Before and after
// hold the fields that changed, as anything that encodes to JSON; nil is nothing.
// They are shown to everyone who sees the object, so no secret may be among them.
func Add(tx *store.Tx, a access.Actor, objectType string, id models.ID, event, message string, before, after any) error {
	tx.By(a.ID)
	was, err := encode(before)
	if err != nil {
		return fmt.Errorf("history of %s %s: %w", objectType, id, err)
	}
	is, err := encode(after)
	if err != nil {
		return fmt.Errorf("history of %s %s: %w", objectType, id, err)
	}
	row := models.History{
		ObjectType: objectType, ObjectID: id,
		ActorID: a.ID, ActorName: a.Username,
		Event: event, Message: message,
		Before: was, After: is,
		CreatedAt: tx.Now,
	}
	if err := store.Note(tx, &row); err != nil {
		return fmt.Errorf("history of %s %s: %w", objectType, id, err)
	}
	return nil
}

func encode(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}
