package client

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"gamehall/shared/event"
	"gamehall/shared/game21api"
)

// round is what is known of the game of 21.
type round struct {
	open    bool
	number  int
	numbers []int
	ends    time.Time // by the clock of this machine
	next    time.Time // when the next one starts; zero when unknown
}

// started takes the start of a round. This machine's clock may be wrong: a time left that
// cannot be is replaced by the length of the round.
func (r *round) started(e event.Stored, now time.Time) {
	length := e.EndsAt.Sub(e.At)
	left := e.EndsAt.Sub(now)
	if left <= 0 || left > length {
		left = length
	}
	*r = round{open: true, number: e.Round, numbers: e.Numbers, ends: now.Add(left)}
}

func (r *round) ended(e event.Stored) {
	if e.Round >= r.number {
		*r = round{number: e.Round}
	}
}

// status takes the answer to game21.status.
func (r *round) status(s game21api.StatusResponse) {
	switch {
	case s.Open && (!r.open || r.number != s.Round):
		*r = round{open: true, number: s.Round, numbers: s.Numbers, ends: s.EndsAt}
	case !s.Open:
		*r = round{number: s.Round - 1, next: s.NextAt}
	}
}

// text is the round for the status bar.
func (r *round) text(now time.Time, zone *time.Location) string {
	switch {
	case r.open:
		words := make([]string, len(r.numbers))
		for i, n := range r.numbers {
			words[i] = strconv.Itoa(n)
		}
		left := max(0, r.ends.Sub(now).Round(time.Second))
		return fmt.Sprintf("21 of %s  %d:%02d", strings.Join(words, " "), left/time.Minute, left%time.Minute/time.Second)
	case r.next.After(now):
		return "next round " + r.next.In(zone).Format("15:04")
	}
	return ""
}
