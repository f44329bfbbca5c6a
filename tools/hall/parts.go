package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/edge"
	"gamehall/services/account"
	"gamehall/services/auth"
	"gamehall/services/chat"
	"gamehall/services/game21"
	"gamehall/services/room"
	"gamehall/shared/bus"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// edgeName is the part that players connect to.
const edgeName = "edge"

// partNames are all parts in the order in which they start: the edge last, so that nobody
// gets in before everything is there.
var partNames = []string{"auth", "account", "chat", "room", "game21", edgeName}

// stillWaiting is how often somebody who waits for NATS is told so.
const stillWaiting = 5 * time.Second

// parts makes parts of the flags.
type parts struct {
	flags *partFlags
	nats  dialers
	bare  bool   // a person with the nats CLI may play without a session's id
	lives *lives // the edges of this data folder; nil when it keeps no account of them
	whole bool   // all parts are in this process, and its services share what they can
	log   *slog.Logger

	sessions *session.Directory // shared by the services; nil when each opens its own
}

// serve starts the named parts, tells opened the edge's addresses, and stops all of them once
// ctx ends. When one does not start, the others are stopped and its error is returned; a
// start that ctx cut short is none.
func (p parts) serve(ctx context.Context, names []string, opened func(addresses)) error {
	unprofile, err := p.flags.pprofFlags.serve(ctx, p.log)
	if err != nil {
		return err
	}
	defer unprofile()
	var resting sync.WaitGroup
	defer resting.Wait()
	rest, rested := context.WithCancel(ctx)
	defer rested()
	resting.Go(func() { giveBack(rest) })
	if p.whole {
		dialer, err := p.nats("auth", p.log) // which may read them
		if err != nil {
			return err
		}
		shared, err := session.Share(ctx, dialer, streams.Options{Replicas: p.flags.Replicas}, p.log)
		if ctx.Err() != nil {
			shared.Close()
			p.log.Info("stopping before the start was complete")
			return nil
		}
		if err != nil {
			return err
		}
		defer shared.Close()
		p.sessions = shared.Directory
	}
	h := house{log: p.log}
	var at addresses
	for _, name := range partNames {
		if !slices.Contains(names, name) {
			continue
		}
		err := h.start(ctx, p.part(name, &at))
		if ctx.Err() != nil {
			p.log.Info("stopping before the start was complete")
			return h.stop()
		}
		if err != nil {
			return errors.Join(err, h.stop())
		}
	}
	opened(at)
	h.keep(ctx)
	p.log.Info("stopping")
	return h.stop()
}

// portsFree tells which of the edge's flags names an address where nobody can listen, before
// anything is started in vain.
func (f *partFlags) portsFree(ctx context.Context) error {
	if err := free(ctx, "--tcp", f.TCP); err != nil {
		return err
	}
	return free(ctx, "--http", f.HTTP)
}

// waitForNATS returns once NATS and its JetStream answer, and tells while they do not. That
// they are absent is no error, they may be starting too; that they refuse our credentials,
// or let us do too little, is one. It asks as the part that is named.
func (p parts) waitForNATS(ctx context.Context, as string) error {
	at := redacted(p.flags.NATS)
	dialer, err := p.nats(as, p.log)
	if err != nil {
		return err
	}
	// What this connection meets is told here.
	dialer.Options = append(dialer.Options, nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	nc, err := dialer.Connect(as + " start")
	if err != nil {
		return err
	}
	defer nc.Close()
	for ctx.Err() == nil {
		err := p.natsAnswers(ctx, nc)
		switch {
		case err == nil:
			return nil
		case errors.Is(nc.LastError(), nats.ErrAuthorization), errors.Is(nc.LastError(), nats.ErrAuthExpired):
			return fmt.Errorf("nats at %s refuses these credentials: put the right ones into --nats, as nats://user:password@host:4222", at)
		case errors.Is(err, nats.ErrPermissionViolation) && anonymous(p.flags.NATS):
			return fmt.Errorf("anonymous access to nats at %s is not enough: use the url in data/nats-admin.txt, where data is the data folder of the hall that is up", at)
		case errors.Is(err, nats.ErrPermissionViolation):
			return fmt.Errorf("the user of nats at %s may not do enough: parts need the whole of JetStream, $KV.> and hall.> (%w)", at, err)
		case ctx.Err() == nil:
			p.log.Warn("waiting for nats: is it running, with JetStream?", "nats", at, "error", err)
		}
	}
	return nil
}

func (p parts) natsAnswers(ctx context.Context, nc *nats.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, stillWaiting)
	defer cancel()
	if err := bus.WaitConnected(ctx, nc); err != nil {
		return err
	}
	// A refusal is told apart from the answer, which then never comes; but before that of the
	// flush.
	if err := nc.Publish("$JS.API.INFO", nil); err != nil {
		return err
	}
	if err := nc.FlushWithContext(ctx); err != nil {
		return err
	}
	if err := nc.LastError(); errors.Is(err, nats.ErrPermissionViolation) {
		return err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	for {
		asking, cancel := context.WithTimeout(ctx, time.Second)
		_, err := js.AccountInfo(asking)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond): // a cluster that starts has no leader yet
		}
	}
}

// addresses are where the edge listens.
type addresses struct{ tcp, http string }

// part makes the named part of the flags. The edge tells its addresses in at.
func (p parts) part(name string, at *addresses) part {
	f := p.flags
	dialer, err := p.nats(name, p.log)
	if err != nil {
		return part{name: name, start: func(context.Context) (running, error) { return nil, err }}
	}
	start := map[string]func(context.Context) (running, error){
		"auth": func(ctx context.Context) (running, error) {
			cfg := auth.Config{
				NATS: dialer, Replicas: f.Replicas, DB: f.DB, Data: f.Data, Bare: p.bare, Sessions: p.sessions, Log: p.log,
				PasswordMin: f.passwordMin(), PasswordHash: f.PasswordHash.String(), FormerEdges: p.lives.former(),
			}
			if f.demo() {
				cfg.DemoAccounts = auth.DemoAccounts()
			}
			return started(auth.Start(ctx, cfg))
		},
		"account": func(ctx context.Context) (running, error) {
			return started(account.Start(ctx, account.Config{
				NATS: dialer, Replicas: f.Replicas, DB: f.DB, Data: f.Data, Bare: p.bare, Sessions: p.sessions, Log: p.log,
			}))
		},
		"chat": func(ctx context.Context) (running, error) {
			return started(chat.Start(ctx, chat.Config{
				NATS: dialer, Replicas: f.Replicas, Bare: p.bare, Sessions: p.sessions, Log: p.log,
			}))
		},
		"room": func(ctx context.Context) (running, error) {
			return started(room.Start(ctx, room.Config{
				NATS: dialer, Replicas: f.Replicas, Bare: p.bare, Sessions: p.sessions, Log: p.log,
				EmptyAfter: f.RoomEmpty,
			}))
		},
		"game21": func(ctx context.Context) (running, error) {
			return started(game21.Start(ctx, game21.Config{
				NATS: dialer, Replicas: f.Replicas, DB: f.DB, Data: f.Data, Bare: p.bare, Sessions: p.sessions, Log: p.log,
				Period: f.Game21Period, Duration: f.Game21Duration, First: f.Game21First, Solvable: f.Game21Solvable,
				Zone: time.Local,
			}))
		},
		edgeName: func(ctx context.Context) (running, error) {
			e, err := edge.Start(ctx, edge.Config{
				NATS: dialer, Replicas: f.Replicas, Name: f.EdgeName, Log: p.log,
				TCP: f.TCP.String(), HTTP: f.HTTP.String(), TLSCert: f.TLSCert, TLSKey: f.TLSKey,
				TrustedNets: f.TrustedNet, AllowOrigins: f.allowOrigins(), ConnectionsPerIP: f.ConnectionsPerIP,
				Rate: f.Rate, Burst: f.Burst, AwayAfter: f.AwayAfter, IdleAfter: f.IdleAfter,
				OnTenure: p.lives.begin,
			})
			if err != nil {
				return nil, f.helpful(err)
			}
			*at = addresses{e.TCPAddr().String(), e.HTTPAddr().String()}
			p.log.Info("open", "part", edgeName, "tcp", at.tcp, "http", at.http)
			return e, nil
		},
	}
	return part{name: name, start: start[name]}
}

// started turns what a Start gave into a [running]: a nil pointer in one would not be nil.
func started[S running](s S, err error) (running, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// helpful adds what to do to an error of the edge's start: somebody took a port since
// portsFree.
func (f *partFlags) helpful(err error) error {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "listen" {
		return err
	}
	if at, ok := op.Addr.(*net.TCPAddr); ok && at.Port == f.HTTP.port {
		return unlistened("--http", f.HTTP, err)
	}
	return unlistened("--tcp", f.TCP, err)
}
