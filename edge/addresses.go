package edge

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"gamehall/shared/fault"
	"gamehall/shared/name"
)

// addresses bounds what one address may do. Trusted ones may do all. The counts are this
// edge's own: several edges allow as many times more.
type addresses struct {
	perIP int
	nets  []netip.Prefix

	mu      sync.Mutex // guards the rest
	conns   map[netip.Prefix]int
	visits  map[netip.Prefix]int      // over HTTP
	visitor map[net.Conn]netip.Prefix // those that are counted
	dials   limiters[netip.Prefix]
	signIns limiters[netip.Prefix]
	pairs   limiters[pair]
	users   limiters[string]
	signUps limiters[netip.Prefix]
	allUps  *rate.Limiter
}

// pair is a user's name and an address.
type pair struct {
	user string
	addr netip.Prefix
}

// limiters are token buckets by key; a full one is forgotten.
type limiters[K comparable] struct {
	every time.Duration // a token
	burst int
	all   map[K]*rate.Limiter
}

func newLimiters[K comparable](n int, in time.Duration) limiters[K] {
	return limiters[K]{every: in / time.Duration(n), burst: n, all: map[K]*rate.Limiter{}}
}

func (l *limiters[K]) get(k K) *rate.Limiter {
	r := l.all[k]
	if r == nil {
		r = rate.NewLimiter(rate.Every(l.every), l.burst)
		l.all[k] = r
	}
	return r
}

func (l *limiters[K]) sweep(now time.Time) {
	for k, r := range l.all {
		if r.TokensAt(now) >= float64(l.burst) {
			delete(l.all, k)
		}
	}
}

func newAddresses(cfg Config) *addresses {
	return &addresses{
		perIP: cfg.ConnectionsPerIP, nets: cfg.TrustedNets,
		conns:   map[netip.Prefix]int{},
		visits:  map[netip.Prefix]int{},
		visitor: map[net.Conn]netip.Prefix{},
		dials:   newLimiters[netip.Prefix](newPerWindow, newWindow),
		signIns: newLimiters[netip.Prefix](signInPerAddress, time.Minute),
		pairs:   newLimiters[pair](signInPerUserAndAddress, time.Minute),
		users:   newLimiters[string](signInPerUser, signInUserWindow),
		signUps: newLimiters[netip.Prefix](signUpPerAddress, time.Hour),
		allUps:  rate.NewLimiter(rate.Every(10*time.Minute/signUpAll), signUpAll),
	}
}

func (a *addresses) trusted(addr netip.Addr) bool {
	for _, n := range a.nets {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}

// customer is the part of an address that one customer has.
func customer(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = addressBits
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// visit counts an HTTP connection, or refuses it.
func (a *addresses) visit(nc net.Conn) bool {
	addr := addrOf(nc.RemoteAddr().String())
	if a.trusted(addr) {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	from := customer(addr)
	if a.visits[from] >= a.perIP {
		return false
	}
	a.visits[from]++
	a.visitor[nc] = from
	return true
}

// unvisit ends what visit counted.
func (a *addresses) unvisit(nc net.Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	from, counted := a.visitor[nc]
	if !counted {
		return
	}
	delete(a.visitor, nc)
	if a.visits[from]--; a.visits[from] <= 0 {
		delete(a.visits, from)
	}
}

// open counts a connection, or refuses it.
func (a *addresses) open(c *conn) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	from := customer(c.addr)
	if !c.trusted && (a.conns[from] >= a.perIP || !a.dials.get(from).Allow()) {
		return false
	}
	a.conns[from]++
	return true
}

func (a *addresses) close(c *conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	from := customer(c.addr)
	if a.conns[from]--; a.conns[from] <= 0 {
		delete(a.conns, from)
	}
}

// signUp counts a sign-up. undo takes it back when no account came of it: a name that is
// taken must not cost one of the few accounts that an address may make. The attempt itself
// counts as a sign-in does, since it may cost a hash. Fault: rate_limited.
func (a *addresses) signUp(c *conn) (undo func(), err error) {
	if c.trusted {
		return func() {}, nil
	}
	now, from := time.Now(), customer(c.addr)
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.signIns.get(from).AllowN(now, 1) {
		return nil, fault.New(fault.RateLimited, "too many attempts, please try again in a minute")
	}
	one, all := a.signUps.get(from).ReserveN(now, 1), a.allUps.ReserveN(now, 1)
	undo = func() {
		one.CancelAt(now)
		all.CancelAt(now)
	}
	if one.DelayFrom(now) > 0 || all.DelayFrom(now) > 0 {
		undo()
		return nil, fault.New(fault.RateLimited, "too many new accounts from your network, please try again later")
	}
	return undo, nil
}

// signIn counts a sign-in, and holds it for a while when its user is asked for too often: an
// owner with the right password is never locked out. Fault: rate_limited.
func (a *addresses) signIn(ctx context.Context, c *conn, user string) error {
	if c.trusted {
		return nil
	}
	if canonical, err := name.User(user); err == nil {
		user = canonical // in whatever form it was typed
	} else {
		user = strings.ToLower(user)
	}
	from := customer(c.addr)
	a.mu.Lock()
	ok := a.signIns.get(from).Allow() && a.pairs.get(pair{user, from}).Allow()
	late := ok && !a.users.get(user).Allow()
	a.mu.Unlock()
	if !ok {
		return fault.New(fault.RateLimited, "too many sign-ins, please try again in a minute")
	}
	if !late {
		return nil
	}
	timer := time.NewTimer(signInDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.done:
	case <-ctx.Done():
	}
	return nil
}

// sweep forgets what has recovered.
func (a *addresses) sweep(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dials.sweep(now)
	a.signIns.sweep(now)
	a.pairs.sweep(now)
	a.users.sweep(now)
	a.signUps.sweep(now)
}
