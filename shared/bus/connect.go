package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"gamehall/shared/fault"
)

// Connection settings. The client's own defaults give up reconnecting after two minutes,
// notice a dead server after four, and buffer 8 MB of publishes silently meanwhile.
const (
	// A server that has not answered the ping of two seconds ago when the second one is due is
	// gone: one that is frozen, or cut off, is left within 4 s, before an election in its
	// cluster is over.
	pingEvery     = 2 * time.Second
	reconnectWait = 50 * time.Millisecond
	reconnectMost = 500 * time.Millisecond // a restarted server is found within a second
	dialTimeout   = 2 * time.Second
)

// Dialer says where NATS is and as whom to connect. The zero Dialer is nats://127.0.0.1:4222
// without credentials.
type Dialer struct {
	URL       string                     // one or several, comma separated
	InProcess nats.InProcessConnProvider // an embedded server, instead of URL
	Options   []nats.Option              // credentials, TLS
	Log       *slog.Logger               // nil is slog.Default

	// Listener is how services connect to hear what they are asked; nil is as for the rest.
	// The micro framework answers $SRV requests on that connection, to whichever subject the
	// request names: so its user should be one that may publish to inboxes only.
	Listener *Dialer
}

// listener is how a service connects to hear what it is asked.
func (d Dialer) listener() Dialer {
	if d.Listener == nil {
		return d
	}
	l := *d.Listener
	if l.Log == nil {
		l.Log = d.Log
	}
	return l
}

// Connect opens a connection that reconnects for ever and never buffers while it is away,
// so that who publishes learns at once that nothing was sent. It returns before the server
// answers: see [WaitConnected]. The name tells people whose connection it is; its first
// word is the class whose inbox prefix (_INBOX_<class>) the replies come to, so that nobody
// who may only subscribe _INBOX.> can read them. Who called closes the connection.
func (d Dialer) Connect(name string) (*nats.Conn, error) {
	log := d.Log
	if log == nil {
		log = slog.Default()
	}
	log = log.With("connection", name)
	class, _, _ := strings.Cut(name, " ")
	l := newLink()
	failed := "" // the last failure logged; the connection's callbacks run one after the other
	opts := []nats.Option{
		nats.Name(name),
		nats.CustomInboxPrefix("_INBOX_" + class),
		nats.MaxReconnects(-1),
		// Servers tell of each other by addresses that may be good among them only. Who knows
		// where they can be reached from here is the operator.
		nats.IgnoreDiscoveredServers(),
		nats.RetryOnFailedConnect(true),
		nats.ReconnectBufSize(-1),
		nats.CustomReconnectDelay(reconnectDelay),
		nats.IgnoreAuthErrorAbort(), // the second refusal would close the connection for good
		nats.PingInterval(pingEvery),
		nats.MaxPingsOutstanding(1),
		nats.Timeout(dialTimeout),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			l.down()
			if err != nil {
				log.Warn("nats connection lost, reconnecting", "error", err)
			}
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) {
			// Called for each of what may be thousands of attempts, one after the other.
			if err == nil || err.Error() == failed {
				return
			}
			failed = err.Error()
			if errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) {
				log.Warn("nats does not let us in, trying on", "error", err)
				return
			}
			log.Warn("nats cannot be reached, trying on", "error", err)
		}),
		nats.ConnectHandler(func(*nats.Conn) { failed = "" }),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			l.up()
			failed = ""
			log.Info("nats connection is back", "server", nc.ConnectedUrlRedacted())
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			switch {
			case sub != nil:
				log.Error("nats", "error", err, "subject", sub.Subject)
			case err.Error() != failed: // told for each attempt that the server refuses
				failed = err.Error()
				log.Error("nats", "error", err)
			}
		}),
	}
	if d.InProcess != nil {
		opts = append(opts, nats.InProcessServer(d.InProcess))
	}
	where := d.URL
	if where == "" {
		where = nats.DefaultURL
	}
	nc, err := nats.Connect(where, append(opts, d.Options...)...)
	if err != nil {
		var bad *url.Error
		if errors.As(err, &bad) {
			err = bad.Err // without the URL, which may hold a password
		}
		return nil, fmt.Errorf("connect %s to nats: %w", name, err)
	}
	l.of(nc)
	return nc, nil
}

// reconnectDelay doubles from reconnectWait up to reconnectMost, half of it by chance: not
// all who lost a server should come at once.
func reconnectDelay(attempts int) time.Duration {
	d := min(reconnectWait<<min(attempts, 10), reconnectMost)
	return d/2 + rand.N(d/2) //nolint:gosec // jitter is no secret
}

// WaitConnected returns once the server has answered nc, or fault.Unavailable when ctx ends
// first.
func WaitConnected(ctx context.Context, nc *nats.Conn) error {
	if nc.IsConnected() {
		return nil
	}
	status := nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer nc.RemoveStatusListener(status)
	for !nc.IsConnected() {
		if nc.IsClosed() {
			return fault.New(fault.Unavailable, "the nats connection is closed")
		}
		select {
		case <-status:
		case <-ctx.Done():
			if err := nc.LastError(); err != nil {
				return fault.New(fault.Unavailable, "nats does not answer (%v)", err)
			}
			return fault.New(fault.Unavailable, "nats does not answer")
		}
	}
	return nil
}
