package edge_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"testing"

	"gamehall/edge"
	"gamehall/shared/natstest"
)

// An edge needs NATS and nothing else: without the services it still answers what it can.
func Example() {
	natstest.Example(func(t testing.TB) {
		ctx := natstest.Context(t)
		e, err := edge.Start(ctx, edge.Config{NATS: natstest.Run(t).Dialer(), Log: natstest.Quiet()})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { fmt.Println("stopped:", e.Stop(context.WithoutCancel(ctx))) }()

		player, err := new(net.Dialer).DialContext(ctx, "tcp", e.TCPAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer player.Close()
		fmt.Fprint(player, "/PING\nhi\n/QUIT\n")
		for in := bufio.NewScanner(player); in.Scan(); {
			fmt.Println(in.Text()[len("2006-01-02 15:04:05 "):])
		}
	})
	// Output:
	// system: pong
	// system: please sign in first
	// system: bye
	// stopped: <nil>
}
