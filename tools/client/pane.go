package client

import (
	"slices"
	"strings"
	"time"

	"gamehall/shared/event"
	"gamehall/shared/wire"
)

// scrollbackMost is how many lines a pane keeps.
const scrollbackMost = 5000

// line is one line on the screen, however many rows it takes.
type line struct {
	at   time.Time
	from string // who said it; empty when the hall did
	text string
	look look
	seq  uint64 // of a stored event, else 0

	rows  []string // as last drawn
	drawn drawn    // and for which screen
}

type look int

const (
	lookSaid look = iota
	lookHall      // by the hall
	lookWhisper
	lookAlert
	lookWaits // it was not sent yet
)

// drawn is what the rows of a line depend on.
type drawn struct {
	width int
	w     screenWidth
	today string
}

type paneKind int

const (
	lobbyPane paneKind = iota
	roomPane
	whisperPane
)

// pane is one conversation: the lobby, the room, or a whisper partner.
type pane struct {
	kind   paneKind
	name   string // of the room, of the partner
	lines  []*line
	unread int
	scroll int // rows below what is shown

	waiting []*line // what was said while there was no connection; it stands below the rest

	oldest  uint64 // the lowest sequence that was heard here; history goes on before it
	whole   bool   // nothing is before it
	loading bool   // the history was asked for what is
}

// channel is where the pane's history is kept; empty when nowhere.
func (p *pane) channel() string {
	switch p.kind {
	case lobbyPane:
		return lobbyChannel
	case roomPane:
		return roomChannel(p.name)
	}
	return ""
}

func (p *pane) title() string {
	if p.kind == lobbyPane {
		return "lobby"
	}
	return clean(p.name)
}

// add puts a line at the end. What is shown stays where it is when somebody has scrolled up.
func (p *pane) add(l *line, rows func(*line) int) {
	p.lines = append(p.lines, l)
	if p.scroll > 0 {
		p.scroll += rows(l)
		return
	}
	if over := len(p.lines) - scrollbackMost; over > 0 {
		p.forget(over)
	}
}

// shown are all lines.
func (p *pane) shown() []*line {
	if len(p.waiting) == 0 {
		return p.lines
	}
	return slices.Concat(p.lines, p.waiting)
}

// sent takes a line off that waited; one that did not is none.
func (p *pane) sent(l *line) {
	p.waiting = slices.DeleteFunc(p.waiting, func(other *line) bool { return other == l })
}

// came takes off what waited when it is heard, which may be before its answer comes.
func (p *pane) came(text string) {
	if i := slices.IndexFunc(p.waiting, func(l *line) bool { return l.text == text }); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
}

// forget drops the oldest lines; they can be had again from the history.
func (p *pane) forget(n int) {
	p.lines = slices.Delete(p.lines, 0, n)
	for _, l := range p.lines {
		if l.seq > 0 {
			p.oldest, p.whole = l.seq, false
			return
		}
	}
}

// prepend puts what the history told before the rest.
func (p *pane) prepend(events []event.Stored) {
	p.loading = false
	var older []*line
	for _, e := range events {
		if p.oldest == 0 || e.Seq < p.oldest {
			older = append(older, eventLines(e)...)
		}
	}
	if len(older) == 0 {
		p.whole = true
		return
	}
	p.oldest = older[0].seq
	p.lines = append(older, p.lines...)
}

// reset empties the pane; what comes has a sequence over seq.
func (p *pane) reset(seq uint64) {
	*p = pane{kind: p.kind, name: p.name, oldest: seq + 1}
}

// eventLines are the lines of a stored event, in the words of the line dialect.
func eventLines(e event.Stored) []*line {
	switch e.Kind {
	case event.Chat, event.RoomChat:
		return []*line{{at: e.At, from: e.From, text: e.Text, look: lookSaid, seq: e.Seq}}
	}
	lines := hallLines(wire.AppendEvent(nil, e, time.Local), e.At, lookHall)
	for _, l := range lines {
		l.seq = e.Seq
		l.text = strings.TrimPrefix(l.text, "["+e.Room+"] system: ")
	}
	return lines
}

// hallLines are lines of the line dialect without their time and the word system: who speaks
// is shown by the look, which nobody can type.
func hallLines(text []byte, at time.Time, look look) []*line {
	var all []*line
	for row := range strings.Lines(string(text)) {
		row = strings.TrimSuffix(row, "\n")
		row = row[min(len(row), len(wire.TimeLayout)+1):]
		all = append(all, &line{at: at, text: strings.TrimPrefix(row, "system: "), look: look})
	}
	return all
}

// draw gives the rows of a line.
func (l *line) draw(d drawn, zone *time.Location) []string {
	if l.rows != nil && l.drawn == d {
		return l.rows
	}
	stamp := ""
	if d.width >= 40 {
		at := l.at.In(zone)
		stamp = at.Format("15:04 ")
		if at.Format(time.DateOnly) != d.today {
			stamp = at.Format("01-02 15:04 ")
		}
	}
	indent := len(stamp)
	who, name := "", clean(l.from)
	style := plainStyle
	switch l.look {
	case lookSaid, lookWhisper, lookWaits:
		who = d.w.cut(name, max(1, d.width-indent-3)) + ": "
		if l.look == lookWhisper {
			style = whisperStyle
		}
		if l.look == lookWaits {
			style = faintStyle
		}
	case lookHall:
		style = faintStyle
	case lookAlert:
		style = alertStyle
	}
	text := clean(l.text)
	if l.look == lookWaits {
		text += " …"
	}
	segments := d.w.wrap(text, d.width-indent-d.w.of(who), d.width-indent)
	l.rows, l.drawn = make([]string, 0, len(segments)), d
	for i, s := range segments {
		row := ""
		if indent > 0 {
			row = faintStyle.Render(stamp)
			if i > 0 {
				row = strings.Repeat(" ", indent)
			}
		}
		if i == 0 && who != "" {
			row += colourOf(l.from).Render(strings.TrimSuffix(who, ": ")) + ": "
		}
		if s != "" {
			row += style.Render(s)
		}
		l.rows = append(l.rows, row)
	}
	return l.rows
}
