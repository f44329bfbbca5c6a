package storage

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"
)

type row struct {
	ID   int64  `gorm:"primaryKey"`
	Name string `gorm:"not null;uniqueIndex"`
	Pair int64
	At   time.Time
}

func createRows() *gormigrate.Migration {
	return &gormigrate.Migration{
		ID:      "0001-rows",
		Migrate: func(tx *gorm.DB) error { return tx.Migrator().CreateTable(&row{}) },
	}
}

func open(t *testing.T, path string, migrations ...*gormigrate.Migration) *DB {
	t.Helper()
	db, err := Open(t.Context(), path, migrations)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func pragma(t *testing.T, db *DB, name string) string {
	t.Helper()
	var value string
	if err := db.Raw("PRAGMA " + name).Scan(&value).Error; err != nil {
		t.Fatal(err)
	}
	return value
}

func count(t *testing.T, db *DB) int64 {
	t.Helper()
	var n int64
	if err := db.Model(&row{}).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOpenMakesOneFile(t *testing.T) {
	t.Parallel()
	// Everything that means something in a URL may be in a folder's name.
	dir := filepath.Join(t.TempDir(), "a b?c#d%20&ü")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "hall.db")
	db, err := Open(t.Context(), path, []*gormigrate.Migration{createRows()})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "2000",
	} {
		if got := pragma(t, db, name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if err := db.Create(&row{Name: "ann"}).Error; err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(f.Name(), "hall.db") || strings.Contains(f.Name(), ".new-") {
			t.Errorf("left %s behind", f.Name())
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", f.Name(), info.Mode().Perm())
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if n := count(t, open(t, path, createRows())); n != 1 {
		t.Errorf("%d rows after opening again, want 1", n)
	}
}

func TestOpenTightensMode(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hall.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode().Perm())
	}
}

// TestOpenAtOnce has several openers make one new database: none overwrites another's.
func TestOpenAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hall.db")
	const openers = 8
	var wg sync.WaitGroup
	for i := range openers {
		wg.Go(func() {
			db, err := Open(t.Context(), path, []*gormigrate.Migration{createRows()})
			if err != nil {
				t.Error(err)
				return
			}
			if err := db.Create(&row{Name: fmt.Sprint(i)}).Error; err != nil {
				t.Error(err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := count(t, open(t, path, createRows())); n != openers {
		t.Errorf("%d rows, want %d", n, openers)
	}
}

func TestIsDuplicate(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "hall.db"), createRows())
	if err := db.Create(&row{ID: 1, Name: "ann"}).Error; err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		err  error
		want bool
	}{
		{"none", nil, false},
		{"unique column", db.Create(&row{ID: 2, Name: "ann"}).Error, true},
		{"primary key", db.Create(&row{ID: 1, Name: "bob"}).Error, true},
		{"wrapped", fmt.Errorf("sign up: %w", db.Create(&row{Name: "ann"}).Error), true},
		{"gorm's own", gorm.ErrDuplicatedKey, true},
		{"not null", db.Exec("INSERT INTO rows (name) VALUES (NULL)").Error, false},
		{"not found", db.First(&row{}, 99).Error, false},
	}
	for _, tt := range tests {
		if got := IsDuplicate(tt.err); got != tt.want || (tt.want || tt.name == "not null") && tt.err == nil {
			t.Errorf("%s: IsDuplicate(%v) = %v, want %v", tt.name, tt.err, got, tt.want)
		}
	}
}

func TestForeignKeysAreEnforced(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "hall.db"), createRows())
	if err := db.Exec("CREATE TABLE notes (row_id INTEGER NOT NULL REFERENCES rows(id))").Error; err != nil {
		t.Fatal(err)
	}
	if err := db.Exec("INSERT INTO notes VALUES (1)").Error; err == nil || IsDuplicate(err) {
		t.Errorf("a note of no row: error %v", err)
	}
}

func TestTimesSort(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "hall.db"), createRows())
	zone := time.FixedZone("east", 8*3600)
	base := time.Date(2026, 11, 20, 15, 24, 24, 0, time.UTC)
	times := []time.Time{base, base.Add(time.Nanosecond).In(zone), base.Add(100 * time.Millisecond), base.Add(120 * time.Millisecond).In(zone), base.Add(time.Second)}
	for i := range times { // stored the wrong way round
		at := times[len(times)-1-i]
		if err := db.Create(&row{Name: fmt.Sprint(i), At: at}).Error; err != nil {
			t.Fatal(err)
		}
	}
	var got []row
	if err := db.Order("at").Find(&got).Error; err != nil {
		t.Fatal(err)
	}
	for i, r := range got {
		if !r.At.Equal(times[i]) || r.At.Location() != time.UTC {
			t.Errorf("row %d: %v, want %v in UTC", i, r.At, times[i])
		}
	}
	var before int64
	if err := db.Model(&row{}).Where("at < ?", times[3]).Count(&before).Error; err != nil {
		t.Fatal(err)
	}
	if before != 3 {
		t.Errorf("%d rows before %v, want 3", before, times[3])
	}
}

// lock takes the write lock of the database at path, as another program would.
func lock(t *testing.T, path, how string) (unlock func()) {
	t.Helper()
	pool, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), how); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(conn.Close(), pool.Close()); err != nil {
			t.Error(err)
		}
	}
}

func TestLockedByAnotherProgram(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hall.db")
	db := open(t, path, createRows())
	unlock := lock(t, path, "BEGIN IMMEDIATE")

	start := time.Now()
	err := db.Create(&row{Name: "ann"}).Error
	took := time.Since(start)
	if !IsBusy(err) || IsDuplicate(err) {
		t.Errorf("write: error %v, want busy", err)
	}
	if took < time.Second || took > 10*time.Second {
		t.Errorf("busy after %v, want about 2 s", took)
	}
	if n := count(t, db); n != 0 {
		t.Errorf("read while locked: %d rows, want 0", n)
	}
	unlock()
	if err := db.Create(&row{Name: "ann"}).Error; err != nil {
		t.Errorf("write after the lock is gone: %v", err)
	}
	if IsBusy(nil) || IsBusy(gorm.ErrRecordNotFound) {
		t.Error("IsBusy takes anything for busy")
	}
}

func TestOpenLockedByAnotherProgram(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hall.db")
	if err := open(t, path, createRows()).Close(); err != nil {
		t.Fatal(err)
	}
	unlock := lock(t, path, "BEGIN IMMEDIATE")
	defer unlock()
	db, err := Open(t.Context(), path, []*gormigrate.Migration{createRows()})
	if err == nil {
		err = errors.Join(errors.New("opened"), db.Close())
	}
	if !IsBusy(err) || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want busy with the path", err)
	}
}

func TestContextEndsWaiting(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "hall.db"), createRows())
	err := db.Transaction(func(*gorm.DB) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		return db.WithContext(ctx).Create(&row{Name: "past the tx"}).Error
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want deadline exceeded", err)
	}
}

// TestLogsNoValues is not parallel: it listens to the default logger.
//
//nolint:paralleltest // it replaces slog's default
func TestLogsNoValues(t *testing.T) {
	var out bytes.Buffer
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	defer slog.SetDefault(old)

	const secret = "hunter2"
	db := open(t, filepath.Join(t.TempDir(), "hall.db"), createRows())
	for range 2 { // the second is a duplicate
		_ = db.Create(&row{Name: secret}).Error
	}
	_ = db.Debug().Where("name = ?", secret).First(&row{}).Error
	_ = db.Where("nothing = ?", secret).First(&row{}).Error
	db.Logger.Warn(t.Context(), "odd value %v", secret)
	db.Logger.Error(t.Context(), "wrong value %v", secret)
	db.Logger.Info(t.Context(), "value %v", secret)
	// What gorm would hand to Trace for a slow query.
	slow := db.Session(&gorm.Session{DryRun: true}).Where("name = ?", secret).First(&row{})
	db.Logger.Trace(t.Context(), time.Now().Add(-time.Minute), func() (string, int64) {
		text, values := slow.Dialector.Explain, slow.Statement.Vars
		sql, values := quiet{}.ParamsFilter(t.Context(), slow.Statement.SQL.String(), values...)
		return text(sql, values...), 0
	}, nil)

	if strings.Contains(out.String(), secret) {
		t.Errorf("the log has the value:\n%s", out.String())
	}
	if !strings.Contains(out.String(), "slow query") || !strings.Contains(out.String(), "odd value") {
		t.Errorf("the log misses the slow query or the warning:\n%s", out.String())
	}
}
