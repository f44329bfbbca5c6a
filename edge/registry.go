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
	spoke  map[string]time.Time // connections that are gone, had resumed a session and sent something; since when
}

// holder is a session and the connection that has it.
type holder struct {
	c *conn
	s *session
}

func newRegistry() *registry {
	return &registry{conns: map[string]*conn{}, users: map[string]holder{}, lookup: map[string]holder{}, spoke: map[string]time.Time{}}
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

func (r *registry) add(c *conn, s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.users[s.userID] = holder{c, s}
	r.lookup[s.id] = holder{c, s}
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
