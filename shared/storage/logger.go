package storage

import (
	"context"
	"log/slog"
	"time"

	"gorm.io/gorm/logger"
)

// slowQuery is the time over which a query is logged. All that the hall asks is found by a
// key; a fsync takes a few milliseconds on a slow disk.
const slowQuery = 500 * time.Millisecond

// quiet is gorm's logger. Errors are returned, and logged by whoever turns them into an
// answer, so they are not logged here a second time; values of queries, among them hashes
// of passwords, never are.
type quiet struct{}

var (
	_ logger.Interface = quiet{}
	_ interface {
		ParamsFilter(context.Context, string, ...any) (string, []any)
	} = quiet{}
)

// LogMode changes nothing: nobody makes this logger talk.
func (q quiet) LogMode(logger.LogLevel) logger.Interface { return q }

// Info is what gorm tells on its own; it is of no use to an operator.
func (quiet) Info(context.Context, string, ...any) {}

// Warn logs what gorm found odd, without what it found it in.
func (quiet) Warn(ctx context.Context, msg string, _ ...any) {
	slog.WarnContext(ctx, "database", "message", msg)
}

// Error logs as Warn does: the error itself is returned, too.
func (quiet) Error(ctx context.Context, msg string, _ ...any) {
	slog.WarnContext(ctx, "database", "message", msg)
}

// Trace logs a slow query, with ? for its values.
func (quiet) Trace(ctx context.Context, begin time.Time, fc func() (string, int64), _ error) {
	if took := time.Since(begin); took > slowQuery {
		sql, rows := fc()
		slog.WarnContext(ctx, "slow query", "sql", sql, "rows", rows, "took", took)
	}
}

// ParamsFilter keeps the values out of the text that Trace gets.
func (quiet) ParamsFilter(_ context.Context, sql string, _ ...any) (string, []any) {
	return sql, nil
}
