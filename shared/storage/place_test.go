package storage_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gamehall/shared/storage"
)

func TestAt(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "made")
	const url = "postgres://hall:p%40ss@db:5433/games"
	for db, want := range map[string]string{
		"":                                  filepath.Join(data, "auth.db"),
		"sqlite":                            filepath.Join(data, "auth.db"),
		url:                                 url + "?search_path=hall_auth",
		url + "?sslmode=require":            url + "?search_path=hall_auth&sslmode=require",
		url + "?search_path=other":          url + "?search_path=other_auth",
		"postgresql:///games?host=/var/run": "postgresql:///games?host=%2Fvar%2Frun&search_path=hall_auth",
	} {
		if got, err := storage.At(db, data, "auth"); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", db, got, err, want)
		}
	}
	if _, err := os.Stat(data); err != nil {
		t.Errorf("the folder was not made: %v", err)
	}
}

// What is wrong with an URL is said, and its password is not, wherever that stands.
func TestCheck(t *testing.T) {
	t.Parallel()
	for db, want := range map[string]string{
		"":                                   "",
		"sqlite":                             "",
		"postgres://u:s3cr%40t@h/db":         "",
		"postgresql://u:s3cret@h1:1,h2:2/db": "",
		"postgres://u:s3cret@h/db?sslmode=disable": "",
		"mysql":                                                   "it can be sqlite, or an URL such as postgres://",
		"mysql://u:s3cret@h/db":                                   "it can be sqlite, or an URL such as postgres://",
		"host=h user=u password=s3cret":                           "it can be sqlite, or an URL such as postgres://",
		"postgres://u:s3cr#et@h/db":                               "%40 for @",
		"postgres://u:s3cr%et@h/db":                               "%40 for @",
		"postgres://u:s3cret@h:port/db":                           "%40 for @",
		"postgres://u:s3cret@h/db?a=%zz":                          "%40 for @",
		"postgres://u:s3cret@h/db?sslmode=s3cret":                 "sslmode",
		"postgres://u@h/db?password=s3cret&connect_timeout=never": "connect_timeout",
		"postgres://u:s3cret@h/db?target_session_attrs=any2":      "target_session_attrs",
		"postgres://u:s3cret@h/db?sslrootcert=/nowhere/ca.pem&sslmode=verify-full": "/nowhere/ca.pem",
		"postgres://u:s3cret@h/db?search_path=my-hall":                             "search_path",
	} {
		err := storage.Check(db)
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", db, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", db, err, want)
		}
		for _, part := range []string{"s3cr", "postgres://u:"} {
			if err != nil && strings.Contains(strings.ReplaceAll(err.Error(), "postgres://user:", ""), part) {
				t.Errorf("%s: %v tells of the password", db, err)
			}
		}
		if _, aterr := storage.At(db, t.TempDir(), "auth"); aterr == nil || aterr.Error() != err.Error() {
			t.Errorf("%s: At says %v, Check %v", db, aterr, err)
		}
	}
}

func TestShown(t *testing.T) {
	t.Parallel()
	for db, want := range map[string]string{
		"sqlite":                                 "sqlite",
		"postgres://u:s3cret@h:5432/db":          "postgres://u@h:5432/db",
		"postgres://h/db?user=u&password=s3cret": "postgres://h/db",
		"postgres://u:s3cr%et@h/db":              "postgres://…",
	} {
		if got := storage.Shown(db); got != want {
			t.Errorf("%s is shown as %s, want %s", db, got, want)
		}
	}
}
