package load

import (
	"context"
	"fmt"
	"time"
)

// atOnce bounds the clients that are getting in side by side, and tokensAtOnce those that come back with
// a token: that costs no hash, and all who lost an edge do it at the same time.
const (
	atOnce       = 128
	tokensAtOnce = 512
)

// entry says how clients get in.
type entry struct {
	password string
	signUp   bool // before signing in
	resume   bool // with the token that they have
	atOnce   int  // so many side by side; 0 is [atOnce], or [tokensAtOnce]
}

// user is the name of the client with this number.
func user(i int) string { return fmt.Sprintf("load%05d", i) }

// enter adds clients until there are n, each with a session and in the channel. told is called
// now and then with how many are in.
func (f *fleet) enter(ctx context.Context, n int, how entry, told func(int)) error {
	from := len(f.clients)
	for i := from; i < n; i++ {
		f.clients = append(f.clients, client{fd: -1, user: user(i)})
	}
	which := make([]int, 0, n-from)
	for i := from; i < n; i++ {
		which = append(which, i)
	}
	return f.getIn(ctx, which, how, told)
}

// getIn connects the clients which and lets them in.
func (f *fleet) getIn(ctx context.Context, which []int, how entry, told func(int)) error {
	switch {
	case how.atOnce != 0:
	case how.resume:
		how.atOnce = tokensAtOnce
	default:
		how.atOnce = atOnce
	}
	done, next := 0, 0
	f.onState = func(i int, s state) {
		switch s {
		case open, refusedOnce:
			f.ask(i, how)
		case signedUp:
			f.signIn(i, how)
		case in:
			done++
		}
	}
	defer func() { f.onState = nil }()
	lately, progress := time.Now(), 0
	for done < len(which) {
		for next < len(which) && next-done < how.atOnce {
			f.hangUp(which[next]) // a connection that it has is lost now
			if err := f.dial(which[next]); err != nil {
				return err
			}
			next++
		}
		if err := f.poll(ctx); err != nil {
			return err
		}
		if done > progress {
			lately, progress = time.Now(), done
			told(f.welcomed)
		} else if time.Since(lately) > stalledAfter {
			return fmt.Errorf("only %d of %d clients got in: the server did not answer for %s", done, len(which), stalledAfter)
		}
	}
	return nil
}

// stalledAfter is how long nothing may come of what was asked before a run fails.
const stalledAfter = 20 * time.Second

// ask sends the first command of a client.
func (f *fleet) ask(i int, how entry) {
	switch {
	case f.dialect == Bare: // it is greeted
		f.clients[i].state = signingIn
	case how.signUp:
		f.clients[i].state = signingUp
		f.send(i, f.dialect.signUp(nil, f.clients[i].user, how.password))
	default:
		f.signIn(i, how)
	}
}

func (f *fleet) signIn(i int, how entry) {
	c := &f.clients[i]
	c.state = signingIn
	if how.resume && c.token != "" {
		f.send(i, f.dialect.resume(nil, c.token, f.channel.seq(i, c.seq)))
		return
	}
	f.channel.enter(i) // it may be told of others before it is welcomed
	f.send(i, f.dialect.signIn(nil, c.user, how.password))
}

// quiet polls until the channel was told nothing for so long.
func (f *fleet) quiet(ctx context.Context, long, most time.Duration) error {
	begun := f.since()
	for now := begun; now-max(begun, f.channel.lastTold) < long && now-begun < most; now = f.since() {
		if err := f.poll(ctx); err != nil {
			return err
		}
	}
	return nil
}
