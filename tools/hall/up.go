package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// upCommand is hall up: everything in one process.
type upCommand struct {
	NATSListen listen `name:"nats-listen" default:"127.0.0.1:4222" placeholder:"ADDR" help:"Where the embedded NATS listens (${default}; off loopback it asks for credentials)." group:"Where"`
	partFlags
	strangers string // the first flag that lets in others than this machine, if there are no demo accounts for that
}

// check refuses what does not go together, and fills in what depends on where the hall
// listens.
func (c *upCommand) check() error {
	off := c.offLoopback()
	here := off == ""
	if c.DemoAccounts == nil {
		c.DemoAccounts, c.strangers = &here, off
	}
	if len(c.NATS) == 0 && (c.Replicas == 3 || c.Replicas == 5) {
		return wrongUse("--replicas %d: the embedded NATS is one server and keeps one copy: 3 and 5 need a cluster, named with --nats", c.Replicas)
	}
	if c.TrustedNet == nil {
		c.TrustedNet = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	return c.partFlags.check(here)
}

// offLoopback is the first flag by which not only this machine has to do with the hall, or
// empty.
func (c *upCommand) offLoopback() string {
	switch {
	case !c.TCP.loopback():
		return "--tcp " + c.TCP.String()
	case !c.HTTP.loopback():
		return "--http " + c.HTTP.String()
	case len(c.NATS) > 0 && !loopbackURLs(c.NATS):
		return "--nats " + redacted(c.NATS)
	case len(c.NATS) == 0 && !c.NATSListen.loopback():
		return "--nats-listen " + c.NATSListen.String()
	}
	return ""
}

// run opens the hall and serves until ctx ends.
func (c *upCommand) run(ctx context.Context, out, logTo io.Writer) (err error) {
	log := c.logger(logTo)
	unlock, err := lockData(c.Data)
	if err != nil {
		return err
	}
	defer unlock()
	c.warnPlain(log)
	if err := c.portsFree(ctx); err != nil {
		return err
	}
	lived, err := openLives(c.Data)
	if err != nil {
		return err
	}
	p := parts{flags: &c.partFlags, bare: true, whole: true, lives: lived, log: log}
	at := redacted(c.NATS)
	if len(c.NATS) > 0 {
		if p.nats, err = c.remote(ctx, log); err != nil {
			return err
		}
		if err := p.waitForNATS(ctx, edgeName); err != nil {
			return err
		}
	} else {
		server, err := startNATS(ctx, c.Data, c.NATSListen, log.With("part", "nats"))
		if err != nil {
			return err
		}
		defer server.stop()
		p.nats, at = server.dialers, server.url()
	}
	return p.serve(ctx, partNames, func(edge addresses) { c.tell(out, edge, at) })
}

// cached is where go run starts a program that it has built before: in GOCACHE, under its hash.
var cached = regexp.MustCompile(`/[0-9a-f]{2}/[0-9a-f]{64}-d/[^/]+$`)

// typedAs is what a person types to run the program that was started as arg: go run builds it
// where nobody would look for it.
func typedAs(arg string) string {
	if strings.Contains(filepath.ToSlash(arg), "/go-build") || cached.MatchString(filepath.ToSlash(arg)) {
		return "go run ./tools/hall"
	}
	return arg
}

// tell tells people where the hall is and what to type.
func (c *upCommand) tell(out io.Writer, edge addresses, nats string) {
	first := "/SIGNUP yourname yourpassword"
	if c.demo() {
		first = "/SIGNIN netease1 123"
	}
	accounts := ""
	if c.strangers != "" {
		accounts = "\n  note     no demo accounts, as others may come in by " + c.strangers
	}
	credentials := ""
	if len(c.NATS) == 0 && !c.NATSListen.loopback() {
		credentials = "          with the user and password in " + filepath.Join(c.Data, adminFile)
	}
	host, port := reachable(edge.tcp)
	talk, play, web := "nc "+host+" "+port, net.JoinHostPort(host, port), "http://"+net.JoinHostPort(reachable(edge.http))
	if c.secured() { // nc does not speak TLS
		talk, play, web = "openssl s_client -quiet -connect "+play, "tls://"+play, "https"+strings.TrimPrefix(web, "http")
	}
	// Nobody may read it: the hall is open all the same.
	_, _ = fmt.Fprintf(out, `the hall is open
  talk     %s          then type: %s
  play     %s client %s
  web      %s
  inspect  nats -s %s service ls%s%s
  stop     Ctrl-C
`, talk, first, typedAs(os.Args[0]), play, web, nats, credentials, accounts)
}
