package storage

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-gormigrate/gormigrate/v2"
)

// intact gives the bytes of a database of several pages.
func intact(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hall.db")
	db := open(t, path, createRows())
	rows := make([]row, 2000)
	for i := range rows {
		rows[i].Name = fmt.Sprintf("%s %d", strings.Repeat("name", 10), i)
	}
	if err := db.CreateInBatches(rows, 500).Error; err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) < 20*4096 {
		t.Fatalf("only %d bytes", len(data))
	}
	return data
}

func TestOpenRefusesDamage(t *testing.T) {
	t.Parallel()
	good := intact(t)
	garbage := func(from, n int) []byte {
		data := bytes.Clone(good)
		for i := from; i < from+n; i++ {
			data[i] = byte(i*7 + 3)
		}
		return data
	}
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "empty"},
		{"one byte", good[:1], "not a SQLite database"},
		{"half of the magic", good[:8], "not a SQLite database"},
		{"magic alone", good[:16], "damaged"},
		{"header alone", good[:100], "damaged"},
		{"one page", good[:4096], "damaged"},
		{"half", good[:len(good)/2], "damaged"},
		{"half a page missing", good[:len(good)-2048], "damaged"},
		{"last page missing", good[:len(good)-4096], "damaged"},
		{"text", []byte("these are my notes, do not touch\n"), "not a SQLite database"},
		{"zeros", make([]byte, len(good)), "not a SQLite database"},
		{"garbage in the schema", garbage(100, 2000), "damaged"},
		{"garbage in a page", garbage(5*4096, 4096), "damaged"},
		{"garbage page size", garbage(16, 4), "damaged"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "hall.db")
			if err := os.WriteFile(path, tt.data, 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, path, tt.want)
			after, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(after, tt.data) {
				t.Errorf("the file was changed: %d bytes, had %d", len(after), len(tt.data))
			}
		})
	}
	t.Run("untouched", func(t *testing.T) { // or the cases above would prove nothing
		t.Parallel()
		path := filepath.Join(t.TempDir(), "hall.db")
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
		if n := count(t, open(t, path, createRows())); n != 2000 {
			t.Errorf("%d rows, want 2000", n)
		}
	})
}

func refused(t *testing.T, path, want string) {
	t.Helper()
	db, err := Open(t.Context(), path, []*gormigrate.Migration{createRows()})
	if err == nil {
		t.Fatalf("opened (closed: %v)", db.Close())
	}
	if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
		t.Errorf("error %q, want the path and %q", err, want)
	}
}

func TestOpenRefusesPlaces(t *testing.T) {
	t.Parallel()
	t.Run("folder missing", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "nowhere", "hall.db")
		refused(t, path, "no such file")
		if _, err := os.Stat(filepath.Dir(path)); err == nil {
			t.Error("the folder was made")
		}
	})
	t.Run("folder is a file", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, filepath.Join(file, "hall.db"), "is a file")
	})
	t.Run("path is a folder", func(t *testing.T) {
		t.Parallel()
		refused(t, t.TempDir(), "not a file")
	})
	for _, ext := range []string{"-wal", "-journal"} {
		t.Run("file lost, "+ext+" left", func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "hall.db")
			if err := os.WriteFile(path+ext, []byte("committed pages"), 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, path, "gone")
			if _, err := os.Stat(path); err == nil {
				t.Error("an empty database was made")
			}
		})
	}
	t.Run("file cut to nothing, log left", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "hall.db")
		for _, name := range []string{path, path + "-wal"} {
			if err := os.WriteFile(name, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		refused(t, path, "empty")
	})
}
