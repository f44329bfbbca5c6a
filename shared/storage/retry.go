package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"gorm.io/gorm"
)

// How long what Postgres could not do just now is tried again. SQLite waits by itself, for
// its busy timeout.
const (
	// retryFor ends before the 15 s for which a caller waits, so that he is told.
	retryFor = 10 * time.Second
	// attemptFor is for one attempt. The server gives up a statement before that; so this is
	// for a server that says nothing any more.
	attemptFor = statementFor + 2*time.Second
	// The first pause is about what a short transaction takes, for those that were in each
	// other's way. It doubles, for a server that restarts.
	pauseFrom, pauseTo = 5 * time.Millisecond, 500 * time.Millisecond
)

// awayError is the error of what was tried again until the time was over.
type awayError struct{ error }

func (e awayError) Unwrap() error { return e.error }

// Retry calls do with the database and gives its error. On Postgres it calls it again, for up
// to 10 s or until ctx ends, while the connection is lost, the server is not there, or
// another transaction was in the way; after that the error [IsBusy].
//
// When a connection is lost while something is committed, nobody knows whether it was. So
// what do does must be right also when it has been done before.
func (db *DB) Retry(ctx context.Context, do func(db *gorm.DB) error) error {
	if db.schema == "" {
		return do(db.WithContext(ctx))
	}
	patience, cancel := context.WithTimeout(ctx, retryFor)
	defer cancel()
	for pause := pauseFrom; ; pause = min(2*pause, pauseTo) {
		again, err := db.attempt(patience, do)
		if err == nil || !again {
			return err
		}
		select {
		case <-patience.Done():
			return awayError{fmt.Errorf("gave up after trying again: %w", err)}
		case <-time.After(pause/2 + rand.N(pause)): //nolint:gosec // jitter is no secret
		}
	}
}

// attempt calls do once and tells whether its error may be gone the next time.
func (db *DB) attempt(ctx context.Context, do func(db *gorm.DB) error) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptFor)
	defer cancel()
	err = do(db.WithContext(ctx))
	// When the time of an attempt ends, database/sql may have rolled back before us.
	late := errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil && errors.Is(err, sql.ErrTxDone)
	return late || passes(err), err
}

// Transact calls do in a transaction, as [DB.Retry] calls what it calls. It commits when do
// returns nil. On both databases its effect is as though transactions came one after the
// other: SQLite has one writer, Postgres refuses what would differ, and it is done again.
func (db *DB) Transact(ctx context.Context, do func(tx *gorm.DB) error) error {
	opts := &sql.TxOptions{}
	if db.schema != "" {
		opts.Isolation = sql.LevelSerializable
	}
	return db.Retry(ctx, func(db *gorm.DB) error { return db.Transaction(do, opts) })
}
