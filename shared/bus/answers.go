package bus

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// AnswersKept is how long a command id is remembered: the stream's duplicate window.
const AnswersKept = 2 * time.Minute

// answersMost bounds the memory of answers; beyond it the oldest go first. At 3,000
// commands a second of some 300 bytes it holds 20 s worth, which is more than any caller
// retries.
const answersMost = 1 << 16

// command names one state change: whose it is, and its id. What it lacks of a signed-in
// caller it has of the request, so that the same id with another password is another
// command.
type command struct {
	subject, user, id string
	body              [32]byte // SHA-256 of the request of a method for anyone
}

// claim is a command as some session sends it, before anybody looked whether that is the
// user's.
type claim struct {
	command
	session string
}

// answers remembers the answer to each command, and what is under way. Its mutex guards its
// fields.
type answers struct {
	most int // default answersMost

	mu    sync.Mutex
	kept  map[command]*answer
	old   []*answer          // in the order they were begun
	taken map[claim]struct{} // queued or under way
}

type answer struct {
	command
	session string // whose command was carried out first
	begun   time.Time
	msg     *nats.Msg // nil while the command is under way
	until   time.Time // when msg is forgotten, if that is sooner than AnswersKept
	gone    bool      // forgotten: the entry in old is stale
}

// take reserves the work for c. fresh is true when it is the caller's to do and to end with
// leave. Otherwise msg is the answer, which the same session had before, or nil when the
// command is queued or under way.
func (a *answers) take(c claim, now time.Time) (msg *nats.Msg, fresh bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forget(now)
	a.expire(c.command, now)
	// The session is as good as its being live: it was when the first answer was given, and
	// a sign-out that is repeated finds no live session any more.
	if have := a.kept[c.command]; have != nil && have.msg != nil && have.session == c.session {
		return have.msg, false
	}
	if _, under := a.taken[c]; under {
		return nil, false
	}
	if a.taken == nil {
		a.taken = map[claim]struct{}{}
	}
	a.taken[c] = struct{}{}
	return nil, true
}

// leave ends what take reserved.
func (a *answers) leave(c claim) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.taken, c)
}

// begin starts a command whose caller is known. mine is nil when it was started before; then
// msg is its answer, nil while it is under way.
func (a *answers) begin(c claim, now time.Time) (msg *nats.Msg, mine *answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.expire(c.command, now)
	if have, ok := a.kept[c.command]; ok {
		return have.msg, nil
	}
	if a.kept == nil {
		a.kept = map[command]*answer{}
	}
	mine = &answer{command: c.command, session: c.session, begun: now}
	a.kept[c.command] = mine
	a.old = append(a.old, mine)
	return nil, mine
}

// end keeps msg as the answer until then, or for [AnswersKept] if until is zero; nil forgets
// the command, so that it may be tried again.
func (a *answers) end(mine *answer, msg *nats.Msg, until time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	mine.msg, mine.until = msg, until
	if msg == nil {
		mine.gone = true
		delete(a.kept, mine.command)
	}
}

// expire forgets an answer that was kept for a moment; a.mu is held.
func (a *answers) expire(c command, now time.Time) {
	if have := a.kept[c]; have != nil && have.msg != nil && !have.until.IsZero() && now.After(have.until) {
		have.gone = true
		delete(a.kept, c)
	}
}

// forget drops what is old or too much. A command that is under way goes to the back: its
// retries must find it.
func (a *answers) forget(now time.Time) {
	most := a.most
	if most == 0 {
		most = answersMost
	}
	for n := len(a.old); n > 0; n-- {
		first := a.old[0]
		if !first.gone && len(a.old) <= most && now.Sub(first.begun) <= AnswersKept {
			return
		}
		a.old[0] = nil
		a.old = a.old[1:]
		switch {
		case first.gone:
		case first.msg == nil:
			a.old = append(a.old, first)
		default:
			delete(a.kept, first.command)
		}
	}
}
