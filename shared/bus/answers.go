package bus

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"
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

// commandKey stands for a command: so much of a SHA-256 that no two have the same.
type commandKey [16]byte

func (c command) key() commandKey {
	var room [256]byte
	text := append(room[:0], c.body[:]...)
	for _, part := range []string{c.subject, c.user, c.id} {
		text = binary.AppendUvarint(text, uint64(len(part)))
		text = append(text, part...)
	}
	sum := sha256.Sum256(text)
	return commandKey(sum[:])
}

// claim is a command as some session sends it, before anybody looked whether that is the
// user's.
type claim struct {
	key     commandKey
	session string
}

// answers remembers the answer to each command, and what is under way. Its mutex guards its
// fields. A crowd that signs in leaves thousands of them for [AnswersKept], so they are small, and
// those of a time lie together, where nothing that lives longer or shorter lies between them.
type answers struct {
	most int // default answersMost

	mu    sync.Mutex
	kept  map[commandKey]*answer
	old   []*answer          // in the order they were begun
	taken map[claim]struct{} // queued or under way
	free  []answer           // the next ones
	text  []byte             // what the last ones say
}

// How many answers lie together, and how much of what they say. An answer that is a large part of
// that lies alone.
const (
	answersTogether = 64
	textTogether    = 16 << 10
	textAlone       = textTogether / 8
)

type answer struct {
	key     commandKey
	session uint64        // by sessionMark, whose command was carried out first
	begun   time.Duration // since marksBegan
	until   time.Duration // when it is forgotten, if that is sooner than AnswersKept; 0 if not
	data    []byte
	header  nats.Header
	known   bool // false while the command is under way
	gone    bool // forgotten: the entry in old is stale
}

// What a session and a time are remembered by.
var (
	marks      = maphash.MakeSeed()
	marksBegan = time.Now()
)

func sessionMark(session string) uint64 { return maphash.String(marks, session) }

// msg gives the answer once more; nil while the command is under way.
func (a *answer) msg() *nats.Msg {
	if !a.known {
		return nil
	}
	return &nats.Msg{Header: a.header, Data: a.data}
}

// take reserves the work for c. fresh is true when it is the caller's to do and to end with
// leave. Otherwise msg is the answer, which the same session had before, or nil when the
// command is queued or under way.
func (a *answers) take(c claim, now time.Time) (msg *nats.Msg, fresh bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forget(now)
	a.expire(c.key, now)
	// The session is as good as its being live: it was when the first answer was given, and
	// a sign-out that is repeated finds no live session any more.
	if have := a.kept[c.key]; have != nil && have.known && have.session == sessionMark(c.session) {
		return have.msg(), false
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
	a.expire(c.key, now)
	if have, ok := a.kept[c.key]; ok {
		return have.msg(), nil
	}
	if a.kept == nil {
		a.kept = map[commandKey]*answer{}
	}
	if len(a.free) == 0 {
		a.free = make([]answer, answersTogether)
	}
	mine, a.free = &a.free[0], a.free[1:]
	*mine = answer{key: c.key, session: sessionMark(c.session), begun: now.Sub(marksBegan)}
	a.kept[c.key] = mine
	a.old = append(a.old, mine)
	return nil, mine
}

// end keeps msg as the answer until then, or for [AnswersKept] if until is zero; nil forgets
// the command, so that it may be tried again.
func (a *answers) end(mine *answer, msg *nats.Msg, until time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if msg == nil {
		mine.gone = true
		delete(a.kept, mine.key)
		return
	}
	mine.known, mine.header, mine.data = true, msg.Header, a.together(msg.Data)
	if !until.IsZero() {
		mine.until = until.Sub(marksBegan)
	}
}

// together gives data as it lies with others'; a.mu is held.
func (a *answers) together(data []byte) []byte {
	if len(data) > textAlone {
		return data
	}
	if len(a.text)+len(data) > cap(a.text) {
		a.text = make([]byte, 0, textTogether)
	}
	from := len(a.text)
	a.text = append(a.text, data...)
	return a.text[from:len(a.text):len(a.text)]
}

// expire forgets an answer that was kept for a moment; a.mu is held.
func (a *answers) expire(c commandKey, now time.Time) {
	if have := a.kept[c]; have != nil && have.known && have.until != 0 && now.Sub(marksBegan) > have.until {
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
		if !first.gone && len(a.old) <= most && now.Sub(marksBegan)-first.begun <= AnswersKept {
			return
		}
		a.old[0] = nil
		a.old = a.old[1:]
		switch {
		case first.gone:
		case !first.known:
			a.old = append(a.old, first)
		default:
			delete(a.kept, first.key)
		}
	}
}
