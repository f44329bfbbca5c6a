package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/game21api"
)

// MaxServerFrame is the most bytes of a frame or message from the server.
const MaxServerFrame = 1 << 20

// CommandObject gives c as the object of a frame or message, as [ParseObject] reads it: of a
// member that c's type does not have, nothing is sent. It is nil for a type that only lines
// have.
func CommandObject(c Command) []byte {
	h := head{ID: c.ID, Type: c.Type}
	var v any
	switch c.Type {
	case SignUp:
		v = credentialsBody{h, c.Username, c.Password}
	case SignIn:
		v = signInBody{credentialsBody{h, c.Username, c.Password}, c.Takeover}
	case Resume:
		v = struct {
			head
			Token string            `json:"token"`
			Since map[string]uint64 `json:"since,omitempty"`
		}{h, c.Token, c.Since}
	case Passwd:
		v = passwdBody{h, c.Old, c.New}
	case Say, RoomSay:
		v = struct {
			head
			Text string `json:"text"`
			Key  string `json:"key,omitzero"`
		}{h, c.Text, c.Key}
	case Whisper:
		v = struct {
			head
			To   string `json:"to"`
			Text string `json:"text"`
			Key  string `json:"key,omitzero"`
		}{h, c.To, c.Text, c.Key}
	case History:
		v = struct {
			head
			Channel string `json:"channel,omitzero"`
			Limit   int    `json:"limit,omitzero"`
			Before  uint64 `json:"before,omitzero"`
		}{h, c.Channel, c.Limit, c.Before}
	case RoomCreate:
		v = struct {
			head
			Room string `json:"room"`
			Max  int    `json:"max,omitzero"`
		}{h, c.Room, c.Max}
	case RoomJoin:
		v = joinBody{h, c.Room}
	case Game21Answer:
		v = struct {
			head
			Expression string `json:"expression"`
			Key        string `json:"key,omitzero"`
		}{h, c.Expression, c.Key}
	default:
		if _, ok := bodies[c.Type]; !ok {
			return nil
		}
		v = h
	}
	return object(v)
}

// ReadFrame reads one frame of at most most bytes and gives its object. A length out of
// bounds is an error before anything is allocated for it; io.EOF is an end between frames.
func ReadFrame(r io.Reader, most int) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n == 0 || uint64(n) > uint64(most) {
		return nil, fmt.Errorf("a frame of %d bytes, %d at most", n, most)
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(r, data); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return data, nil
}

// Message is what the server sends: the reply to a command, a stored event, or an event for
// this session alone. All are unset for a kind that this version does not know.
type Message struct {
	IsReply bool
	Re      string // reply: the command's id
	err     *fault.Error
	data    jsontext.Value

	Event   *event.Stored // its Channel is what clients call it
	Private *Private
}

// ParseMessage reads what the server sent. Members that this version does not know are
// skipped: they come from a newer server. What is no message at all is an error.
func ParseMessage(data []byte) (Message, error) {
	if !utf8.Valid(data) {
		return Message{}, errors.New("a message that is not UTF-8")
	}
	var kind struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return Message{}, fmt.Errorf("a message that is no object: %w", err)
	}
	switch kind.Type {
	case "reply":
		return parseReply(data)
	case "event":
		return parseEvent(data)
	}
	return Message{}, nil
}

func parseReply(data []byte) (Message, error) {
	var r struct {
		Re    string         `json:"re"`
		OK    bool           `json:"ok"`
		Data  jsontext.Value `json:"data"`
		Error *errorObject   `json:"error"`
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return Message{}, fmt.Errorf("a reply: %w", err)
	}
	m := Message{IsReply: true, Re: r.Re, data: r.Data}
	switch {
	case r.Error != nil:
		m.err = &fault.Error{Code: r.Error.Code, Message: r.Error.Message}
	case !r.OK:
		return Message{}, errors.New("a reply that is neither ok nor an error")
	}
	return m, nil
}

func parseEvent(data []byte) (Message, error) {
	var c clientEvent
	if err := json.Unmarshal(data, &c); err != nil {
		return Message{}, fmt.Errorf("an event: %w", err)
	}
	switch c.Event {
	case KindWhisper, KindNotice, KindGap, KindClosing:
		p := Private{
			Kind: c.Event, From: c.From, To: c.To, Text: c.Text,
			Channel: c.Channel, Missed: c.Missed, Reason: c.Reason,
		}
		if c.RetryAfter != nil {
			p.RetryAfter = time.Duration(*c.RetryAfter) * time.Millisecond
		}
		return Message{Private: &p}, nil
	}
	if !Known(c.Event) {
		return Message{}, nil
	}
	return Message{Event: new(fromClient(c))}, nil
}

func fromClient(c clientEvent) event.Stored {
	e := event.Stored{Channel: c.Channel, Seq: c.Seq, At: c.At, Event: event.Event{
		Kind: c.Event, From: c.From, Text: c.Text, User: c.User, Round: c.Round,
		Numbers: c.Numbers, EndsAt: c.EndsAt, Best: c.Best,
	}}
	if room, ok := strings.CutPrefix(c.Channel, "room:"); ok {
		e.Room = room
	}
	e.Prev, e.Answers = value(c.Prev), value(c.Answers)
	e.Winner, e.Expression, e.Value = value(c.Winner), value(c.Expression), value(c.Value)
	return e
}

func value[T any](p *T) T {
	if p == nil {
		return *new(T)
	}
	return *p
}

// Reply gives what m says to the command c, which it is the reply to. What the command knows
// and the reply does not repeat is taken from c: whom a whisper went to, which room.
func (m Message) Reply(c Command) (Reply, error) {
	r := Reply{Type: c.Type, Err: m.err}
	if r.Err != nil {
		return r, nil //nolint:nilerr // that the hall refused is what the reply says
	}
	read := func(v any) error {
		if err := json.Unmarshal(m.data, v); err != nil {
			return fmt.Errorf("the reply to %s: %w", c.Type, err)
		}
		return nil
	}
	var err error
	switch c.Type {
	case SignIn, Resume:
		var d sessionData
		err = read(&d)
		r.User, r.Token, r.Seq, r.Room = d.User, d.Token, d.Seq, d.Room
	case Say, RoomSay, RoomCreate, RoomJoin, RoomQuit:
		var d seqData
		err = read(&d)
		r.Seq, r.Room = d.Seq, c.Room
	case Whisper:
		r.Whisper.To, r.Whisper.Text = c.To, c.Text
	case OnlineTime:
		err = read(&r.OnlineTime)
	case Who:
		err = read(&r.Who)
	case History:
		var d historyData
		err = read(&d)
		for _, e := range d.Events {
			if Known(e.Event) {
				r.History = append(r.History, fromClient(e))
			}
		}
	case RoomList:
		var d roomsData
		err = read(&d)
		r.Rooms = d.Rooms
	case RoomMembers:
		err = read(&r.Members)
	case Game21Answer:
		err = read(&r.Answer)
	case Game21Status:
		var d statusData
		err = read(&d)
		r.Status = game21api.StatusResponse{
			Open: d.Open, Round: d.Round, Numbers: d.Numbers, EndsAt: value(d.EndsAt), NextAt: value(d.NextAt),
		}
	case Game21Scores:
		var d scoresData
		err = read(&d)
		r.Scores.Me = game21api.Score(d.Me)
		for _, s := range d.Top {
			r.Scores.Top = append(r.Scores.Top, game21api.Score(s))
		}
	}
	return r, err
}
