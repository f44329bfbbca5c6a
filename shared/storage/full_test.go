package storage_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"gamehall/shared/storage"
)

// A database that may not grow any more is the same to SQLite as a full disk.
func TestIsFull(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	db, err := storage.Open(ctx, filepath.Join(t.TempDir(), "auth.db"), migrations)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.WithContext(ctx).Exec("PRAGMA max_page_count = 10").Error; err != nil {
		t.Fatal(err)
	}
	err = db.WithContext(ctx).Create(&user{ID: "1", Name: strings.Repeat("x", 1<<17)}).Error
	if !storage.IsFull(err) || storage.IsBusy(err) || storage.IsDuplicate(err) {
		t.Errorf("a row that has no space: %v, want it full", err)
	}
	if err := db.WithContext(ctx).Create(&user{ID: "1", Name: "ann"}).Error; err != nil {
		t.Errorf("a row that has space: %v", err)
	}
	if storage.IsFull(nil) || storage.IsFull(errors.New("else")) {
		t.Error("only a full disk is full")
	}
}
