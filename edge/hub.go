package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
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

// fillMost is how many messages of a hole are read before they are delivered.
const fillMost = 1024

// read starts to read the hole (after, upTo] of ch from the stream.
func (h *hub) read(ch *channel, after, upTo uint64) {
	ch.filling = true
	h.edge.stats.holes.Inc()
	h.log.Info("filling a hole", "channel", ch.name, "after", after, "to", upTo)
	h.tasks.begin(func() {
		f := h.hole(ch, after, upTo)
		if f.err != nil { // not at full speed against what will not help at once
			select {
			case <-time.After(tailEvery):
			case <-h.ctx.Done():
			}
		}
		select {
		case h.filled <- f:
		case <-h.ctx.Done():
		}
	})
}

// hole reads what is stored of a hole. A replica that is behind must not be taken for a
// loss: only the leader says that a message was removed.
//
// The oldest of a channel are removed first, so nothing of a hole is gone while the message
// before it is kept: that one is read, too.
func (h *hub) hole(ch *channel, after, upTo uint64) filled {
	f := filled{ch: ch, after: after, upTo: upTo}
	f.err = streams.Retry(h.ctx, func(ctx context.Context) error {
		f.msgs, f.gone, f.cut = f.msgs[:0], false, after > 0
		err := streams.Range(ctx, h.js, streams.Subject(ch.name), max(after, 1)-1, upTo, func(m streams.Msg) bool {
			if m.Seq == after {
				f.cut = false
				return true
			}
			f.msgs = append(f.msgs, m)
			return len(f.msgs) < fillMost
		})
		if err != nil {
			return err
		}
		if f.cut && len(f.msgs) > 0 {
			kept, err := streams.Kept(ctx, h.js, after)
			if err != nil {
				return err
			}
			f.cut = !kept
		}
		if n := len(f.msgs); n == fillMost || n > 0 && f.msgs[n-1].Seq == upTo {
			return nil
		}
		kept, err := streams.Kept(ctx, h.js, upTo)
		if err != nil {
			return err
		}
		if kept {
			return context.DeadlineExceeded // the replica is behind: again
		}
		f.gone = true
		return nil
	})
	return f
}

// fill delivers what was found of a hole, and goes on with what was held behind it.
func (h *hub) fill(f filled) {
	ch := f.ch
	ch.filling = false
	if h.find(ch.name) != ch {
		return // nobody hears it any more
	}
	if f.err != nil {
		h.log.Warn("a hole is not filled yet", "channel", ch.name, "error", f.err)
		if h.ctx.Err() == nil {
			h.read(ch, ch.reached(), f.upTo)
		}
		return
	}
	if f.cut && len(f.msgs) > 0 && f.msgs[0].Seq > f.after+1 {
		h.gap(ch, f.after, f.msgs[0].Seq-1)
	}
	for _, m := range f.msgs {
		if m.Seq > ch.reached() {
			h.deliver(ch, m)
		}
	}
	switch last := ch.reached(); {
	case last < f.upTo && !f.gone:
		h.read(ch, last, f.upTo)
		return
	case last < f.upTo:
		h.gap(ch, last, f.upTo)
	}
	h.resume(ch)
}

// gap tells the channel that events in (after, upTo] are no longer kept. How many those were
// nobody knows any more: at most as many as there are sequences.
func (h *hub) gap(ch *channel, after, upTo uint64) {
	h.edge.stats.gaps.Inc()
	h.log.Warn("events are no longer kept", "channel", ch.name, "after", after, "to", upTo)
	ch.lose(after, upTo)
	ch.before = upTo
	for _, w := range h.edge.writers {
		w.tell(ch)
	}
}

// tailsMost is how many channels are asked for at once: streams.LastSequences would ask for
// more in several requests, which see the stream at different moments.
const tailsMost = 1000

// check asks for the last sequences of all channels, from the last checked one on, so that a
// quiet hall costs nothing. It gives whether an answer will come.
func (h *hub) check() bool {
	var known []*channel
	h.mu.Lock()
	for _, ch := range h.channels {
		if ch.known {
			known = append(known, ch)
		}
		if ch.sub != nil {
			h.count(ch)
		}
	}
	h.mu.Unlock()
	if len(known) == 0 {
		return false
	}
	type request struct {
		chs  []*channel
		from uint64
	}
	var asked []request
	for some := range slices.Chunk(known, tailsMost) {
		from := uint64(math.MaxUint64)
		for _, ch := range some {
			from = min(from, ch.checked)
		}
		asked = append(asked, request{some, from + 1})
	}
	h.tasks.begin(func() {
		ctx, cancel := context.WithTimeout(h.ctx, tailEvery)
		defer cancel()
		var tails []tail
		for _, a := range asked {
			subjects := make([]string, len(a.chs))
			for i, ch := range a.chs {
				subjects[i] = streams.Subject(ch.name)
			}
			last, err := streams.LastSequences(ctx, h.js, subjects, a.from)
			if err != nil {
				h.log.Debug("the channels' ends cannot be read", "error", err)
				break
			}
			tails = append(tails, tail{a.chs, last})
		}
		select {
		case h.tails <- tails:
		case <-h.ctx.Done():
		}
	})
	return true
}

// count counts what the subscription of ch has dropped since it was counted before; h.mu is
// held.
func (h *hub) count(ch *channel) {
	dropped, err := ch.sub.Dropped()
	if err != nil || dropped <= ch.dropped { // it has ended
		return
	}
	h.edge.stats.dropped.Add(float64(dropped - ch.dropped))
	ch.dropped = dropped
}

// compare compares the channels' ends with what was delivered. Everything up to the last of
// them was looked for then, in these channels; those that were opened meanwhile have a
// beginning of their own.
func (h *hub) compare(t tail) {
	newest := uint64(0)
	for _, seq := range t.last {
		newest = max(newest, seq)
	}
	for _, ch := range t.chs {
		if ch.filling {
			continue // the next time
		}
		if last, reached := t.last[streams.Subject(ch.name)], ch.reached(); last > reached {
			h.read(ch, reached, last)
		}
		ch.checked = max(ch.checked, newest)
	}
}
