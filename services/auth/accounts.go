package auth

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"

	"gamehall/shared/storage"
)

// account is a user as stored. The unique columns decide who gets a name.
type account struct {
	ID        string    `gorm:"primaryKey"` // name.UserID of Name
	Name      string    `gorm:"not null;uniqueIndex"`
	Skeleton  string    `gorm:"not null;uniqueIndex"` // name.Skeleton of Name
	Hash      string    `gorm:"not null"`
	Command   string    `gorm:"not null"` // the sign-up that made it
	CreatedAt time.Time `gorm:"not null"`

	// The last change of the password: its command, and when.
	PasswdCommand string    `gorm:"not null;default:''"`
	PasswdAt      time.Time `gorm:"not null"`
}

// TableName is what gorm calls the table.
func (account) TableName() string { return "users" }

// migrations are what the database went through. The first one has the table's columns
// written out, so that it stays what it was when account grows.
var migrations = []*gormigrate.Migration{{
	ID: "0001-users",
	Migrate: func(tx *gorm.DB) error {
		at := storage.TimeType(tx)
		return tx.Exec(`CREATE TABLE users (
			id text NOT NULL PRIMARY KEY,
			name text NOT NULL UNIQUE,
			skeleton text NOT NULL UNIQUE,
			hash text NOT NULL,
			command text NOT NULL,
			created_at ` + at + ` NOT NULL,
			passwd_command text NOT NULL DEFAULT '',
			passwd_at ` + at + ` NOT NULL
		)`).Error
	},
}}

// accounts is the table of users; only this file knows gorm.
type accounts struct{ db *storage.DB }

// openAccounts opens the database at a place of storage.At; the caller closes it.
func openAccounts(ctx context.Context, at string, log *slog.Logger) (*accounts, error) {
	db, err := storage.Open(ctx, at, migrations, storage.Log(log))
	if err != nil {
		return nil, err
	}
	return &accounts{db}, nil
}

func (a *accounts) close() error { return a.db.Close() }

// find gives the account with that id; found is false when there is none.
func (a *accounts) find(ctx context.Context, id string) (u account, found bool, err error) {
	return a.first(ctx, "id = ?", id)
}

// like gives the account that has the id, or the look of the name.
func (a *accounts) like(ctx context.Context, id, skeleton string) (u account, found bool, err error) {
	return a.first(ctx, "id = ? OR skeleton = ?", id, skeleton)
}

func (a *accounts) first(ctx context.Context, where string, args ...any) (u account, found bool, err error) {
	err = a.db.Retry(ctx, func(db *gorm.DB) error {
		var have account // gorm would look for what an attempt before has left in it
		// Find with a limit, for First takes "none" for an error.
		tx := db.Where(where, args...).Limit(1).Find(&have)
		u, found = have, tx.RowsAffected > 0
		return tx.Error
	})
	if err != nil {
		return account{}, false, fmt.Errorf("read account: %w", err)
	}
	return u, found, nil
}

// create stores u. The error is storage.IsDuplicate when its name or look is taken, also by u
// itself, when that was stored and the connection was lost before anybody could say so.
func (a *accounts) create(ctx context.Context, u account) error {
	if err := a.db.Retry(ctx, func(db *gorm.DB) error { return db.Create(&u).Error }); err != nil {
		return fmt.Errorf("create account %s: %w", u.Name, err)
	}
	return nil
}

// setHash replaces the hash old by hash, in the name of command; done is false when old is
// not what is stored any more, also when command did that already.
func (a *accounts) setHash(ctx context.Context, id, old, hash, command string) (done bool, err error) {
	change := map[string]any{"hash": hash, "passwd_command": command, "passwd_at": time.Now().UTC()}
	err = a.db.Retry(ctx, func(db *gorm.DB) error {
		tx := db.Model(&account{}).Where("id = ? AND hash = ?", id, old).Updates(change)
		done = tx.RowsAffected > 0
		return tx.Error
	})
	if err != nil {
		return false, fmt.Errorf("change password: %w", err)
	}
	return done, nil
}
