//go:build postgres

package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"

	"gamehall/shared/storage"
	"gamehall/shared/storagetest"
)

// journal is a log that tests read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
	told chan struct{} // holds one
}

func newJournal() *journal { return &journal{told: make(chan struct{}, 1)} }

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	select {
	case j.told <- struct{}{}:
	default:
	}
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) option() storage.Option {
	return storage.Log(slog.New(slog.NewTextHandler(j, nil)))
}

// await waits until the log says something.
func (j *journal) await(t *testing.T, what string) {
	t.Helper()
	deadline := time.After(time.Minute)
	for !strings.Contains(j.String(), what) {
		select {
		case <-j.told:
		case <-deadline:
			t.Fatalf("the log does not say %q:\n%s", what, j)
		}
	}
}

// changed gives d with another part of its URL.
func changed(t *testing.T, d storagetest.Database, change func(*url.URL)) storagetest.Database {
	t.Helper()
	u, err := url.Parse(d.DB)
	if err != nil {
		t.Fatal(err)
	}
	change(u)
	d.DB = u.String()
	return d
}

func param(key, value string) func(*url.URL) {
	return func(u *url.URL) {
		q := u.Query()
		q.Set(key, value)
		u.RawQuery = q.Encode()
	}
}

// quietly asserts that text tells no password.
func quietly(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{storagetest.Password, url.QueryEscape(storagetest.Password), url.PathEscape(storagetest.Password), "hunter2"} {
		if strings.Contains(text, secret) {
			t.Errorf("it tells the password: %s", text)
		}
	}
}

// What does not pass by itself ends the start at once, and says what to do.
func TestPostgresRefuses(t *testing.T) {
	t.Parallel()
	d := storagetest.Postgres(t)
	admin := storagetest.Admin(t, d)
	if _, err := admin.Exec(t.Context(), "CREATE ROLE stranger_"+fmt.Sprint(os.Getpid())+" LOGIN PASSWORD 'hunter2'"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec(context.WithoutCancel(t.Context()), "DROP ROLE stranger_"+fmt.Sprint(os.Getpid())); err != nil {
			t.Error(err)
		}
	})
	latin := "latin_" + fmt.Sprint(os.Getpid())
	if _, err := admin.Exec(t.Context(), "CREATE DATABASE "+latin+" ENCODING 'LATIN1' TEMPLATE template0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec(context.WithoutCancel(t.Context()), "DROP DATABASE "+latin+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	for want, change := range map[string]func(*url.URL){
		"refuses this user or password": func(u *url.URL) { u.User = url.UserPassword("hall", "hunter2") },
		"CREATE DATABASE \"nowhere\"":   func(u *url.URL) { u.Path = "/nowhere" },
		"GRANT CREATE ON DATABASE": func(u *url.URL) {
			u.User = url.UserPassword("stranger_"+fmt.Sprint(os.Getpid()), "hunter2")
		},
		"ENCODING 'UTF8'":            func(u *url.URL) { u.Path = "/" + latin },
		"unrecognized configuration": param("pool_max_conns", "5"),
		"no such file":               param("sslrootcert", "/nowhere/ca.pem"),
	} {
		log := newJournal()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		bad := changed(t, d, change)
		if want == "no such file" {
			bad = changed(t, bad, param("sslmode", "verify-full"))
		}
		at, err := storage.At(bad.DB, bad.Data, "auth")
		if err == nil {
			_, err = storage.Open(ctx, at, []*gormigrate.Migration{createCounters()}, log.option())
		}
		if err == nil || !strings.Contains(err.Error(), want) || ctx.Err() != nil {
			t.Errorf("%v, want it to say %q at once", err, want)
		}
		quietly(t, fmt.Sprint(err, log))
		cancel()
	}
}

// A user who may not make schemas is given one.
func TestPostgresSchemaIsThere(t *testing.T) {
	t.Parallel()
	d := storagetest.Postgres(t)
	u, err := url.Parse(d.DB)
	if err != nil {
		t.Fatal(err)
	}
	user := "guest_" + fmt.Sprint(os.Getpid())
	admin := storagetest.Admin(t, d)
	for _, sql := range []string{
		"CREATE ROLE " + user + " LOGIN PASSWORD 'hunter2'",
		"CREATE SCHEMA hall_auth AUTHORIZATION " + user,
	} {
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if _, err := admin.Exec(context.WithoutCancel(t.Context()), "DROP OWNED BY "+user+"; DROP ROLE "+user); err != nil {
			t.Error(err)
		}
	})
	u.User = url.UserPassword(user, "hunter2")
	d.DB = u.String()
	open(t, d.At(t, "auth"), createCounters())
}

// A start waits for a server that is not there, says so without the password, and ends when
// it is told to.
func TestPostgresStartsLater(t *testing.T) {
	t.Parallel()
	server := storagetest.StartServer(t)
	d := server.Database(t)
	server.Stop(t, syscall.SIGINT)

	log := newJournal()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	opening := func() {
		db, err := storage.Open(ctx, d.At(t, "auth"), []*gormigrate.Migration{createCounters()}, log.option())
		if err == nil {
			err = db.Close()
		}
		done <- err
	}
	go opening()
	log.await(t, "waiting for postgres")
	cancel()
	if err := <-done; err == nil {
		t.Error("it opened what is not there")
	}

	log = newJournal()
	ctx = t.Context()
	go opening()
	log.await(t, "waiting for postgres")
	server.Start(t)
	if err := <-done; err != nil {
		t.Error(err)
	}
	quietly(t, log.String())
}

// A start whose connection is cut in the midst of a migration does it again from the
// beginning; so does the start after one that was killed there.
func TestPostgresMigrationIsCut(t *testing.T) {
	t.Parallel()
	d := storagetest.Postgres(t)
	at := d.At(t, "auth")
	db := open(t, at, createCounters())
	if err := db.Create(&counter{ID: "1", Name: "ann"}).Error; err != nil {
		t.Fatal(err)
	}
	for range 3 {
		killed(t, at)
		if db.Migrator().HasColumn(&counter{}, "color") {
			t.Fatal("half of the migration stayed")
		}
	}
	admin, cuts := storagetest.Admin(t, d), 0
	cut := addColor(func(tx *gorm.DB) error {
		if cuts++; cuts > 2 {
			return nil
		}
		var pid int
		if err := tx.Raw("SELECT pg_backend_pid()").Scan(&pid).Error; err != nil {
			return err
		}
		if _, err := admin.Exec(t.Context(), "SELECT pg_terminate_backend($1, 10000)", pid); err != nil {
			return err
		}
		return tx.Exec("SELECT 1").Error
	})
	if got := colors(t, open(t, at, createCounters(), cut)); cuts != 3 || len(got) != 1 || got[0] != "red" {
		t.Errorf("colors %v after %d tries, want red after 3", got, cuts)
	}
}

func init() {
	storage.Children["color"] = func(at string) error {
		half := addColor(func(*gorm.DB) error {
			fmt.Print("half")
			_, err := io.Copy(io.Discard, os.Stdin) // waits for as long as the parent lives
			return err
		})
		_, err := storage.Open(context.Background(), at, []*gormigrate.Migration{createCounters(), half})
		return err
	}
}

// killed starts a process that stops in the midst of a migration, and kills it.
func killed(t *testing.T, at string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "GAMEHALL_STORAGE_CHILD=color", "GAMEHALL_STORAGE_PATH="+at)
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
	half := make([]byte, 4)
	_, rerr := out.Read(half)
	kerr := cmd.Process.Kill()
	var exit *exec.ExitError
	if err := cmd.Wait(); rerr != nil || kerr != nil || string(half) != "half" || !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child was not killed half-way: %q, %v, %v, %v", half, rerr, kerr, err)
	}
}

// acked writes rows on two copies until what happens has happened, and asserts that none
// failed and that all are there.
func acked(t *testing.T, at string, happens func()) {
	t.Helper()
	copies := []*storage.DB{open(t, at, createCounters()), open(t, at, createCounters())}
	over, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var mu sync.Mutex
	written := map[string]int{}
	first := make(chan struct{}, 8)
	for i := range 8 {
		all.Go(func() {
			for n := 0; over.Err() == nil; n++ {
				id, tries := fmt.Sprintf("%d.%d", i, n), 0
				// A single statement, and a transaction that reads what it changes.
				err := copies[i%2].Retry(t.Context(), func(db *gorm.DB) error {
					tries++
					return db.Create(&counter{ID: id, Name: id}).Error
				})
				if storage.IsDuplicate(err) && tries > 1 {
					err = nil // it was stored, and the answer was lost
				}
				if err == nil {
					err = copies[i%2].Transact(t.Context(), func(tx *gorm.DB) error {
						var c counter
						if err := tx.Take(&c, "id = ?", id).Error; err != nil {
							return err
						}
						c.N = 1
						return tx.Save(&c).Error
					})
				}
				if err != nil {
					t.Errorf("row %s: %v", id, err)
					return
				}
				mu.Lock()
				written[id]++
				mu.Unlock()
				select {
				case first <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 200 {
		<-first
	}
	happens()
	for len(first) > 0 {
		<-first
	}
	for range 200 { // it goes on
		<-first
	}
	stop()
	all.Wait()
	var rows []counter
	if err := copies[0].Find(&rows).Error; err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.N == 1 {
			delete(written, r.ID)
		}
	}
	if len(written) > 0 {
		t.Errorf("%d rows that were acknowledged are lost: %v", len(written), written)
	}
	t.Logf("%d rows", len(rows))
}

// Connections that are cut cost nobody anything.
func TestPostgresConnectionsAreCut(t *testing.T) {
	t.Parallel()
	d := storagetest.Postgres(t)
	admin := storagetest.Admin(t, d)
	acked(t, d.At(t, "auth"), func() {
		for range 5 {
			_, err := admin.Exec(t.Context(), `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
				WHERE datname = current_database() AND pid <> pg_backend_pid()`)
			if err != nil {
				t.Error(err)
			}
		}
	})
}

// Nor does a server that is stopped or crashes, and is back within 10 s.
func TestPostgresRestarts(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]syscall.Signal{"in order": syscall.SIGINT, "crash": syscall.SIGQUIT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := storagetest.StartServer(t)
			acked(t, server.Database(t).At(t, "auth"), func() {
				server.Stop(t, how)
				server.Start(t)
			})
		})
	}
}

// Nor does one that is lost for good, when its standby is promoted.
func TestPostgresFailover(t *testing.T) {
	t.Parallel()
	primary := storagetest.StartServer(t)
	d := primary.Database(t)
	standby := primary.StartStandby(t)
	acked(t, primary.Both(standby, d).At(t, "auth"), func() {
		primary.Stop(t, syscall.SIGQUIT)
		standby.Promote(t)
	})
}

// One that stays away is busy, and no more, once the time is over.
func TestPostgresIsAway(t *testing.T) {
	t.Parallel()
	server := storagetest.StartServer(t)
	d := server.Database(t)
	db := open(t, d.At(t, "auth"), createCounters())
	server.Stop(t, syscall.SIGQUIT)
	defer server.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for name, err := range map[string]error{
		"read":  db.Retry(ctx, func(db *gorm.DB) error { return db.Take(&counter{}).Error }),
		"write": db.Transact(ctx, func(tx *gorm.DB) error { return tx.Create(&counter{ID: "1", Name: "ann"}).Error }),
	} {
		if !storage.IsBusy(err) || storage.IsDuplicate(err) || storage.IsFull(err) {
			t.Errorf("%s: %v, want it busy", name, err)
		}
		quietly(t, fmt.Sprint(err))
	}
	begun := time.Now()
	err := db.Retry(t.Context(), func(db *gorm.DB) error { return db.Take(&counter{}).Error })
	if took := time.Since(begun); !storage.IsBusy(err) || took < 9*time.Second || took > 15*time.Second {
		t.Errorf("%v after %v, want it busy after some 10 s", err, took)
	}
}

// Somebody else's lock is waited for, and then it is busy; somebody who sleeps in a
// transaction loses his.
func TestPostgresIsLocked(t *testing.T) {
	t.Parallel()
	d := storagetest.Postgres(t)
	at := d.At(t, "auth")
	db := open(t, at, createCounters())
	if err := db.Create(&counter{ID: "1", Name: "ann"}).Error; err != nil {
		t.Fatal(err)
	}
	change := func(ctx context.Context) error {
		return db.Transact(ctx, func(tx *gorm.DB) error {
			return tx.Model(&counter{}).Where("id = ?", "1").Update("n", gorm.Expr("n + 1")).Error
		})
	}
	lock, err := storagetest.Admin(t, d).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Exec(t.Context(), "SELECT * FROM hall_auth.counters FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	if err := db.Retry(t.Context(), func(db *gorm.DB) error { return db.Take(&counter{}).Error }); err != nil {
		t.Errorf("read of what is locked: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := change(ctx); !storage.IsBusy(err) {
		t.Errorf("write to what is locked: %v, want it busy", err)
	}
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := change(t.Context()); err != nil {
		t.Errorf("write to what is free again: %v", err)
	}

	// As a copy that is stopped in a transaction.
	sleeper := open(t, at, createCounters()).WithContext(t.Context()).Begin()
	if err := sleeper.Model(&counter{}).Where("id = ?", "1").Update("n", 0).Error; err != nil {
		t.Fatal(err)
	}
	if err := change(t.Context()); err != nil {
		t.Errorf("write to what a sleeper has locked: %v", err)
	}
	if err := sleeper.Commit().Error; !storage.IsBusy(err) {
		t.Errorf("the sleeper wakes: %v, want it busy", err)
	}
}

// A full disk, and a server that has become a standby, as far as an error shows them.
func TestPostgresCodes(t *testing.T) {
	t.Parallel()
	d := storagetest.Postgres(t)
	db := open(t, d.At(t, "auth"), createCounters())
	admin := storagetest.Admin(t, d)
	fails := func(code string) error {
		_, err := admin.Exec(t.Context(), fmt.Sprintf(`CREATE OR REPLACE FUNCTION hall_auth.fail() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '%s'; END $$;
			CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON hall_auth.counters EXECUTE FUNCTION hall_auth.fail()`, code))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		return db.Retry(ctx, func(db *gorm.DB) error { return db.Create(&counter{ID: "1", Name: "ann"}).Error })
	}
	for code, want := range map[string]string{
		"53100": "full", "40001": "busy", "40P01": "busy", "55P03": "busy", "53300": "busy", "25006": "busy",
		"57014": "busy", "57P01": "busy", "57P02": "busy", "57P03": "busy", "08006": "busy",
		"23505": "duplicate", "23503": "", "42501": "", "22001": "", "0A000": "", "XX000": "",
	} {
		err := fails(code)
		got := ""
		for kind, is := range map[string]bool{"full": storage.IsFull(err), "busy": storage.IsBusy(err), "duplicate": storage.IsDuplicate(err)} {
			if is {
				got += kind
			}
		}
		if err == nil || got != want {
			t.Errorf("%s: %v is %q, want %q", code, err, got, want)
		}
	}
}

// A server that only reads is waited for, as one that is not there.
func TestPostgresIsStandby(t *testing.T) {
	t.Parallel()
	d := storagetest.Postgres(t)
	u, err := url.Parse(d.DB)
	if err != nil {
		t.Fatal(err)
	}
	admin := storagetest.Admin(t, d)
	standby := func(on string) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), "ALTER DATABASE "+u.Path[1:]+" SET default_transaction_read_only = "+on); err != nil {
			t.Fatal(err)
		}
	}
	standby("on")
	log := newJournal()
	done := make(chan error, 1)
	go func() {
		db, err := storage.Open(t.Context(), d.At(t, "auth"), []*gormigrate.Migration{createCounters()}, log.option())
		if err == nil {
			err = db.Close()
		}
		done <- err
	}()
	log.await(t, "read only")
	if _, err := admin.Exec(t.Context(), "SET default_transaction_read_only = off"); err != nil {
		t.Fatal(err)
	}
	standby("off")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A copy goes on while a newer one adds a column to a table.
func TestPostgresOlderCopyGoesOn(t *testing.T) {
	t.Parallel()
	d := storagetest.Postgres(t)
	at := d.At(t, "auth")
	older := open(t, at, createCounters())
	read := func() error {
		return older.Retry(t.Context(), func(db *gorm.DB) error {
			return db.Where("id = ?", "1").Limit(1).Find(&counter{}).Error
		})
	}
	if err := read(); err != nil { // its statement is prepared
		t.Fatal(err)
	}
	open(t, at, createCounters(), addColor(nil))
	if err := read(); err != nil {
		t.Error(err)
	}
}

// What a slow query is logged as has no values, and a place no password.
func TestPostgresLogsNoValues(t *testing.T) {
	t.Parallel()
	d := storagetest.Postgres(t)
	db := open(t, d.At(t, "auth"), createCounters())
	stmt := db.Session(&gorm.Session{DryRun: true}).Where("name = ?", "hunter2").First(&counter{}).Statement
	if stmt.SQL.String() == "" {
		t.Fatal("no statement")
	}
	for _, err := range []error{
		db.Create(&counter{ID: "hunter2", Name: "hunter2"}).Error,
		db.Create(&counter{ID: "hunter2", Name: "hunter2"}).Error,
		db.Exec("SELECT ?::int", "hunter2").Error,
	} {
		if err != nil && !strings.Contains(err.Error(), "invalid input syntax") { // which is the server's own word
			quietly(t, err.Error())
		}
	}
}
