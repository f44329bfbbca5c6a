package game21

import (
	"cmp"
	"slices"
	"time"
)

// Entry is one message of a round's log: an [Open], an [Answer] or a [Close].
type Entry interface {
	// sequence is the message's own in the stream. No two messages share one.
	sequence() uint64
}

// Open starts a round.
type Open struct {
	Seq      uint64    `json:"-"` // the stream's, known when it is stored
	Stored   time.Time `json:"-"` // by the server's clock
	Round    uint64    `json:"round"`
	Numbers  Numbers   `json:"numbers"`
	OpenedAt time.Time `json:"opened_at"` // by the clock of who opened it
	EndsAt   time.Time `json:"ends_at"`   // by the same; once stored, by the server's
}

// Answer is what a player made of the numbers, as Judge found it, so also one
// over 21.
type Answer struct {
	Seq        uint64   `json:"-"` // the stream's, known when it is stored
	Round      uint64   `json:"round"`
	UserID     string   `json:"user_id"`
	User       string   `json:"user"`
	Expression string   `json:"expression"`
	Value      Rational `json:"value"`
	Command    string   `json:"command"` // the id of the command that gave it
}

// Close ends a round.
type Close struct {
	Seq    uint64    `json:"-"` // the stream's, known when it is stored
	Round  uint64    `json:"round"`
	Reason Reason    `json:"reason"`
	At     time.Time `json:"at"`
}

// Reason is why a round was closed.
type Reason string

// The reasons.
const (
	Deadline Reason = "deadline" // its time was over
	Made21   Reason = "made21"   // somebody made exactly 21
)

func (o Open) sequence() uint64   { return o.Seq }
func (a Answer) sequence() uint64 { return a.Seq }
func (c Close) sequence() uint64  { return c.Seq }

// Outcome is how far a round has come, and how it ended.
type Outcome string

// The outcomes.
const (
	NotOpened      Outcome = "not_opened"      // the log has no open
	Running        Outcome = "running"         // answers are taken
	Decided        Outcome = "decided"         // a 21 is stored, the close is not: close it
	NobodyAnswered Outcome = "nobody_answered" // closed without an answer
	NoValidAnswer  Outcome = "no_valid_answer" // closed, and all answers were over 21
	Won            Outcome = "won"             // closed, with a winner
)

// Ended tells whether the round is closed. Nothing changes its Result any more.
func (o Outcome) Ended() bool {
	return o == NobodyAnswered || o == NoValidAnswer || o == Won
}

// Player is a user who gave an answer.
type Player struct {
	ID   string
	Name string
}

// Result is what the log of a round says.
type Result struct {
	Outcome Outcome

	Round            uint64
	Numbers          Numbers
	OpenedAt, EndsAt time.Time // EndsAt is when it is due, ClosedAt when it was closed

	// Players are all who answered before the close, in that order; answers over
	// 21 count.
	Players []Player

	// What follows stays empty until the round has ended, so that what is to be
	// hidden while it runs cannot slip out.

	ClosedAt   time.Time
	Reason     Reason
	Winner     Player // empty without a winner, as are its expression and value
	Expression string
	Value      string // "20", "41/2"
	Best       Solution
}

// Answers is how many answers the round has.
func (r Result) Answers() int { return len(r.Players) }

// Fold gives the result of the round whose log is given. The largest value that
// is not over 21 wins; of equal ones the first, by sequence. (So the first exact
// 21 wins, whatever follows it.)
//
// Entries may come in any order and more than once. Those of another round than
// the first open's do not count, nor do answers before the open or after the
// close, a second open or close, or a user's second answer. Times do not count
// at all: an answer is late when its sequence is above that of the close.
func Fold(log []Entry) Result {
	log = slices.Clone(log)
	slices.SortStableFunc(log, func(a, b Entry) int { return cmp.Compare(a.sequence(), b.sequence()) })

	r := Result{Outcome: NotOpened}
	answered := map[string]bool{} // by user id: a name may be written in another case
	var leader *Answer
	for _, e := range log {
		switch e := e.(type) {
		case Open:
			if r.Outcome != NotOpened {
				continue
			}
			r = Result{Outcome: Running, Round: e.Round, Numbers: e.Numbers, OpenedAt: e.OpenedAt, EndsAt: e.EndsAt}
		case Answer:
			if r.Outcome == NotOpened || e.Round != r.Round || answered[e.UserID] {
				continue
			}
			answered[e.UserID] = true
			r.Players = append(r.Players, Player{ID: e.UserID, Name: e.User})
			if !e.Value.Void() && (leader == nil || e.Value.Cmp(leader.Value) > 0) {
				leader = &e
			}
			if e.Value.Is21() {
				r.Outcome = Decided
			}
		case Close:
			if r.Outcome == NotOpened || e.Round != r.Round {
				continue
			}
			return r.closed(e, leader)
		}
	}
	return r
}

// closed is r ended by c, with the answer that leads, if any.
func (r Result) closed(c Close, leader *Answer) Result {
	r.ClosedAt, r.Reason = c.At, c.Reason
	r.Best = Best(r.Numbers)
	switch {
	case leader != nil:
		r.Outcome = Won
		r.Winner = Player{ID: leader.UserID, Name: leader.User}
		r.Expression, r.Value = leader.Expression, leader.Value.String()
	case len(r.Players) > 0:
		r.Outcome = NoValidAnswer
	default:
		r.Outcome = NobodyAnswered
	}
	return r
}
