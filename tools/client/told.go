package client

import (
	tea "charm.land/bubbletea/v2"

	"gamehall/shared/event"
	"gamehall/shared/wire"
)

// told takes what the session tells.
func (m *model) told(update any) tea.Cmd {
	switch u := update.(type) {
	case link:
		m.linked(u)
	case welcome:
		m.welcome(u)
	case over:
		m.user = ""
		m.prompt = prompt{kind: askName}
		m.say(lookAlert, u.why)
	case answer:
		return m.answered(u)
	case event.Stored:
		m.hear(u)
	case wire.Private:
		m.private(u)
	}
	return nil
}

// linked takes what becomes of the connection. The status bar tells it; a line does when it
// breaks, and when it is not tried again.
func (m *model) linked(l link) {
	was := m.link.state
	m.link = l
	switch l.state {
	case lost:
		if was == connected || m.user == "" && was == connecting && len(m.active.lines) < 2 {
			m.say(lookAlert, l.err.Error()+", trying again")
		}
	case away:
		m.say(lookAlert, l.err.Error()+"; sign in when you are back")
		m.user, m.prompt = "", prompt{kind: askName}
	}
}

// welcome begins a session, or goes on with it.
func (m *model) welcome(w welcome) {
	lobby := m.panes[0]
	m.prompt = prompt{}
	if w.resumed {
		m.user = w.user
		m.say(lookHall, "connected again")
		if w.room != "" {
			m.enter(w.room, 0)
			m.do(wire.Command{Type: wire.RoomMembers}, quietly{})
		} else {
			m.quit()
		}
	} else {
		m.quit()
		if m.last != "" && m.last != w.user { // what was whispered to somebody else is not for this one
			m.panes = m.panes[:1]
			m.typed = history{}
		}
		lobby.reset(w.seq - 1)
		m.user, m.last, m.round = w.user, w.user, round{}
		m.show(lobby)
		m.say(lookHall, "welcome, "+w.user)
		m.older(lobby)
	}
	m.do(wire.Command{Type: wire.Who}, quietly{})
	m.do(wire.Command{Type: wire.Game21Status}, quietly{})
}

// answered takes the answer to a command: what it says is shown where it was typed.
func (m *model) answered(a answer) tea.Cmd {
	m.learn(a)
	switch tag := a.tag.(type) {
	case goodbye:
		return tea.Quit
	case olderLines:
		tag.pane.prepend(a.reply.History)
	case typedIn:
		p := tag.pane
		if tag.waits != nil {
			for _, other := range m.panes {
				other.sent(tag.waits)
			}
		}
		if m.find(p.kind, p.name) != p {
			p = m.active // it was closed meanwhile
		}
		m.answer(p, a)
	}
	return nil
}

// learn takes from an answer what the screen shows beside the lines.
func (m *model) learn(a answer) {
	r := a.reply
	if r.Err != nil {
		return
	}
	switch a.cmd.Type {
	case wire.Who:
		m.users = nil
		for _, u := range r.Who.Users {
			m.users = insertName(m.users, u.User)
		}
	case wire.RoomMembers:
		m.members = nil
		for _, name := range r.Members.Members {
			m.members = insertName(m.members, name)
		}
	case wire.RoomList:
		for _, room := range r.Rooms {
			m.learnRoom(room.Room)
		}
	case wire.Game21Status:
		m.round.status(r.Status)
	}
}

// answer shows an answer in p.
func (m *model) answer(p *pane, a answer) {
	r := a.reply
	if a.cmd.Type == wire.SignIn || a.cmd.Type == wire.SignUp {
		m.signed(a)
	}
	if r.Err != nil {
		m.add(p, hallLines(wire.AppendReply(nil, r, m.now()), m.now(), lookAlert)...)
		return
	}
	switch a.cmd.Type {
	case wire.SignIn: // the welcome said it
		return
	case wire.SignOut:
		m.user, m.users, m.round = "", nil, round{}
		m.quit()
		m.prompt = prompt{kind: askName}
		p = m.active
	case wire.RoomCreate, wire.RoomJoin:
		here := m.enter(r.Room, r.Seq)
		m.members = []string{m.user}
		for _, name := range r.Members.Members {
			m.members = insertName(m.members, name)
		}
		m.show(here)
		p = here
	case wire.RoomQuit:
		m.quit()
		p = m.active
	case wire.Whisper:
		m.whispered(p, a.cmd)
		return
	case wire.History:
		for _, e := range r.History {
			for _, l := range eventLines(e) {
				l.seq = 0 // a copy, which no history goes on from
				m.add(p, l)
			}
		}
		return
	}
	m.add(p, hallLines(wire.AppendReply(nil, r, m.now()), m.now(), lookHall)...)
}

// whispered shows what the user whispered, beside what the partner did.
func (m *model) whispered(from *pane, c wire.Command) {
	p := m.open(whisperPane, c.To)
	m.add(p, &line{at: m.now(), from: m.user, text: c.Text, look: lookWhisper})
	if m.active == from {
		m.show(p)
	}
}

// private takes what is for this session alone.
func (m *model) private(p wire.Private) {
	switch p.Kind {
	case wire.KindWhisper:
		m.add(m.open(whisperPane, p.From), &line{at: m.now(), from: p.From, text: p.Text, look: lookWhisper})
	case wire.KindGap:
		here := m.panes[0]
		if m.room != "" && p.Channel == roomChannel(m.room) {
			here = m.open(roomPane, m.room)
		}
		m.add(here, hallLines(wire.AppendPrivate(nil, p, m.now()), m.now(), lookAlert)...)
	default:
		m.add(m.active, hallLines(wire.AppendPrivate(nil, p, m.now()), m.now(), lookAlert)...)
	}
}

// hear takes a stored event.
func (m *model) hear(e event.Stored) {
	p := m.panes[0]
	switch e.Kind {
	case event.Joined:
		m.users = insertName(m.users, e.User)
	case event.Left:
		m.users = removeName(m.users, e.User)
	case event.RoomChat, event.RoomJoined, event.RoomLeft:
		p = m.enter(e.Room, e.Seq)
		if e.Kind == event.RoomJoined {
			m.members = insertName(m.members, e.User)
		}
		if e.Kind == event.RoomLeft {
			if e.User == m.user {
				m.quit()
				return
			}
			m.members = removeName(m.members, e.User)
		}
	case event.Game21Started:
		m.round.started(e, m.now())
	case event.Game21Ended:
		m.round.ended(e)
	}
	if e.From == m.user && e.From != "" {
		p.came(e.Text)
	}
	m.add(p, eventLines(e)...)
}
