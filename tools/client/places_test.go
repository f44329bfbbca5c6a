package client

import (
	"context"
	"net"
	"testing"
)

func TestPlaces(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, hosts string }{
		{"", DefaultAddr},
		{"a:1", "a:1"},
		{"a:1, b ,tls://c:3", "a:1, b:7021, c:3"},
		{"a:1,", ""},
		{",", ""},
		{"a:1,http://b", ""},
	} {
		p, err := parsePlaces(tt.text, "")
		if (err != nil) != (tt.hosts == "") || err == nil && p.String() != tt.hosts {
			t.Errorf("%q: %v, %v, want %q", tt.text, p, err, tt.hosts)
		}
	}
}

// TestPlacesInTurn: who comes back goes to the next place, and past one where nobody listens.
func TestPlacesInTurn(t *testing.T) {
	t.Parallel()
	listen := func() net.Listener {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() }) // or it is closed already
		return l
	}
	one, gone, two := listen(), listen(), listen()
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := parsePlaces(one.Addr().String()+","+gone.Addr().String()+","+two.Addr().String(), "")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []net.Listener{one, two, one, two} {
		nc, err := p.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if nc.RemoteAddr().String() != want.Addr().String() {
			t.Errorf("connection %d is to %v, want %v", i, nc.RemoteAddr(), want.Addr())
		}
		_ = nc.Close()
	}
	for _, l := range []net.Listener{one, two} {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if nc, err := p.dial(t.Context()); err == nil {
		t.Errorf("connected to %v, where nobody listens", nc.RemoteAddr())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.dial(ctx); err == nil {
		t.Error("connected in no time")
	}
}
