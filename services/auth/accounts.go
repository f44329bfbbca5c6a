package auth

import (
	"context"
	"fmt"
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

// migrations are what auth.db went through. The first one has the table's columns written
// out, so that it stays what it was when account grows.
var migrations = []*gormigrate.Migration{{
	ID: "0001-users",
	Migrate: func(tx *gorm.DB) error {
		return tx.Exec(`CREATE TABLE users (
			id text NOT NULL PRIMARY KEY,
			name text NOT NULL UNIQUE,
			skeleton text NOT NULL UNIQUE,
			hash text NOT NULL,
			command text NOT NULL,
			created_at datetime NOT NULL,
			passwd_command text NOT NULL DEFAULT '',
			passwd_at datetime NOT NULL
		)`).Error
	},
}}

// accounts is the table of users; only this file knows gorm.
type accounts struct{ db *storage.DB }

// openAccounts opens the database; the caller closes it.
func openAccounts(ctx context.Context, path string) (*accounts, error) {
	db, err := storage.Open(ctx, path, migrations)
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
	// Find with a limit, for First takes "none" for an error.
	tx := a.db.WithContext(ctx).Where(where, args...).Limit(1).Find(&u)
	if tx.Error != nil {
		return account{}, false, fmt.Errorf("read account: %w", tx.Error)
	}
	return u, tx.RowsAffected > 0, nil
}

// create stores u. The error is storage.IsDuplicate when its name or look is taken.
func (a *accounts) create(ctx context.Context, u account) error {
	if err := a.db.WithContext(ctx).Create(&u).Error; err != nil {
		return fmt.Errorf("create account %s: %w", u.Name, err)
	}
	return nil
}

// setHash replaces the hash old by hash, in the name of command; done is false when old is
// not what is stored any more.
func (a *accounts) setHash(ctx context.Context, id, old, hash, command string) (done bool, err error) {
	tx := a.db.WithContext(ctx).Model(&account{}).Where("id = ? AND hash = ?", id, old).
		Updates(map[string]any{"hash": hash, "passwd_command": command, "passwd_at": time.Now().UTC()})
	if tx.Error != nil {
		return false, fmt.Errorf("change password: %w", tx.Error)
	}
	return tx.RowsAffected > 0, nil
}
