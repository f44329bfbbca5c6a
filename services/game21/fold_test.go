package game21

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func ExampleFold() {
	hand := Numbers{2, 3, 5, 10}
	v, err := Judge("(10-3)*(5-2)", hand)
	if err != nil {
		fmt.Println(err)
		return
	}
	r := Fold([]Entry{
		Open{Seq: 1, Round: 7, Numbers: hand, OpenedAt: noon, EndsAt: noon.Add(2 * time.Minute)},
		Answer{Seq: 2, Round: 7, UserID: "u2", User: "netease2", Expression: v.Expression, Value: v.Value},
		Close{Seq: 3, Round: 7, Reason: Made21, At: noon.Add(time.Minute)},
	})
	fmt.Printf("round %d: %s: %s with %s = %s\n", r.Round, r.Outcome, r.Winner.Name, r.Expression, r.Value)
	fmt.Printf("a best solution: %s = %s\n", r.Best.Expression, r.Best.Value)
	// Output:
	// round 7: won: netease2 with (10-3)*(5-2) = 21
	// a best solution: 2*3+10+5 = 21
}

var hand = Numbers{2, 3, 5, 10}

func opened(seq uint64) Open {
	return Open{Seq: seq, Round: 7, Numbers: hand, OpenedAt: noon, EndsAt: noon.Add(2 * time.Minute)}
}

// answered judges expr as the service does before it stores it.
func answered(t *testing.T, seq uint64, user, expr string) Answer {
	t.Helper()
	v, err := Judge(expr, hand)
	if err != nil {
		t.Fatal(err)
	}
	return Answer{Seq: seq, Round: 7, UserID: "id-" + user, User: user, Expression: v.Expression, Value: v.Value}
}

func closed(seq uint64) Close {
	return Close{Seq: seq, Round: 7, Reason: Deadline, At: noon.Add(2 * time.Minute)}
}

func TestFold(t *testing.T) {
	t.Parallel()
	const (
		is21    = "(10-3)*(5-2)"
		also21  = "2*3+5+10"
		is20    = "2+3+5+10"
		also20  = "10+5+3+2"
		is0     = "10-5-3-2"
		minus6  = "2-3+5-10"
		minus16 = "2-3-5-10"
		isVoid  = "2*3*5*10"
	)
	a := func(seq uint64, user, expr string) Answer { return answered(t, seq, user, expr) }
	otherRound := a(2, "bob", is21)
	otherRound.Round = 6
	renamed := a(3, "ANN", is21)
	renamed.UserID = "id-ann"

	tests := []struct {
		name       string
		log        []Entry
		outcome    Outcome
		answers    int
		winner     string
		expression string
		value      string
	}{
		{name: "no log", outcome: NotOpened},
		{name: "answers without an open", log: []Entry{a(1, "ann", is21), closed(2)}, outcome: NotOpened},
		{name: "open", log: []Entry{opened(1)}, outcome: Running},
		{name: "nobody answered", log: []Entry{opened(1), closed(2)}, outcome: NobodyAnswered},
		{name: "running", log: []Entry{opened(1), a(2, "ann", is20)}, outcome: Running, answers: 1},
		{name: "21 and not closed", log: []Entry{opened(1), a(2, "ann", is20), a(3, "bob", is21)}, outcome: Decided, answers: 2},
		{name: "over 21 and not closed", log: []Entry{opened(1), a(2, "ann", isVoid)}, outcome: Running, answers: 1},
		{
			name: "21 wins", log: []Entry{opened(1), a(2, "ann", is20), a(3, "bob", is21), closed(4)},
			outcome: Won, answers: 2, winner: "bob", expression: is21, value: "21",
		},
		{
			name: "the first of two 21s wins", log: []Entry{opened(1), a(2, "ann", is21), a(3, "bob", also21), closed(4)},
			outcome: Won, answers: 2, winner: "ann", expression: is21, value: "21",
		},
		{
			name: "the largest under 21 wins", log: []Entry{opened(1), a(2, "ann", is0), a(3, "bob", is20), a(4, "cat", minus6), closed(5)},
			outcome: Won, answers: 3, winner: "bob", expression: is20, value: "20",
		},
		{
			name: "over 21 does not win", log: []Entry{opened(1), a(2, "ann", isVoid), a(3, "bob", is0), closed(4)},
			outcome: Won, answers: 2, winner: "bob", expression: is0, value: "0",
		},
		{
			name: "all over 21", log: []Entry{opened(1), a(2, "ann", isVoid), a(3, "bob", isVoid), closed(4)},
			outcome: NoValidAnswer, answers: 2,
		},
		{
			name: "equal values: the first", log: []Entry{opened(1), a(2, "ann", is0), a(3, "bob", is20), a(4, "cat", also20), closed(5)},
			outcome: Won, answers: 3, winner: "bob", expression: is20, value: "20",
		},
		{
			name: "below zero can win", log: []Entry{opened(1), a(2, "ann", minus16), a(3, "bob", minus6), closed(4)},
			outcome: Won, answers: 2, winner: "bob", expression: minus6, value: "-6",
		},
		{
			name: "a fraction can win", log: []Entry{opened(1), a(2, "ann", "10*2+3/5"), a(3, "bob", is20), closed(4)},
			outcome: Won, answers: 2, winner: "ann", expression: "10*2+3/5", value: "103/5",
		},
		{
			name: "after the close", log: []Entry{opened(1), a(2, "ann", is0), closed(3), a(4, "bob", is21)},
			outcome: Won, answers: 1, winner: "ann", expression: is0, value: "0",
		},
		{name: "only after the close", log: []Entry{opened(1), closed(2), a(3, "bob", is21)}, outcome: NobodyAnswered},
		{name: "before the open", log: []Entry{a(1, "ann", is21), opened(2), closed(3)}, outcome: NobodyAnswered},
		{
			name: "after a 21, before the close", log: []Entry{opened(1), a(2, "ann", is21), a(3, "bob", is20), closed(4)},
			outcome: Won, answers: 2, winner: "ann", expression: is21, value: "21",
		},
		{
			name: "a second answer", log: []Entry{opened(1), a(2, "ann", is0), renamed, closed(4)},
			outcome: Won, answers: 1, winner: "ann", expression: is0, value: "0",
		},
		{
			name: "void was the answer", log: []Entry{opened(1), a(2, "ann", isVoid), renamed, closed(4)},
			outcome: NoValidAnswer, answers: 1,
		},
		{name: "another round's answer", log: []Entry{opened(1), otherRound, closed(3)}, outcome: NobodyAnswered},
		{
			name: "another round's close", log: []Entry{opened(1), Close{Seq: 2, Round: 6}, a(3, "ann", is20), closed(4)},
			outcome: Won, answers: 1, winner: "ann", expression: is20, value: "20",
		},
		{
			name: "a second open", log: []Entry{opened(1), a(2, "ann", is20), opened(3), closed(4)},
			outcome: Won, answers: 1, winner: "ann", expression: is20, value: "20",
		},
		{
			name: "a second close", log: []Entry{opened(1), closed(2), a(3, "ann", is20), closed(4)},
			outcome: NobodyAnswered,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := Fold(tt.log)
			if r.Outcome != tt.outcome || r.Answers() != tt.answers || r.Winner.Name != tt.winner || r.Expression != tt.expression || r.Value != tt.value {
				t.Errorf("got %s, %d answers, %q with %q = %q; want %s, %d, %q with %q = %q",
					r.Outcome, r.Answers(), r.Winner.Name, r.Expression, r.Value, tt.outcome, tt.answers, tt.winner, tt.expression, tt.value)
			}
			wantRound, wantBest, wantReason, wantClosed := uint64(7), Best(hand), Deadline, noon.Add(2*time.Minute)
			if tt.outcome == NotOpened {
				wantRound = 0
			}
			if !tt.outcome.Ended() { // nothing of the end is told before the end
				wantBest, wantReason, wantClosed = Solution{}, "", time.Time{}
			}
			if r.Round != wantRound || r.Best != wantBest || r.Reason != wantReason || !r.ClosedAt.Equal(wantClosed) {
				t.Errorf("got round %d, best %v, closed by %q at %v; want %d, %v, %q, %v",
					r.Round, r.Best, r.Reason, r.ClosedAt, wantRound, wantBest, wantReason, wantClosed)
			}
			if (r.Winner.ID != "") != (tt.winner != "") {
				t.Errorf("winner %+v: want an id if there is a winner", r.Winner)
			}
		})
	}
}

func TestFoldPlayers(t *testing.T) {
	t.Parallel()
	r := Fold([]Entry{
		closed(9), answered(t, 7, "cat", "2+3+5+10"), answered(t, 3, "ann", "2*3*5*10"), opened(1),
		answered(t, 5, "bob", "2-3-5-10"), answered(t, 11, "dan", "2*3+5+10"),
	})
	want := []Player{{"id-ann", "ann"}, {"id-bob", "bob"}, {"id-cat", "cat"}}
	if !slices.Equal(r.Players, want) {
		t.Errorf("players %v, want %v: those before the close, by sequence, the void ones too", r.Players, want)
	}
}

// drawLog draws the log of a round as a stream may hold it: answers before,
// between and after, users who come again, entries of a neighbouring round.
func drawLog(t *rapid.T) []Entry {
	open := opened(0)
	open.Numbers = drawHand(t)
	var log []Entry
	add := func(e Entry) { log = append(log, e) }
	answers := func(label string, most int) {
		for range rapid.IntRange(0, most).Draw(t, label) {
			user := rapid.StringMatching(`[a-h]`).Draw(t, "user")
			v, err := Judge(drawExpression(t, rapid.Permutation(open.Numbers[:]).Draw(t, "order")), open.Numbers)
			if err != nil {
				continue
			}
			add(Answer{Round: rapid.SampledFrom([]uint64{7, 7, 7, 8}).Draw(t, "round"), UserID: user, User: user, Expression: v.Expression, Value: v.Value})
		}
	}
	answers("early", 2)
	if rapid.IntRange(0, 9).Draw(t, "opened") > 0 {
		add(open)
	}
	answers("in time", 8)
	if rapid.IntRange(0, 4).Draw(t, "closed") > 0 {
		add(closed(0))
	}
	answers("late", 3)

	// The stream numbers what it stores; other subjects leave holes.
	seq := uint64(rapid.IntRange(1, 1000).Draw(t, "first sequence"))
	for i, e := range log {
		switch e := e.(type) {
		case Open:
			e.Seq = seq
			log[i] = e
		case Answer:
			e.Seq = seq
			log[i] = e
		case Close:
			e.Seq = seq
			log[i] = e
		}
		seq += uint64(rapid.IntRange(1, 3).Draw(t, "step"))
	}
	return log
}

// TestFoldRedelivered: entries told again and in any order change nothing.
func TestFoldRedelivered(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		log := drawLog(t)
		want := Fold(log)
		again := slices.Clone(log)
		for _, e := range log {
			for range rapid.IntRange(0, 2).Draw(t, "redelivered") {
				again = append(again, e)
			}
		}
		seed := rapid.Uint64().Draw(t, "shuffle")
		rand.New(rand.NewPCG(seed, 21)).Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		before := slices.Clone(again)
		if got := Fold(again); !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
		if !reflect.DeepEqual(again, before) {
			t.Fatal("Fold has reordered its caller's log")
		}
	})
}

// TestFoldWinner finds the winner in another way: it looks at what each player
// wrote first, between open and close, and has go/constant and math/big say who
// beats whom.
func TestFoldWinner(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		log := drawLog(t)
		isOpen := func(e Entry) bool { _, ok := e.(Open); return ok }
		isClose := func(e Entry) bool { _, ok := e.(Close); return ok }
		from, to := slices.IndexFunc(log, isOpen), slices.IndexFunc(log, isClose)
		got := Fold(log)
		if from < 0 {
			if got.Outcome != NotOpened || got.Answers() != 0 {
				t.Fatalf("not opened, but %+v", got)
			}
			return
		}
		ended := to >= 0
		if !ended {
			to = len(log)
		}
		users := map[string]bool{}
		value := func(a Answer) *big.Rat {
			v, ok := goValue(t, a.Expression)
			if !ok {
				t.Fatalf("%s divides by zero", a.Expression)
			}
			r, ok := new(big.Rat).SetString(goString(v))
			if !ok {
				t.Fatalf("%s is not a fraction", goString(v))
			}
			return r
		}
		limit := big.NewRat(21, 1)
		var valid []Answer
		exact := false
		for _, e := range log[from+1 : to] {
			a, ok := e.(Answer)
			if !ok || a.Round != 7 || users[a.User] {
				continue
			}
			users[a.User] = true
			if value(a).Cmp(limit) <= 0 {
				valid = append(valid, a)
			}
			exact = exact || value(a).Cmp(limit) == 0
		}
		if got.Answers() != len(users) {
			t.Fatalf("%d answers, want %d", got.Answers(), len(users))
		}
		want := Running
		switch {
		case !ended && exact:
			want = Decided
		case !ended:
		case len(users) == 0:
			want = NobodyAnswered
		case len(valid) == 0:
			want = NoValidAnswer
		default:
			want = Won
		}
		if got.Outcome != want {
			t.Fatalf("outcome %s, want %s", got.Outcome, want)
		}
		if want != Won {
			if got.Winner != (Player{}) || got.Expression != "" || got.Value != "" {
				t.Fatalf("%s, but a winner: %+v", want, got)
			}
			return
		}
		slices.SortStableFunc(valid, func(a, b Answer) int { return value(b).Cmp(value(a)) })
		if w := valid[0]; got.Winner.ID != w.UserID || got.Expression != w.Expression || got.Value != value(w).RatString() {
			t.Fatalf("winner %+v with %s = %s, want %+v", got.Winner, got.Expression, got.Value, w)
		}
	})
}

// TestEntriesInJSON: what is stored comes back, but for the sequence, which the
// stream knows.
func TestEntriesInJSON(t *testing.T) {
	t.Parallel()
	tests := []struct {
		entry Entry
		want  string
		back  func([]byte) (Entry, error)
	}{
		{
			opened(0),
			`{"round":7,"numbers":[2,3,5,10],"opened_at":"2026-11-20T12:00:00Z","ends_at":"2026-11-20T12:02:00Z"}`,
			read[Open],
		},
		{
			answered(t, 0, "ann", "10*2 + 3/5"),
			`{"round":7,"user_id":"id-ann","user":"ann","expression":"10*2+3/5","value":"103/5","command":""}`,
			read[Answer],
		},
		{
			closed(0),
			`{"round":7,"reason":"deadline","at":"2026-11-20T12:02:00Z"}`,
			read[Close],
		},
	}
	for _, tt := range tests {
		got, err := json.Marshal(tt.entry)
		if err != nil || string(got) != tt.want {
			t.Errorf("got %s, error %v\nwant %s", got, err, tt.want)
		}
		if back, err := tt.back([]byte(tt.want)); err != nil || !reflect.DeepEqual(back, tt.entry) {
			t.Errorf("%s came back as %+v, error %v", tt.want, back, err)
		}
	}
}

func read[E Entry](b []byte) (Entry, error) {
	var e E
	err := json.Unmarshal(b, &e)
	return e, err
}
