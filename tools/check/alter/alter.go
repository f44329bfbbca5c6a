package alter

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"gamehall/shared/event"
	"gamehall/tools/check/history"
	"gamehall/tools/check/verify"
)

// Defect is one way to break a history.
type Defect struct {
	Name   string
	Breaks verify.ID // what the checker must find, perhaps among others
	Says   string    // what the hall would have done wrong
	apply  func(*run) bool
}

// ErrNothing says that the run has nothing to break in that way.
var ErrNothing = errors.New("the run has nothing that this defect could be made of")

// Apply gives a copy of the history with the defect in it, in a place that seed chooses.
func Apply(h *history.History, d Defect, seed uint64) (*history.History, error) {
	r, err := load(h, seed)
	if err != nil {
		return nil, err
	}
	if !d.apply(r) {
		return nil, fmt.Errorf("%s: %w", d.Name, ErrNothing)
	}
	return r.history(), nil
}

// run is a history that can be changed. All nodes have the same log.
type run struct {
	rng     *rand.Rand
	run     history.Run
	names   []string
	files   map[string][]history.Event
	nodes   []string
	log     []history.Message
	decoded map[uint64]event.Event // of HALL_EVENTS
}

func load(h *history.History, seed uint64) (*run, error) {
	r := &run{
		rng: rand.New(rand.NewPCG(seed, 5)), //nolint:gosec // the same seed chooses the same place
		run: h.Run, names: h.Clients(), nodes: h.Nodes(),
		files: map[string][]history.Event{}, decoded: map[uint64]event.Event{},
	}
	for _, name := range r.names {
		events, err := h.Events(name)
		if err != nil {
			return nil, err
		}
		r.files[name] = slices.Clone(events)
	}
	for _, node := range r.nodes {
		messages, err := h.Stream(node)
		if err != nil {
			return nil, err
		}
		if len(messages) > len(r.log) {
			r.log = slices.Clone(messages)
		}
	}
	for _, m := range r.log {
		var e event.Event
		if m.Stream == events && json.Unmarshal(m.Data, &e) == nil {
			r.decoded[m.Seq] = e
		}
	}
	return r, nil
}

const (
	events = "HALL_EVENTS"
	game   = "HALL_GAME21"
	second = int64(time.Second)

	millisecond = int64(time.Millisecond)
)

func (r *run) history() *history.History {
	streams := map[string][]history.Message{}
	for _, node := range r.nodes {
		streams[node] = r.log
	}
	return history.Memory(r.run, r.files, streams)
}

// place is an event of a client.
type place struct {
	client string
	at     int
}

func (r *run) event(p place) *history.Event { return &r.files[p.client][p.at] }

// find gives all events that is accepts, in one order.
func (r *run) find(is func(e history.Event) bool) (found []place) {
	for _, name := range r.names {
		for i, e := range r.files[name] {
			if is(e) {
				found = append(found, place{name, i})
			}
		}
	}
	return found
}

// one gives one of them.
func (r *run) one(is func(e history.Event) bool) (place, bool) {
	found := r.find(is)
	if len(found) == 0 {
		return place{}, false
	}
	return found[r.rng.IntN(len(found))], true
}

// shuffled gives all of them, in any order.
func (r *run) shuffled(is func(e history.Event) bool) []place {
	found := r.find(is)
	r.rng.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	return found
}

// drop removes what is accepts from every client's file.
func (r *run) drop(is func(e history.Event) bool) {
	for _, name := range r.names {
		r.files[name] = slices.DeleteFunc(r.files[name], is)
	}
}

// insert puts e behind p, at its time.
func (r *run) insert(p place, list ...history.Event) {
	at := *r.event(p)
	for i := range list {
		list[i].Client, list[i].Conn = p.client, cmp.Or(list[i].Conn, at.Conn)
		if list[i].T == 0 {
			list[i].T = at.T
		}
	}
	r.files[p.client] = slices.Insert(r.files[p.client], p.at+1, list...)
}

// other gives the outcome of an invoke, or the invoke of an outcome.
func (r *run) other(p place) (place, bool) {
	e := *r.event(p)
	for i, o := range r.files[p.client] {
		if i != p.at && o.Req == e.Req && o.Req != 0 && (o.Type == history.Invoke) != (e.Type == history.Invoke) {
			return place{p.client, i}, true
		}
	}
	return place{}, false
}

// unstore removes messages from the log, and what was told of them.
func (r *run) unstore(is func(m history.Message) bool) {
	gone := map[uint64]bool{}
	r.log = slices.DeleteFunc(r.log, func(m history.Message) bool {
		if is(m) && m.Stream == events {
			gone[m.Seq] = true
		}
		return is(m)
	})
	r.drop(func(e history.Event) bool { return e.Type == history.Recv && gone[e.Seq] })
}

// rewrite changes a stored event and what was told of it.
func (r *run) rewrite(seq uint64, stored func(*event.Event), told func(*history.Event)) {
	for i, m := range r.log {
		if m.Stream == events && m.Seq == seq {
			e := r.decoded[seq]
			stored(&e)
			r.log[i].Data = encode(e)
		}
	}
	for _, p := range r.find(func(e history.Event) bool { return e.Type == history.Recv && e.Seq == seq }) {
		told(r.event(p))
	}
}

func encode(v any) jsontext.Value {
	data, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		panic(err) // what was decoded can be encoded
	}
	return data
}

// sessionOf is the session that was the client's at p, "" if there was none.
func (r *run) sessionOf(p place) (session, user string) {
	for _, e := range r.files[p.client][:p.at+1] {
		switch {
		case e.Type == history.OK && (e.F == history.SignIn || e.F == history.Resume):
			session, user = e.Session, e.User
		case e.Type == history.Disc, e.Type == history.OK && e.F == history.SignOut:
			session, user = "", ""
		}
	}
	return session, user
}

// quiet tells whether no command of the client is under way at p.
func (r *run) quiet(p place) bool {
	under := 0
	for _, e := range r.files[p.client][:p.at+1] {
		switch {
		case e.Type == history.Invoke:
			under++
		case e.Type.Outcome():
			under--
		}
	}
	return under == 0
}

// told accepts what was told, of some kinds.
func told(kinds ...string) func(history.Event) bool {
	return func(e history.Event) bool { return e.Type == history.Recv && slices.Contains(kinds, e.F) }
}
