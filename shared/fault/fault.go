package fault

import (
	"errors"
	"fmt"
)

// Code is one word of the closed list below. Clients decide by it; people read the message.
type Code string

// The codes, all of them. Their order is that of the protocol's document.
const (
	BadRequest       Code = "bad_request"
	UnknownCommand   Code = "unknown_command"
	TooLong          Code = "too_long"
	NotSignedIn      Code = "not_signed_in"
	AlreadySignedIn  Code = "already_signed_in"
	WrongCredentials Code = "wrong_credentials"
	UsernameTaken    Code = "username_taken"
	BadUsername      Code = "bad_username"
	BadPassword      Code = "bad_password"
	BadToken         Code = "bad_token"
	UserOffline      Code = "user_offline" // unknown users too, in the same words
	RoomExists       Code = "room_exists"
	RoomFull         Code = "room_full"
	NoSuchRoom       Code = "no_such_room"
	BadRoomName      Code = "bad_room_name"
	NotInRoom        Code = "not_in_room"
	AlreadyInRoom    Code = "already_in_room"
	NoRound          Code = "no_round"
	AlreadyAnswered  Code = "already_answered"
	BadExpression    Code = "bad_expression" // too deep and too long, too
	WrongNumbers     Code = "wrong_numbers"
	RateLimited      Code = "rate_limited" // a retry can help
	Unavailable      Code = "unavailable"  // busy, too; a retry can help
	Internal         Code = "internal"     // anything unforeseen; never shown whole
)

// Codes lists every code once.
func Codes() []Code {
	return []Code{
		BadRequest, UnknownCommand, TooLong, NotSignedIn, AlreadySignedIn, WrongCredentials,
		UsernameTaken, BadUsername, BadPassword, BadToken, UserOffline, RoomExists, RoomFull,
		NoSuchRoom, BadRoomName, NotInRoom, AlreadyInRoom, NoRound, AlreadyAnswered,
		BadExpression, WrongNumbers, RateLimited, Unavailable, Internal,
	}
}

// Known tells whether c is on the closed list.
func (c Code) Known() bool {
	for _, k := range Codes() {
		if k == c {
			return true
		}
	}
	return false
}

// Retry tells whether the same command may succeed later, unchanged.
func (c Code) Retry() bool { return c == RateLimited || c == Unavailable }

// Error is a fault: what went wrong, in a code for programs and a sentence for people.
type Error struct {
	Code    Code
	Message string
}

// Error gives the sentence.
func (e *Error) Error() string { return e.Message }

// Is makes errors.Is compare faults by code alone.
func (e *Error) Is(target error) bool {
	var t *Error
	return errors.As(target, &t) && t.Code == e.Code
}

// New makes a fault of code; the sentence says what went wrong and what to do about it.
func New(code Code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// hidden is all that a player is told of an error that is no fault.
const hidden = "something went wrong on our side, please try again"

// From gives the fault in err's chain. An err without one becomes [Internal] with a
// sentence that tells nothing of err, and foreseen is false: the caller logs err, once.
// From(nil) is nil, true.
func From(err error) (f *Error, foreseen bool) {
	if err == nil {
		return nil, true
	}
	if errors.As(err, &f) {
		return f, true
	}
	return &Error{Code: Internal, Message: hidden}, false
}

// CodeOf gives err's code: empty for nil, [Internal] for an error that is no fault.
func CodeOf(err error) Code {
	f, _ := From(err)
	if f == nil {
		return ""
	}
	return f.Code
}
