package bus_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"gamehall/shared/bus"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// A connection that is lost during a flush is no connection that was closed: it comes back.
func TestFlushLost(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			hangUpAtFlush(c)
		}
	}()
	defer func() { ln.Close(); <-served }()
	nc, err := bus.Dialer{URL: "nats://" + ln.Addr().String(), Log: natstest.Quiet()}.Connect("test")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := bus.WaitConnected(natstest.Context(t), nc); err != nil {
		t.Fatal(err)
	}
	if err := bus.Flush(natstest.Context(t), nc); !errors.Is(err, nats.ErrDisconnected) || !streams.Passing(err) {
		t.Errorf("a flush whose connection was lost: %v, want that a retry helps", err)
	}
	nc.Close()
	if err := bus.Flush(natstest.Context(t), nc); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("a flush of a closed connection: %v", err)
	}
}

// hangUpAtFlush is a server that takes the handshake's ping and hangs up at the next.
func hangUpAtFlush(c net.Conn) {
	defer c.Close()
	fmt.Fprint(c, `INFO {"server_id":"x","version":"2.15.2","proto":1,"max_payload":1048576}`+"\r\n")
	pings := 0
	for in := bufio.NewScanner(c); in.Scan(); {
		if strings.HasPrefix(in.Text(), "PING") {
			if pings++; pings > 1 {
				return
			}
			fmt.Fprint(c, "PONG\r\n")
		}
	}
}
