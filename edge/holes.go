package edge

import (
	"context"
	"math"
	"slices"
	"time"

	"gamehall/shared/streams"
)

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
