// Package name holds the rules for what people type: the name of a user, the name of a
// room, and a line of chat. It is pure: no NATS, no storage, no clock.
//
// Reach for [User], [Room] and [Text] first. Each takes what was typed and gives either
// what the hall stores and shows, or a [gamehall/shared/fault] whose sentence says what to
// change. What they accept holds no control character and nothing that turns the direction
// of a line around, so it may be written to any terminal.
//
// Two names that are written differently but are the same name have one canonical name
// ([User]) or one key ([Room]). Two names that merely look alike share a [Skeleton]; a
// unique column on it keeps the second one out.
//
// Names never become subject tokens; [UserID] and [RoomID] do.
package name
