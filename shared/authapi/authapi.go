package authapi

import (
	"strconv"
	"time"

	"gamehall/shared/bus"
	"gamehall/shared/fault"
)

// SignUp makes an account.
// Faults: bad_username, bad_password, username_taken, unavailable.
const SignUp bus.Method[SignUpRequest, SignUpResponse] = "hall.auth.signup"

// SignUpRequest is the account wanted: a name of 3 to 20 characters and a password of at
// least --password-min and at most 128, 512 bytes at most.
type SignUpRequest struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Trusted  bool   `json:"trusted,omitzero"` // from a trusted address: waits for a hash instead of "busy"
}

// Validate tells a missing member; the rules of names and passwords are the service's.
func (r SignUpRequest) Validate() error { return credentials(r.Username, r.Password) }

// SignUpResponse tells the name as the hall writes it.
type SignUpResponse struct {
	User string `json:"user"`
}

// SignIn claims the user's session for a connection, and returns once the hall was told
// that the user joined.
// Faults: wrong_credentials, already_signed_in, unavailable.
const SignIn bus.Method[SignInRequest, SignInResponse] = "hall.auth.signin"

// SignInRequest is who signs in and where. Takeover wins over a live session elsewhere.
// Without Edge the session is one that no edge holds; it ends by itself after 30 s.
type SignInRequest struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Takeover bool   `json:"takeover,omitzero"`
	Edge     string `json:"edge,omitzero"`
	Conn     string `json:"conn,omitzero"` // the edge's id of the connection
	Trusted  bool   `json:"trusted,omitzero"`
	// TokenHash is [HashToken] of the token that the session may be resumed with; empty when
	// it may not: it ends with its connection.
	TokenHash string `json:"token_hash,omitzero"`
	// Again says that the command was sent before and that only its outcome is asked for: it
	// claims nothing that it did not claim then.
	Again bool `json:"again,omitzero"`
}

// Validate tells a missing member.
func (r SignInRequest) Validate() error { return credentials(r.Username, r.Password) }

// SignInResponse is the session. Seq is the lobby's at the join: the session sees what is
// after it.
type SignInResponse struct {
	User    string    `json:"user"`
	UserID  string    `json:"user_id"`
	Session string    `json:"session"`
	Epoch   uint64    `json:"epoch"`
	Seq     uint64    `json:"seq"`
	Since   time.Time `json:"since"`
}

// Resume claims a session that still lives for another connection, on any edge. The token
// is spent by that; NextHash is that of the one that follows it.
// Faults: bad_token, unavailable.
const Resume bus.Method[ResumeRequest, ResumeResponse] = "hall.auth.resume"

// ResumeRequest is the token and the connection that the session comes back on; or Each, with Edge
// and nothing else.
type ResumeRequest struct {
	Token    string `json:"token"`
	NextHash string `json:"next_hash"`
	Edge     string `json:"edge"`
	Conn     string `json:"conn"`
	Again    bool   `json:"again,omitzero"` // as in [SignInRequest]
	// Lost is the connection at Edge that had the session until a moment ago, where nobody was
	// told yet that it is gone: as if it had been detached just before.
	Lost Lost `json:"lost,omitzero"`
	// Held is the session of the user whose connection at Edge still stands as far as Edge knows:
	// where it is the one that is resumed, Edge closes that connection itself, before anybody is
	// welcomed, and is not to be told to.
	Held string `json:"held,omitzero"`
	// Each are the resumes of several clients, which share a request and the way to the disk. Each
	// has a command id of its own ([ResumeID]), as if it had been sent by itself, and an outcome.
	Each []Returning `json:"each,omitempty"`
}

// Returning is one of several clients that come back at the same time. Its members are those of
// [ResumeRequest].
type Returning struct {
	Token    string `json:"token"`
	NextHash string `json:"next_hash"`
	Conn     string `json:"conn"`
	Lost     Lost   `json:"lost,omitzero"`
	Held     string `json:"held,omitzero"`
}

// ResumeMost is how many clients may share a request: as many as fit 16 KiB.
const ResumeMost = 32

// Alone is the request of r as if it had been sent by itself.
func (r Returning) Alone(edge string) ResumeRequest {
	return ResumeRequest{Token: r.Token, NextHash: r.NextHash, Edge: edge, Conn: r.Conn, Lost: r.Lost, Held: r.Held}
}

// ResumeID is the command id of the client number n, from 0 on, of a request of several with this
// command id.
func ResumeID(command string, n int) string { return command + "." + strconv.Itoa(n) }

// ResumeResponse is the session; or of several, one outcome for each, in their order.
type ResumeResponse struct {
	SignInResponse
	Each []Resumed `json:"each,omitempty"`
}

// Resumed is the outcome of one of several: the session, or the fault.
type Resumed struct {
	SignInResponse
	Code    fault.Code `json:"code,omitzero"`
	Message string     `json:"message,omitzero"`
}

// Err is the fault, nil when the session was resumed.
func (r Resumed) Err() error {
	if r.Code == "" {
		return nil
	}
	return fault.New(r.Code, "%s", r.Message)
}

// Lost is a session whose connection is gone. Ago is since when, in milliseconds: a duration, so
// that clocks need not agree. Silent is as in [DetachRequest].
type Lost struct {
	Session string `json:"session"`
	Ago     int64  `json:"ago_ms,omitzero"`
	Silent  bool   `json:"silent,omitzero"`
}

// Validate tells a missing member.
func (r ResumeRequest) Validate() error {
	if len(r.Each) > ResumeMost {
		return fault.New(fault.BadRequest, "resume at most %d at once", ResumeMost)
	}
	if len(r.Each) > 0 && (r.Token != "" || r.NextHash != "" || r.Conn != "" || r.Again || r.Lost != (Lost{}) || r.Held != "") {
		return fault.New(fault.BadRequest, "of several clients each names its own token and connection")
	}
	for _, one := range r.Each {
		if one.Token == "" || one.NextHash == "" || r.Edge == "" {
			return incompleteResume()
		}
	}
	if len(r.Each) == 0 && (r.Token == "" || r.NextHash == "" || r.Edge == "") {
		return incompleteResume()
	}
	return nil
}

func incompleteResume() error {
	return fault.New(fault.BadRequest, "a resume names the token, the hash of the next one, and the edge")
}

// Detach says that the connection of the caller's session is gone and that it may be
// resumed for [ResumeFor]. Its edge calls it.
// Faults: not_signed_in, unavailable.
const Detach bus.Method[DetachRequest, DetachResponse] = "hall.auth.detach"

// ResumeFor is how long a session outlives its connection.
const ResumeFor = 30 * time.Second

// DetachRequest tells how the connection ended. Silent says that the connection sent nothing
// after its resume, so that the token it used works once more. Ago is how long ago it ended, in
// milliseconds.
type DetachRequest struct {
	Silent bool      `json:"silent,omitzero"`
	Until  time.Time `json:"until,omitzero"` // the last that was heard; zero is when it ended
	Ago    int64     `json:"ago_ms,omitzero"`
}

// Validate finds nothing to refuse.
func (DetachRequest) Validate() error { return nil }

// DetachResponse is empty.
type DetachResponse struct{}

// SignOut ends the caller's session and tells the hall.
// Faults: not_signed_in, unavailable.
const SignOut bus.Method[SignOutRequest, SignOutResponse] = "hall.auth.signout"

// SignOutRequest may tell when the session really ended: the last byte of a connection that
// vanished. The zero time is now.
type SignOutRequest struct {
	Until time.Time `json:"until,omitzero"`
}

// Validate finds nothing to refuse.
func (SignOutRequest) Validate() error { return nil }

// SignOutResponse tells the lobby's sequence of the leaving.
type SignOutResponse struct {
	User string `json:"user"`
	Seq  uint64 `json:"seq"`
}

// Passwd changes the caller's password.
// Faults: not_signed_in, wrong_credentials, bad_password, unavailable.
const Passwd bus.Method[PasswdRequest, PasswdResponse] = "hall.auth.passwd"

// PasswdRequest is the password now and the one wanted.
type PasswdRequest struct {
	Old     string `json:"old"`
	New     string `json:"new"`
	Trusted bool   `json:"trusted,omitzero"`
}

// Validate tells a missing member.
func (r PasswdRequest) Validate() error {
	if r.Old == "" || r.New == "" {
		return fault.New(fault.BadRequest, "say the old and the new password: /PASSWD old new")
	}
	return nil
}

// PasswdResponse is empty.
type PasswdResponse struct{}

// Presence tells that the caller's session is away, or alive again. Its edge calls it.
// Faults: not_signed_in, bad_request, unavailable.
const Presence bus.Method[PresenceRequest, PresenceResponse] = "hall.auth.presence"

// PresenceRequest is the state from now on.
type PresenceRequest struct {
	Away bool `json:"away"`
}

// Validate finds nothing to refuse.
func (PresenceRequest) Validate() error { return nil }

// PresenceResponse is empty.
type PresenceResponse struct{}

func credentials(username, password string) error {
	if username == "" || password == "" {
		return fault.New(fault.BadRequest, "say a username and a password")
	}
	return nil
}
