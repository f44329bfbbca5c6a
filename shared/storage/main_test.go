package storage_test

import (
	"os"
	"testing"

	"gamehall/shared/storage"
	"gamehall/shared/storagetest"
)

func TestMain(m *testing.M) {
	storage.RunChild()
	os.Exit(storagetest.Main(m).Run())
}
