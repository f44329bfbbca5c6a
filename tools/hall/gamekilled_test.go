package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gamehall/shared/event"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// TestGameKilled: the game is killed in the middle of a round, alone or beside another copy. The
// round goes on with the same numbers to the same end, what was answered counts, and the result
// is told once.
func TestGameKilled(t *testing.T) {
	t.Parallel()
	for _, other := range []bool{true, false} {
		t.Run(fmt.Sprintf("another copy %v", other), func(t *testing.T) {
			t.Parallel()
			h := openCopies(t)
			hall := h.launch(h.url, "edge", "auth", "account", "chat", "room").serving()
			game := func() *process {
				return launch(t, "run", "game21", "--nats", h.url, "--data", h.data,
					"--game21-first", "1s", "--game21-duration", "12s", "--game21-solvable").serving()
			}
			ann, bob := hall.signIn("netease1", "123"), hall.signIn("netease2", "123")
			one := game()
			n := strings.Fields(ann.hearsMatch(`^system: round 1: make 21 of (\d+ \d+ \d+ \d+), 12 seconds$`)[1])
			due := time.Now().Add(12 * time.Second)
			if other {
				game()
			}
			ann.says("/21GAME " + strings.Join(n, "-")) // at most 9, so it decides nothing
			ann.hears("system: round 1: netease1 has answered")
			one.kill()
			if !other {
				game()
			}
			ann.says("/21GAME " + strings.Join(n, "+"))
			ann.hearsMatch(`you have answered round 1 already$`)
			slices.Reverse(n)
			bob.says("/21GAME " + strings.Join(n, "-"))
			bob.hearsMatch(`^system: round 1: your answer is `)
			ann.hearsMatch(`^system: round 1: netease\d wins with `)
			if late := time.Since(due); late < -time.Second || late > 5*time.Second {
				t.Errorf("the result came %v after the end", late)
			}
			bob.hearsMatch(`^system: round 1: netease\d wins with `)
			ann.says("/SCORES") // of all who have played
			ann.hearsMatch(`^system: you are number \d, \d won of 1$`)
			var told []string
			err := streams.Range(natstest.Context(t), h.js, streams.Subject(streams.GameChannel), 0, 1<<60, func(m streams.Msg) bool {
				e, err := m.Decode(streams.GameChannel, 0)
				if err != nil {
					t.Error(err)
				}
				told = append(told, e.Kind)
				return true
			})
			want := []string{event.Game21Started, event.Game21Answered, event.Game21Answered, event.Game21Ended}
			if err != nil || !slices.Equal(told, want) {
				t.Errorf("the hall was told %q (%v), want %q", told, err, want)
			}
		})
	}
}
