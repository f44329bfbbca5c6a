//go:build postgres

package storagetest

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// StartStandby starts a server that follows s, and without which s acknowledges nothing from now
// on (PostgreSQL: synchronous_standby_names). It ends with the test.
func (s *Server) StartStandby(t testing.TB) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "hall-postgres-*")
	if err != nil {
		t.Fatal(err)
	}
	standby := &Server{dir: dir, cred: s.cred}
	t.Cleanup(standby.remove)
	if err := standby.follow(s); err != nil {
		t.Fatal(err)
	}
	return standby
}

func (s *Server) follow(primary *Server) error {
	if err := s.own(s.dir); err != nil {
		return err
	}
	passwords := filepath.Join(s.dir, "pgpass")
	if err := os.WriteFile(passwords, fmt.Appendf(nil, "*:*:*:*:%s", Password), 0o600); err != nil {
		return err
	}
	if err := s.own(passwords); err != nil {
		return err
	}
	backup, err := s.command("pg_basebackup", "-h", "127.0.0.1", "-p", strconv.Itoa(primary.port), "-U", "postgres", "-D", s.data(), "-R", "-c", "fast", "--no-sync")
	if err != nil {
		return err
	}
	backup.Env = append(backup.Env, "PGPASSFILE="+passwords)
	if out, err := backup.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_basebackup: %w: %s", err, out)
	}
	if s.port, err = freePort(); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	for _, sql := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"} {
		if err := primary.exec(sql); err != nil {
			return err
		}
	}
	return nil
}

// Promote makes a standby a server of its own, which waits for no other.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	if err := s.exec("SELECT pg_promote()"); err != nil {
		t.Fatal(err)
	}
}

// Both is the URL of a database that is at this server or at other, whichever can write.
func (s *Server) Both(other *Server, d Database) Database {
	u, err := url.Parse(d.DB)
	if err != nil {
		panic(err) // it is of our own making
	}
	u.Host += "," + net.JoinHostPort("127.0.0.1", strconv.Itoa(other.port))
	d.DB = u.String()
	return d
}
