package storage

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"
)

// Children are what this test binary does instead of tests when childEnv names one. Each
// gets the database's path, tells on standard output how far it is, and is killed.
var Children = map[string]func(path string) error{
	"write":   childWrites,
	"migrate": childMigrates,
	"open":    childOpens,
}

const (
	childEnv = "GAMEHALL_STORAGE_CHILD"
	pathEnv  = "GAMEHALL_STORAGE_PATH"
)

// RunChild does what childEnv asks for and exits; it returns when it asks for nothing.
func RunChild() {
	child, ok := Children[os.Getenv(childEnv)]
	if !ok {
		return
	}
	if err := child(os.Getenv(pathEnv)); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// childWrites commits pairs of rows for ever and tells the number of each pair.
func childWrites(path string) error {
	db, err := Open(context.Background(), path, []*gormigrate.Migration{createRows()})
	if err != nil {
		return err
	}
	var last int64
	if err := db.Model(&row{}).Select("coalesce(max(pair), 0)").Scan(&last).Error; err != nil {
		return err
	}
	for pair := last + 1; ; pair++ {
		err := db.Transaction(func(tx *gorm.DB) error {
			for _, half := range []string{"a", "b"} {
				// Long names, so that pages spill and checkpoints happen.
				name := fmt.Sprintf("%d%s %s", pair, half, strings.Repeat("x", 500))
				if err := tx.Create(&row{Name: name, Pair: pair}).Error; err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		fmt.Println(pair)
	}
}

// childMigrates stops in the middle of a migration.
func childMigrates(path string) error {
	half := addColumn(nil)
	inner := half.Migrate
	half.Migrate = func(tx *gorm.DB) error {
		if err := inner(tx); err != nil {
			return err
		}
		fmt.Println("half")
		_, err := io.Copy(io.Discard, os.Stdin) // waits for as long as the parent lives
		return err
	}
	_, err := Open(context.Background(), path, []*gormigrate.Migration{createRows(), half})
	return err
}

// childOpens opens and closes.
func childOpens(path string) error {
	db, err := Open(context.Background(), path, []*gormigrate.Migration{createRows()})
	if err != nil {
		return err
	}
	return db.Close()
}

// command runs the child of that name on path. /proc/self/exe and not os.Executable: a
// child that is another user may not look into the folder that the binary is in.
func command(t *testing.T, child, path string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/self/exe"); err == nil {
		exe = "/proc/self/exe"
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childEnv+"="+child, pathEnv+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// killAfter starts the child, reads lines of its output and kills it. It gives the last
// line that came, which may be later than the one that it waited for.
func killAfter(t *testing.T, child, path string, lines int) string {
	t.Helper()
	cmd := command(t, child, path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil { // open until Wait
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	last := ""
	scanner := bufio.NewScanner(out)
	for n := 0; scanner.Scan(); {
		last = scanner.Text()
		if n++; n == lines {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child was not killed: %v, last line %q", err, last)
	}
	return last
}

func TestKilledInTransaction(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hall.db")
	for round := range 8 {
		told, err := strconv.ParseInt(killAfter(t, "write", path, 20+round*7), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		db := open(t, path, createRows())
		if got := pragma(t, db, "integrity_check"); got != "ok" {
			t.Fatalf("round %d: integrity_check: %s", round, got)
		}
		var pairs, whole int64
		if err := db.Model(&row{}).Select("max(pair)").Scan(&pairs).Error; err != nil {
			t.Fatal(err)
		}
		if err := db.Raw("SELECT count(*) FROM (SELECT pair FROM rows GROUP BY pair HAVING count(*) = 2)").Scan(&whole).Error; err != nil {
			t.Fatal(err)
		}
		if pairs < told || whole != pairs || count(t, db) != 2*pairs {
			t.Fatalf("round %d: committed %d pairs, found %d of which %d whole, %d rows", round, told, pairs, whole, count(t, db))
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKilledInMigration(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hall.db")
	db := open(t, path, createRows())
	if err := db.Create(&row{Name: "ann"}).Error; err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got := killAfter(t, "migrate", path, 1); got != "half" {
			t.Fatalf("the child said %q", got)
		}
	}
	db = open(t, path, createRows(), addColumn(nil))
	var colors []string
	if err := db.Table("rows").Pluck("color", &colors).Error; err != nil || len(colors) != 1 || colors[0] != "red" {
		t.Errorf("colors %v, error %v; want red", colors, err)
	}
}
