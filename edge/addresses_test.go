package edge

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"gamehall/shared/fault"
)

// from gives a connection from an address.
func from(a *addresses, addr string) *conn {
	c := &conn{addr: netip.MustParseAddr(addr), done: make(chan struct{})}
	c.trusted = a.trusted(c.addr)
	return c
}

// Connections of one address are counted, and those of one IPv6 customer together; trusted
// ones are not bounded.
func TestConnectionsOfAnAddress(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		addrs []string // opened one after the other, and not closed
		want  int      // that are let in
	}{
		{"one IPv4 address", []string{"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1"}, 3},
		{"its neighbour", []string{"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"}, 4},
		{"one /64", []string{"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4"}, 3},
		{"another /64", []string{"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"}, 4},
		{"one zone of link-local addresses", []string{"fe80::1%eth0", "fe80::2%eth0", "fe80::3%eth1", "fe80::4%eth1"}, 3},
		{"trusted", []string{"10.1.2.3", "10.1.2.3", "10.1.2.3", "10.1.2.3", "10.1.2.3"}, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAddresses(Config{ConnectionsPerIP: 3, TrustedNets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
			got := 0
			var open []*conn
			for _, addr := range tt.addrs {
				if c := from(a, addr); a.open(c) {
					got++
					open = append(open, c)
				}
			}
			if got != tt.want {
				t.Errorf("%d of %d were let in, want %d", got, len(tt.addrs), tt.want)
			}
			for _, c := range open {
				a.close(c)
			}
			if len(a.conns) != 0 {
				t.Errorf("%v are remembered after all were closed", a.conns)
			}
			if c := from(a, tt.addrs[0]); !a.open(c) {
				t.Error("nobody is let in after all were closed")
			}
		})
	}
}

// Connecting is bounded, too, for who closes at once.
func TestConnectingOften(t *testing.T) {
	t.Parallel()
	a := newAddresses(Config{ConnectionsPerIP: 32})
	got := 0
	for range 2 * newPerWindow {
		if c := from(a, "192.0.2.1"); a.open(c) {
			got++
			a.close(c)
		}
	}
	if got < newPerWindow || got > newPerWindow+2 {
		t.Errorf("%d connections were let in at once, want %d", got, newPerWindow)
	}
	if len(a.dials.all) != 1 {
		t.Fatalf("%d addresses are remembered, want 1", len(a.dials.all))
	}
	a.sweep(time.Now().Add(2 * newWindow))
	if len(a.dials.all) != 0 {
		t.Error("an address is remembered after it has recovered")
	}
}

// try is one sign-in or sign-up of somebody from somewhere.
type try struct {
	user, addr string
	code       fault.Code
}

// times repeats tries with # of user replaced.
func times(n int, user, addr string, code fault.Code) (all []try) {
	for i := range n {
		all = append(all, try{strings.ReplaceAll(user, "#", fmt.Sprint(i)), addr, code})
	}
	return all
}

func concat(parts ...[]try) (all []try) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func TestSignInsOfAnAddress(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		tries []try
	}{
		{"one user from one address", concat(times(5, "ann", "192.0.2.1", ""), times(1, "ann", "192.0.2.1", fault.RateLimited))},
		{
			"in other spellings",
			concat(times(4, "ann", "192.0.2.1", ""), times(1, "ANN", "192.0.2.1", ""), times(1, "Ａnn", "192.0.2.1", fault.RateLimited)),
		},
		{"from another address", concat(times(5, "ann", "192.0.2.1", ""), times(1, "ann", "192.0.2.2", ""))},
		{"another user", concat(times(5, "ann", "192.0.2.1", ""), times(1, "bob", "192.0.2.1", ""))},
		{"many users from one address", concat(times(20, "user#", "192.0.2.1", ""), times(1, "another#", "192.0.2.1", fault.RateLimited))},
		{"many users from one /64", concat(times(20, "user#", "2001:db8::1", ""), times(1, "another#", "2001:db8::2", fault.RateLimited))},
		{"trusted", times(100, "ann", "10.0.0.1", "")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAddresses(Config{TrustedNets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
			for i, try := range tt.tries {
				if err := a.signIn(t.Context(), from(a, try.addr), try.user); fault.CodeOf(err) != try.code {
					t.Fatalf("sign-in %d: %v, want %q", i+1, err, try.code)
				}
			}
			a.sweep(time.Now().Add(time.Hour))
			if n := len(a.signIns.all) + len(a.pairs.all) + len(a.users.all); n != 0 {
				t.Errorf("%d are remembered an hour later", n)
			}
		})
	}
}

// A user whose password many guess is served late, never refused.
func TestGuessedUserIsServedLate(t *testing.T) {
	t.Parallel()
	a := newAddresses(Config{})
	ended, end := context.WithCancel(t.Context())
	end() // so that the test need not wait for the delay
	late := 0
	for i := range signInPerUser + 5 {
		c := from(a, fmt.Sprintf("192.0.2.%d", i+1))
		begun := time.Now()
		ctx := t.Context()
		if i >= signInPerUser {
			ctx = ended
			a.mu.Lock()
			if a.users.get("ann").Tokens() < 1 {
				late++
			}
			a.mu.Unlock()
		}
		if err := a.signIn(ctx, c, "ann"); err != nil {
			t.Fatalf("sign-in %d: %v", i+1, err)
		}
		if took := time.Since(begun); took > signInDelay/2 {
			t.Errorf("sign-in %d took %v", i+1, took)
		}
	}
	if late != 5 {
		t.Errorf("%d sign-ins were late, want 5", late)
	}
}

func TestSignUpsOfAnAddress(t *testing.T) {
	t.Parallel()
	a := newAddresses(Config{TrustedNets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	want := func(addr string, code fault.Code) (undo func()) {
		t.Helper()
		undo, err := a.signUp(from(a, addr))
		if fault.CodeOf(err) != code {
			t.Fatalf("sign-up from %s: %v, want %q", addr, err, code)
		}
		return undo
	}
	// Those that came to nothing do not count.
	for range 2 * signUpPerAddress {
		want("192.0.2.1", "")()
	}
	for range signUpPerAddress {
		want("192.0.2.1", "")
	}
	want("192.0.2.1", fault.RateLimited)
	for range 100 {
		want("10.0.0.1", "")
	}
	// All together.
	for i := range signUpAll - signUpPerAddress {
		want(fmt.Sprintf("198.51.100.%d", i/signUpPerAddress+1), "")
	}
	want("203.0.113.1", fault.RateLimited)
	// An address that may not is not let try for ever either.
	for range signInPerAddress {
		if _, err := a.signUp(from(a, "203.0.113.2")); err == nil {
			t.Fatal("let in beyond what all may")
		}
	}
	if err := a.signIn(t.Context(), from(a, "203.0.113.2"), "ann"); fault.CodeOf(err) != fault.RateLimited {
		t.Errorf("a sign-in after many sign-ups: %v", err)
	}
}
