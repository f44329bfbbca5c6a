package game21

import (
	"testing"

	"gamehall/shared/event"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// Whatever else was written where the game keeps its state, the rounds go on.
func TestPoison(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	put := func(subject, text string) {
		t.Helper()
		if _, err := h.js.Publish(natstest.Context(t), subject, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	const junk = `{"name":"game21","type":"io.nats.micro.v1.ping_response"}`
	put("hall.round.2.close", junk)
	put("hall.round.3.answer.someone", junk)
	put("hall.round.x.close", junk)
	h.copy()
	h.open()
	// The schedule is overwritten while a round is open.
	put("$KV."+streams.Schedule+".schedule", junk)
	h.clock.until(h.status().EndsAt)
	if e := h.expect(event.Game21Ended); e.Round != 1 {
		t.Fatalf("told %+v, want the end of round 1", e)
	}
	// Round 2 cannot be played, its end stands there already; round 3 can, by everybody else.
	h.clock.until(h.planned())
	if e := h.expect(event.Game21Started); e.Round != 3 {
		t.Fatalf("told %+v, want the start of round 3", e)
	}
	h.say("ann", "2+3+5+10")
	if e := h.expect(event.Game21Answered); e.User != "ann" {
		t.Fatalf("told %+v", e)
	}
	h.clock.until(h.status().EndsAt)
	if e := h.expect(event.Game21Ended); e.Round != 3 || e.Winner != "ann" || e.Answers != 1 {
		t.Fatalf("told %+v, want ann to win round 3", e)
	}
	// And all of it again after a restart.
	h.end(h.last)
	h.copy()
	h.clock.until(h.planned())
	if e := h.expect(event.Game21Started); e.Round != 4 {
		t.Fatalf("told %+v, want the start of round 4", e)
	}
}
