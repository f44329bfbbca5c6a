package client

import (
	"slices"

	tea "charm.land/bubbletea/v2"

	"gamehall/shared/wire"
)

// edits are the keys that change the input or move in it.
var edits = map[string]func(*editor){
	"left": (*editor).left, "ctrl+b": (*editor).left,
	"right": (*editor).right, "ctrl+f": (*editor).right,
	"home": (*editor).home, "ctrl+a": (*editor).home,
	"end": (*editor).end, "ctrl+e": (*editor).end,
	"backspace": (*editor).backspace, "ctrl+h": (*editor).backspace,
	"delete":    (*editor).delete,
	"ctrl+left": (*editor).wordLeft, "alt+left": (*editor).wordLeft, "alt+b": (*editor).wordLeft,
	"ctrl+right": (*editor).wordRight, "alt+right": (*editor).wordRight, "alt+f": (*editor).wordRight,
	"ctrl+w": (*editor).killWord, "alt+backspace": (*editor).killWord,
	"ctrl+u": (*editor).killToStart,
	"ctrl+k": (*editor).killToEnd,
}

// key takes a key.
func (m *model) key(msg tea.KeyPressMsg) tea.Cmd {
	name := msg.Keystroke()
	if name == "tab" {
		m.complete()
		return nil
	}
	m.tab = nil
	if edit, ok := edits[name]; ok {
		edit(&m.input)
		return nil
	}
	switch name {
	case "enter", "kpenter", "ctrl+j": // the last is what was typed before the terminal was ours
		if m.enterLine() {
			return m.leave()
		}
	case "ctrl+c":
		return m.leave()
	case "ctrl+d":
		if m.input.text() == "" {
			return m.leave()
		}
		m.input.delete()
	case "esc":
		if m.prompt.kind == askPassword || m.prompt.kind == askTakeover {
			m.prompt = prompt{kind: askName}
		}
		m.input.set("")
	case "up":
		m.recall(m.typed.up(m.input.text()))
	case "down":
		m.recall(m.typed.down())
	case "pgup":
		m.scroll(m.textHeight() - 1)
	case "pgdown":
		m.scroll(1 - m.textHeight())
	case "ctrl+n":
		m.turn(1)
	case "ctrl+p", "shift+tab":
		m.turn(-1)
	case "ctrl+x":
		if m.active.kind == whisperPane {
			m.shut(m.active)
		}
	case "ctrl+l":
		return tea.ClearScreen
	default:
		if len(name) == len("alt+1") && name[:4] == "alt+" && name[4] >= '1' && name[4] <= '9' {
			if i := int(name[4] - '1'); i < len(m.panes) {
				m.show(m.panes[i])
			}
			return nil
		}
		m.input.insert(msg.Text)
	}
	return nil
}

// recall shows a line of what was typed before; passwords are not asked there.
func (m *model) recall(text string, ok bool) {
	if ok && (m.prompt.kind == askLine || m.prompt.kind == askName) {
		m.input.set(text)
	}
}

// turn goes to the next tab, or back.
func (m *model) turn(by int) {
	i := slices.Index(m.panes, m.active)
	m.show(m.panes[(i+by+len(m.panes))%len(m.panes)])
}

// complete does what Tab does: the next thing that the word can become.
func (m *model) complete() {
	if m.prompt.kind == askPassword || m.prompt.kind == askTakeover {
		return
	}
	if m.tab == nil {
		before := &editor{before: m.input.before}
		after := &editor{before: m.input.after}
		users := m.users
		if m.active.kind == roomPane {
			for _, name := range m.members {
				users = insertName(slices.Clone(users), name)
			}
		}
		m.tab = complete(before.text(), after.text(), names{users: users, rooms: m.rooms})
	}
	if m.tab != nil {
		m.input.set(m.tab.take())
		m.input.after = characters(m.tab.tail)
	}
}

// scroll moves the view up by rows, or down. At the top it asks for what was before.
func (m *model) scroll(rows int) {
	p := m.active
	p.scroll = max(0, p.scroll+rows)
	total := 0
	for _, l := range p.shown() {
		total += len(l.draw(m.drawing(), m.zone))
	}
	most := max(0, total-m.textHeight())
	if p.scroll >= most {
		p.scroll = most
		if rows > 0 {
			m.older(p)
		}
	}
}

// older asks for what a pane has not shown yet.
func (m *model) older(p *pane) {
	if p.channel() == "" || p.whole || p.loading || m.user == "" || p.oldest == 0 {
		return
	}
	p.loading = true
	m.do(wire.Command{Type: wire.History, Channel: p.channel(), Limit: historyPage, Before: p.oldest}, olderLines{p})
}
