package account

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"gamehall/shared/storage"
)

// sessionRow is a session as stored.
type sessionRow struct {
	UserID string `gorm:"primaryKey"`
	Epoch  uint64 `gorm:"primaryKey;autoIncrement:false"`
	User   string `gorm:"not null"`
	Edge   string `gorm:"not null"`
	Since  time.Time
	Until  *time.Time `gorm:"index"` // null while the session is open
}

// TableName is the table's.
func (sessionRow) TableName() string { return "sessions" }

// edgeRow is when an edge last gave a sign of life. It stands for all the sessions that the
// edge holds, so that a renewal is one small write however many they are.
type edgeRow struct {
	ID   string `gorm:"primaryKey"`
	Seen time.Time
}

// TableName is the table's.
func (edgeRow) TableName() string { return "edges" }

var migrations = []*gormigrate.Migration{{
	ID: "0001-sessions",
	Migrate: func(tx *gorm.DB) error {
		return tx.Migrator().CreateTable(&sessionRow{}, &edgeRow{})
	},
}}

// store keeps the sessions. Each of its writes is one transaction, which may be repeated: what
// it writes depends on what it read, and it gives the same when it is done twice.
type store struct{ db *storage.DB }

// openStore opens the database at a place of storage.At.
func openStore(ctx context.Context, at string, log *slog.Logger) (*store, error) {
	db, err := storage.Open(ctx, at, migrations, storage.Log(log))
	if err != nil {
		return nil, err
	}
	return &store{db}, nil
}

func (s *store) close() error { return s.db.Close() }

// tell stores what events say.
func (s *store) tell(ctx context.Context, all []told) error {
	// In one order: two copies with the same sessions in another one would wait for each
	// other's rows.
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b told) int {
		return cmp.Or(cmp.Compare(a.UserID, b.UserID), cmp.Compare(a.Epoch, b.Epoch))
	})
	return s.write(ctx, func(tx *gorm.DB) error {
		for _, t := range all {
			have, found, err := one(tx, t.span)
			if err != nil {
				return err
			}
			seen, err := seenOf(tx, cmp.Or(t.Edge, have.Edge))
			if err != nil {
				return err
			}
			next := t.onto(have, found, seen)
			if found && next == have {
				continue
			}
			if err := put(tx, next); err != nil {
				return err
			}
		}
		return nil
	})
}

// renewed stores that edge's lease was renewed at that time.
func (s *store) renewed(ctx context.Context, edge string, at time.Time) error {
	return s.write(ctx, func(tx *gorm.DB) error {
		seen, err := seenOf(tx, edge)
		if err != nil || !exact(at).After(seen) {
			return err
		}
		return tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&edgeRow{ID: edge, Seen: exact(at)}).Error
	})
}

// abandon closes those of the given sessions that are still open at their edge's last
// renewal.
func (s *store) abandon(ctx context.Context, gone []span) error {
	return s.write(ctx, func(tx *gorm.DB) error {
		for _, g := range gone {
			have, found, err := one(tx, g)
			if err != nil {
				return err
			}
			if !found || !have.Until.IsZero() {
				continue
			}
			seen, err := seenOf(tx, have.Edge)
			if err != nil {
				return err
			}
			have.Until = lastSign(have, seen)
			if err := put(tx, have); err != nil {
				return err
			}
		}
		return nil
	})
}

// open gives the sessions whose end is not known.
func (s *store) open(ctx context.Context) ([]span, error) {
	var rows []sessionRow
	err := s.db.Retry(ctx, func(db *gorm.DB) error { return db.Where("until IS NULL").Find(&rows).Error })
	if err != nil {
		return nil, fmt.Errorf("read open sessions: %w", err)
	}
	all := make([]span, len(rows))
	for i, r := range rows {
		all[i] = r.span()
	}
	return all, nil
}

// of gives the sessions of a user. One that is open ends where its edge was last known to
// live: the end that it would get now.
func (s *store) of(ctx context.Context, userID string) ([]span, error) {
	var rows []struct {
		Row  sessionRow `gorm:"embedded"`
		Seen *time.Time
	}
	err := s.db.Retry(ctx, func(db *gorm.DB) error {
		return db.Table("sessions").Select("sessions.*, edges.seen").
			Joins("LEFT JOIN edges ON edges.id = sessions.edge").
			Where("sessions.user_id = ?", userID).Find(&rows).Error
	})
	if err != nil {
		return nil, fmt.Errorf("read the sessions of %s: %w", userID, err)
	}
	all := make([]span, len(rows))
	for i, r := range rows {
		all[i] = r.Row.span()
		if all[i].Until.IsZero() {
			all[i].Until = lastSign(all[i], instant(r.Seen))
		}
	}
	return all, nil
}

func (s *store) write(ctx context.Context, do func(tx *gorm.DB) error) error {
	if err := s.db.Transact(ctx, do); err != nil {
		return fmt.Errorf("write sessions: %w", err)
	}
	return nil
}

// one reads the row of a session.
func one(tx *gorm.DB, key span) (span, bool, error) {
	var rows []sessionRow
	err := tx.Where("user_id = ? AND epoch = ?", key.UserID, key.Epoch).Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return span{}, false, err
	}
	return rows[0].span(), true, nil
}

func put(tx *gorm.DB, s span) error {
	row := sessionRow{UserID: s.UserID, Epoch: s.Epoch, User: s.User, Edge: s.Edge, Since: s.Since}
	if !s.Until.IsZero() {
		row.Until = &s.Until
	}
	return tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error
}

// lastSign is when an open session was last known to live: at its edge's last renewal, or
// when it began.
func lastSign(s span, seen time.Time) time.Time {
	if seen.Before(s.Since) {
		return s.Since
	}
	return seen
}

// seenOf is when edge's lease was last renewed; the zero time when that is not known.
func seenOf(tx *gorm.DB, edge string) (time.Time, error) {
	var rows []edgeRow
	err := tx.Where("id = ?", edge).Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return time.Time{}, err
	}
	return exact(rows[0].Seen), nil
}

func (r sessionRow) span() span {
	return span{UserID: r.UserID, Epoch: r.Epoch, User: r.User, Edge: r.Edge, Since: exact(r.Since), Until: instant(r.Until)}
}

// instant is a time that may be null.
func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return exact(*t)
}
