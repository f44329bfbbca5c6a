package storage

import (
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
)

// Codes of Postgres (SQLSTATE; the manual's appendix A). Of some the first two characters, the
// class, are enough.
const (
	uniqueViolation     = "23505"
	diskFull            = "53100"
	tooManyConnections  = "53300"
	lockNotAvailable    = "55P03"
	queryCanceled       = "57014" // by statement_timeout
	readOnlyTransaction = "25006" // it has become a standby
	idleInTransaction   = "25P03" // we were stopped in a transaction
	featureNotSupported = "0A000"

	classConnection = "08"
	classRollback   = "40" // among them serialization failure and deadlock
	classOperator   = "57" // among them shutdown, crash and start-up
)

// postgresCode is the SQLSTATE in err's chain, or empty.
func postgresCode(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func isPostgresDuplicate(err error) bool { return postgresCode(err) == uniqueViolation }

func isPostgresFull(err error) bool { return postgresCode(err) == diskFull }

func isPostgresBusy(err error) bool {
	return errors.As(err, new(awayError)) || postgresCode(err) == queryCanceled || passes(err)
}

// passes tells whether err is of Postgres and may be gone when the same is tried again soon:
// another transaction was in the way, the connection is lost, or the server is not there.
func passes(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		switch e.Code {
		case queryCanceled: // it was slow, and would be again
			return false
		case lockNotAvailable, tooManyConnections, readOnlyTransaction, idleInTransaction:
			return true
		case featureNotSupported:
			// Another copy has migrated a table since the statement was prepared. The
			// driver prepares it anew.
			return e.Routine == "RevalidateCachedQuery"
		}
		class := e.Code[:min(2, len(e.Code))]
		return class == classConnection || class == classRollback || class == classOperator
	}
	if errors.As(err, new(*tls.CertificateVerificationError)) {
		return false
	}
	for _, lost := range []error{driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, lost) {
			return true
		}
	}
	return errors.As(err, new(*pgconn.ConnectError)) || errors.As(err, new(*net.OpError)) || pgconn.SafeToRetry(err)
}
