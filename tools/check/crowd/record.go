package crowd

import (
	"gamehall/shared/event"
	"gamehall/shared/wire"
	"gamehall/tools/check/history"
)

// asked is the invoke of a command.
func asked(c wire.Command) history.Event {
	e := history.Event{Type: history.Invoke, F: c.Type, Key: c.Key}
	switch c.Type {
	case wire.SignUp:
		e.User = c.Username
	case wire.SignIn:
		e.User, e.Takeover = c.Username, c.Takeover
	case wire.Resume:
		e.Since = c.Since
	case wire.Say, wire.RoomSay:
		e.Text = c.Text
	case wire.Whisper:
		e.To, e.Text = c.To, c.Text
	case wire.RoomCreate:
		e.Room, e.Max = c.Room, c.Max
	case wire.RoomJoin:
		e.Room = c.Room
	case wire.History:
		e.Channel, e.Limit, e.Before = c.Channel, c.Limit, c.Before
	case wire.Game21Answer:
		e.Expression = c.Expression
	}
	return e
}

// answered is the outcome of a command that was replied to.
func answered(c wire.Command, r wire.Reply) history.Event {
	e := history.Event{F: c.Type}
	if r.Err != nil {
		e.Type, e.Code, e.Retry = history.Fail, string(r.Err.Code), r.Err.Code.Retry()
		return e
	}
	e.Type = history.OK
	switch c.Type {
	case wire.SignIn, wire.Resume:
		e.User, e.Seq, e.Room = r.User, r.Seq, r.Room
	case wire.Say, wire.RoomSay, wire.RoomQuit:
		e.Seq = r.Seq
	case wire.RoomCreate, wire.RoomJoin:
		e.Seq, e.Room = r.Seq, r.Room
	case wire.History:
		for _, h := range r.History {
			e.Events = append(e.Events, toldStored(h))
		}
	case wire.Who:
		e.Total = r.Who.Total
		for _, u := range r.Who.Users {
			e.Users = append(e.Users, history.Present{User: u.User, State: u.State, Since: u.Since})
		}
	case wire.OnlineTime:
		e.Seconds = r.OnlineTime.Seconds
	case wire.RoomList:
		for _, l := range r.Rooms {
			e.Rooms = append(e.Rooms, history.Room{Room: l.Room, Members: l.Members, Max: l.Max})
		}
	case wire.RoomMembers:
		e.Room, e.Members = r.Members.Room, r.Members.Members
	case wire.Game21Answer:
		e.Round, e.Value, e.Void = r.Answer.Round, r.Answer.Value, r.Answer.Void
	case wire.Game21Status:
		s := r.Status
		e.Open, e.Round, e.Numbers, e.EndsAt, e.NextAt = s.Open, s.Round, s.Numbers, s.EndsAt, s.NextAt
	case wire.Game21Scores:
		for _, s := range r.Scores.Top {
			e.Scores = append(e.Scores, history.Score{User: s.User, Won: s.Won, Played: s.Played, Rank: s.Rank})
		}
		me := r.Scores.Me
		e.Me = &history.Score{User: me.User, Won: me.Won, Played: me.Played, Rank: me.Rank}
	}
	return e
}

// toldStored is the recv of a stored event.
func toldStored(s event.Stored) history.Event {
	e := history.Event{
		Type: history.Recv, F: s.Kind, Channel: s.Channel, Seq: s.Seq, Prev: s.Prev, At: s.At,
		From: s.From, Text: s.Text, User: s.User,
		Round: s.Round, Numbers: s.Numbers, EndsAt: s.EndsAt, Answers: s.Answers,
		Winner: s.Winner, Expression: s.Expression, Value: s.Value,
	}
	if s.Best != nil {
		e.Best = &history.Solution{Expression: s.Best.Expression, Value: s.Best.Value}
	}
	return e
}

// toldPrivate is the recv of an event for one session.
func toldPrivate(p wire.Private) history.Event {
	e := history.Event{
		Type: history.Recv, F: p.Kind, Channel: history.UserOnly, From: p.From, To: p.To, Text: p.Text,
		Missed: p.Missed, Reason: string(p.Reason), RetryAfterMS: p.RetryAfter.Milliseconds(),
	}
	if p.Kind == wire.KindGap {
		e.Channel = p.Channel
	}
	return e
}
