package room

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gamehall/shared/roomapi"
)

// mirror is what a copy knows of the records without asking: good for lists, for what to look
// at next, and as the guess that a compare-and-set tries. Nobody is refused by it.
type mirror struct {
	mu      sync.RWMutex
	rooms   map[string]kept[Room]       // those that exist
	members map[string]kept[Membership] // those in a room, or with a room of their own
	in      map[string]map[string]bool  // room id -> ids of the users in it
	at      uint64                      // it has every record up to this sequence
	moved   chan struct{}               // closed when at grows
	loaded  chan struct{}               // closed when it has what was there at the start
	once    sync.Once
}

// kept is a record as it was stored.
type kept[T any] struct {
	record T
	seq    uint64
	at     time.Time // by the server's clock
}

func newMirror() *mirror {
	return &mirror{
		rooms: map[string]kept[Room]{}, members: map[string]kept[Membership]{}, in: map[string]map[string]bool{},
		moved: make(chan struct{}), loaded: make(chan struct{}),
	}
}

// ready says that what was there at the start has been taken.
func (m *mirror) ready() { m.once.Do(func() { close(m.loaded) }) }

// takeRoom puts in a room's record. Records come in the stream's order; one that was had
// already, because the reading began again, changes nothing.
func (m *mirror) takeRoom(id string, r Room, seq uint64, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.advance(seq) {
		return
	}
	if r.Exists() {
		m.rooms[id] = kept[Room]{r, seq, at}
	} else {
		delete(m.rooms, id)
	}
}

// takeMember puts in a user's record.
func (m *mirror) takeMember(userID string, r Membership, seq uint64, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.advance(seq) {
		return
	}
	if old := m.members[userID].record.RoomID; old != "" {
		delete(m.in[old], userID)
		if len(m.in[old]) == 0 {
			delete(m.in, old)
		}
	}
	if !r.In() && len(r.Owned) == 0 {
		delete(m.members, userID)
		return
	}
	m.members[userID] = kept[Membership]{r, seq, at}
	if r.In() {
		if m.in[r.RoomID] == nil {
			m.in[r.RoomID] = map[string]bool{}
		}
		m.in[r.RoomID][userID] = true
	}
}

// advance moves at; false when seq was had.
func (m *mirror) advance(seq uint64) bool {
	if seq <= m.at {
		return false
	}
	m.at = seq
	close(m.moved)
	m.moved = make(chan struct{})
	return true
}

// reached gives the sequence up to which the mirror has every record.
func (m *mirror) reached() uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.at
}

// reach waits until the mirror has the record with the sequence seq.
func (m *mirror) reach(ctx context.Context, seq uint64) error {
	for {
		m.mu.RLock()
		at, moved := m.at, m.moved
		m.mu.RUnlock()
		if at >= seq {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return outOfTime()
		}
	}
}

// member gives the record of a user who is in a room or owns one, and its sequence.
func (m *mirror) member(userID string) (r Membership, seq uint64, known bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	k, known := m.members[userID]
	return k.record, k.seq, known
}

// list gives the rooms by name, at most most of them.
func (m *mirror) list(most int) []roomapi.Listed {
	m.mu.RLock()
	all := make([]roomapi.Listed, 0, len(m.rooms))
	for _, k := range m.rooms {
		all = append(all, roomapi.Listed{Room: k.record.Name, Members: k.record.Members, Max: k.record.Max})
	}
	m.mu.RUnlock()
	slices.SortFunc(all, func(a, b roomapi.Listed) int { return strings.Compare(a.Room, b.Room) })
	return all[:min(len(all), most)]
}

// names gives the users in a room, by name.
func (m *mirror) names(roomID string) []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all := make([]string, 0, len(m.in[roomID]))
	for id := range m.in[roomID] {
		all = append(all, m.members[id].record.User)
	}
	slices.Sort(all)
	return all
}

// snapshot copies what the keeper goes through.
func (m *mirror) snapshot() (rooms map[string]kept[Room], members map[string]kept[Membership]) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return maps.Clone(m.rooms), maps.Clone(m.members)
}
