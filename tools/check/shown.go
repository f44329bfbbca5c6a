package check

import (
	"fmt"
	"io"
	"slices"
	"time"

	"gamehall/tools/check/history"
	"gamehall/tools/check/verify"
)

// What the scenarios show.
const (
	rollingGap  = time.Second
	leaderGap   = 10 * time.Second
	followerGap = 50 * time.Millisecond
	// noise is how much longer than in quiet times of the same run the longest gap may be: on a
	// busy machine a moment without an acknowledgement is nobody's fault.
	noise = 2
	// feltFor is how long the loss of a follower is looked at.
	feltFor = 5 * time.Second
	// backFor is how long after its restart a client may first see that its connection to an edge is
	// gone.
	backFor = 10 * time.Second
)

// shown tells what the scenario was to show, and what it does not.
func (s Scenario) shown(h *history.History, r *verify.Report, out io.Writer) (missing []error, err error) {
	told := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
	var longest time.Duration
	for _, w := range r.Windows {
		longest = max(longest, w.AckGap)
	}
	lost, err := losses(h)
	if err != nil {
		return nil, err
	}
	switch s {
	case Rolling:
		told("rolling restart: the longest time without an acknowledgement was %s", longest.Round(time.Millisecond))
		if longest > rollingGap {
			missing = append(missing, fmt.Errorf("a rolling restart stopped the acknowledgements for %s, %s is the most", longest, rollingGap))
		}
		missing = append(missing, reconnects(h.Run, lost, told)...)
	case Leader:
		told("loss of a leader: the longest time without an acknowledgement was %s, %d connections were lost", longest.Round(time.Millisecond), len(lost))
		if longest > leaderGap {
			missing = append(missing, fmt.Errorf("the loss of a leader stopped the acknowledgements for %s, %s is the most", longest, leaderGap))
		}
		for _, e := range lost {
			missing = append(missing, fmt.Errorf("%s lost its connection (%s), and nothing but NATS was in trouble", e.Client, e.Reason))
		}
	case Follower:
		acks, err := acknowledged(h)
		if err != nil {
			return nil, err
		}
		p := gaps(acks, h.Run)
		told("loss of a follower: the longest time without an acknowledgement was %s, %s when it came back, and %s in quiet times (ratio %.2f)",
			p.lost.Round(time.Millisecond), p.back.Round(time.Millisecond), p.quiet.Round(time.Millisecond), float64(p.lost)/float64(max(p.quiet, 1)))
		if p.lost > max(followerGap, noise*p.quiet) {
			missing = append(missing, fmt.Errorf("the loss of a follower stopped the acknowledgements for %s, %s is the most, or %d times the %s of quiet times", p.lost, followerGap, noise, p.quiet))
		}
	}
	return missing, nil
}

// reconnects looks at every connection that was lost in the whole run: each client loses at most one
// for each restart of an edge, that which it had to this edge, and none otherwise.
func reconnects(run history.Run, lost []history.Event, told func(format string, args ...any)) (missing []error) {
	excused := map[int]map[string]bool{} // by restart: whose loss it is
	for _, e := range lost {
		restart := slices.IndexFunc(run.Faults, func(f history.Fault) bool {
			return f.Target == e.Edge && slices.Contains(run.Settings.Edges, f.Target) && e.T >= f.From && e.T <= f.To+int64(backFor)
		})
		at := time.Duration(e.T - run.Start).Seconds()
		switch {
		case restart < 0:
			missing = append(missing, fmt.Errorf("%s lost its connection to %s (%s) %.1fs into the run, and that did not restart then", e.Client, e.Edge, e.Reason, at))
			continue
		case excused[restart] == nil:
			excused[restart] = map[string]bool{}
		case excused[restart][e.Client]:
			missing = append(missing, fmt.Errorf("%s lost its connection to %s once more (%s) %.1fs into the run, and that restarted once", e.Client, e.Edge, e.Reason, at))
		}
		excused[restart][e.Client] = true
	}
	for i, f := range run.Faults {
		if slices.Contains(run.Settings.Edges, f.Target) {
			told("restart of %s: %d clients lost their connection, once each", f.Target, len(excused[i]))
		}
	}
	told("%d connections were lost in the whole run, %d of them for no restart of their edge or more than once for it", len(lost), len(missing))
	return missing
}

// losses are the connections that ended although their clients wanted them, until the clients
// left: those that another client's sign-in or the client's own silence ended do not count, and
// neither do those on which nothing was ever answered: the edge was not there yet, and only the
// proxy before it was.
func losses(h *history.History) ([]history.Event, error) {
	var lost []history.Event
	for _, client := range h.Clients() {
		events, err := h.Events(client)
		if err != nil {
			return nil, err
		}
		served := false
		for _, e := range events {
			switch e.Type {
			case history.Conn:
				served = false
			case history.OK, history.Fail:
				served = true
			}
			if served && e.Type == history.Disc && e.By != history.ByClient && e.Reason != "signed_in_elsewhere" && e.Reason != "heartbeat" && e.T < h.Run.End {
				lost = append(lost, e)
			}
		}
	}
	return lost, nil
}

// span is when a line was said, and when that was acknowledged.
type span struct{ from, to int64 }

// acknowledged are the lines that were, by the time of that.
func acknowledged(h *history.History) ([]span, error) {
	var all []span
	for _, client := range h.Clients() {
		events, err := h.Events(client)
		if err != nil {
			return nil, err
		}
		asked := map[uint64]int64{}
		for _, e := range events {
			switch {
			case e.F != history.Say && e.F != history.RoomSay:
			case e.Type == history.Invoke:
				asked[e.Req] = e.T
			case e.Type == history.OK:
				all = append(all, span{asked[e.Req], e.T})
			}
		}
	}
	slices.SortFunc(all, func(a, b span) int { return int(min(1, max(-1, a.to-b.to))) })
	return all, nil
}

// pauses are the longest times without an acknowledgement while a line waited for one: just after a
// node was lost, just after it was back, and in quiet times.
type pauses struct{ lost, back, quiet time.Duration }

// gaps finds them. When leaders were moved on purpose is none of these.
func gaps(acks []span, run history.Run) (p pauses) {
	waiting := make([]int64, len(acks)+1) // since when the first line waits that is not yet acknowledged
	waiting[len(acks)] = run.End
	for i := len(acks) - 1; i >= 0; i-- {
		waiting[i] = min(waiting[i+1], acks[i].from)
	}
	last := run.Start
	for i, a := range acks {
		begun := max(last, waiting[i])
		gap := time.Duration(a.to - begun)
		near := func(when func(history.Fault) (from, to int64, is bool)) bool {
			return slices.ContainsFunc(run.Faults, func(f history.Fault) bool {
				from, to, is := when(f)
				return is && a.to >= from && begun <= to+int64(feltFor)
			})
		}
		switch {
		case near(func(f history.Fault) (int64, int64, bool) { return f.From, f.From, f.Kind == history.Kill }):
			p.lost = max(p.lost, gap)
		case near(func(f history.Fault) (int64, int64, bool) { return f.From, f.To, f.Kind == history.StepDown }):
		case near(func(f history.Fault) (int64, int64, bool) { return f.To, f.To, f.Kind == history.Kill }):
			p.back = max(p.back, gap)
		case a.to > run.Start+int64(feltFor) && a.to < run.Healed: // everybody signs up at first
			p.quiet = max(p.quiet, gap)
		}
		last = a.to
	}
	return p
}
