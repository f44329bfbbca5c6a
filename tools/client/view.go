package client

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
)

// The sizes of the screen.
const (
	widthLeast  = 20 // below that, and below heightLeast, only the input is shown
	heightLeast = 5
	sideFrom    = 66 // from this width on there is room to show who is here
	sideWidth   = 22
)

// View draws the screen: tabs, what was said and who is here, the status, the input.
func (m *model) View() tea.View {
	v := tea.View{AltScreen: true}
	if m.width <= 0 || m.height <= 0 {
		return v
	}
	var rows []string
	if m.width >= widthLeast && m.height >= heightLeast {
		rows = append(rows, m.tabs())
		rows = append(rows, m.middle()...)
		rows = append(rows, m.status())
	}
	input, x := m.inputRow()
	rows = append(rows, input)
	v.SetContent(strings.Join(rows, "\n"))
	v.Cursor = tea.NewCursor(x, len(rows)-1)
	v.Cursor.Shape = tea.CursorBar
	return v
}

// sideShown tells whether there is room for who is here.
func (m *model) sideShown() bool {
	return m.width >= sideFrom && m.user != "" && m.active.kind != whisperPane
}

func (m *model) textWidth() int {
	if m.sideShown() {
		return m.width - sideWidth
	}
	return m.width
}

func (m *model) textHeight() int { return max(1, m.height-3) }

// tabs are the panes by name, the active one marked, with how much was not read. When they
// do not all fit, those around the active one are shown.
func (m *model) tabs() string {
	type tab struct {
		text string
		p    *pane
	}
	all := make([]tab, len(m.panes))
	here := 0
	for i, p := range m.panes {
		text := " " + m.w.cut(p.title(), 16)
		if p.unread > 0 {
			text += " (" + strconv.Itoa(p.unread) + ")"
		}
		all[i] = tab{text + " ", p}
		if p == m.active {
			here = i
		}
	}
	first, used := here, m.w.of(all[here].text)
	for first > 0 && used+m.w.of(all[first-1].text) <= m.width {
		first--
		used += m.w.of(all[first].text)
	}
	var b strings.Builder
	left := m.width
	for _, t := range all[first:] {
		style := tabStyle
		switch {
		case t.p == m.active:
			style = tabHereStyle
		case t.p.unread > 0:
			style = tabNewStyle
		}
		text := m.w.cut(t.text, left)
		left -= m.w.of(text)
		if text != "" {
			b.WriteString(style.Render(text))
		}
	}
	return b.String()
}

// middle is what was said, with who is here beside it.
func (m *model) middle() []string {
	height := m.height - 3
	rows := m.textRows(height)
	if !m.sideShown() {
		return rows
	}
	side := m.side(height)
	for i := range rows {
		// The column after the text is reached by counting, not by trusting that the text
		// took as many columns as we think.
		rows[i] += strings.Repeat(" ", max(0, m.width-sideWidth-m.w.of(rows[i]))) + side[i]
	}
	return rows
}

// textRows are the rows of the active pane that are in sight.
func (m *model) textRows(height int) []string {
	p := m.active
	d := m.drawing()
	lines := p.shown()
	var rows []string // the last first
	for i := len(lines) - 1; i >= 0 && len(rows) < height+p.scroll; i-- {
		drawn := lines[i].draw(d, m.zone)
		for j := len(drawn) - 1; j >= 0; j-- {
			rows = append(rows, drawn[j])
		}
	}
	p.scroll = max(0, min(p.scroll, len(rows)-height)) // the window may have grown
	rows = rows[min(p.scroll, len(rows)):]
	out := make([]string, height)
	for i := range min(height, len(rows)) {
		out[height-1-i] = rows[i]
	}
	return out
}

// side is who is here.
func (m *model) side(height int) []string {
	here, title := m.users, "in the hall"
	if m.active.kind == roomPane {
		here, title = m.members, "in the room"
	}
	rows := make([]string, height)
	const edge = "│ "
	rows[0] = edge + faintStyle.Render(fmt.Sprintf("%d %s", len(here), title))
	for i := 1; i < height; i++ {
		rows[i] = edge
		switch {
		case i-1 >= len(here):
		case i == height-1 && len(here) > height-1:
			rows[i] += faintStyle.Render(fmt.Sprintf("and %d more", len(here)-i+1))
		default:
			name := here[i-1]
			rows[i] += colourOf(name).Render(m.w.cut(clean(name), sideWidth-3))
		}
	}
	return rows
}

// status is the bar: the connection, who and where one is, and the round.
func (m *model) status() string {
	left := " " + m.linkText()
	if m.user != "" {
		left += " " + clean(m.user)
		if m.room != "" {
			left += " in " + clean(m.room)
		}
	}
	right := m.round.text(m.now(), m.zone)
	if m.active.scroll > 0 {
		right = strings.TrimSpace("▼ PgDn  " + right)
	}
	if right != "" {
		right += " "
	}
	// When it gets narrow, the round's numbers are worth more than where one is; when the
	// next round starts is not.
	if n := m.w.of(right); n > m.width-2 || !m.round.open && m.w.of(left)+n >= m.width {
		right = ""
	}
	room := m.width - m.w.of(right)
	if right != "" {
		left = m.w.cut(left, room-1) // what they tell does not run together
	}
	return barStyle.Render(m.w.fit(left, room) + right)
}

// linkText tells of the connection.
func (m *model) linkText() string {
	switch m.link.state {
	case connected:
		return "●"
	case lost:
		left := m.link.next.Sub(m.now()) + time.Second - 1 // in whole seconds, rounded up
		return fmt.Sprintf("○ again in %d s", max(0, left/time.Second))
	case away:
		return "○ disconnected"
	}
	return "○ connecting to " + clean(m.addr)
}

// inputRow is the input with its prompt, and the column of the cursor.
func (m *model) inputRow() (row string, cursor int) {
	label := m.w.cut(m.prompt.label(), m.width/2)
	n := m.w.of(label)
	text, at := m.input.view(m.w, m.width-n, m.prompt.secret(m.input.text()))
	return faintStyle.Render(label) + text, min(n+at, m.width-1)
}
