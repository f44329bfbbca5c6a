package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
)

// secureConfig is how the ports speak TLS; nil when they do not. HTTP/2 is not offered: a
// WebSocket takes the connection over, which HTTP/1.1 alone allows (RFC 6455).
func (cfg Config) secureConfig() (*tls.Config, error) {
	if cfg.TLSCert == "" && cfg.TLSKey == "" {
		return nil, nil //nolint:nilnil // none is what was asked for
	}
	pair, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("the certificate %s with the key %s: %w", cfg.TLSCert, cfg.TLSKey, err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"},
	}, nil
}

// tlsHello is the first byte of a TLS connection: a handshake record (RFC 8446, section 5.1).
const tlsHello = 0x16

// guard ends a connection at its first byte when TLS is spoken where it is not, or not where
// it is: both would wait for each other until a timeout.
type guard struct {
	net.Conn
	secured bool
	passed  bool // the reader's own
}

func (g *guard) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if n > 0 && !g.passed {
		if g.passed = (p[0] == tlsHello) == g.secured; !g.passed {
			return 0, errors.Join(errForeign, g.Close())
		}
	}
	return n, err
}

// bare is nc without its guard, which has seen the first byte.
func bare(nc net.Conn) net.Conn {
	if g, ok := nc.(*guard); ok {
		return g.Conn
	}
	return nc
}

// guarded puts a guard on every connection that a listener accepts.
type guarded struct {
	net.Listener
	secured bool
}

// Accept gives the next connection, guarded.
func (l guarded) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &guard{Conn: nc, secured: l.secured}, nil
}

// webListener is where HTTP is served.
func (e *Edge) webListener() net.Listener {
	if e.tls == nil {
		return guarded{e.web, false}
	}
	return tls.NewListener(guarded{e.web, true}, e.tls)
}

// handshake does TLS's where it is spoken, within the time that a line has.
func (c *conn) handshake() error {
	secured, ok := c.sock.(*tlsSocket)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.edge.ctx, lineWithin)
	defer cancel()
	if err := secured.nc.HandshakeContext(ctx); err != nil {
		return err
	}
	c.heard.Store(instant())
	return nil
}
