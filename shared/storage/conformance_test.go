package storage_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"

	"gamehall/shared/storage"
	"gamehall/shared/storagetest"
)

// What is in this file holds for every kind of database.

// counter is a row that is read, changed and written.
type counter struct {
	ID   string `gorm:"primaryKey"`
	Name string `gorm:"not null;uniqueIndex"`
	N    int
	At   time.Time
}

func createCounters() *gormigrate.Migration {
	return &gormigrate.Migration{ID: "0001-counters", Migrate: func(tx *gorm.DB) error {
		if err := tx.Migrator().CreateTable(&counter{}); err != nil {
			return err
		}
		return storage.Bytewise(tx, "counters", "name")
	}}
}

// addColor may fail half-way.
func addColor(fail func(tx *gorm.DB) error) *gormigrate.Migration {
	return &gormigrate.Migration{ID: "0002-color", Migrate: func(tx *gorm.DB) error {
		if err := tx.Exec("ALTER TABLE counters ADD COLUMN color TEXT").Error; err != nil {
			return err
		}
		if err := tx.Exec("UPDATE counters SET color = 'red'").Error; err != nil {
			return err
		}
		if fail != nil {
			return fail(tx)
		}
		return nil
	}}
}

// open opens the place as a copy of a service does.
func open(t *testing.T, at string, migrations ...*gormigrate.Migration) *storage.DB {
	t.Helper()
	db, err := storage.Open(t.Context(), at, migrations)
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

func colors(t *testing.T, db *storage.DB) []string {
	t.Helper()
	var all []string
	if err := db.Table("counters").Order("id").Pluck("coalesce(color, '')", &all).Error; err != nil {
		t.Fatal(err)
	}
	return all
}

// Many copies start at once where nothing is: all of them open, and each migration runs once.
func TestCopiesStartAtOnce(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
		at := d.At(t, "auth")
		var mu sync.Mutex
		runs := map[string]int{}
		counted := func(m *gormigrate.Migration) *gormigrate.Migration {
			return &gormigrate.Migration{ID: m.ID, Migrate: func(tx *gorm.DB) error {
				err := m.Migrate(tx)
				if err == nil {
					mu.Lock()
					defer mu.Unlock()
					runs[m.ID]++
				}
				return err
			}}
		}
		const copies = 8
		var all sync.WaitGroup
		for i := range copies {
			all.Go(func() {
				db, err := storage.Open(t.Context(), at, []*gormigrate.Migration{counted(createCounters()), counted(addColor(nil))})
				if err != nil {
					t.Error(err)
					return
				}
				name := fmt.Sprint("copy", i)
				err = db.Retry(t.Context(), func(db *gorm.DB) error { return db.Create(&counter{ID: name, Name: name}).Error })
				if err := errors.Join(err, db.Close()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got := len(colors(t, open(t, at, createCounters(), addColor(nil)))); got != copies {
			t.Errorf("%d rows, want %d", got, copies)
		}
		if runs["0001-counters"] != 1 || runs["0002-color"] != 1 {
			t.Errorf("the migrations ran %v, want each once", runs)
		}
	})
}

// A migration that fails leaves nothing behind, and is done again by the next start.
func TestFailedMigration(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
		at := d.At(t, "auth")
		db := open(t, at, createCounters())
		if err := db.Create(&counter{ID: "1", Name: "ann"}).Error; err != nil {
			t.Fatal(err)
		}
		broken := errors.New("broken")
		fail := addColor(func(*gorm.DB) error { return broken })
		if _, err := storage.Open(t.Context(), at, []*gormigrate.Migration{createCounters(), fail}); !errors.Is(err, broken) {
			t.Fatalf("error %v, want %v", err, broken)
		}
		if db.Migrator().HasColumn(&counter{}, "color") {
			t.Error("half of the migration stayed")
		}
		if got := colors(t, open(t, at, createCounters(), addColor(nil))); len(got) != 1 || got[0] != "red" {
			t.Errorf("colors %v, want red", got)
		}
	})
}

// A database that a newer program has made is refused by an older one.
func TestNewerDatabase(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
		at := d.At(t, "auth")
		open(t, at, createCounters(), addColor(nil))
		for _, known := range [][]*gormigrate.Migration{{createCounters()}, nil} {
			_, err := storage.Open(t.Context(), at, known)
			if err == nil || !strings.Contains(err.Error(), "0002-color") || !strings.Contains(err.Error(), "newer") {
				t.Errorf("opened with %d migrations: %v, want it refused by name", len(known), err)
			}
		}
	})
}

// Services that share a database do not see each other's tables, nor migrations.
func TestServicesShareADatabase(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
		auth := open(t, d.At(t, "auth"), createCounters(), addColor(nil))
		game := open(t, d.At(t, "game21"), createCounters())
		for i, db := range []*storage.DB{auth, game} {
			if err := db.Create(&counter{ID: "1", Name: "ann", N: i}).Error; err != nil {
				t.Fatal(err)
			}
		}
		for i, db := range []*storage.DB{auth, game} {
			var have []counter
			if err := db.Find(&have).Error; err != nil || len(have) != 1 || have[0].N != i {
				t.Errorf("service %d: %v, %v", i, have, err)
			}
		}
	})
}

func TestErrors(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
		db := open(t, d.At(t, "auth"), createCounters())
		create := func(c counter) error {
			return db.Retry(t.Context(), func(db *gorm.DB) error { return db.Create(&c).Error })
		}
		if err := create(counter{ID: "1", Name: "ann"}); err != nil {
			t.Fatal(err)
		}
		late, cancel := context.WithDeadline(t.Context(), time.Now())
		defer cancel()
		tests := []struct {
			name string
			err  error
			want bool // a duplicate
		}{
			{"unique column", create(counter{ID: "2", Name: "ann"}), true},
			{"primary key", create(counter{ID: "1", Name: "bob"}), true},
			{"in a transaction", db.Transact(t.Context(), func(tx *gorm.DB) error { return tx.Create(&counter{ID: "1"}).Error }), true},
			{"not null", db.Exec("INSERT INTO counters (id) VALUES ('3')").Error, false},
			{"not found", db.Take(&counter{}, "id = ?", "9").Error, false},
			{"no such table", db.Exec("SELECT * FROM nothing").Error, false},
			{"too late", db.WithContext(late).Take(&counter{}, "id = ?", "1").Error, false},
		}
		for _, tt := range tests {
			if tt.err == nil || storage.IsDuplicate(tt.err) != tt.want || storage.IsFull(tt.err) {
				t.Errorf("%s: %v: duplicate %v, full %v", tt.name, tt.err, storage.IsDuplicate(tt.err), storage.IsFull(tt.err))
			}
			if tt.name != "too late" && storage.IsBusy(tt.err) {
				t.Errorf("%s: %v: busy", tt.name, tt.err)
			}
		}
	})
}

// Times come back in UTC and sort as they are, to a microsecond; text sorts by its bytes.
func TestSorting(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
		db := open(t, d.At(t, "auth"), createCounters())
		zone := time.FixedZone("east", 8*3600)
		base := time.Date(2026, 11, 20, 15, 24, 24, 0, time.UTC)
		times := []time.Time{base, base.Add(time.Microsecond).In(zone), base.Add(100 * time.Millisecond), base.Add(120 * time.Millisecond).In(zone), base.Add(time.Second)}
		names := []string{"Zoe", "a b", "ab", "b", "élan"}
		for i := range times { // stored the wrong way round
			n := len(times) - 1 - i
			if err := db.Create(&counter{ID: fmt.Sprint(i), Name: names[n], At: times[n]}).Error; err != nil {
				t.Fatal(err)
			}
		}
		for _, order := range []string{"at", "name"} {
			var got []counter
			if err := db.Order(order).Find(&got).Error; err != nil {
				t.Fatal(err)
			}
			for i, c := range got {
				if !c.At.Equal(times[i]) || c.At.Location() != time.UTC || c.Name != names[i] {
					t.Errorf("by %s, row %d: %v %s, want %v in UTC, %s", order, i, c.At, c.Name, times[i], names[i])
				}
			}
		}
	})
}

// What a transaction has read is so until it commits: copies that read, add and write lose
// nothing, also when the row is not there yet, and also when what they read are other rows
// than what they write.
func TestTransactionsOneAfterTheOther(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
		at := d.At(t, "auth")
		copies := []*storage.DB{open(t, at, createCounters()), open(t, at, createCounters())}
		const writers, each = 4, 10
		add := func(tx *gorm.DB) error {
			have := counter{ID: "sum", Name: "sum"}
			if err := tx.Where("id = ?", "sum").Limit(1).Find(&have).Error; err != nil {
				return err
			}
			have.N++
			return tx.Save(&have).Error
		}
		// At most one of two may be 1: each looks at the other.
		skew := func(mine, other string) func(*gorm.DB) error {
			return func(tx *gorm.DB) error {
				var taken int64
				if err := tx.Model(&counter{}).Where("id = ? AND n = 1", other).Count(&taken).Error; err != nil || taken > 0 {
					return err
				}
				return tx.Save(&counter{ID: mine, Name: mine, N: 1}).Error
			}
		}
		var all sync.WaitGroup
		for i := range writers {
			all.Go(func() {
				for range each {
					if err := copies[i%2].Transact(t.Context(), add); err != nil {
						t.Error(err)
					}
				}
			})
			all.Go(func() {
				for n := range each {
					mine, other := fmt.Sprint("left", n), fmt.Sprint("right", n)
					if i%2 == 1 {
						mine, other = other, mine
					}
					if err := copies[i%2].Transact(t.Context(), skew(mine, other)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		var sum counter
		if err := copies[0].Take(&sum, "id = ?", "sum").Error; err != nil || sum.N != writers*each {
			t.Errorf("the sum is %d, want %d: %v", sum.N, writers*each, err)
		}
		var taken int64
		if err := copies[0].Model(&counter{}).Where("id <> 'sum' AND n = 1").Count(&taken).Error; err != nil || taken != each {
			t.Errorf("%d were taken, want one of each %d pairs: %v", taken, each, err)
		}
	})
}

// An error of what is to be done is given as it is, once, and undoes it.
func TestTransactFails(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
		db := open(t, d.At(t, "auth"), createCounters())
		mine, calls := errors.New("mine"), 0
		err := db.Transact(t.Context(), func(tx *gorm.DB) error {
			calls++
			return errors.Join(tx.Create(&counter{ID: "1", Name: "ann"}).Error, mine)
		})
		var rows int64
		db.Model(&counter{}).Count(&rows)
		if !errors.Is(err, mine) || calls != 1 || rows != 0 {
			t.Errorf("error %v after %d calls, %d rows", err, calls, rows)
		}
	})
}
