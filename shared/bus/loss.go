package bus

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"
	"weak"

	"github.com/nats-io/nats.go"
)

// link knows when a connection loses its server, and when it has one again. The client tells
// neither to who waits for an answer: that is lost with the server, and is waited for in vain.
type link struct {
	mu   sync.Mutex
	lost context.Context // ends with the server; then there is a new one
	cut  context.CancelFunc
	back chan struct{} // closed when there is a server again; nil while none was lost

	replies replies
}

func newLink() *link {
	l := &link{}
	l.lost, l.cut = context.WithCancel(context.Background())
	return l
}

// down notes that the server is lost, and ends what waits for an answer.
func (l *link) down() {
	l.mu.Lock()
	cut := l.cut
	l.lost, l.cut = context.WithCancel(context.Background())
	if l.back == nil {
		l.back = make(chan struct{})
	}
	l.mu.Unlock()
	cut()
}

// up notes that there is a server again.
func (l *link) up() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back != nil {
		close(l.back)
		l.back = nil
	}
}

// links has the link of each connection that calls are made over for as long as that is in use: who
// closes a connection need not tell.
var links sync.Map // weak.Pointer[nats.Conn] -> *link

// of gives nc its link: l, if it has none yet.
func (l *link) of(nc *nats.Conn) *link {
	key := weak.Make(nc)
	have, had := links.LoadOrStore(key, l)
	if !had {
		runtime.AddCleanup(nc, func(key weak.Pointer[nats.Conn]) { links.Delete(key) }, key)
	}
	l, _ = have.(*link)
	return l
}

func linkOf(nc *nats.Conn) *link {
	if nc == nil {
		return nil
	}
	l, _ := links.Load(weak.Make(nc))
	of, _ := l.(*link)
	return of
}

// While calls do with a context that ends after d (0 is never), and as soon as nc loses its
// server: what was asked over nc is not answered any more then, and the error is
// [nats.ErrDisconnected], for who asks again. Only a connection of [Dialer.Connect] knows.
func While(ctx context.Context, nc *nats.Conn, d time.Duration, do func(context.Context) error) error {
	var within context.Context
	var cancel context.CancelFunc
	if d > 0 {
		within, cancel = context.WithTimeout(ctx, d)
	} else {
		within, cancel = context.WithCancel(ctx)
	}
	defer cancel()
	l := linkOf(nc)
	if l == nil {
		return do(within)
	}
	l.mu.Lock()
	lost := l.lost
	l.mu.Unlock()
	// It starts a goroutine when the server is lost, and none before.
	stop := context.AfterFunc(lost, cancel)
	defer stop()
	err := do(within)
	if errors.Is(err, context.Canceled) && ctx.Err() == nil && lost.Err() != nil {
		return nats.ErrDisconnected
	}
	return err
}

// Back is closed as soon as nc, which has lost its server, has one again; it is nil when nc has
// lost none. Who waits before asking again waits no longer than that.
func Back(nc *nats.Conn) <-chan struct{} {
	l := linkOf(nc)
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.back
}
