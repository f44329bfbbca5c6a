// Package event is what services tell the world: the messages of stream HALL_EVENTS, one
// JSON object each, told apart by their member "event".
//
// [Event] holds the members of every kind, flat, so that a reader decodes once and looks at
// Kind. A kind that a reader does not know comes from a newer version: it skips it.
package event
