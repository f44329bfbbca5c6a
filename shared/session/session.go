package session

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go/jetstream"
)

// State is where a session is in its life.
type State string

// The states. An Ending session is over: whoever finds it tells the hall and deletes it.
const (
	Alive  State = "alive"
	Away   State = "away"
	Ending State = "ending"
)

// Record is a user's session as stored under the user's id.
type Record struct {
	User    string    `json:"user"`    // canonical name
	UserID  string    `json:"user_id"` // the key
	Session string    `json:"session"`
	State   State     `json:"state"`
	Since   time.Time `json:"since"`          // of the session
	Edge    string    `json:"edge,omitzero"`  // the edge that holds it
	Conn    string    `json:"conn,omitzero"`  // the connection there
	Command string    `json:"command"`        // the sign-in that claimed it
	Claimed uint64    `json:"epoch,omitzero"` // see Epoch; 0 in the claim itself

	// Joined is the lobby's sequence of the joining; 0 until the claim is settled.
	Joined uint64 `json:"joined,omitzero"`

	// Of a session that may be resumed: the hash of its token, of the token that was spent
	// for it, the resume that did that, and since when no connection holds it. Silent says
	// that the last connection sent nothing: the spent token works once more.
	TokenHash string    `json:"token_hash,omitzero"`
	SpentHash string    `json:"spent_hash,omitzero"`
	Resumed   string    `json:"resumed,omitzero"`
	Detached  time.Time `json:"detached,omitzero"`
	Silent    bool      `json:"silent,omitzero"`

	// The sign-out that ended the user's last session, and the lobby's sequence of that leaving: a
	// repetition is answered with it. They are kept with the end of a session, and by the next one.
	SignedOut string `json:"signed_out,omitzero"`
	Left      uint64 `json:"left,omitzero"`

	// What is left to do. Until and EdgeLost are of a session that is Ending; Until is that of
	// a detached one, too: when its client was last heard. Prev is the session that this one
	// took over from, until its end has been told; one that was resumed is its own.
	Until    time.Time `json:"until,omitzero"`
	EdgeLost bool      `json:"edge_lost,omitzero"`
	Prev     *Previous `json:"prev,omitzero"`

	Revision uint64    `json:"-"` // of the key, as read
	Written  time.Time `json:"-"` // when that was stored, by the server's clock
}

// Previous is a session that was taken over.
type Previous struct {
	Session  string    `json:"session"`
	Epoch    uint64    `json:"epoch"`
	Edge     string    `json:"edge,omitzero"`
	Conn     string    `json:"conn,omitzero"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	EdgeLost bool      `json:"edge_lost,omitzero"`
	Resumed  bool      `json:"resumed,omitzero"` // by the same client: only its old connection is left
}

// Epoch orders a user's sessions. It is the key's revision at the claim: the bucket gives
// revisions in growing order and never twice, also after the key was deleted.
func (r Record) Epoch() uint64 {
	if r.Claimed != 0 {
		return r.Claimed
	}
	return r.Revision
}

// Live tells whether the session's commands are to be accepted.
func (r Record) Live() bool { return r.Session != "" && r.State != Ending }

// Parse reads the record in e.
func Parse(e jetstream.KeyValueEntry) (Record, error) {
	var r Record
	if err := json.Unmarshal(e.Value(), &r); err != nil {
		return Record{}, err
	}
	if r.UserID != e.Key() || r.Session == "" || r.User == "" {
		return Record{}, fmt.Errorf("the record under %s is no session", e.Key())
	}
	r.Revision, r.Written = e.Revision(), e.Created()
	return r, nil
}

// Lease is what an edge keeps in the bucket "edges" under its id, for as long as it lives.
type Lease struct {
	Edge  string    `json:"edge"`
	Since time.Time `json:"since"`
}
