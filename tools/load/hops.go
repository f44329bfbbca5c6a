package load

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// The subjects of the relay with NATS hops.
const (
	saySubject  = "relay.say"
	tellSubject = "relay.tell"
)

// natsWithin bounds the start of the embedded server.
const natsWithin = 20 * time.Second

// HopsRelay is the raw relay with the two hops that any hall on NATS has: what a client says is
// published to a worker, which publishes it again for the relay to tell. The server is embedded,
// in memory, and each side has a connection of its own within the process. Otherwise it is
// [Relay].
func HopsRelay(ctx context.Context, addr string, out io.Writer) error {
	srv, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true})
	if err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	srv.Start()
	defer srv.WaitForShutdown()
	defer srv.Shutdown()
	if !srv.ReadyForConnections(natsWithin) {
		return fmt.Errorf("nats is not ready after %s", natsWithin)
	}
	edge, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	defer edge.Close()
	worker, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	defer worker.Close()
	r := &relay{}
	// A publish fails when its connection is closed, which is the end.
	r.tell = func(lines []byte) { _ = edge.Publish(saySubject, lines) }
	if _, err := worker.Subscribe(saySubject, func(m *nats.Msg) { _ = worker.Publish(tellSubject, m.Data) }); err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	if _, err := edge.Subscribe(tellSubject, func(m *nats.Msg) { r.broadcast(m.Data) }); err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	if err := worker.Flush(); err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	if err := edge.Flush(); err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	return r.serve(ctx, addr, out)
}
