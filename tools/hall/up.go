package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"strings"

	"gamehall/shared/bus"
)

// upCommand is hall up: everything in one process.
type upCommand struct {
	NATSListen listen `name:"nats-listen" default:"127.0.0.1:4222" placeholder:"ADDR" help:"Where the embedded NATS listens (${default}; off loopback it asks for credentials)." group:"Where"`
	partFlags
}

// check refuses what does not go together, and fills in what depends on where the hall
// listens.
func (c *upCommand) check() error {
	here := c.TCP.loopback() && c.HTTP.loopback() && loopbackURLs(c.NATS) && (len(c.NATS) > 0 || c.NATSListen.loopback())
	if c.DemoAccounts == nil {
		c.DemoAccounts = &here
	}
	if c.TrustedNet == nil {
		c.TrustedNet = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	return c.partFlags.check(here)
}

// run opens the hall and serves until ctx ends.
func (c *upCommand) run(ctx context.Context, out, logTo io.Writer) (err error) {
	log := c.logger(logTo)
	unlock, err := lockData(c.Data)
	if err != nil {
		return err
	}
	defer unlock()
	if !c.TCP.loopback() {
		log.Warn("players' passwords cross the network unencrypted", "tcp", c.TCP.String())
	}
	p := parts{flags: &c.partFlags, bare: true, formerOver: true, log: log}
	at := strings.Join(c.NATS, ",")
	if len(c.NATS) > 0 {
		p.nats = func(log *slog.Logger) bus.Dialer { return bus.Dialer{URL: at, Log: log} }
		at = redacted(c.NATS)
	} else {
		server, err := startNATS(ctx, c.Data, c.NATSListen, log.With("part", "nats"))
		if err != nil {
			return err
		}
		defer server.stop()
		p.nats, at = server.dialer, server.url()
	}
	return p.serve(ctx, partNames, func(edge addresses) { c.tell(out, edge, at) })
}

// tell tells people where the hall is and what to type.
func (c *upCommand) tell(out io.Writer, edge addresses, nats string) {
	first := "/SIGNUP yourname yourpassword"
	if c.demo() {
		first = "/SIGNIN netease1 123"
	}
	credentials := ""
	if len(c.NATS) == 0 && !c.NATSListen.loopback() {
		credentials = "          with the user and password in " + filepath.Join(c.Data, adminFile)
	}
	host, port := reachable(edge.tcp)
	webHost, webPort := reachable(edge.http)
	// Nobody may read it: the hall is open all the same.
	_, _ = fmt.Fprintf(out, `the hall is open
  talk     nc %s %s          then type: %s
  web      http://%s
  inspect  nats -s %s service ls%s
  stop     Ctrl-C
`, host, port, first, net.JoinHostPort(webHost, webPort), nats, credentials)
}

// reachable is where an address of ours is reached from this machine.
func reachable(address string) (host, port string) {
	host, port, _ = net.SplitHostPort(address) // the edge made it
	if ip := net.ParseIP(host); ip.IsUnspecified() {
		host = "localhost"
	}
	return host, port
}
