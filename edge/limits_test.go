package edge_test

import (
	"fmt"
	"net/netip"
	"testing"

	"gamehall/edge"
	"gamehall/shared/authapi"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
)

// strangers trusts nobody.
func strangers(change func(*edge.Config)) func(*edge.Config) {
	return func(cfg *edge.Config) {
		cfg.TrustedNets = nil
		if change != nil {
			change(cfg)
		}
	}
}

// One address has so many connections, and gets another when one has ended.
func TestConnectionsPerIP(t *testing.T) {
	t.Parallel()
	h := start(t, strangers(func(cfg *edge.Config) { cfg.ConnectionsPerIP = 3 }))
	open := []*client{h.connect(t), h.connect(t), h.connect(t)}
	for _, c := range open {
		c.quiet()
	}
	h.connect(t).wantEnd()
	open[0].reset()
	natstest.Eventually(t, "a place is free", func() bool {
		c := h.connect(t)
		c.write("/PING\n")
		return c.answered("system: pong")
	})
	open[1].quiet()
}

// answered tells whether that line comes before the end.
func (c *client) answered(want string) bool {
	c.t.Helper()
	line, err := c.in.ReadString('\n')
	return err == nil && len(line) > len(stamp) && line[len(stamp):] == want+"\n"
}

// A quarter of all connections may be without a session; those that have one leave room.
func TestStrangersDoNotKeepPlayersOut(t *testing.T) {
	t.Parallel()
	h := start(t, strangers(func(cfg *edge.Config) { cfg.Connections = 12 }))
	for i := range 3 {
		h.signIn(t, fmt.Sprint("user", i)).quiet()
	}
	for range 3 {
		h.connect(t).quiet()
	}
	h.connect(t).wantEnd()
}

// Beyond what the edge can have nobody is let in, trusted or not.
func TestFullEdge(t *testing.T) {
	t.Parallel()
	h := start(t, func(cfg *edge.Config) { cfg.Connections = 4 })
	for range 4 {
		h.connect(t).quiet()
	}
	h.connect(t).wantEnd()
}

// Sign-ins of one user, and sign-ups, are bounded; trusted addresses are not.
func TestSignInsAndSignUpsAreBounded(t *testing.T) {
	t.Parallel()
	const (
		manySignIns = "system: too many sign-ins, please try again in a minute"
		manySignUps = "system: too many new accounts from your network, please try again later"
		wrong       = "system: wrong account or password"
		registered  = "system: registered, you can sign in now"
	)
	for _, trusted := range []bool{false, true} {
		t.Run(fmt.Sprint("trusted ", trusted), func(t *testing.T) {
			t.Parallel()
			n := &neighbours{onSignUp: func(r authapi.SignUpRequest) error {
				if r.Trusted != trusted {
					t.Errorf("auth was told %v of a connection that is trusted: %v", r.Trusted, trusted)
				}
				if r.Username == "taken" {
					return fault.New(fault.UsernameTaken, "the username exists, please choose another one")
				}
				return nil
			}}
			h := startWith(t, n, func(cfg *edge.Config) {
				if !trusted {
					cfg.TrustedNets = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
				}
			})
			c := h.connect(t)
			last := func(limited, free string) string {
				if trusted {
					return free
				}
				return limited
			}
			for range 5 {
				c.send("/SIGNIN ann 124")
				c.want(wrong)
			}
			c.send("/SIGNIN ann 123x")
			c.want(last(manySignIns, wrong))
			for range 4 {
				c.send("/SIGNUP taken secret")
				c.want("system: the username exists, please choose another one")
			}
			for i := range 3 {
				c.send(fmt.Sprintf("/SIGNUP user%d secret", i))
				c.want(registered)
			}
			c.send("/SIGNUP another secret")
			c.want(last(manySignUps, registered))
			// Another user may still come in.
			c.send("/SIGNIN bob 123")
			c.want("system: welcome, bob")
		})
	}
}

// Figures are for trusted addresses.
func TestMetricsAreForTrustedAddresses(t *testing.T) {
	t.Parallel()
	h := start(t, strangers(nil))
	if got := h.get(t, "/metrics"); got != 403 {
		t.Errorf("/metrics is %d for a stranger, want 403", got)
	}
	if got := h.get(t, "/readyz"); got != 200 {
		t.Errorf("/readyz is %d, want 200", got)
	}
}
