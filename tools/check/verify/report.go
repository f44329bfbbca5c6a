package verify

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"gamehall/tools/check/history"
)

// ID names an invariant.
type ID string

// The invariants.
const (
	I1 ID = "I1"
	I2 ID = "I2"
	I3 ID = "I3"
	I4 ID = "I4"
	I5 ID = "I5"
	I6 ID = "I6"
	I7 ID = "I7"
	I8 ID = "I8"
	I9 ID = "I9"
	S1 ID = "S1"
	S2 ID = "S2"
	S3 ID = "S3"
	G1 ID = "G1"
	G2 ID = "G2"
	G3 ID = "G3"
	G4 ID = "G4"
	O1 ID = "O1"
	L1 ID = "L1"
	V1 ID = "V1"
	H1 ID = "H1"
	F1 ID = "F1"
)

// invariants are all, in the order in which they are told, with what they say.
var invariants = []struct {
	ID   ID
	Says string
}{
	{I1, "no line is lost"},
	{I2, "no line comes twice"},
	{I3, "one order for all"},
	{I4, "the order is that of the clock"},
	{I5, "a sender's lines keep their order"},
	{I6, "what is told was said, by that user"},
	{I7, "what was acknowledged is stored"},
	{I8, "only members hear"},
	{I9, "whispers reach their target alone, once"},
	{S1, "one session a user"},
	{S2, "sign-in, resume, sign-out and expiry are one register"},
	{S3, "a name is given once and stays"},
	{G1, "one result a round"},
	{G2, "the right winner"},
	{G3, "answers are kept"},
	{G4, "rounds keep their times"},
	{O1, "online time is right"},
	{L1, "the silent are dropped in time, the others never"},
	{V1, "all is well again after the faults"},
	{H1, "nothing leaks, panics or tells secrets"},
	{F1, "faults hurt no more than they may"},
}

// Verdict is what a run comes to.
type Verdict string

// The verdicts.
const (
	Passed   Verdict = "passed"
	Violated Verdict = "violated"
	Invalid  Verdict = "invalid" // too little was tried to say anything
)

// Violation is one thing that must not be. Client, T and Seq tell where, as far as they apply.
type Violation struct {
	ID     ID     `json:"id"`
	Text   string `json:"text"`
	Client string `json:"client,omitzero"`
	T      int64  `json:"t,omitzero"`
	Seq    uint64 `json:"seq,omitzero"`
}

// Counts tell how much was tried.
type Counts struct {
	Clients     int `json:"clients"`
	Users       int `json:"users"`
	Connections int `json:"connections"`
	Sessions    int `json:"sessions"`
	Resumes     int `json:"resumes"`
	Commands    int `json:"commands"` // that change something
	Acked       int `json:"acked"`    // of them
	Refused     int `json:"refused"`
	Unknown     int `json:"unknown"` // no answer, or unavailable
	Internal    int `json:"internal"`
	Received    int `json:"received"` // events, by all clients
	Stored      int `json:"stored"`   // events in the log
	Rounds      int `json:"rounds"`
	Gaps        int `json:"gaps"`    // told to clients
	Notices     int `json:"notices"` // told to clients
	Faults      int `json:"faults"`
}

// Latency is how long something took.
type Latency struct {
	Of   string        `json:"of"` // a command, or "delivery": from storing to a member that listened
	N    int           `json:"n"`
	P50  time.Duration `json:"p50"`
	P99  time.Duration `json:"p99"`
	P999 time.Duration `json:"p999"`
	Max  time.Duration `json:"max"`
}

// Window is what was seen while a fault was at work, and for 15 s after.
type Window struct {
	Fault       history.Fault `json:"fault"`
	Acked       int           `json:"acked"`           // lines
	AckGap      time.Duration `json:"ack_gap"`         // the longest time without an acknowledgement while a line waited for one
	DeliveryGap time.Duration `json:"delivery_gap"`    // the longest time from storing to delivery, to a member that listened
	Member      string        `json:"member,omitzero"` // whose that was
	Lost        int           `json:"lost"`            // connections that ended, other than by their clients
}

// Report is the outcome of [Check].
type Report struct {
	Name       string      `json:"name"`
	Seed       uint64      `json:"seed"`
	Verdict    Verdict     `json:"verdict"`
	Invalid    []string    `json:"invalid,omitzero"` // why
	Violations []Violation `json:"violations"`       // at most 50 of each invariant
	Broken     map[ID]int  `json:"broken,omitzero"`  // how many there are of each
	Looked     map[ID]int  `json:"looked"`           // how often each invariant was looked at
	Strictly   map[ID]int  `json:"strictly"`         // how often of these no fault excused anything
	Counts     Counts      `json:"counts"`
	Windows    []Window    `json:"windows"`
	Latencies  []Latency   `json:"latencies"`
	Took       float64     `json:"took"` // seconds that the run lasted

	start int64
}

// JSON gives the report as a file that people can read, too; durations are nanoseconds.
func (r *Report) JSON() ([]byte, error) {
	nanos := json.MarshalToFunc(func(to *jsontext.Encoder, d time.Duration) error {
		return to.WriteToken(jsontext.Int(int64(d)))
	})
	return json.Marshal(r, jsontext.WithIndent("  "), json.WithMarshalers(nanos))
}

// violationsKept bounds what is told of one invariant: a lost stream violates it a million times.
const violationsKept = 50

// strictFrom is how often an invariant must have been looked at for one of them to be without the
// excuse of a fault: rounds are few, and a short run may have a fault in each.
const strictFrom = 10

func (r *Report) violate(v Violation) {
	if r.Broken == nil {
		r.Broken = map[ID]int{}
	}
	r.Broken[v.ID]++
	if r.Broken[v.ID] <= violationsKept {
		r.Violations = append(r.Violations, v)
	}
}

// look counts what was looked at, strictly.
func (r *Report) look(id ID, n int) { r.judged(id, n, true) }

// judged counts what was looked at. It was not strictly where a fault widened the bounds.
func (r *Report) judged(id ID, n int, strictly bool) {
	r.Looked[id] += n
	if strictly {
		r.Strictly[id] += n
	}
}

// Has tells whether id is violated.
func (r *Report) Has(id ID) bool { return r.Broken[id] > 0 }

// conclude sorts and judges.
func (r *Report) conclude(o Options) {
	order := map[ID]int{}
	for i, in := range invariants {
		order[in.ID] = i
	}
	slices.SortStableFunc(r.Violations, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(order[a.ID], order[b.ID]), cmp.Compare(a.T, b.T))
	})
	c := &r.Counts
	if c.Acked < o.MinAcked {
		r.Invalid = append(r.Invalid, fmt.Sprintf("%d commands were acknowledged, %d is the least", c.Acked, o.MinAcked))
	}
	if c.Faults < o.MinFaults {
		r.Invalid = append(r.Invalid, fmt.Sprintf("%d faults were injected, %d is the least", c.Faults, o.MinFaults))
	}
	if c.Commands > 0 && float64(c.Unknown) > o.MaxUnknown*float64(c.Commands) {
		r.Invalid = append(r.Invalid, fmt.Sprintf("nobody knows the outcome of %d of %d commands, %.0f %% is the most", c.Unknown, c.Commands, 100*o.MaxUnknown))
	}
	for _, in := range invariants {
		if slices.Contains(o.Without, in.ID) {
			continue
		}
		switch n := r.Looked[in.ID]; {
		case n == 0 && in.ID != F1:
			r.Invalid = append(r.Invalid, fmt.Sprintf("%s (%s) had nothing to look at", in.ID, in.Says))
		case n >= strictFrom && r.Strictly[in.ID] == 0:
			r.Invalid = append(r.Invalid, fmt.Sprintf("%s (%s) was looked at %d times, and each time a fault excused something", in.ID, in.Says, n))
		}
	}
	switch {
	case len(r.Broken) > 0:
		r.Verdict = Violated
	case len(r.Invalid) > 0:
		r.Verdict = Invalid
	default:
		r.Verdict = Passed
	}
}

// WriteText tells the report to people: counts, windows, latencies, the verdict, and the first
// of each kind of violation with the lines of its client around it. h may be nil: then without
// those.
func (r *Report) WriteText(w io.Writer, h *history.History) error {
	var b strings.Builder
	c := r.Counts
	fmt.Fprintf(&b, "run %s, seed %d, %.0f s\n", r.Name, r.Seed, r.Took)
	fmt.Fprintf(&b, "  %d clients, %d users, %d connections, %d sessions, %d resumes, %d faults\n", c.Clients, c.Users, c.Connections, c.Sessions, c.Resumes, c.Faults)
	fmt.Fprintf(&b, "  %d commands: %d acknowledged, %d refused, %d unknown (%.1f %%), %d internal\n", c.Commands, c.Acked, c.Refused, c.Unknown, percent(c.Unknown, c.Commands), c.Internal)
	fmt.Fprintf(&b, "  %d events stored, %d received, %d rounds, %d gaps, %d notices\n", c.Stored, c.Received, c.Rounds, c.Gaps, c.Notices)
	if len(r.Windows) > 0 {
		fmt.Fprintf(&b, "\n%-30s %9s %9s %7s %9s %9s  %-12s %s\n", "fault", "at", "for", "acked", "ack gap", "delivery", "to", "lost")
		for _, w := range r.Windows {
			f := w.Fault
			name := f.Kind + " " + f.Target
			if f.Role != "" {
				name += " (" + f.Role + ")"
			}
			fmt.Fprintf(&b, "%-30s %9s %9s %7d %9s %9s  %-12s %d\n", name, since(f.From, r.start), since(f.To, f.From), w.Acked, short(w.AckGap), short(w.DeliveryGap), w.Member, w.Lost)
		}
	}
	if len(r.Latencies) > 0 {
		fmt.Fprintf(&b, "\n%-16s %9s %9s %9s %9s %9s\n", "latency", "n", "p50", "p99", "p99.9", "max")
		for _, l := range r.Latencies {
			fmt.Fprintf(&b, "%-16s %9d %9s %9s %9s %9s\n", l.Of, l.N, short(l.P50), short(l.P99), short(l.P999), short(l.Max))
		}
	}
	fmt.Fprintf(&b, "\n%-4s %-56s %9s %9s %s\n", "", "", "looked at", "strictly", "broken")
	for _, in := range invariants {
		fmt.Fprintf(&b, "%-4s %-56s %9d %9d %d\n", in.ID, in.Says, r.Looked[in.ID], r.Strictly[in.ID], r.Broken[in.ID])
	}
	told := map[ID]int{}
	for _, v := range r.Violations {
		if told[v.ID]++; told[v.ID] > 3 {
			continue
		}
		fmt.Fprintf(&b, "\n%s: %s\n", v.ID, v.Text)
		if h != nil {
			r.around(&b, h, v)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(told)) {
		if n := r.Broken[id]; n > 3 {
			fmt.Fprintf(&b, "\n%s: and %d more\n", id, n-3)
		}
	}
	fmt.Fprintf(&b, "\n%s\n", strings.ToUpper(string(r.Verdict)))
	for _, why := range r.Invalid {
		fmt.Fprintf(&b, "  %s\n", why)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// around tells the lines of the client before and behind v.
func (r *Report) around(b *strings.Builder, h *history.History, v Violation) {
	if v.Client == "" || v.T == 0 {
		return
	}
	events, err := h.Events(v.Client)
	if err != nil {
		fmt.Fprintf(b, "    %v\n", err)
		return
	}
	at, _ := slices.BinarySearchFunc(events, v.T, func(e history.Event, t int64) int { return cmp.Compare(e.T, t) })
	for i := max(0, at-4); i < min(len(events), at+4); i++ {
		mark := " "
		if events[i].T == v.T {
			mark = ">"
		}
		fmt.Fprintf(b, "  %s %9s %s\n", mark, since(events[i].T, r.start), Line(events[i]))
	}
}

// Line writes an event in one line.
func Line(e history.Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%d %s", e.Client, e.Conn, e.Type)
	add := func(name string, v any) {
		if s := fmt.Sprint(v); s != "" && s != "0" && s != "false" && s != "map[]" && s != "[]" {
			fmt.Fprintf(&b, " %s=%s", name, s)
		}
	}
	add("f", e.F)
	add("req", e.Req)
	add("edge", e.Edge)
	add("user", e.User)
	add("session", e.Session)
	add("chan", e.Channel)
	add("seq", e.Seq)
	add("prev", e.Prev)
	add("from", e.From)
	add("to", e.To)
	add("text", e.Text)
	add("key", e.Key)
	add("code", e.Code)
	add("reason", e.Reason)
	add("by", e.By)
	add("since", e.Since)
	add("room", e.Room)
	add("round", e.Round)
	add("expression", e.Expression)
	add("value", e.Value)
	add("winner", e.Winner)
	add("seconds", e.Seconds)
	add("missed", e.Missed)
	return b.String()
}

func since(t, from int64) string {
	if t == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2fs", time.Duration(t-from).Seconds())
}

func short(d time.Duration) string {
	switch {
	case d == 0:
		return "-"
	case d < time.Second:
		return fmt.Sprintf("%.1fms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.2fs", d.Seconds())
}

func percent(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return 100 * float64(n) / float64(of)
}

// IDs are all invariants, in the order in which they are told.
func IDs() []ID {
	var ids []ID
	for _, in := range invariants {
		ids = append(ids, in.ID)
	}
	return ids
}
