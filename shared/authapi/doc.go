// Package authapi is the contract of services/auth: accounts and sessions.
//
// A user has one live session in the whole hall. [SignIn] claims it for a connection of an
// edge, [Resume] takes it over to a new connection by token, [SignOut] ends it. Joined and left
// are events of the lobby, see package event.
package authapi
