package bus

import (
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

// replies hears the answers to all calls over one connection. The client's own request forgets
// an attempt when its time is over; here its answer is heard as long as the call goes on, for a
// copy that is slow has still the last word on what it was asked.
type replies struct {
	mu     sync.Mutex
	prefix string // with a dot at its end; empty until the first call
	last   uint64 // call
	calls  map[string]chan *nats.Msg
}

// lateMost is how many answers one call can have waiting: of each attempt one, and it reads them
// as they come.
const lateMost = 16

// listen gives the inbox of a new call; an attempt adds its number. done ends it.
func (r *replies) listen(nc *nats.Conn) (inbox string, answers <-chan *nats.Msg, done func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.prefix == "" {
		prefix := nc.NewInbox() + "."
		if _, err := nc.Subscribe(prefix+"*.*", r.take); err != nil { // it ends with the connection
			return "", nil, nil, err
		}
		r.prefix, r.calls = prefix, map[string]chan *nats.Msg{}
	}
	r.last++
	token, heard := strconv.FormatUint(r.last, 36), make(chan *nats.Msg, lateMost)
	r.calls[token] = heard
	return r.prefix + token + ".", heard, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.calls, token)
	}, nil
}

func (r *replies) take(m *nats.Msg) {
	token, _, _ := strings.Cut(strings.TrimPrefix(m.Subject, r.prefix), ".")
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case r.calls[token] <- m: // nobody hears a call that is done
	default:
	}
}

// attemptOf is the number of the attempt that m answers.
func attemptOf(m *nats.Msg) int {
	n, _ := strconv.Atoi(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:])
	return n
}

// nobodyThere tells whether m is the server's word that nobody serves the subject.
func nobodyThere(m *nats.Msg) bool { return len(m.Data) == 0 && m.Header.Get("Status") == "503" }
