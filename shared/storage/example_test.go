package storage_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"

	"gamehall/shared/storage"
)

// user is a row; the migration has a copy of its own as soon as the two differ.
type user struct {
	ID   string `gorm:"primaryKey"`
	Name string `gorm:"not null;uniqueIndex"`
}

var migrations = []*gormigrate.Migration{{
	ID:      "0001-users",
	Migrate: func(tx *gorm.DB) error { return tx.Migrator().CreateTable(&user{}) },
}}

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "storage")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	db, err := storage.Open(ctx, filepath.Join(dir, "auth.db"), migrations)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	fmt.Println(db.WithContext(ctx).Create(&user{ID: "1", Name: "ann"}).Error)
	err = db.WithContext(ctx).Create(&user{ID: "2", Name: "ann"}).Error
	fmt.Println(storage.IsDuplicate(err))
	// Output:
	// <nil>
	// true
}
