package wire

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"gamehall/shared/accountapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/game21api"
	"gamehall/shared/roomapi"
)

// clientEvent is an event as a client gets it: the members that the protocol names, flat.
// Those that may be empty and are told all the same are pointers.
type clientEvent struct {
	Type    string    `json:"type"`
	Event   string    `json:"event"`
	Channel string    `json:"channel"`
	Seq     uint64    `json:"seq,omitzero"`
	Prev    *uint64   `json:"prev,omitzero"`
	At      time.Time `json:"at"`

	From       string          `json:"from,omitzero"`
	To         string          `json:"to,omitzero"`
	Text       string          `json:"text,omitzero"`
	User       string          `json:"user,omitzero"`
	Round      int             `json:"round,omitzero"`
	Numbers    []int           `json:"numbers,omitzero"`
	EndsAt     time.Time       `json:"ends_at,omitzero"`
	Answers    *int            `json:"answers,omitzero"`
	Winner     *string         `json:"winner,omitzero"`
	Expression *string         `json:"expression,omitzero"`
	Value      *string         `json:"value,omitzero"`
	Best       *event.Solution `json:"best,omitzero"`
	Missed     int             `json:"missed,omitzero"`
	Reason     Reason          `json:"reason,omitzero"`
	RetryAfter *int64          `json:"retry_after_ms,omitzero"`
}

// ChannelName is what clients call the channel of e: a room's is "room:<name>".
func ChannelName(e event.Stored) string {
	if strings.HasPrefix(e.Kind, "room.") {
		return "room:" + e.Room
	}
	return e.Channel
}

func toClient(e event.Stored) clientEvent {
	c := clientEvent{
		Type: "event", Event: e.Kind, Channel: ChannelName(e), Seq: e.Seq, Prev: &e.Prev, At: e.At.UTC(),
		From: e.From, Text: e.Text, User: e.User, Round: e.Round,
	}
	switch e.Kind {
	case event.Game21Started:
		c.Numbers, c.EndsAt = e.Numbers, e.EndsAt.UTC()
	case event.Game21Ended:
		c.Answers, c.Winner, c.Expression, c.Value, c.Best = &e.Answers, &e.Winner, &e.Expression, &e.Value, e.Best
	}
	return c
}

// Known tells the kinds of event that clients of this version are told.
func Known(kind string) bool {
	switch kind {
	case event.Chat, event.Joined, event.Left, event.RoomChat, event.RoomJoined, event.RoomLeft,
		event.Game21Started, event.Game21Answered, event.Game21Ended:
		return true
	}
	return false
}

// EventObject gives e as the object of a frame or message; nil for a kind that this version
// does not know.
func EventObject(e event.Stored) []byte {
	if !Known(e.Kind) {
		return nil
	}
	return object(toClient(e))
}

// PrivateObject gives p as an object; nil for a closing that is not told.
func PrivateObject(p Private, now time.Time) []byte {
	c := clientEvent{Type: "event", Event: p.Kind, Channel: "user", At: now.UTC()}
	switch p.Kind {
	case KindWhisper:
		c.From, c.To, c.Text = p.From, p.To, p.Text
	case KindNotice:
		c.Text = p.Text
	case KindGap:
		c.Missed = p.Missed
		if p.Channel != "" {
			c.Channel = p.Channel
		}
	case KindClosing:
		if p.Reason == Bye {
			return nil
		}
		c.Reason, c.RetryAfter = p.Reason, new(p.RetryAfter.Milliseconds())
	}
	return object(c)
}

// replyObject is the answer to a command.
type replyObject struct {
	Type  string       `json:"type"`
	Re    string       `json:"re"`
	OK    bool         `json:"ok"`
	Data  any          `json:"data,omitzero"`
	Error *errorObject `json:"error,omitzero"`
}

type errorObject struct {
	Code    fault.Code `json:"code"`
	Message string     `json:"message"`
	Retry   bool       `json:"retry"`
}

// The data of replies.
type (
	sessionData struct {
		User  string `json:"user"`
		Token string `json:"token"`
		Seq   uint64 `json:"seq"`
		Room  string `json:"room,omitzero"`
	}
	seqData struct {
		Seq uint64 `json:"seq"`
	}
	historyData struct {
		Events []clientEvent `json:"events"`
	}
	roomsData struct {
		Rooms []roomapi.Listed `json:"rooms"`
	}
	statusData struct {
		Open    bool       `json:"open"`
		Round   int        `json:"round"`
		Numbers []int      `json:"numbers"`
		EndsAt  *time.Time `json:"ends_at"`
		NextAt  *time.Time `json:"next_at"`
	}
	scoreData struct {
		User   string `json:"user"`
		Won    int    `json:"won"`
		Played int    `json:"played"`
		Rank   int    `json:"rank,omitzero"`
	}
	scoresData struct {
		Top []scoreData `json:"top"`
		Me  scoreData   `json:"me"`
	}
)

// ReplyObject gives r as an object; re is the command's id.
func ReplyObject(re string, r Reply) []byte {
	out := replyObject{Type: "reply", Re: re, OK: r.Err == nil}
	if r.Err != nil {
		out.Error = &errorObject{Code: r.Err.Code, Message: r.Err.Message, Retry: r.Err.Code.Retry()}
		return object(out)
	}
	switch r.Type {
	case SignIn, Resume:
		out.Data = sessionData{r.User, r.Token, r.Seq, r.Room}
	case Say, RoomSay, RoomCreate, RoomJoin, RoomQuit:
		out.Data = seqData{r.Seq}
	case OnlineTime:
		out.Data = r.OnlineTime
	case Who:
		out.Data = accountapi.WhoResponse{Users: r.Who.Users, Total: r.Who.Total}
	case History:
		h := historyData{Events: []clientEvent{}}
		for _, e := range r.History {
			if Known(e.Kind) {
				h.Events = append(h.Events, toClient(e))
			}
		}
		out.Data = h
	case RoomList:
		out.Data = roomsData{r.Rooms}
	case RoomMembers:
		out.Data = r.Members
	case Game21Answer:
		out.Data = r.Answer
	case Game21Status:
		out.Data = status(r.Status)
	case Game21Scores:
		s := scoresData{Top: []scoreData{}, Me: scoreData(r.Scores.Me)}
		for _, p := range r.Scores.Top {
			s.Top = append(s.Top, scoreData(p))
		}
		out.Data = s
	}
	return object(out)
}

func status(s game21api.StatusResponse) statusData {
	d := statusData{Open: s.Open, Round: s.Round, Numbers: s.Numbers}
	if s.Open {
		d.EndsAt = new(s.EndsAt.UTC())
	}
	if !s.NextAt.IsZero() {
		d.NextAt = new(s.NextAt.UTC())
	}
	return d
}

// object encodes v. What was stored long ago may hold invalid UTF-8: it is shown repaired.
func object(v any) []byte {
	data, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		panic(err) // only of a type that cannot be encoded: a mistake in this file
	}
	return data
}

// AppendFrame writes an object as a frame: its length in 4 bytes, big-endian, and the
// object. No object gives no frame.
func AppendFrame(dst, object []byte) []byte {
	if len(object) == 0 {
		return dst
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(object))) // at most 1 MiB
	return append(dst, object...)
}
