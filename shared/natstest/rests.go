package natstest

import (
	"testing"

	"gamehall/shared/bus"
	"gamehall/shared/event"
	"gamehall/shared/streams"
)

// Rests says lines in the lobby until the durable consumer of that name has one waiting and asks for
// none: who reads it rests after lines of chat.
func (s *Server) Rests(t testing.TB, consumer string) {
	t.Helper()
	js := s.JetStream(t)
	Eventually(t, "who reads the lobby rests", func() bool {
		if _, err := streams.Publish(Context(t), js, streams.Subject(streams.LobbyChannel), bus.NewID(), event.Event{Kind: event.Chat, From: "eve", Text: "hi"}); err != nil {
			t.Fatal(err)
		}
		c, err := js.Consumer(Context(t), streams.Events, consumer)
		if err != nil {
			t.Fatal(err)
		}
		info := c.CachedInfo()
		return info.NumPending > 0 && info.NumWaiting == 0 && info.NumAckPending == 0
	})
}
