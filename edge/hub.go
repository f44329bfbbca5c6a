package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/streams"
	"gamehall/shared/wire"
)

// hub hears the channels that sessions of this edge are in. Its goroutine owns what is in
// their logs and in which order: it checks each live message by the sequence before it,
// fills holes from the stream, and looks once a second for a last message that was lost.
type hub struct {
	edge *Edge
	log  *slog.Logger
	js   jetstream.JetStream

	live   chan *nats.Msg
	filled chan filled
	tails  chan []tail
	asks   chan ask
	ctx    context.Context
	tasks  *tasks // readers of the stream

	mu       sync.Mutex // guards the map, and each channel's refs and sub
	channels map[string]*channel
}

// ask is a channel whose beginning has been found.
type ask struct {
	ch   *channel
	last uint64
}

// filled is what was found of a hole.
type filled struct {
	ch    *channel
	after uint64 // the hole's beginning, exclusive
	upTo  uint64 // its end; reached when whole
	msgs  []streams.Msg
	cut   bool // what is missing before msgs may be no longer kept
	gone  bool // what is missing behind msgs is no longer kept
	err   error
}

// tail is what the stream said, at one moment, of the ends of some channels.
type tail struct {
	chs  []*channel
	last map[string]uint64 // by subject; those that told nothing new are missing
}

// liveMost bounds the live messages that wait for the hub. One that finds no room is dropped
// by the connection, and counted, and then it is a hole like any other: a hub that does not
// keep up reads from the stream, in larger pieces.
const liveMost = 1 << 16

func newHub(ctx context.Context, e *Edge, js jetstream.JetStream) *hub {
	return &hub{
		edge: e, log: e.log, js: js, ctx: ctx,
		live:     make(chan *nats.Msg, liveMost),
		filled:   make(chan filled, 16),
		tasks:    newTasks(),
		tails:    make(chan []tail, 1),
		asks:     make(chan ask, 16),
		channels: map[string]*channel{},
	}
}

// open gives the channel, and hears it from now on: nothing that is stored after open
// returned can be missed. Every open that succeeds is followed by a release.
func (h *hub) open(ctx context.Context, name string) (*channel, error) {
	for {
		ch := h.need(name)
		select {
		case <-ch.ready:
		case <-ctx.Done():
		case <-h.ctx.Done():
		}
		err := fault.New(fault.Unavailable, "the hall does not answer, please try again")
		if ctx.Err() == nil && h.ctx.Err() == nil {
			err = ch.err
		}
		if err == nil {
			return ch, nil
		}
		h.release(ch)
		if ctx.Err() != nil || h.ctx.Err() != nil || fault.CodeOf(err) != fault.Unavailable {
			return nil, err
		}
	}
}

// need gives the channel, whose beginning may not be known yet, and counts who needs it.
func (h *hub) need(name string) *channel {
	h.mu.Lock()
	defer h.mu.Unlock()
	ch, ok := h.channels[name]
	if !ok {
		ch = newChannel(name, len(h.edge.writers))
		h.channels[name] = ch
		h.tasks.begin(func() { h.begin(ch) }) // when it is too late, open sees that itself
	}
	ch.refs++
	return ch
}

// beginWithin bounds how long the beginning of a channel is looked for at a time.
const beginWithin = 5 * time.Second

// begin subscribes and then finds where the channel stands: nobody is attached before its
// own join, so what is stored before that is nobody's here.
func (h *hub) begin(ch *channel) {
	ctx, cancel := context.WithTimeout(h.ctx, beginWithin)
	defer cancel()
	subject := streams.Subject(ch.name)
	var last map[string]uint64
	sub, err := h.js.Conn().ChanSubscribe(streams.Live(ch.name), h.live)
	if err == nil {
		err = streams.Retry(ctx, func(ctx context.Context) error {
			if err := bus.Flush(ctx, h.js.Conn()); err != nil {
				return err
			}
			var err error
			last, err = streams.LastSequences(ctx, h.js, []string{subject}, 1)
			return err
		})
	}
	h.mu.Lock()
	ch.sub = sub
	unused := ch.refs == 0
	if err != nil {
		ch.err = fmt.Errorf("hear %s: %w", ch.name, err)
		delete(h.channels, ch.name)
	}
	h.mu.Unlock()
	if err != nil || unused {
		h.unsubscribe(ch)
		close(ch.ready)
		return
	}
	select {
	case h.asks <- ask{ch, last[subject]}: // the hub closes ready
	case <-h.ctx.Done():
		ch.err = fault.New(fault.Unavailable, "the hall restarts, please try again")
		close(ch.ready)
	}
}

// release ends what open began. A channel that nobody needs is heard no more.
func (h *hub) release(ch *channel) {
	h.mu.Lock()
	ch.refs--
	unused := ch.refs == 0
	if unused && h.channels[ch.name] == ch {
		delete(h.channels, ch.name)
	}
	h.mu.Unlock()
	if unused {
		h.unsubscribe(ch)
	}
}

func (h *hub) unsubscribe(ch *channel) {
	h.mu.Lock()
	sub := ch.sub
	ch.sub = nil
	h.mu.Unlock()
	if sub == nil {
		return
	}
	if err := sub.Unsubscribe(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		h.log.Warn("unsubscribe", "channel", ch.name, "error", err)
	}
}

// find gives an open channel.
func (h *hub) find(name string) *channel {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.channels[name]
}

// run is the hub's goroutine. It ends with the context, and after its readers.
func (h *hub) run() {
	defer func() { <-h.tasks.wait() }()
	tick := time.NewTicker(tailEvery)
	defer tick.Stop()
	checking := false
	for {
		select {
		case <-h.ctx.Done():
			return
		case m := <-h.live:
			h.hear(m)
		case a := <-h.asks:
			a.ch.begin(a.last)
			a.ch.before = a.last
			close(a.ch.ready)
			h.resume(a.ch)
		case f := <-h.filled:
			h.fill(f)
		case tails := <-h.tails:
			checking = false
			// What has come by now is no hole, although it was not taken yet.
			for range len(h.live) {
				h.hear(<-h.live)
			}
			for _, t := range tails {
				h.compare(t)
			}
		case <-tick.C:
			if !checking {
				checking = h.check()
			}
		}
	}
}

func (h *hub) hear(m *nats.Msg) {
	if ch := h.find(streams.ChannelOf(m.Subject)); ch != nil {
		h.take(ch, m)
	}
}

// take takes a live message: it is dropped when it was had, delivered when the one before it
// was, and held while there is a hole before it.
func (h *hub) take(ch *channel, m *nats.Msg) {
	if !ch.known || ch.filling {
		if len(ch.held) < heldMost {
			ch.held = append(ch.held, m)
		}
		return
	}
	seq, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
	if err != nil {
		h.log.Error("a live message without a sequence", "subject", m.Subject)
		return
	}
	prev, err := strconv.ParseUint(m.Header.Get(jetstream.LastSequenceHeader), 10, 64)
	if err != nil {
		h.log.Error("a live message without the sequence before it", "subject", m.Subject, "seq", seq)
		return
	}
	last := ch.reached()
	switch {
	case seq <= last:
	case prev <= last:
		at, err := time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
		if err != nil {
			at = time.Now()
		}
		h.deliver(ch, streams.Msg{Subject: m.Subject, Seq: seq, At: at, Data: m.Data})
	default:
		ch.held = append(ch.held, m)
		h.read(ch, last, prev)
	}
}

// resume takes the live messages that were held.
func (h *hub) resume(ch *channel) {
	held := ch.held
	ch.held = nil
	for _, m := range held {
		h.take(ch, m)
	}
}

// deliver puts a message into the channel's log and tells the writers. A session whose
// leaving it is hears the channel no more.
func (h *hub) deliver(ch *channel, m streams.Msg) {
	e, err := m.Decode(ch.name, ch.before)
	switch {
	case err != nil:
		h.edge.stats.poison.Inc()
		h.log.Error("an event cannot be read, it is skipped", "channel", ch.name, "seq", m.Seq, "error", err)
		ch.skip(m.Seq)
		return
	case !wire.Known(e.Kind):
		h.log.Warn("an event of another version is skipped", "channel", ch.name, "seq", m.Seq, "event", e.Kind)
		ch.skip(m.Seq)
		return
	}
	ch.before = m.Seq
	if e.Room != "" {
		ch.room = e.Room
	}
	h.edge.leaving(ch, e)
	ch.add(e, h.edge.spoken())
	h.edge.stats.events.Inc()
	for _, w := range h.edge.writers {
		w.tell(ch)
	}
}
