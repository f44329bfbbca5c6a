package session

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/name"
)

// stored is a bucket's entry as a watcher tells it.
type stored struct {
	jetstream.KeyValueEntry
	key   string
	value []byte
}

func (e stored) Key() string                     { return e.key }
func (e stored) Value() []byte                   { return e.value }
func (e stored) Revision() uint64                { return 1 }
func (e stored) Created() time.Time              { return time.Time{} }
func (e stored) Operation() jetstream.KeyValueOp { return jetstream.KeyValuePut }

// What a mirror keeps of a session is its record, and nothing of the message that told it. It is
// measured alone, not beside other tests.
func TestMirrorIsSmall(t *testing.T) { //nolint:paralleltest // see above
	const n, most = 7000, 620 // as many as fill the maps
	const prefix = "$KV.sessions."
	var all []stored
	for i := range n {
		user := fmt.Sprintf("player%d", i)
		r := Record{
			User: user, UserID: name.UserID(user), Session: bus.NewID(), State: Alive, Since: time.Now(),
			Edge: "the-edge-of-all-of-them", Conn: bus.NewID(), Command: bus.NewID(), Claimed: 7, Joined: 8,
		}
		value, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, stored{key: prefix + r.UserID, value: value})
	}
	used := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	d, m := &Directory{}, &mirror{records: map[string]*Record{}, ids: map[string]string{}}
	before := used()
	for _, e := range all {
		subject := string([]byte(e.key)) // each message has its own
		d.take(m, stored{key: subject[len(prefix):], value: e.value})
	}
	each := (used() - before) / n
	if t.Logf("%d bytes", each); each > most {
		t.Errorf("a session takes %d bytes, want at most %d", each, most)
	}
	runtime.KeepAlive(m)
	runtime.KeepAlive(all)
}
