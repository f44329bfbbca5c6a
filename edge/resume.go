package edge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/roomapi"
	"gamehall/shared/streams"
	"gamehall/shared/wire"
)

// resume lets a client that lost its connection come back as the same session, on whichever
// edge: it is shown what it missed, and then what is told now.
func (c *conn) resume(ctx context.Context, cmd wire.Command) (wire.Reply, error) {
	if c.current() != nil {
		return wire.Reply{}, fault.New(fault.AlreadySignedIn, "can't sign in repeatedly")
	}
	t := c.edge.tenure.Load()
	if err := t.check(); err != nil {
		return wire.Reply{}, err
	}
	lobby, game, err := c.edge.openHall(ctx)
	if err != nil {
		return wire.Reply{}, err
	}
	c.setPending(true)
	defer c.setPending(false)
	secret := bus.NewID()
	req := authapi.ResumeRequest{Token: cmd.Token, NextHash: authapi.HashToken(secret), Edge: t.id, Conn: c.id}
	if userID, _, ok := authapi.ParseToken(cmd.Token); ok {
		req.Held, req.Lost = c.edge.leftBehind(userID, t)
	}
	is := c.edge.returns.resume(ctx, req)
	if is.err != nil {
		c.edge.closeHall(lobby, game)
		if fault.CodeOf(is.err) == fault.Unavailable {
			c.edge.forgetResume(is.command, req)
		}
		return wire.Reply{}, is.err
	}
	got, in := is.got, is.in
	c.edge.movedOn(got.UserID, req)
	s := &session{
		user: got.User, userID: got.UserID, id: got.Session, epoch: got.Epoch, seq: got.Seq,
		tenure: t, lobby: lobby, game: game, resumable: true,
	}
	if is.lost != nil {
		// The session is the client's, and it can try again with the token that it has.
		c.edge.closeHall(lobby, game)
		c.edge.detach(s, authapi.DetachRequest{Silent: true})
		return wire.Reply{}, is.lost
	}
	at, err := c.edge.positions(ctx, s, cmd.Since, in)
	if err != nil {
		c.edge.closeHall(lobby, game)
		c.edge.detach(s, authapi.DetachRequest{Silent: true})
		return wire.Reply{}, err
	}
	reply := wire.Reply{
		Type: wire.Resume, User: s.user, Token: authapi.Token(s.userID, secret), Seq: at.lobby, Room: in.Room,
	}
	if !c.adopt(s, cmd.ID, reply) {
		c.edge.closeHall(lobby, game)
		c.edge.detach(s, authapi.DetachRequest{Silent: true})
		return wire.Reply{}, closedForNow()
	}
	c.edge.stats.resumed.Inc()
	if err := c.catchUp(s, at, in); err != nil {
		// Without what it missed it must not go on: it comes back and asks again.
		c.edge.log.Warn("a session could not catch up", "user", s.user, "error", err)
		if !c.edge.draining.Load() { // else it is closed with its command's end
			c.close(wire.Unavailable)
		}
	}
	return wire.Reply{}, nil
}

// positions are the sequences after which a session hears its channels.
type positions struct{ lobby, room, game uint64 }

// positions gives where a client that resumes goes on: in each channel after the last that it
// says it has had, in one that it does not name after the least of those that it names, and at
// the channel's end when it names none; nowhere before its own join. What is stored has one row
// of sequences for all channels. A sequence that was never given out is as good as the last.
func (e *Edge) positions(ctx context.Context, s *session, since wire.Since, in roomapi.Membership) (at positions, err error) {
	least, most := uint64(math.MaxUint64), uint64(0)
	for _, seq := range since {
		least, most = min(least, seq), max(most, seq)
	}
	// An edge may be some milliseconds behind another one: what counts is the stream's end.
	last := s.lobby.reached()
	if len(since) == 0 || most > last {
		if last, err = e.lastStored(ctx); err != nil {
			return at, err
		}
	}
	after := func(join uint64, is func(channel string) bool) uint64 {
		seq := least
		for name, had := range since {
			if is(name) {
				seq = had
			}
		}
		return max(join, min(seq, last))
	}
	at.lobby = after(s.seq, func(name string) bool { return name == streams.LobbyChannel })
	at.game = after(s.seq, func(name string) bool { return name == streams.GameChannel })
	if in.RoomID == "" {
		return at, nil
	}
	at.room = after(in.JoinSeq, func(name string) bool {
		typed, isRoom := strings.CutPrefix(name, "room:")
		if !isRoom {
			return false
		}
		id, err := roomID(typed)
		return err == nil && id == in.RoomID
	})
	return at, nil
}

// lastStored asks the leader for the last sequence that was given out.
func (e *Edge) lastStored(ctx context.Context) (last uint64, err error) {
	err = streams.Retry(ctx, func(ctx context.Context) error {
		stream, err := e.hub.js.Stream(ctx, streams.Events)
		if err != nil {
			return err
		}
		last = stream.CachedInfo().State.LastSeq
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("look for the last sequence: %w", err)
	}
	return last, nil
}

// catchUp shows the session what it missed in each of its channels, and lets it hear them. It
// takes as long as the client takes to read that.
func (c *conn) catchUp(s *session, at positions, in roomapi.Membership) error {
	lobby := s.lobby.join(c, s, slotLobby, at.lobby)
	if lobby && in.RoomID == "" && s.entered == nil && s.game.join(c, s, slotGame, at.game) {
		return nil // it has missed nothing that the logs do not have
	}
	ctx, cancel := context.WithCancel(c.edge.ctx)
	defer cancel()
	ended := c.edge.background(func() { // the connection may end meanwhile
		select {
		case <-c.done:
			cancel()
		case <-ctx.Done():
		}
	})
	if !ended {
		return context.Canceled
	}
	if !lobby {
		if err := c.hear(ctx, s, s.lobby, slotLobby, streams.LobbyChannel, at.lobby); err != nil {
			return err
		}
	}
	if in.RoomID != "" {
		r := room{name: in.Room, id: in.RoomID, seq: in.JoinSeq}
		if err := c.edge.enterFrom(ctx, c, s, r, at.room); err != nil {
			return err
		}
	}
	if r := s.entered; r != nil {
		if err := c.edge.enter(ctx, c, s, *r); err != nil {
			return err
		}
	}
	return c.hear(ctx, s, s.game, slotGame, streams.GameChannel, at.game)
}

// roomOf gives the room that the session is in; its RoomID is empty when there is none.
func (e *Edge) roomOf(ctx context.Context, s *session) (in roomapi.Membership, err error) {
	rooms, err := e.roomsOf(ctx, []authapi.SignInResponse{{UserID: s.userID, Epoch: s.epoch}})
	if err != nil {
		return in, err
	}
	return rooms[0].in, rooms[0].err
}

// placed is the room that a session is in.
type placed struct {
	in  roomapi.Membership // its RoomID is empty when there is none
	err error
}

// roomsOf gives the rooms of several sessions, with one look for all of them.
func (e *Edge) roomsOf(ctx context.Context, sessions []authapi.SignInResponse) ([]placed, error) {
	subjects := make([]string, len(sessions))
	for i, s := range sessions {
		subjects[i] = roomapi.MemberSubject.Of(s.UserID)
	}
	var last map[string]streams.Msg
	err := streams.Retry(ctx, func(ctx context.Context) (err error) {
		last, err = streams.LastNow(ctx, e.hub.js, streams.Events, subjects...)
		return err
	})
	if err != nil {
		return nil, err
	}
	rooms := make([]placed, len(sessions))
	for i, s := range sessions {
		m, found := last[subjects[i]]
		if !found {
			continue
		}
		in, err := roomapi.ParseMembership(m.Data, m.Seq)
		if err != nil {
			rooms[i].err = err
		} else if in.Epoch == s.Epoch {
			rooms[i].in = in
		}
	}
	return rooms, nil
}

// How a replay is paced: its pages are read while less than this waits to be sent, so that
// a slow client is not taken for one that does not read.
const (
	replayAhead = 1 << 20
	replayLook  = 10 * time.Millisecond
)

// hear lets the session hear ch after the sequence from. What the channel's log does not
// remember is read from the stream first, or told as a gap when it is no longer kept. A session
// that has left again hears what there was until then, and that it is over.
func (c *conn) hear(ctx context.Context, s *session, ch *channel, slot int, name string, from uint64) error {
	checked, since := false, c.joinedAt(s, slot)
	for !ch.join(c, s, slot, from) {
		left, over := ch.left(s, since)
		if over && (left.epoch != s.epoch || left.seq <= from) {
			c.edge.leaving(ch, s.leavingAt(left.seq, slot))
			return nil
		}
		if !checked {
			checked = true
			missed, err := c.edge.missing(ctx, ch, from)
			if err != nil {
				return err
			}
			if missed > 0 {
				c.tell(wire.Private{Kind: wire.KindGap, Channel: name, Missed: missed})
			}
		}
		upTo := ch.start(c.dialect)
		if over {
			upTo = left.seq
		}
		if err := c.replay(ctx, s, ch, from, upTo); err != nil {
			return fmt.Errorf("replay %s: %w", ch.name, err)
		}
		from = upTo
	}
	return nil
}

// replay shows the session what the stream has of ch in (from, upTo], up to its own leaving;
// upTo is an event of ch, or is not kept any more. A replica that is behind must not be taken
// for the end of it.
func (c *conn) replay(ctx context.Context, s *session, ch *channel, from, upTo uint64) error {
	js, prev, read, over := c.edge.hub.js, from, from, false
	for { // the waits for what does not answer are Range's and Kept's: a client may read slowly
		var failed error
		err := streams.Range(ctx, js, streams.Subject(ch.name), read, upTo, func(m streams.Msg) bool {
			read = m.Seq
			e, err := m.Decode(ch.name, prev)
			if err != nil {
				c.edge.log.Error("an event cannot be read, it is skipped", "channel", ch.name, "seq", m.Seq, "error", err)
				return true
			}
			if !wire.Known(e.Kind) {
				return true
			}
			prev = m.Seq
			if over = s.leaves(e); over {
				c.edge.leaving(ch, e)
				return false
			}
			c.show(e)
			if failed = c.room4more(ctx); c.edge.draining.Load() {
				failed = errors.New("the edge stops") // its client goes on from here, elsewhere
			}
			return failed == nil
		})
		if failed != nil || err != nil || read == upTo || over {
			return errors.Join(failed, err)
		}
		kept, err := streams.Kept(ctx, js, upTo)
		if err != nil || !kept {
			return err
		}
		select { // the replica is behind: again
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(replayLook):
		}
	}
}

// room4more waits until little enough waits to be sent. A client that reads nothing of it is
// given up.
func (c *conn) room4more(ctx context.Context) error {
	for begun := time.Now(); ; {
		c.mu.Lock()
		much := c.out.own() > replayAhead
		c.mu.Unlock()
		if !much {
			return nil
		}
		if time.Since(begun) > deadAfter && time.Since(timeOf(c.progress.Load())) > deadAfter {
			c.close(wire.SlowConsumer)
			return errors.New("the client does not read what it missed")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(replayLook):
		}
	}
}

// missing tells how many events after from may be no longer kept in ch: 0 when none is. How
// many of the sequences before the first that is kept were this channel's nobody knows any
// more, so it is the most that there can be.
func (e *Edge) missing(ctx context.Context, ch *channel, from uint64) (int, error) {
	subject := streams.Subject(ch.name)
	var state jetstream.StreamState
	var first uint64
	var most int64 // of one channel
	err := streams.Retry(ctx, func(ctx context.Context) error {
		stream, err := e.hub.js.Stream(ctx, streams.Events)
		if err != nil {
			return err
		}
		info, err := stream.Info(ctx, jetstream.WithSubjectFilter(subject))
		if err != nil {
			return err
		}
		state, first, most = info.State, info.State.LastSeq+1, info.Config.MaxMsgsPerSubject
		return streams.Range(ctx, e.hub.js, subject, 0, state.LastSeq, func(m streams.Msg) bool {
			first = m.Seq
			return false
		})
	})
	if err != nil {
		return 0, fmt.Errorf("look for what is kept of %s: %w", ch.name, err)
	}
	// Either age took it, from the whole stream's beginning, or the channel's own limit.
	aged := from+1 < state.FirstSeq
	crowded := most > 0 && state.Subjects[subject] >= uint64(most)
	if from+1 >= first || !aged && !crowded {
		return 0, nil
	}
	return int(first - from - 1), nil // far below 1<<63
}

// detach tells auth that the session's connection is gone and that its client may come back.
func (e *Edge) detach(s *session, how authapi.DetachRequest) {
	e.background(func() {
		e.ends <- struct{}{}
		defer func() { <-e.ends }()
		ctx, cancel := context.WithTimeout(e.ctx, endFor)
		defer cancel()
		_, err := authapi.Detach.Call(s.as(ctx), e.nc, how)
		if fault.CodeOf(err) == fault.BadRequest && how.Ago != 0 {
			how.Ago = 0 // by a copy of an earlier version, for which it is lost now
			_, err = authapi.Detach.Call(s.as(ctx), e.nc, how)
		}
		if err != nil && fault.CodeOf(err) != fault.NotSignedIn && ctx.Err() == nil {
			e.log.Warn("a session could not be detached", "user", s.user, "error", err)
		}
	})
}

// release ends the session s, or lets it be resumed where it may; its connection is gone.
func (e *Edge) release(c *conn, s *session, until time.Time) {
	if s.resumable {
		silent := c.silent(s)
		if !silent {
			e.sessions.remember(c, time.Now())
		}
		if !until.IsZero() || !e.adrift.hold(e, s, silent) {
			e.detach(s, authapi.DetachRequest{Until: until, Silent: silent})
		}
		return
	}
	e.end(s, until)
}

// forgetResume undoes a resume whose outcome is unknown: where it went well, its session waits
// for its client again.
func (e *Edge) forgetResume(command string, req authapi.ResumeRequest) {
	req.Again = true
	e.background(func() {
		e.ends <- struct{}{}
		defer func() { <-e.ends }()
		ctx, cancel := context.WithTimeout(e.ctx, endFor)
		defer cancel()
		got, err := e.askResume(bus.WithCommand(ctx, command), req)
		if err == nil || fault.CodeOf(err) == fault.Unavailable {
			// Whoever may have lost its session here is not to hear on.
			userID, _, _ := authapi.ParseToken(req.Token)
			e.movedOn(userID, req)
		}
		if err != nil {
			return // it did not go well, or auth is gone for long: then the lease ends it
		}
		e.detach(&session{user: got.User, id: got.Session}, authapi.DetachRequest{Silent: true})
	})
}

// silent tells whether the connection sent nothing after it resumed s.
func (c *conn) silent(s *session) bool { return !c.spoke.Load() && s.resumable }

// commandID names a command by its user and key, so that it may be repeated on another
// connection; without a key it is one of its own.
func commandID(s *session, cmd wire.Command) string {
	if s == nil || cmd.Key == "" {
		return bus.NewID()
	}
	sum := sha256.Sum256([]byte(s.userID + "\x00" + cmd.Type + "\x00" + cmd.Key))
	return "k" + hex.EncodeToString(sum[:16])
}
