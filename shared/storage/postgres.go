package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/go-gormigrate/gormigrate/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
	gormpostgres "gorm.io/driver/postgres"
	"gorm.io/gorm"
)

// What a copy of a service takes of Postgres, and for how long. The URL may set those that
// are the server's own: statement_timeout, lock_timeout, connect_timeout and the like.
const (
	// poolMost is how many connections a copy has. The three services in four copies each
	// stay below the 100 that a server allows by itself; and six that look up by key, in a
	// fraction of a millisecond each, do more than one core of the server can.
	poolMost = 6
	// idleFor closes connections that a rush has left behind.
	idleFor = 5 * time.Minute
	// liveFor has connections made anew, so that copies come back to a server that was
	// away, and follow a name that means another machine now.
	liveFor = 30 * time.Minute

	// connectFor is for one host of the URL: when it is gone the next one is to be asked
	// before callers lose patience.
	connectFor = 3 * time.Second
	// statementFor ends a statement. All of ours find their rows by a key.
	statementFor = 5 * time.Second
	// lockFor is how long a row may be held by another transaction: as long as SQLite's.
	lockFor = busyTimeout * time.Millisecond
	// idleInTransactionFor takes the locks from a copy that was stopped, or whose machine is
	// gone, in the midst of a transaction. Nobody of us thinks for longer between two
	// statements.
	idleInTransactionFor = 5 * time.Second

	// A connection that nobody has cut in order is found dead in 20 s.
	keepAliveEvery = 5 * time.Second
	keepAliveMost  = 3
)

// While Postgres is away at the start, it is asked again after a pause that doubles, and who
// reads the log is told now and then.
const (
	startPauseFrom, startPauseTo = 100 * time.Millisecond, 2 * time.Second
	stillWaiting                 = 5 * time.Second
)

// openPostgres opens the schema that the URL at names in search_path. It waits for a server
// that is away until ctx ends.
func openPostgres(ctx context.Context, at string, migrations []*gormigrate.Migration, log *slog.Logger) (*DB, error) {
	cfg, schema, err := postgresConfig(at)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	shown := Shown(at)
	settings := gormConfig()
	settings.DisableAutomaticPing = true // it would be one without ctx, and the server may be away
	db, err := gorm.Open(gormpostgres.New(gormpostgres.Config{Conn: postgresPool(cfg)}), settings)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", shown, err)
	}
	opened := &DB{DB: db, schema: schema}
	var told time.Time
	for pause := startPauseFrom; ; pause = min(2*pause, startPauseTo) {
		err := opened.prepare(ctx, migrations, log)
		if err == nil {
			return opened, nil
		}
		if ctx.Err() != nil || !passes(err) {
			return nil, errors.Join(fmt.Errorf("open database %s: %w", shown, helpful(err, cfg)), opened.Close())
		}
		if time.Since(told) > stillWaiting {
			log.WarnContext(ctx, "waiting for postgres: is it running?", "db", shown, "error", err)
			told = time.Now()
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// postgresConfig reads the URL of a place. All its connections are the same.
func postgresConfig(at string) (cfg *pgx.ConnConfig, schema string, err error) {
	u, err := postgresURL(at)
	if err != nil {
		return nil, "", err
	}
	q := u.Query()
	if !q.Has("target_session_attrs") {
		// Of several hosts the one that can write; one that has become a standby is not it.
		q.Set("target_session_attrs", "read-write")
		u.RawQuery = q.Encode()
	}
	if cfg, err = pgx.ParseConfig(u.String()); err != nil {
		return nil, "", fmt.Errorf("the URL of postgres is not good: %s", reason(err, u))
	}
	if schema = cfg.RuntimeParams["search_path"]; schema == "" {
		schema = schemaPrefix
	}
	ms := func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	for param, value := range map[string]string{
		"search_path":                         schema,
		"application_name":                    schema,
		"statement_timeout":                   ms(statementFor),
		"lock_timeout":                        ms(lockFor),
		"idle_in_transaction_session_timeout": ms(idleInTransactionFor),
	} {
		if _, set := cfg.RuntimeParams[param]; !set {
			cfg.RuntimeParams[param] = value
		}
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectFor
	}
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: keepAliveEvery, Interval: keepAliveEvery, Count: keepAliveMost,
	}}
	cfg.DialFunc = dialer.DialContext
	fatal := cfg.OnPgError
	cfg.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		// A server that has become a standby keeps its connections: they are of no use to us.
		return err.Code != readOnlyTransaction && fatal(conn, err)
	}
	return cfg, schema, nil
}

// postgresPool connects when it is asked something.
func postgresPool(cfg *pgx.ConnConfig) *sql.DB {
	pool := stdlib.OpenDB(*cfg, stdlib.OptionAfterConnect(func(_ context.Context, conn *pgx.Conn) error {
		// Times come back in the zone in which they were stored.
		conn.TypeMap().RegisterType(&pgtype.Type{
			Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
		})
		return nil
	}))
	pool.SetMaxOpenConns(poolMost)
	pool.SetMaxIdleConns(poolMost)
	pool.SetConnMaxIdleTime(idleFor)
	pool.SetConnMaxLifetime(liveFor)
	return pool
}

// prepare looks at the server and brings the schema up to date.
func (db *DB) prepare(ctx context.Context, migrations []*gormigrate.Migration, log *slog.Logger) error {
	var server struct{ Encoding, Durable, Synced string }
	err := db.WithContext(ctx).Raw(`SELECT current_setting('server_encoding') AS encoding,
		current_setting('synchronous_commit') AS durable, current_setting('fsync') AS synced`).Scan(&server).Error
	if err != nil {
		return err
	}
	if server.Encoding != "UTF8" {
		return fmt.Errorf("it keeps text as %s: make a database with ENCODING 'UTF8' TEMPLATE template0", server.Encoding)
	}
	if server.Durable == "off" || server.Synced == "off" {
		log.WarnContext(ctx, "postgres acknowledges what it may lose in a crash: set fsync and synchronous_commit to on",
			"fsync", server.Synced, "synchronous_commit", server.Durable)
	}
	return migrate(ctx, db, migrations)
}

// lockSchema waits until nobody else migrates the schema, and makes it if it is missing. The
// lock ends with the transaction, however that ends.
func lockSchema(tx *gorm.DB, schema string) error {
	// However long another copy's migration takes, and ours.
	for _, unbounded := range []string{"SET LOCAL lock_timeout = 0", "SET LOCAL statement_timeout = 0"} {
		if err := tx.Exec(unbounded).Error; err != nil {
			return err
		}
	}
	key := fnv.New64a()
	_, _ = key.Write([]byte("gamehall migrations " + schema)) // never fails
	if err := tx.Exec("SELECT pg_advisory_xact_lock(?)", int64(key.Sum64())).Error; err != nil {
		return fmt.Errorf("wait for other copies: %w", err)
	}
	// IF NOT EXISTS would ask for the right to make one also when it is there.
	var found int64
	if err := tx.Raw("SELECT count(*) FROM pg_namespace WHERE nspname = ?", schema).Scan(&found).Error; err != nil {
		return fmt.Errorf("look for schema %s: %w", schema, err)
	}
	if found > 0 {
		return nil
	}
	if err := tx.Exec("CREATE SCHEMA " + pgx.Identifier{schema}.Sanitize()).Error; err != nil {
		return fmt.Errorf("create schema %s: %w", schema, err)
	}
	return nil
}

// helpful adds what to do to an error of the start that does not pass by itself.
func helpful(err error, cfg *pgx.ConnConfig) error {
	var says *pgconn.PgError
	if !errors.As(err, &says) {
		return err
	}
	var advice string
	switch says.Code {
	case "28P01", "28000":
		advice = "postgres refuses this user or password: put the right ones into the URL, as postgres://user:password@host:5432/database"
	case "3D000":
		advice = fmt.Sprintf("make the database first: CREATE DATABASE %s ENCODING 'UTF8' TEMPLATE template0", pgx.Identifier{cfg.Database}.Sanitize())
	case "42501":
		advice = fmt.Sprintf("the user needs the right to make a schema: GRANT CREATE ON DATABASE %s TO %s",
			pgx.Identifier{cfg.Database}.Sanitize(), pgx.Identifier{cfg.User}.Sanitize())
	default:
		return err
	}
	return fmt.Errorf("%s (%w)", advice, says)
}
