package account

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"gamehall/shared/streams"
)

// pruneEvery is how often rows that cannot matter any more are deleted.
const pruneEvery = 24 * time.Hour

// keepPruned deletes them now and once a day, until ctx ends.
func (s *Service) keepPruned(ctx context.Context) error {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		// An event of a session that the edge held may still be read again.
		if err := s.store.prune(ctx, time.Now().Add(-2*streams.KeptFor)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// prune deletes the edges that were last seen before that time and hold no session. An edge
// takes a new id at each start, and so leaves a row behind.
func (s *store) prune(ctx context.Context, before time.Time) error {
	return s.write(ctx, func(tx *gorm.DB) error {
		holding := tx.Model(&sessionRow{}).Select("edge").Where("until IS NULL")
		if err := tx.Where("seen < ? AND id NOT IN (?)", exact(before), holding).Delete(&edgeRow{}).Error; err != nil {
			return fmt.Errorf("delete edges: %w", err)
		}
		return nil
	})
}
