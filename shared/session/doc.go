// Package session is the record of a user's live session, in the bucket "sessions", and a
// [Directory] of all of them for the services.
//
// auth alone writes the records. Every other service opens a [Directory], gives its
// [Directory.Authorize] to the bus, and so serves only callers whose session is live.
package session
