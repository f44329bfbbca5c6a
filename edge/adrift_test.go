package edge

import (
	"testing"
	"time"

	"gamehall/shared/authapi"
)

// adriftAt is a table with sessions of these users, each lost a second after the one before.
func adriftAt(term *tenure, begin time.Time, users ...string) *adrift {
	a := newAdrift()
	a.running = true // nobody: the test looks itself
	for i, user := range users {
		l := &lost{s: &session{id: "s" + user, userID: user, tenure: term}, at: begin.Add(time.Duration(i) * time.Second)}
		a.held[user] = l
		a.queue = append(a.queue, l)
	}
	return a
}

func usersOf(due []*lost) (users string) {
	for _, l := range due {
		users += l.s.userID
	}
	return users
}

// Auth is told of a loss when its time is over, and of those who came back not at all.
func TestAdriftUntilDue(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	a := adriftAt(newTerm(), begin, "a", "b", "c")
	if due, wait := a.due(begin.Add(adriftFor - time.Millisecond)); len(due) != 0 || wait != time.Millisecond {
		t.Fatalf("too early: %q are due, look again in %v", usersOf(due), wait)
	}
	a.found("a", "another") // of another sign-in
	a.found("b", "sb")
	due, wait := a.due(begin.Add(adriftFor))
	if usersOf(due) != "a" || wait != 2*time.Second {
		t.Fatalf("%q are due, look again in %v; want a, and c in 2 s", usersOf(due), wait)
	}
	due, wait = a.due(begin.Add(2*time.Second + adriftFor))
	if usersOf(due) != "c" || wait != 0 || a.running || len(a.held) != 0 {
		t.Fatalf("%q are due, look again in %v, %d are held; want c, and nobody any more", usersOf(due), wait, len(a.held))
	}
}

// An edge that stops tells of all of them, and keeps nobody any more.
func TestAdriftSettles(t *testing.T) {
	t.Parallel()
	begin, term := time.Now(), newTerm()
	a := adriftAt(term, begin, "a", "b")
	a.settle()
	a.settle() // as Stop may be called twice
	if due, wait := a.due(begin); usersOf(due) != "ab" || wait != 0 {
		t.Errorf("%q are due, look again in %v; want all, now", usersOf(due), wait)
	}
	if a.hold(bareEdge(t), &session{id: "s", userID: "u", tenure: term}, false) {
		t.Error("a session is kept by an edge that stops")
	}
}

// A resume tells of its user's session only under the tenure that had it.
func TestAdriftOfATenure(t *testing.T) {
	t.Parallel()
	term := newTerm()
	a := adriftAt(term, time.Now().Add(-time.Minute), "a")
	if got := a.of("a", term); got.Session != "sa" || got.Ago < 60_000 {
		t.Errorf("lost: %+v, want sa, a minute ago", got)
	}
	if got := a.of("a", newTerm()); got != (authapi.Lost{}) {
		t.Errorf("lost under another tenure: %+v", got)
	}
	if got := a.of("b", term); got != (authapi.Lost{}) {
		t.Errorf("somebody else lost: %+v", got)
	}
}

// Of two sessions of one user auth is told of both: the one that was lost later need not be the
// later one.
func TestAdriftTwice(t *testing.T) {
	t.Parallel()
	begin, term := time.Now(), newTerm()
	a := adriftAt(term, begin)
	a.running = true
	e := bareEdge(t)
	for _, id := range []string{"s2", "s1"} {
		if !a.hold(e, &session{id: id, userID: "u", tenure: term}, false) {
			t.Fatal("it is not held")
		}
	}
	a.found("u", "s1")
	due, _ := a.due(time.Now().Add(adriftFor))
	if len(due) != 1 || due[0].s.id != "s2" {
		t.Errorf("%d are due, want s2", len(due))
	}
	if len(a.held) != 0 {
		t.Errorf("%d are held for ever", len(a.held))
	}
}
