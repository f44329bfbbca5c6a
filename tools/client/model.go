package client

import (
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"gamehall/shared/wire"
)

// historyPage is how many lines are asked of the history at once.
const historyPage = 50

// model is the whole screen. Bubble Tea's loop owns it.
type model struct {
	do   func(cmd wire.Command, tag any) // of the session
	now  func() time.Time
	zone *time.Location
	addr string

	width, height int
	w             screenWidth

	panes  []*pane // the lobby first
	active *pane
	input  editor
	typed  history
	tab    *completion // while Tab is pressed again and again
	prompt prompt

	link    link
	user    string // empty when nobody is signed in
	last    string // who was
	room    string
	users   []string // in the hall
	members []string // in the room
	rooms   []string // that were heard of
	round   round
	leaving bool
}

// The tags of requests: where the answer goes.
type (
	typedIn struct {
		pane  *pane
		waits *line // what shows that it was not sent yet
	}
	quietly    struct{}
	olderLines struct{ pane *pane }
	goodbye    struct{}
)

// Messages of the program itself.
type (
	tick        time.Time
	interrupted struct{}
	giveUp      struct{}
)

func newModel(addr, user string, do func(wire.Command, any)) *model {
	lobby := &pane{kind: lobbyPane}
	m := &model{
		do: do, now: time.Now, zone: time.Local, addr: addr,
		w: screenWidth{ansi.WcWidth}, panes: []*pane{lobby}, active: lobby,
	}
	m.prompt = prompt{kind: askName}
	if user != "" {
		m.prompt = prompt{kind: askPassword, name: user}
	}
	m.say(lookHall, "Welcome to the hall. Sign in with your name; /SIGNUP name makes an account; /HELP tells more.")
	return m
}

// Init starts the clock of the status bar.
func (m *model) Init() tea.Cmd { return clock() }

func clock() tea.Cmd {
	return tea.Tick(time.Second, func(t time.Time) tea.Msg { return tick(t) })
}

// Update takes whatever happens: keys, the window, the clock, and what the session tells.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	cmd := m.update(msg)
	return m, cmd
}

func (m *model) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.ModeReportMsg:
		// The renderer measures by the same answer (see its handling of this message).
		if msg.Mode == ansi.ModeUnicodeCore &&
			(msg.Value == ansi.ModeReset || msg.Value == ansi.ModeSet || msg.Value == ansi.ModePermanentlySet) {
			m.w.method = ansi.GraphemeWidth
		}
	case tea.KeyPressMsg:
		return m.key(msg)
	case tea.PasteMsg:
		m.tab = nil
		m.input.insert(msg.Content)
	case tick:
		return clock()
	case interrupted:
		return m.leave()
	case giveUp:
		return tea.Quit
	default:
		return m.told(msg)
	}
	return nil
}

// leave signs out and ends the program; the hall has a moment to answer.
func (m *model) leave() tea.Cmd {
	if m.leaving || m.user == "" || m.link.state != connected {
		return tea.Quit
	}
	m.leaving = true
	m.do(wire.Command{Type: wire.SignOut}, goodbye{})
	return tea.Tick(goodbyeWithin, func(time.Time) tea.Msg { return giveUp{} })
}

// say puts a line of the program itself into the active pane.
func (m *model) say(look look, text string) {
	m.add(m.active, &line{at: m.now(), text: text, look: look})
}

func (m *model) add(p *pane, lines ...*line) {
	for _, l := range lines {
		p.add(l, func(l *line) int { return len(l.draw(m.drawing(), m.zone)) })
		if p != m.active && l.from != "" && l.from != m.user {
			p.unread++
		}
	}
}

// drawing is what the rows of lines depend on right now.
func (m *model) drawing() drawn {
	return drawn{width: max(1, m.textWidth()), w: m.w, today: m.now().In(m.zone).Format(time.DateOnly)}
}

// show makes p the pane that is seen and typed into.
func (m *model) show(p *pane) {
	m.active = p
	p.unread = 0
	m.tab = nil
}

// find gives the pane of a conversation, nil when there is none.
func (m *model) find(kind paneKind, name string) *pane {
	for _, p := range m.panes {
		if p.kind == kind && (kind == lobbyPane || kind == roomPane && p.name == name || strings.EqualFold(p.name, name)) {
			return p
		}
	}
	return nil
}

// open gives the pane of a conversation, which it makes when there is none: the room's place
// is after the lobby, a new partner's at the end.
func (m *model) open(kind paneKind, name string) *pane {
	if p := m.find(kind, name); p != nil {
		return p
	}
	p := &pane{kind: kind, name: name}
	if kind == roomPane {
		m.panes = slices.Insert(m.panes, 1, p)
	} else {
		m.panes = append(m.panes, p)
	}
	return p
}

// shut closes a pane; the lobby stays.
func (m *model) shut(p *pane) {
	if p == nil || p.kind == lobbyPane {
		return
	}
	m.panes = slices.DeleteFunc(m.panes, func(other *pane) bool { return other == p })
	if m.active == p {
		m.show(m.panes[0])
	}
}

// enter shows the room that the user is in.
func (m *model) enter(room string, seq uint64) *pane {
	if m.room != room {
		m.quit()
	}
	m.room = room
	m.learnRoom(room)
	p := m.open(roomPane, room)
	if p.oldest == 0 && seq > 0 {
		p.oldest = seq + 1
	}
	return p
}

// quit closes the room's pane.
func (m *model) quit() {
	if m.room != "" {
		m.shut(m.find(roomPane, m.room))
	}
	m.room, m.members = "", nil
}

func (m *model) learnRoom(room string) {
	if !slices.Contains(m.rooms, room) {
		m.rooms = append(m.rooms, room)
	}
}

// insertName and removeName keep names in order, once each.
func insertName(all []string, name string) []string {
	i, found := slices.BinarySearch(all, name)
	if found {
		return all
	}
	return slices.Insert(all, i, name)
}

func removeName(all []string, name string) []string {
	if i, found := slices.BinarySearch(all, name); found {
		return slices.Delete(all, i, i+1)
	}
	return all
}
