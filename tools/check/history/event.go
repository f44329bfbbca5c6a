package history

import "time"

// Type tells what an [Event] is.
type Type string

// The types. See the package's text for what each carries.
const (
	Invoke  Type = "invoke"
	OK      Type = "ok"
	Fail    Type = "fail"
	Info    Type = "info"
	Recv    Type = "recv"
	Conn    Type = "conn"
	Disc    Type = "disc"
	Final   Type = "final"
	Pause   Type = "pause"   // the driver stops reading on purpose
	Unpause Type = "unpause" // and reads again
	Mute    Type = "mute"    // the driver sends nothing from here on, heartbeats neither
)

// Outcome tells whether t ends a command.
func (t Type) Outcome() bool { return t == OK || t == Fail || t == Info }

// The commands, by the protocol's type.
const (
	SignUp      = "signup"
	SignIn      = "signin"
	Resume      = "resume"
	SignOut     = "signout"
	Passwd      = "passwd"
	Say         = "say"
	Whisper     = "whisper" // the event, too
	HistoryOf   = "history"
	OnlineTime  = "onlinetime"
	Who         = "who"
	RoomCreate  = "room.create"
	RoomJoin    = "room.join"
	RoomQuit    = "room.quit"
	RoomSay     = "room.say"
	RoomList    = "room.list"
	RoomMembers = "room.members"
	Answer      = "game21.answer"
	Status      = "game21.status"
	ScoresOf    = "game21.scores"
	Ping        = "ping"
)

// The kinds of events that are not stored. Those that are have their names in package event.
const (
	Notice  = "notice"
	Gap     = "gap"
	Closing = "closing"
)

// The channels. A room's is RoomPrefix and its name.
const (
	Lobby      = "lobby"
	Game21     = "game21"
	UserOnly   = "user"
	RoomPrefix = "room:"
)

// Who ended a connection, in By of a disc.
const (
	ByClient  = "client"
	ByServer  = "server"
	ByNetwork = "network"
)

// Event is one line of a client's file. Which members are set depends on Type and F; a member
// with its zero value is left out.
type Event struct {
	T       int64  `json:"t"` // [Now]
	Client  string `json:"client,omitzero"`
	Conn    int    `json:"conn,omitzero"` // of the client, from 1
	Type    Type   `json:"type"`
	F       string `json:"f,omitzero"`
	Req     uint64 `json:"req,omitzero"` // of the client, from 1: links invoke and outcome
	Edge    string `json:"edge,omitzero"`
	Door    string `json:"door,omitzero"`    // conn: lines, frames, websocket
	User    string `json:"user,omitzero"`    // whose connection it is; in recv: whom the event is about
	Session string `json:"session,omitzero"` // the driver's name of it
	Epoch   uint64 `json:"epoch,omitzero"`   // 0: not known to the client

	Key     string    `json:"key,omitzero"`
	Channel string    `json:"chan,omitzero"`
	Text    string    `json:"text,omitzero"`
	From    string    `json:"from,omitzero"`
	To      string    `json:"to,omitzero"`
	Seq     uint64    `json:"seq,omitzero"`
	Prev    uint64    `json:"prev,omitzero"`
	At      time.Time `json:"at,omitzero"` // recv: the event's own time

	Code         string `json:"code,omitzero"`   // fail
	Retry        bool   `json:"retry,omitzero"`  // fail
	Reason       string `json:"reason,omitzero"` // disc, closing
	By           string `json:"by,omitzero"`     // disc
	RetryAfterMS int64  `json:"retry_after_ms,omitzero"`
	Missed       int    `json:"missed,omitzero"` // gap

	Takeover bool              `json:"takeover,omitzero"` // signin
	Wrong    bool              `json:"wrong,omitzero"`    // signin: with a wrong password, on purpose
	Since    map[string]uint64 `json:"since,omitzero"`    // resume
	Limit    int               `json:"limit,omitzero"`    // history
	Before   uint64            `json:"before,omitzero"`   // history
	Room     string            `json:"room,omitzero"`     // room.*, resume
	Max      int               `json:"max,omitzero"`      // room.create
	Members  []string          `json:"members,omitzero"`  // room.members
	Rooms    []Room            `json:"rooms,omitzero"`    // room.list
	Users    []Present         `json:"users,omitzero"`    // who
	Total    int               `json:"total,omitzero"`    // who
	Events   []Event           `json:"events,omitzero"`   // history
	Seconds  int64             `json:"seconds,omitzero"`  // onlinetime

	Round      int       `json:"round,omitzero"`
	Numbers    []int     `json:"numbers,omitzero"`
	EndsAt     time.Time `json:"ends_at,omitzero"`
	NextAt     time.Time `json:"next_at,omitzero"`
	Open       bool      `json:"open,omitzero"`
	Expression string    `json:"expression,omitzero"`
	Value      string    `json:"value,omitzero"`
	Void       bool      `json:"void,omitzero"`
	Answers    int       `json:"answers,omitzero"`
	Winner     string    `json:"winner,omitzero"`
	Best       *Solution `json:"best,omitzero"`
	Scores     []Score   `json:"scores,omitzero"`
	Me         *Score    `json:"me,omitzero"`
}

// Solution is an expression of the game and its value.
type Solution struct {
	Expression string `json:"expression"`
	Value      string `json:"value"`
}

// Score counts a user's rounds.
type Score struct {
	User   string `json:"user"`
	Won    int    `json:"won"`
	Played int    `json:"played"`
	Rank   int    `json:"rank,omitzero"`
}

// Room is one of the answer to room.list.
type Room struct {
	Room    string `json:"room"`
	Members int    `json:"members"`
	Max     int    `json:"max,omitzero"`
}

// Present is one of the answer to who.
type Present struct {
	User  string    `json:"user"`
	State string    `json:"state"`
	Since time.Time `json:"since"`
}
