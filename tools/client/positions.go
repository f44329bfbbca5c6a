package client

import (
	"gamehall/shared/event"
	"gamehall/shared/name"
	"gamehall/shared/wire"
)

// The channels that are always heard.
const (
	lobbyChannel = "lobby"
	gameChannel  = "game21"
)

// roomChannel is what clients call a room's channel.
func roomChannel(room string) string { return "room:" + room }

// shownRoom is the name of a room that is made by this name.
func shownRoom(typed string) string {
	shown, _, err := name.Room(typed)
	if err != nil {
		return typed
	}
	return shown
}

// sameRoom tells whether two names are one room's.
func sameRoom(a, b string) bool {
	_, ka, erra := name.Room(a)
	_, kb, errb := name.Room(b)
	return a == b || erra == nil && errb == nil && ka == kb
}

// positions tell how far each channel was heard, so that nothing is heard twice, and nothing
// missed after a resume.
type positions struct {
	heard map[string]uint64 // the last sequence heard in a channel
	join  uint64            // the session's; what is stored has one row of sequences for all channels
	round int               // the last one that was told to have started
}

// begin starts a session that joined at seq.
func (p *positions) begin(seq uint64) {
	*p = positions{heard: map[string]uint64{lobbyChannel: seq}, join: seq}
}

// from starts hearing a channel after seq.
func (p *positions) from(channel string, seq uint64) {
	if p.heard == nil {
		p.heard = map[string]uint64{}
	}
	p.heard[channel] = max(p.heard[channel], seq)
}

// fresh tells whether e was not heard yet, and notes it. The start of the round that is open
// is told again at sign-in and resume, whatever was heard after it.
func (p *positions) fresh(e event.Stored) bool {
	if e.Kind == event.Game21Started {
		if e.Round <= p.round {
			return false
		}
		p.round = e.Round
		p.from(e.Channel, e.Seq)
		return true
	}
	if e.Seq == 0 {
		return true
	}
	if e.Seq <= p.heard[e.Channel] {
		return false
	}
	p.from(e.Channel, e.Seq)
	return true
}

// since is what a resume asks for: what came after.
func (p *positions) since(room string) wire.Since {
	all := wire.Since{
		lobbyChannel: max(p.heard[lobbyChannel], p.join),
		gameChannel:  max(p.heard[gameChannel], p.join),
	}
	if room != "" {
		if seq := p.heard[roomChannel(room)]; seq > 0 {
			all[roomChannel(room)] = seq
		}
	}
	return all
}
