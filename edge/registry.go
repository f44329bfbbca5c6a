package edge

import (
	"sync"
	"time"
)

// registry finds connections by their id, and sessions by user and by id.
type registry struct {
	mu     sync.RWMutex
	conns  map[string]*conn
	users  map[string]holder
	lookup map[string]holder    // by session id
	early  map[string]early     // rooms that sessions entered before they are here, by session id
	spoke  map[string]time.Time // connections that are gone, had resumed a session and sent something; since when
}

// holder is a session and the connection that has it.
type holder struct {
	c *conn
	s *session
}

// early is a room that a session has entered which is only on its way here: it was resumed while
// the join was stored.
type early struct {
	room room
	at   time.Time
}

func newRegistry() *registry {
	return &registry{conns: map[string]*conn{}, users: map[string]holder{}, lookup: map[string]holder{}, spoke: map[string]time.Time{}, early: map[string]early{}}
}

func (r *registry) connect(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns[c.id] = c
}

func (r *registry) disconnect(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c.id)
}

// add makes a session known, and gives the room that it has entered already; nil is none.
func (r *registry) add(c *conn, s *session) *room {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.users[s.userID] = holder{c, s}
	r.lookup[s.id] = holder{c, s}
	e, entered := r.early[s.id]
	if !entered {
		return nil
	}
	delete(r.early, s.id)
	return &e.room
}

// entered gives the session that entered a room. One that is not known, or not yet, finds the
// room when it is added.
func (r *registry) entered(id string, in room, now time.Time) (*conn, *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, known := r.lookup[id]
	if !known && len(r.early) < earlyMost {
		r.early[id] = early{in, now}
	}
	return h.c, h.s
}

func (r *registry) remove(_ *conn, s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.users[s.userID].s == s {
		delete(r.users, s.userID)
	}
	if r.lookup[s.id].s == s {
		delete(r.lookup, s.id)
	}
}

// remember keeps that a connection sent something before it went: until that is stored with
// its session, only this edge knows.
func (r *registry) remember(c *conn, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spoke[c.id] = now
}

// hasSpoken tells whether a connection that is gone is remembered.
func (r *registry) hasSpoken(id string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, is := r.spoke[id]
	return is
}

// forget drops what is remembered for longer than it takes to store it.
func (r *registry) forget(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, at := range r.spoke {
		if now.Sub(at) > endFor {
			delete(r.spoke, id)
		}
	}
	for id, e := range r.early {
		if now.Sub(e.at) > endFor {
			delete(r.early, id)
		}
	}
}

// conn gives the connection with that id, nil when there is none.
func (r *registry) conn(id string) *conn {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.conns[id]
}

// user gives a user's session here.
func (r *registry) user(userID string) (*conn, *session) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	h := r.users[userID]
	return h.c, h.s
}

// session gives the session with that id.
func (r *registry) session(id string) (*conn, *session) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	h := r.lookup[id]
	return h.c, h.s
}

// all gives every connection.
func (r *registry) all() []*conn {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := make([]*conn, 0, len(r.conns))
	for _, c := range r.conns {
		list = append(list, c)
	}
	return list
}

// counts gives how many connections and sessions there are.
func (r *registry) counts() (conns, sessions int) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.conns), len(r.lookup)
}
