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

// answers remembers the answer to each command. One that is under way has none yet.
type answers struct {
	mu   sync.Mutex
	kept map[string]*answer
	old  []*answer // in the order they were begun
}

type answer struct {
	key   string
	begun time.Time
	msg   *nats.Msg // nil while the command is under way
	gone  bool      // forgotten: the entry in old is stale
}

// begin takes the command for key. fresh is true when the caller is to carry it out;
// otherwise msg is its answer, nil while it is under way.
func (a *answers) begin(key string, now time.Time) (msg *nats.Msg, fresh bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.old) > 0 && (a.old[0].gone || len(a.old) > answersMost || now.Sub(a.old[0].begun) > AnswersKept) {
		if !a.old[0].gone {
			delete(a.kept, a.old[0].key)
		}
		a.old[0] = nil
		a.old = a.old[1:]
	}
	if have, ok := a.kept[key]; ok {
		return have.msg, false
	}
	if a.kept == nil {
		a.kept = map[string]*answer{}
	}
	fresh1 := &answer{key: key, begun: now}
	a.kept[key] = fresh1
	a.old = append(a.old, fresh1)
	return nil, true
}

// end keeps msg as the answer for key; nil forgets the command, so that it may be tried
// again.
func (a *answers) end(key string, msg *nats.Msg) {
	a.mu.Lock()
	defer a.mu.Unlock()
	have, ok := a.kept[key]
	if !ok {
		return
	}
	if msg == nil {
		have.gone = true
		delete(a.kept, key)
		return
	}
	have.msg = msg
}
