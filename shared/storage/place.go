package storage

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
)

// InFiles is what a setting of the database says when each service has a file.
const InFiles = "sqlite"

// schemaPrefix is what the schemas of a hall begin with unless the URL says search_path.
const schemaPrefix = "hall"

// At gives the place of a service's database for [Open]: in the file <data>/<service>.db when
// db is empty or "sqlite", whose folder it makes; else, in the Postgres database of the URL
// db, the schema hall_<service>. So all services of a hall may share one database, and none
// sees the tables of another.
//
// Another word in place of hall is taken from the URL's search_path: so several halls may
// share a database. It fails as [Check] does, and when the folder cannot be made.
func At(db, data, service string) (string, error) {
	if db == "" || db == InFiles {
		if err := os.MkdirAll(data, 0o700); err != nil {
			return "", fmt.Errorf("data folder: %w", err)
		}
		return filepath.Join(data, service+".db"), nil
	}
	u, err := postgresURL(db)
	if err != nil {
		return "", err
	}
	q := u.Query()
	prefix := schemaPrefix
	if own := q.Get("search_path"); own != "" {
		prefix = own
	}
	q.Set("search_path", prefix+"_"+service)
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// Check refuses what [At] cannot take for a db, and says what to do. Its error tells no
// password.
func Check(db string) error {
	if db == "" || db == InFiles {
		return nil
	}
	_, err := postgresURL(db)
	return err
}

// Shown is db for people: without a password.
func Shown(db string) string {
	if !isPostgres(db) {
		return db
	}
	u, err := url.Parse(db)
	if err != nil {
		return "postgres://…"
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path} // a password may also stand in the query
	if u.User != nil {
		shown.User = url.User(u.User.Username())
	}
	return shown.String()
}

func isPostgres(at string) bool {
	return strings.HasPrefix(at, "postgres://") || strings.HasPrefix(at, "postgresql://")
}

// schemaForm is a name that needs no quotes in SQL, and leaves room for a service's name
// within the 63 bytes of an identifier.
var schemaForm = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,47}$`)

// errURL is all that is said of an URL that cannot be read: more might tell the password.
var errURL = errors.New("it is not an URL such as postgres://user:password@host:5432/database; " +
	"in the password write what is no letter or digit as %XX, such as %40 for @")

// postgresURL reads the URL of a database.
func postgresURL(db string) (*url.URL, error) {
	if !isPostgres(db) {
		return nil, errors.New("it can be sqlite, or an URL such as postgres://user:password@host:5432/database")
	}
	u, err := url.Parse(db)
	if err != nil || u.Fragment != "" {
		return nil, errURL
	}
	if _, err := url.ParseQuery(u.RawQuery); err != nil {
		return nil, errURL
	}
	if own := u.Query().Get("search_path"); own != "" && !schemaForm.MatchString(own) {
		return nil, errors.New("its search_path names the hall's schemas and can be up to 48 small letters, digits and _")
	}
	if _, err := pgx.ParseConfig(db); err != nil {
		return nil, fmt.Errorf("the URL of postgres is not good: %s", reason(err, u))
	}
	return u, nil
}

// reason is what pgx says of an URL, without the URL and without its passwords.
func reason(err error, u *url.URL) string {
	text := err.Error()
	if _, after, found := strings.Cut(text, "`: "); found { // cannot parse `…`: why
		text = after
	}
	secrets := []string{u.Query().Get("password"), u.Query().Get("sslpassword")}
	if u.User != nil {
		password, _ := u.User.Password()
		secrets = append(secrets, password)
	}
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "xxxxx")
		}
	}
	return text
}
