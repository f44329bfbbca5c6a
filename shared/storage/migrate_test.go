package storage

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"
)

func addColumn(fail error) *gormigrate.Migration {
	return &gormigrate.Migration{
		ID: "0002-color",
		Migrate: func(tx *gorm.DB) error {
			if err := tx.Exec("ALTER TABLE rows ADD COLUMN color TEXT").Error; err != nil {
				return err
			}
			if err := tx.Exec("UPDATE rows SET color = 'red'").Error; err != nil {
				return err
			}
			return fail
		},
	}
}

func TestMigrateOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hall.db")
	runs := 0
	counted := createRows()
	inner := counted.Migrate
	counted.Migrate = func(tx *gorm.DB) error { runs++; return inner(tx) }
	for range 3 {
		if err := open(t, path, counted).Close(); err != nil {
			t.Fatal(err)
		}
	}
	if runs != 1 {
		t.Errorf("the migration ran %d times, want once", runs)
	}
	db := open(t, path, counted, addColumn(nil))
	if !db.Migrator().HasColumn(&row{}, "color") {
		t.Error("a later migration did not run")
	}
}

func TestMigrationThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hall.db")
	db := open(t, path, createRows())
	if err := db.Create(&row{Name: "ann"}).Error; err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	broken := errors.New("broken")
	_, err := Open(t.Context(), path, []*gormigrate.Migration{createRows(), addColumn(broken)})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), path) {
		t.Fatalf("error %v, want %v with the path", err, broken)
	}
	db = open(t, path, createRows())
	if db.Migrator().HasColumn(&row{}, "color") {
		t.Error("half of the migration stayed")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, path, createRows(), addColumn(nil))
	var colors []string
	if err := db.Table("rows").Pluck("color", &colors).Error; err != nil || len(colors) != 1 || colors[0] != "red" {
		t.Errorf("colors %v, error %v; want red", colors, err)
	}
}

func TestOpenRefusesNewerDatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hall.db")
	if err := open(t, path, createRows(), addColumn(nil)).Close(); err != nil {
		t.Fatal(err)
	}
	for _, known := range [][]*gormigrate.Migration{{createRows()}, nil} {
		db, err := Open(t.Context(), path, known)
		if err == nil {
			err = db.Close()
			t.Fatalf("opened with %d migrations (closed: %v)", len(known), err)
		}
		for _, want := range []string{path, "0002-color", "newer"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not tell %q", err, want)
			}
		}
	}
	open(t, path, createRows(), addColumn(nil))
}
