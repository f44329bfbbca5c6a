package wire

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"gamehall/shared/fault"
)

// Limits of a frame's or message's object.
const (
	depthMost = 4  // of nested objects and arrays
	idMost    = 64 // bytes of an id
	keyMost   = 64 // bytes of a key
)

// head is what every object has.
type head struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// Since tells, by channel, the last sequence that a client has had.
type Since map[string]uint64

// UnmarshalJSONFrom reads an object, or a bare number: the lobby's.
func (s *Since) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() == '0' {
		var n uint64
		if err := json.UnmarshalDecode(d, &n); err != nil {
			return err
		}
		*s = Since{"lobby": n}
		return nil
	}
	return json.UnmarshalDecode(d, (*map[string]uint64)(s))
}

// The bodies of the types of commands. What a type does not have is refused.
type (
	credentialsBody struct {
		head
		Username string `json:"username"`
		Password string `json:"password"`
	}
	signInBody struct {
		credentialsBody
		Takeover bool `json:"takeover"`
	}
	resumeBody struct {
		head
		Token string `json:"token"`
		Since Since  `json:"since"`
	}
	passwdBody struct {
		head
		Old string `json:"old"`
		New string `json:"new"`
	}
	textBody struct {
		head
		Text string `json:"text"`
		Key  string `json:"key"`
	}
	whisperBody struct {
		head
		To   string `json:"to"`
		Text string `json:"text"`
		Key  string `json:"key"`
	}
	historyBody struct {
		head
		Channel string `json:"channel"`
		Limit   int    `json:"limit"`
		Before  uint64 `json:"before"`
	}
	createBody struct {
		head
		Room string `json:"room"`
		Max  int    `json:"max"`
	}
	joinBody struct {
		head
		Room string `json:"room"`
	}
	answerBody struct {
		head
		Expression string `json:"expression"`
		Key        string `json:"key"`
	}
)

// bodies reads the body of each type into a command.
var bodies = map[string]func(data []byte, c *Command) error{
	SignUp: body(func(b *credentialsBody, c *Command) { c.Username, c.Password = b.Username, b.Password }),
	SignIn: body(func(b *signInBody, c *Command) {
		c.Username, c.Password, c.Takeover = b.Username, b.Password, b.Takeover
	}),
	Resume:       body(func(b *resumeBody, c *Command) { c.Token, c.Since = b.Token, b.Since }),
	SignOut:      body(func(*head, *Command) {}),
	Passwd:       body(func(b *passwdBody, c *Command) { c.Old, c.New = b.Old, b.New }),
	Say:          body(func(b *textBody, c *Command) { c.Text, c.Key = b.Text, b.Key }),
	Whisper:      body(func(b *whisperBody, c *Command) { c.To, c.Text, c.Key = b.To, b.Text, b.Key }),
	History:      body(func(b *historyBody, c *Command) { c.Channel, c.Limit, c.Before = b.Channel, b.Limit, b.Before }),
	OnlineTime:   body(func(*head, *Command) {}),
	Who:          body(func(*head, *Command) {}),
	RoomCreate:   body(func(b *createBody, c *Command) { c.Room, c.Max = b.Room, b.Max }),
	RoomJoin:     body(func(b *joinBody, c *Command) { c.Room = b.Room }),
	RoomQuit:     body(func(*head, *Command) {}),
	RoomSay:      body(func(b *textBody, c *Command) { c.Text, c.Key = b.Text, b.Key }),
	RoomList:     body(func(*head, *Command) {}),
	RoomMembers:  body(func(*head, *Command) {}),
	Game21Answer: body(func(b *answerBody, c *Command) { c.Expression, c.Key = b.Expression, b.Key }),
	Game21Status: body(func(*head, *Command) {}),
	Game21Scores: body(func(*head, *Command) {}),
	Ping:         body(func(*head, *Command) {}),
}

// Types lists the types of commands that programs may send.
func Types() []string { return slices.Sorted(maps.Keys(bodies)) }

func body[B any](take func(*B, *Command)) func([]byte, *Command) error {
	return func(data []byte, c *Command) error {
		var b B
		if err := json.Unmarshal(data, &b, json.RejectUnknownMembers(true)); err != nil {
			return err
		}
		take(&b, c)
		return nil
	}
}

// ParseObject reads a command from the object of a frame or message, strictly (RFC 8259 as
// RFC 7493 narrows it): valid UTF-8 that is never repaired, no duplicate, unknown or
// wrong-case names, at most 4 levels, nothing after the object. The command's ID is set as
// far as it could be read, so that the refusal can name it.
// Faults: bad_request, too_long, unknown_command.
func ParseObject(data []byte) (Command, error) {
	if len(data) > MaxLine {
		return Command{}, fault.New(fault.TooLong, "message too long (%d bytes at most)", MaxLine)
	}
	if !utf8.Valid(data) {
		return Command{}, fault.New(fault.BadRequest, "the message is not valid UTF-8")
	}
	c, err := parseHead(data)
	if err != nil {
		return c, err
	}
	read, ok := bodies[c.Type]
	if !ok {
		return c, fault.New(fault.UnknownCommand, "unknown type %q", c.Type)
	}
	if err := read(data, &c); err != nil {
		return c, badObject(err)
	}
	if !goodKey(c.Key) {
		return c, fault.New(fault.BadRequest, "key must be 1 to %d visible ASCII characters", keyMost)
	}
	return c, nil
}

// parseHead looks at the whole object without building anything of it: its depth, its names,
// its id and type.
func parseHead(data []byte) (Command, error) {
	var c Command
	d := jsontext.NewDecoder(bytes.NewReader(data))
	if d.PeekKind() != '{' {
		return c, fault.New(fault.BadRequest, "a message is one JSON object")
	}
	name := "" // of the member at the top that is being read
	for {
		t, err := d.ReadToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return c, badObject(err)
		}
		if d.StackDepth() == 0 {
			break // what follows is refused with the body
		}
		if d.StackDepth() > depthMost {
			return c, fault.New(fault.BadRequest, "the message is nested deeper than %d", depthMost)
		}
		if d.StackDepth() != 1 {
			continue
		}
		switch kind, n := d.StackIndex(1); {
		case kind == '{' && n%2 == 1:
			name = t.String()
		case name == "id" && t.Kind() == '"':
			c.ID = t.String()
		case name == "type" && t.Kind() == '"':
			c.Type = t.String()
		}
	}
	if len(c.ID) > idMost {
		c.ID = ""
		return c, fault.New(fault.BadRequest, "id must be at most %d bytes", idMost)
	}
	return c, nil
}

func badObject(err error) error {
	return fault.New(fault.BadRequest, "this is not the message it should be: %s", reason(err))
}

// reason is what went wrong, without the Go of it.
func reason(err error) string {
	var semantic *json.SemanticError
	if errors.As(err, &semantic) && semantic.Err != nil {
		return string(semantic.JSONPointer) + " " + semantic.Err.Error()
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && syntax.Err != nil {
		return syntax.Err.Error()
	}
	if semantic != nil {
		return string(semantic.JSONPointer) + " has the wrong kind of value"
	}
	return "it ends too early"
}

// goodKey tells whether key may name a command; none is good.
func goodKey(key string) bool {
	if len(key) > keyMost {
		return false
	}
	for _, b := range []byte(key) {
		if b <= ' ' || b > '~' {
			return false
		}
	}
	return true
}
