package game21

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"gamehall/shared/storage"
)

// creditedRound is a round whose players have their scores. Its number is unique, and that
// is what credits a round once.
type creditedRound struct {
	Number   uint64    `gorm:"primaryKey;autoIncrement:false"`
	ClosedAt time.Time `gorm:"not null"`
}

// TableName is gorm's.
func (creditedRound) TableName() string { return "rounds" }

// score is what a user has played and won. The index is the order in which they are told.
type score struct {
	UserID string `gorm:"primaryKey"`
	Name   string `gorm:"not null;index:scores_rank,priority:3"`
	Won    int    `gorm:"not null;index:scores_rank,priority:1,sort:desc"`
	Played int    `gorm:"not null;index:scores_rank,priority:2"`
}

// TableName is gorm's.
func (score) TableName() string { return "scores" }

var migrations = []*gormigrate.Migration{{
	ID: "0001-scores",
	Migrate: func(tx *gorm.DB) error {
		if err := tx.Migrator().CreateTable(&creditedRound{}, &score{}); err != nil {
			return err
		}
		return storage.Bytewise(tx, "scores", "name")
	},
}}

// creditFor is how long a round waits for the database, which holds up the game: a little
// longer than SQLite waits for a lock. The round is credited later then.
const creditFor = 2500 * time.Millisecond

// ledger is the scores in SQL. Copies of the service may share one.
type ledger struct{ db *storage.DB }

// scoresAtOnce is how many rows one statement writes: four values each, and SQLite takes
// 32,766 a statement, Postgres 65,535.
const scoresAtOnce = 500

// credit adds the result of a round to the scores, once: fresh is false when it was there,
// also when this call had put it there and a lost connection kept that from being known.
func (l ledger) credit(ctx context.Context, r Result) (fresh bool, err error) {
	if !r.Outcome.Ended() {
		return false, fmt.Errorf("credit round %d: it has not ended (%s)", r.Round, r.Outcome)
	}
	scores := make([]score, 0, len(r.Players))
	for _, p := range r.Players {
		s := score{UserID: p.ID, Name: p.Name, Played: 1}
		if r.Outcome == Won && p.ID == r.Winner.ID {
			s.Won = 1
		}
		scores = append(scores, s)
	}
	ctx, cancel := context.WithTimeout(ctx, creditFor)
	defer cancel()
	// In one order: two copies that credit two rounds would wait for each other's rows.
	slices.SortFunc(scores, func(a, b score) int { return cmp.Compare(a.UserID, b.UserID) })
	err = l.db.Transact(ctx, func(tx *gorm.DB) error {
		if err := tx.Create(&creditedRound{Number: r.Round, ClosedAt: r.ClosedAt.UTC()}).Error; err != nil {
			return err
		}
		if len(scores) == 0 {
			return nil
		}
		return tx.Clauses(clause.OnConflict{
			Columns: []clause.Column{{Name: "user_id"}},
			DoUpdates: clause.Assignments(map[string]any{
				"name":   gorm.Expr("excluded.name"),
				"won":    gorm.Expr("scores.won + excluded.won"),
				"played": gorm.Expr("scores.played + excluded.played"),
			}),
		}).CreateInBatches(scores, scoresAtOnce).Error
	})
	switch {
	case err == nil:
		return true, nil
	case storage.IsDuplicate(err):
		return false, nil
	}
	return false, fmt.Errorf("credit round %d: %w", r.Round, err)
}

// credited gives which of some rounds are in the ledger.
func (l ledger) credited(ctx context.Context, rounds []uint64) (map[uint64]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, creditFor)
	defer cancel()
	var have []uint64
	err := l.db.Retry(ctx, func(db *gorm.DB) error {
		return db.Model(&creditedRound{}).Where("number IN ?", rounds).Pluck("number", &have).Error
	})
	if err != nil {
		return nil, fmt.Errorf("read credited rounds: %w", err)
	}
	set := make(map[uint64]bool, len(have))
	for _, n := range have {
		set[n] = true
	}
	return set, nil
}

// last gives the highest number that was credited, 0 if none.
func (l ledger) last(ctx context.Context) (uint64, error) {
	var n uint64
	err := l.db.Retry(ctx, func(db *gorm.DB) error {
		return db.Model(&creditedRound{}).Select("COALESCE(MAX(number), 0)").Scan(&n).Error
	})
	if err != nil {
		return 0, fmt.Errorf("read the last credited round: %w", err)
	}
	return n, nil
}

// ranked is a score and its rank.
type ranked struct {
	score
	rank int
}

// top gives the best n: most rounds won, among them fewest played, then by name.
func (l ledger) top(ctx context.Context, n int) ([]ranked, error) {
	var rows []score
	err := l.db.Retry(ctx, func(db *gorm.DB) error {
		return db.Order("won DESC, played, name").Limit(n).Find(&rows).Error
	})
	if err != nil {
		return nil, fmt.Errorf("read the best scores: %w", err)
	}
	all := make([]ranked, 0, len(rows))
	for i, r := range rows {
		rank := i + 1
		if i > 0 && r.Won == rows[i-1].Won && r.Played == rows[i-1].Played {
			rank = all[i-1].rank
		}
		all = append(all, ranked{r, rank})
	}
	return all, nil
}

// of gives a user's score; its rank is one more than there are better ones, so equals share
// it. Who has not played has the rank 0.
func (l ledger) of(ctx context.Context, userID string) (ranked, error) {
	var row score
	err := l.db.Retry(ctx, func(db *gorm.DB) error {
		row = score{} // gorm would look for what an attempt before has left in it
		return db.Where("user_id = ?", userID).Take(&row).Error
	})
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return ranked{}, nil
	}
	if err != nil {
		return ranked{}, fmt.Errorf("read the score of %s: %w", userID, err)
	}
	var better int64
	err = l.db.Retry(ctx, func(db *gorm.DB) error {
		return db.Model(&score{}).Where("won > ? OR (won = ? AND played < ?)", row.Won, row.Won, row.Played).Count(&better).Error
	})
	if err != nil {
		return ranked{}, fmt.Errorf("read the rank of %s: %w", userID, err)
	}
	return ranked{row, int(better) + 1}, nil
}
