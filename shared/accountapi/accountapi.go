package accountapi

import (
	"time"

	"gamehall/shared/bus"
)

// OnlineTime tells the caller's time online over all sessions, the running one included.
// Faults: not_signed_in, unavailable.
const OnlineTime bus.Method[OnlineTimeRequest, OnlineTimeResponse] = "hall.account.onlinetime"

// OnlineTimeRequest is empty: the caller asks for its own.
type OnlineTimeRequest struct{}

// Validate finds nothing to refuse.
func (OnlineTimeRequest) Validate() error { return nil }

// OnlineTimeResponse is in whole seconds.
type OnlineTimeResponse struct {
	Seconds int64 `json:"seconds"`
}

// Who tells who is online, by name; at most [WhoMost] users of the total.
// Faults: not_signed_in, unavailable.
const Who bus.Method[WhoRequest, WhoResponse] = "hall.account.who"

// WhoMost bounds an answer: some 80 bytes a user, and a client reads at most 1 MiB.
const WhoMost = 1000

// WhoRequest is empty.
type WhoRequest struct{}

// Validate finds nothing to refuse.
func (WhoRequest) Validate() error { return nil }

// WhoResponse lists the users; Total counts also those that did not fit.
type WhoResponse struct {
	Users []Present `json:"users"`
	Total int       `json:"total"`
}

// Present is a user who is online: alive or away, and since when signed in.
type Present struct {
	User  string    `json:"user"`
	State string    `json:"state"`
	Since time.Time `json:"since"`
}
