package streams_test

import (
	"testing"

	"gamehall/shared/event"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

func TestNext(t *testing.T) {
	t.Parallel()
	js := natstest.Run(t).JetStream(t)
	ctx := natstest.Context(t)
	var seqs []uint64
	for _, channel := range []string{"room.a", "lobby", "room.b"} {
		seq, err := streams.Publish(ctx, js, streams.Subject(channel), channel, event.Event{Kind: event.Chat})
		if err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, seq)
	}
	tests := []struct {
		name    string
		subject string
		from    uint64
		want    uint64 // 0: none
	}{
		{"the first", "hall.events.room.*", 1, seqs[0]},
		{"itself", "hall.events.room.*", seqs[0], seqs[0]},
		{"past another subject's", "hall.events.room.*", seqs[0] + 1, seqs[2]},
		{"none left", "hall.events.room.*", seqs[2] + 1, 0},
		{"none at all", "hall.state.room.*", 1, 0},
	}
	for _, tt := range tests {
		m, found, err := streams.Next(ctx, js, streams.Events, tt.subject, tt.from)
		if err != nil || found != (tt.want != 0) || m.Seq != tt.want {
			t.Errorf("%s: %d, %v, %v, want %d", tt.name, m.Seq, found, err, tt.want)
		}
	}
}
