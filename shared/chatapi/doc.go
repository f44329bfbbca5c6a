// Package chatapi is the contract of services/chat: lines of the lobby, whispers, history.
//
// A line that [Say] accepted is event.Chat in the stream at [Lobby].
package chatapi
