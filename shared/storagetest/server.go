//go:build postgres

package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// How long to wait for the server to do what it is told, on a busy machine.
const wait = time.Minute

// Password is that of the users of every [Server]: no log and no error may have it.
const Password = "se%cret/of@postgres"

// Server is a Postgres that runs for tests.
type Server struct {
	dir  string
	port int
	cred *syscall.Credential // whose processes they are; nil for our own
	cmd  *exec.Cmd
	out  *bytes.Buffer
}

// StartServer starts a server of the test's own, which ends with it.
func StartServer(t testing.TB) *Server {
	t.Helper()
	s, err := newServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.remove)
	return s
}

// URL is that of a database, for a user who owns it and no more.
func (s *Server) URL(database string) string { return s.url("hall", database) }

func (s *Server) url(who, database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(who, Password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Path: "/" + database,
	}
	return u.String()
}

// Admin connects to a database as who may do everything.
func (s *Server) Admin(t testing.TB, database string) *pgx.Conn {
	t.Helper()
	return connect(t, s.url("postgres", database))
}

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), wait)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), wait)
		defer cancel()
		_ = conn.Close(ctx) // the server may be gone
	})
	return conn
}

// Stop stops the server at once: with SIGINT in order, with SIGQUIT as a crash does.
func (s *Server) Stop(t testing.TB, how syscall.Signal) {
	t.Helper()
	if err := s.end(how); err != nil {
		t.Fatal(err)
	}
}

// Start starts it again, where it was.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// Database makes an empty database that is gone with the test.
func (s *Server) Database(t testing.TB) Database {
	t.Helper()
	name := newName()
	run(t, s.url("postgres", "postgres"), fmt.Sprintf("CREATE DATABASE %s OWNER hall TEMPLATE template0", name))
	t.Cleanup(func() {
		if s.cmd != nil { // else it was stopped for good
			run(t, s.url("postgres", "postgres"), fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", name))
		}
	})
	return Database{DB: s.URL(name), Data: t.TempDir()}
}

func newServer() (s *Server, err error) {
	s = &Server{}
	if s.dir, err = os.MkdirTemp("", "hall-postgres-*"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.remove()
		}
	}()
	if os.Getuid() == 0 {
		if err := s.becomeSomebody(); err != nil {
			return nil, err
		}
	}
	passwords := filepath.Join(s.dir, "password")
	if err := os.WriteFile(passwords, []byte(Password), 0o600); err != nil {
		return nil, err
	}
	if err := s.own(passwords); err != nil {
		return nil, err
	}
	initdb, err := s.command("initdb", "-D", s.data(), "-U", "postgres", "--pwfile", passwords,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	if err != nil {
		return nil, err
	}
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	if err := s.start(); err != nil {
		return nil, err
	}
	err = s.exec(fmt.Sprintf("CREATE ROLE hall LOGIN PASSWORD '%s'", Password))
	return s, err
}

func freePort() (int, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	at, ok := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil || !ok {
		return 0, errors.Join(errors.New("no free port"), err)
	}
	return at.Port, nil
}

// becomeSomebody chooses whose processes the server's are: it refuses root.
func (s *Server) becomeSomebody() error {
	for _, name := range []string{"postgres", "nobody"} {
		who, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uerr := strconv.ParseUint(who.Uid, 10, 32)
		gid, gerr := strconv.ParseUint(who.Gid, 10, 32)
		if err := errors.Join(uerr, gerr); err != nil {
			return err
		}
		s.cred = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return s.own(s.dir)
	}
	return errors.New("postgres does not run as root, and there is no user postgres or nobody")
}

// own gives a file to the server.
func (s *Server) own(file string) error {
	if s.cred == nil {
		return nil
	}
	return os.Chown(file, int(s.cred.Uid), int(s.cred.Gid))
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// command is a program of PostgreSQL.
func (s *Server) command(name string, args ...string) (*exec.Cmd, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		// Debian keeps those of each version apart.
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
		if len(found) == 0 {
			return nil, fmt.Errorf("no %s: install PostgreSQL (Debian's package postgresql): %w", name, err)
		}
		path = slices.Max(found)
	}
	// It outlives the test that is the first to need it.
	cmd := exec.CommandContext(context.Background(), path, args...) //nolint:gosec // of PostgreSQL's own, found above
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	// A group of its own: who interrupts the tests does not stop the server before them.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.cred, Setpgid: true}
	return cmd, nil
}

func (s *Server) start() error {
	cmd, err := s.command("postgres", "-D", s.data(), "-p", strconv.Itoa(s.port), "-k", s.dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200", "-c", "shared_buffers=32MB")
	if err != nil {
		return err
	}
	s.out = &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = s.out, s.out
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd = cmd
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(wait)
	for {
		err := s.exec("SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline:
			return errors.Join(fmt.Errorf("postgres does not answer: %w", err), s.end(syscall.SIGQUIT), errors.New(s.out.String()))
		}
	}
}

func (s *Server) exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url("postgres", "postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

// end stops the server if it runs.
func (s *Server) end(how syscall.Signal) error {
	if s.cmd == nil {
		return nil
	}
	cmd := s.cmd
	s.cmd = nil
	if err := cmd.Process.Signal(how); err != nil {
		return err
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	return nil
}

func (s *Server) remove() {
	_ = s.end(syscall.SIGQUIT)
	_ = os.RemoveAll(s.dir)
}

// shared is the server of the package's tests.
var shared struct {
	sync.Mutex
	server *Server
	err    error
	made   int
}

func init() {
	kinds["postgres"] = Postgres
	stop = func() {
		shared.Lock()
		defer shared.Unlock()
		if shared.server != nil {
			shared.server.remove()
		}
	}
}

func sharedServer(t testing.TB) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = newServer()
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

func newName() string {
	shared.Lock()
	defer shared.Unlock()
	shared.made++
	return fmt.Sprintf("hall_test_%d_%d", os.Getpid(), shared.made)
}

// Postgres is a database of the test's own on the package's server.
func Postgres(t testing.TB) Database {
	t.Helper()
	there := os.Getenv("HALL_TEST_POSTGRES")
	if there == "" {
		return sharedServer(t).Database(t)
	}
	u, err := url.Parse(there)
	if err != nil {
		t.Fatal("HALL_TEST_POSTGRES is not an URL")
	}
	name := newName()
	run(t, there, fmt.Sprintf("CREATE DATABASE %s ENCODING 'UTF8' TEMPLATE template0", name))
	t.Cleanup(func() { run(t, there, fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", name)) })
	u.Path = "/" + name
	return Database{DB: u.String(), Data: t.TempDir()}
}

// Admin connects to a database of [Postgres] as who may do everything there.
func Admin(t testing.TB, d Database) *pgx.Conn {
	t.Helper()
	if os.Getenv("HALL_TEST_POSTGRES") != "" {
		return connect(t, d.DB)
	}
	u, err := url.Parse(d.DB)
	if err != nil {
		t.Fatal(err)
	}
	return sharedServer(t).Admin(t, u.Path[1:])
}

// run does one thing on a connection of its own.
func run(t testing.TB, url, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), wait)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Error(err)
		return
	}
	_, err = conn.Exec(ctx, sql)
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		t.Errorf("%s: %v", sql, err)
	}
}
