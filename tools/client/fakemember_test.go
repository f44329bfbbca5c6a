package client

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"gamehall/shared/accountapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/game21api"
	"gamehall/shared/roomapi"
	"gamehall/shared/wire"
)

// member carries out what only who is signed in may do.
func (c *fakeConn) member(cmd wire.Command) (wire.Reply, error) {
	h, s := c.hall, c.s
	switch cmd.Type {
	case wire.SignOut:
		return wire.Reply{}, nil
	case wire.Say:
		return wire.Reply{Seq: h.store("lobby", event.Event{Kind: event.Chat, From: s.user, Text: cmd.Text})}, nil
	case wire.RoomSay:
		if s.room == "" {
			return wire.Reply{}, fault.New(fault.NotInRoom, "you are not in a room")
		}
		return wire.Reply{Seq: h.store("room:"+s.room, event.Event{Kind: event.RoomChat, Room: s.room, From: s.user, Text: cmd.Text})}, nil
	case wire.Whisper:
		to := h.sessions[strings.ToLower(cmd.To)]
		if to == nil || to.conn == nil {
			return wire.Reply{}, fault.New(fault.UserOffline, "%s is offline", cmd.To)
		}
		to.conn.write(wire.PrivateObject(wire.Private{Kind: wire.KindWhisper, From: s.user, To: to.user, Text: cmd.Text}, time.Now()))
		return wire.Reply{}, nil
	case wire.RoomCreate, wire.RoomJoin:
		return h.enter(s, cmd)
	case wire.RoomQuit:
		if s.room == "" {
			return wire.Reply{}, fault.New(fault.NotInRoom, "you are not in a room")
		}
		return wire.Reply{Seq: h.leaveRoom(s)}, nil
	case wire.RoomMembers:
		if s.room == "" {
			return wire.Reply{}, fault.New(fault.NotInRoom, "you are not in a room")
		}
		return wire.Reply{Members: roomapi.MembersResponse{Room: s.room, Members: h.rooms[s.room]}}, nil
	case wire.RoomList:
		var r wire.Reply
		for _, room := range slices.Sorted(maps.Keys(h.rooms)) {
			r.Rooms = append(r.Rooms, roomapi.Listed{Room: room, Members: len(h.rooms[room])})
		}
		return r, nil
	case wire.Who:
		var r wire.Reply
		for _, user := range slices.Sorted(maps.Keys(h.sessions)) {
			r.Who.Users = append(r.Who.Users, accountapi.Present{User: user, State: "alive", Since: time.Now()})
		}
		r.Who.Total = len(r.Who.Users)
		return r, nil
	case wire.History:
		return h.history(cmd), nil
	case wire.OnlineTime:
		return wire.Reply{OnlineTime: accountapi.OnlineTimeResponse{Seconds: 580}}, nil
	case wire.Game21Answer:
		return wire.Reply{Answer: game21api.AnswerResponse{Round: 7, Value: "21"}}, nil
	case wire.Game21Status:
		return wire.Reply{Status: game21api.StatusResponse{Round: 7, NextAt: time.Now().Add(time.Hour)}}, nil
	case wire.Game21Scores, wire.Passwd:
		return wire.Reply{}, nil
	}
	return wire.Reply{}, errors.New("the fake does not know " + cmd.Type)
}

func (h *fakeHall) enter(s *fakeSession, cmd wire.Command) (wire.Reply, error) {
	room := cmd.Room
	for known := range h.rooms {
		if strings.EqualFold(known, cmd.Room) {
			room = known
		}
	}
	_, exists := h.rooms[room]
	switch {
	case s.room != "":
		return wire.Reply{}, fault.New(fault.AlreadyInRoom, "you are already in %s", s.room)
	case cmd.Type == wire.RoomCreate && exists:
		return wire.Reply{}, fault.New(fault.RoomExists, "room %s exists", room)
	case cmd.Type == wire.RoomJoin && !exists:
		return wire.Reply{}, fault.New(fault.NoSuchRoom, "no such room: %s", cmd.Room)
	}
	h.rooms[room] = append(h.rooms[room], s.user)
	s.roomSeq = h.store("room:"+room, event.Event{Kind: event.RoomJoined, User: s.user, Room: room})
	s.room = room
	return wire.Reply{Seq: s.roomSeq}, nil
}

func (h *fakeHall) history(cmd wire.Command) wire.Reply {
	var r wire.Reply
	channel := cmd.Channel
	if channel == "" {
		channel = "lobby"
	}
	for _, e := range h.log {
		if e.Channel == channel && (cmd.Before == 0 || e.Seq < cmd.Before) {
			r.History = append(r.History, e)
		}
	}
	limit := cmd.Limit
	if limit == 0 {
		limit = 20
	}
	r.History = r.History[max(0, len(r.History)-limit):]
	return r
}
