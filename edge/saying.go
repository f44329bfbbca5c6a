package edge

import (
	"context"
	"errors"

	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/fault"
	"gamehall/shared/wire"
)

// wasSaid ends so many lines, and the rest of the writers that wait for the last of them.
func (e *Edge) wasSaid(n int) {
	ended := e.coming.ended.Add(uint64(n))
	if e.coming.rests.Load() > 0 && ended >= e.coming.begun.Load() {
		for _, w := range e.writers {
			w.poke()
		}
	}
}

// sayAll says lines together and fills in their replies; its error is all of them's.
func (c *conn) sayAll(ctx context.Context, cmds []wire.Command, replies []wire.Reply) error {
	req := chatapi.SayRequest{Text: cmds[0].Text, More: make([]string, len(cmds)-1)}
	for i, cmd := range cmds[1:] {
		req.More[i] = cmd.Text
	}
	id := bus.NewID()
	say := member(func(c *conn, ctx context.Context, _ *session, _ wire.Command) (wire.Reply, error) {
		got, err := chatapi.Say.Call(bus.WithCommand(ctx, id), c.edge.nc, req)
		told := append([]uint64{got.Seq}, got.More...)
		switch {
		case fault.CodeOf(err) == fault.BadRequest:
			told = nil // by a copy of chat that knows single lines only: these are good ones
		case err != nil:
			return wire.Reply{}, err
		}
		for i, cmd := range cmds {
			if i < len(told) {
				replies[i].Seq = told[i]
				continue
			}
			got, err := chatapi.Say.Call(bus.WithCommand(ctx, req.LineID(id, i)), c.edge.nc, chatapi.SayRequest{Text: cmd.Text}, bus.Soon())
			if errors.Is(err, context.Canceled) {
				return wire.Reply{}, err
			}
			if err != nil {
				replies[i].Err = c.edge.asFault(maybeSaid(err), cmd.Type)
				continue
			}
			replies[i].Seq = got.Seq
		}
		return wire.Reply{}, nil
	}, publishFor)
	_, err := say.run(c, ctx, cmds[0])
	return err
}

// maybeSaid is what a refusal of a line comes to that was tried before, and may be stored by that.
func maybeSaid(err error) error {
	if fault.CodeOf(err) != fault.NotSignedIn {
		return err
	}
	return fault.New(fault.Unavailable, "your session ended before the line was stored, it may be lost")
}
