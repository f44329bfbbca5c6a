package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// dialWithin bounds one attempt to connect, the handshake of TLS included.
const dialWithin = 10 * time.Second

// DefaultAddr is where hall up listens.
const DefaultAddr = "127.0.0.1:7021"

// address is where the hall is.
type address struct {
	host string // with its port
	tls  *tls.Config
}

// parseAddress reads host:port, tcp://host:port or tls://host:port. A port that is missing
// is that of [DefaultAddr]. authorities names a file of PEM certificates to trust instead of
// the system's.
func parseAddress(text, authorities string) (address, error) {
	if text == "" {
		text = DefaultAddr
	}
	scheme, host, ok := strings.Cut(text, "://")
	if !ok {
		scheme, host = "tcp", text
	}
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
		_, port, _ := net.SplitHostPort(DefaultAddr)
		host = net.JoinHostPort(name, port)
		if _, _, err = net.SplitHostPort(host); err != nil || strings.ContainsAny(name, "/@ ") || name == "" {
			return address{}, fmt.Errorf("%q is no address: it can be host:port or tls://host:port", text)
		}
	}
	a := address{host: host}
	switch scheme {
	case "tcp":
		if authorities != "" {
			return address{}, fmt.Errorf("--tls-ca is for tls://%s", host)
		}
	case "tls":
		a.tls = &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12}
		if authorities == "" {
			break
		}
		pem, err := os.ReadFile(authorities)
		if err != nil {
			return address{}, fmt.Errorf("--tls-ca: %w", err)
		}
		a.tls.RootCAs = x509.NewCertPool()
		if !a.tls.RootCAs.AppendCertsFromPEM(pem) {
			return address{}, fmt.Errorf("--tls-ca: %s has no PEM certificate", authorities)
		}
	default:
		return address{}, fmt.Errorf("%q is no address: it can be host:port or tls://host:port", text)
	}
	return a, nil
}

// dial connects, which may take so long.
func (a address) dial(ctx context.Context, within time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", a.host)
	if err != nil || a.tls == nil {
		return nc, err
	}
	secured := tls.Client(nc, a.tls)
	if err = secured.HandshakeContext(ctx); err == nil {
		return secured, nil
	}
	_ = nc.Close() // it was of no use
	switch {
	case errors.As(err, new(tls.RecordHeaderError)), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return nil, fmt.Errorf("%s does not speak TLS: leave out tls://", a.host)
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("%s does not answer to TLS; if it does not speak it, leave out tls://", a.host)
	}
	return nil, err
}
