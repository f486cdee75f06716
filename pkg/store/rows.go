package store

import (
	"crypto/rand"
	"fmt"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"halcyon/models"
	"halcyon/pkg/fault"
)

// Insert inserts a new row and sets its uuid, global id, version and times. Neither Insert nor Save writes
// associated rows.
func Insert(tx *Tx, row models.Keyed) error {
	k := row.Key()
	if k.UUID == "" {
		k.UUID = uuid.NewString()
	}
	if k.GlobalID == "" {
		k.GlobalID = globalID(row.GlobalPrefix())
	}
	k.Version = 1
	k.CreatedAt, k.UpdatedAt = tx.Now, tx.Now
	if tx.inserted == nil {
		tx.inserted = map[string]int{}
	}
	tx.inserted[row.GlobalPrefix()]++
	if !tx.take(row, row, &k.ID) {
		if err := tx.Omit(clause.Associations).Create(row).Error; err != nil {
			return translate(err)
		}
	}
	tx.wrote(row, true)
	return nil
}

// Inserted returns how many rows of a kind, given by the prefix of its global ids, the transaction has
// inserted.
func Inserted(tx *Tx, prefix string) int { return tx.inserted[prefix] }

// Save updates a row that was read, and increments its version. The error is Conflict if another
// transaction has changed the row since. With columns it writes only those.
func Save(tx *Tx, row models.Keyed, columns ...string) error {
	k := row.Key()
	was := k.Version
	k.Version++
	k.UpdatedAt = tx.Now
	if x := tx.session(); x != nil && x.holds(row) {
		tx.wrote(row, false)
		return nil // deferred: it will be written with its final values
	}
	db := tx.Model(row).Where("version = ?", was)
	if len(columns) > 0 {
		db = db.Select(append([]string{"version", "updated_at"}, columns...))
	} else {
		db = db.Select("*").Omit("id", "uuid", "global_id", "created_at", clause.Associations)
	}
	res := db.Updates(row)
	if res.Error != nil {
		k.Version = was
		return translate(res.Error)
	}
	if res.RowsAffected == 0 {
		k.Version = was
		return fault.Wrap(fault.Conflict, ErrStale, "It was changed by somebody else meanwhile. Read it again.")
	}
	tx.wrote(row, false)
	return nil
}

// First reads one row. The error is NotFound if there is none.
func First[T any](db *gorm.DB) (*T, error) {
	var row T
	if err := db.Take(&row).Error; err != nil {
		return nil, translate(err)
	}
	return &row, nil
}

// Find reads all rows of a query.
func Find[T any](db *gorm.DB) ([]T, error) {
	var rows []T
	if err := db.Find(&rows).Error; err != nil {
		return nil, translate(err)
	}
	return rows, nil
}

// globalID returns a new global id: the prefix and eight characters that are easy to read out.
func globalID(prefix string) string {
	const alphabet = "0123456789abcdefghjkmnpqrstvwxyz" // 32 of them, so no bias; without i l o u
	var raw [8]byte
	_, _ = rand.Read(raw[:]) // crypto/rand never fails
	for i, b := range raw {
		raw[i] = alphabet[b%32]
	}
	return fmt.Sprintf("%s-%s", prefix, raw[:])
}
