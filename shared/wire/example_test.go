package wire_test

import (
	"fmt"
	"os"
	"time"

	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/wire"
)

// What a player types becomes a command, and what the hall tells becomes lines.
func Example() {
	at := time.Date(2026, 11, 20, 15, 24, 24, 0, time.UTC)
	command, err := wire.ParseLine([]byte("/w netease2 see you in room1"))
	fmt.Println(command.Type, command.To, command.Text, err)

	var out []byte
	if _, err := wire.ParseLine([]byte("/SIGNIN netease1")); err != nil {
		refusal, _ := fault.From(err)
		out = wire.AppendReply(out, wire.Reply{Err: refusal}, at)
	}
	out = wire.AppendEvent(out, event.Stored{At: at, Event: event.Event{Kind: event.Chat, From: "netease2", Text: "hi"}}, time.UTC)
	out = wire.AppendPrivate(out, wire.Private{Kind: wire.KindWhisper, From: "netease2", Text: "psst"}, at)
	_, _ = os.Stdout.Write(out)
	// Output:
	// whisper netease2 see you in room1 <nil>
	// 2026-11-20 15:24:24 system: usage: /SIGNIN name password [TAKEOVER]
	// 2026-11-20 15:24:24 netease2: hi
	// 2026-11-20 15:24:24 (whisper) netease2: psst
}
