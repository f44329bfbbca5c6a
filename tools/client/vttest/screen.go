package vttest

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/charmbracelet/x/ansi"
)

// Screen is a terminal's screen: as much of an xterm as a full-screen program needs. What is
// written to it is what a program sends. What it does not know it writes down, so that a
// screen that it shows can be believed. Any goroutine may call its methods.
type Screen struct {
	mu       sync.Mutex
	more     chan struct{} // closed at the next write
	parser   *ansi.Parser
	cells    [][]string // "" is the right half of a wide character
	x, y     int
	saved    [2]int
	top, end int  // scroll region, end excluded
	wrap     bool // the last column was written: the next character goes to the next row
	last     rune
	alt      bool
	raw      strings.Builder
	odd      []string // sequences that it does not know
}

// NewScreen gives an empty screen.
func NewScreen(width, height int) *Screen {
	v := &Screen{parser: ansi.NewParser(), more: make(chan struct{})}
	v.resize(width, height)
	v.parser.SetHandler(ansi.Handler{
		Print: v.print, Execute: v.execute, HandleCsi: v.csi, HandleEsc: v.esc,
		HandleOsc: func(cmd int, data []byte) { v.odd = append(v.odd, fmt.Sprintf("OSC %d %q", cmd, data)) },
		HandleDcs: func(cmd ansi.Cmd, _ ansi.Params, data []byte) {
			if cmd.Intermediate() != '+' || cmd.Final() != 'q' { // XTGETTCAP asks for capabilities
				v.odd = append(v.odd, fmt.Sprintf("DCS %c %q", cmd.Final(), data))
			}
		},
		HandleApc: func(data []byte) { v.odd = append(v.odd, fmt.Sprintf("APC %q", data)) },
		HandlePm:  func(data []byte) { v.odd = append(v.odd, fmt.Sprintf("PM %q", data)) },
		HandleSos: func(data []byte) { v.odd = append(v.odd, fmt.Sprintf("SOS %q", data)) },
	})
	return v
}

// Write takes what a program sends. It never fails.
func (v *Screen) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.raw.Write(p)
	v.parser.Parse(p)
	close(v.more)
	v.more = make(chan struct{})
	return len(p), nil
}

func (v *Screen) resize(width, height int) {
	cells := make([][]string, height)
	for y := range cells {
		cells[y] = blankRow(width)
		if y < len(v.cells) {
			copy(cells[y], v.cells[y])
		}
	}
	v.cells, v.top, v.end, v.wrap = cells, 0, height, false
	v.x, v.y = min(v.x, width-1), min(v.y, height-1)
}

func blankRow(width int) []string {
	row := make([]string, width)
	for x := range row {
		row[x] = " "
	}
	return row
}

// Resize changes the size as terminals do: rows are kept, from the top.
func (v *Screen) Resize(width, height int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.resize(width, height)
}

// String gives what is seen, without blanks at the ends of rows.
func (v *Screen) String() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.seen()
}

// Raw gives all that was ever sent.
func (v *Screen) Raw() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.raw.String()
}

// Unknown gives what was sent and is not known: what a terminal need not know, or what a
// program let through.
func (v *Screen) Unknown() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.odd)
}

// Alternate tells whether a program has the whole screen.
func (v *Screen) Alternate() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.alt
}

// next gives a channel that is closed when more is sent than before the call.
func (v *Screen) next() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.more
}

func (v *Screen) seen() string {
	var b strings.Builder
	for _, row := range v.cells {
		b.WriteString(strings.TrimRight(strings.Join(row, ""), " ") + "\n")
	}
	return b.String()
}

func (v *Screen) print(r rune) {
	width := ansi.WcWidth.StringWidth(string(r))
	if width == 0 {
		x := max(0, v.x-1)
		if v.wrap {
			x = v.x
		}
		v.cells[v.y][x] += string(r)
		return
	}
	if v.wrap || v.x+width > len(v.cells[0]) {
		v.x, v.wrap = 0, false
		v.down()
	}
	v.last = r
	v.cells[v.y][v.x] = string(r)
	if width == 2 {
		v.cells[v.y][v.x+1] = ""
	}
	if v.x += width; v.x >= len(v.cells[0]) {
		v.x, v.wrap = len(v.cells[0])-1, true
	}
}

func (v *Screen) down() {
	if v.y == v.end-1 {
		v.scroll(v.top, 1)
		return
	}
	v.y = min(v.y+1, len(v.cells)-1)
}

// scroll moves the rows from y to the region's end up by n, or down.
func (v *Screen) scroll(y, n int) {
	width := len(v.cells[0])
	for ; n > 0; n-- {
		copy(v.cells[y:v.end], v.cells[y+1:v.end])
		v.cells[v.end-1] = blankRow(width)
	}
	for ; n < 0; n++ {
		copy(v.cells[y+1:v.end], v.cells[y:v.end-1])
		v.cells[y] = blankRow(width)
	}
}

func (v *Screen) execute(b byte) {
	v.wrap = v.wrap && b != '\r' && b != '\b'
	switch b {
	case '\r':
		v.x = 0
	case '\n':
		v.down()
	case '\b':
		v.x = max(0, v.x-1)
	case '\t':
		v.x = min(v.x/8*8+8, len(v.cells[0])-1)
	default:
		v.odd = append(v.odd, fmt.Sprintf("control %02x", b))
	}
}

func (v *Screen) esc(cmd ansi.Cmd) {
	switch cmd.Final() {
	case '7':
		v.saved = [2]int{v.x, v.y}
	case '8':
		v.x, v.y = v.saved[0], v.saved[1]
	case 'M':
		if v.y == v.top {
			v.scroll(v.top, -1)
		} else {
			v.y = max(0, v.y-1)
		}
	case 'D':
		v.down()
	case '\\':
	default:
		v.odd = append(v.odd, fmt.Sprintf("ESC %c", cmd.Final()))
	}
}

func (v *Screen) csi(cmd ansi.Cmd, params ansi.Params) {
	n, _, _ := params.Param(0, 1)
	n = max(1, n)
	first, _, _ := params.Param(0, 0)
	width, height := len(v.cells[0]), len(v.cells)
	row := v.cells[v.y]
	if cmd.Prefix() != 0 || cmd.Intermediate() != 0 {
		v.mode(cmd, first)
		return
	}
	if cmd.Final() != 'm' {
		v.wrap = false
	}
	switch cmd.Final() {
	case 'A':
		v.y = max(0, v.y-n)
	case 'B', 'e':
		v.y = min(height-1, v.y+n)
	case 'C', 'a':
		v.x = min(width-1, v.x+n)
	case 'D':
		v.x = max(0, v.x-n)
	case 'E':
		v.x, v.y = 0, min(height-1, v.y+n)
	case 'F':
		v.x, v.y = 0, max(0, v.y-n)
	case 'G', '`':
		v.x = min(width-1, n-1)
	case 'd':
		v.y = min(height-1, n-1)
	case 'H', 'f':
		column, _, _ := params.Param(1, 1)
		v.y, v.x = min(height-1, n-1), min(width-1, max(1, column)-1)
	case 'I':
		v.x = min((v.x/8+n)*8, width-1)
	case 'Z':
		v.x = max(0, (v.x+7)/8-n) * 8
	case 'J':
		switch first {
		case 0:
			copy(row[v.x:], blankRow(width-v.x))
			for y := v.y + 1; y < height; y++ {
				v.cells[y] = blankRow(width)
			}
		case 1:
			copy(row[:v.x+1], blankRow(v.x+1))
			for y := range v.y {
				v.cells[y] = blankRow(width)
			}
		default:
			for y := range v.cells {
				v.cells[y] = blankRow(width)
			}
		}
	case 'K':
		switch first {
		case 0:
			copy(row[v.x:], blankRow(width-v.x))
		case 1:
			copy(row[:v.x+1], blankRow(v.x+1))
		default:
			copy(row, blankRow(width))
		}
	case 'X':
		copy(row[v.x:min(width, v.x+n)], blankRow(n))
	case 'P':
		v.cells[v.y] = append(append(row[:v.x:v.x], row[min(width, v.x+n):]...), blankRow(min(n, width-v.x))...)
	case '@':
		v.cells[v.y] = append(append(row[:v.x:v.x], blankRow(min(n, width-v.x))...), row[v.x:max(v.x, width-n)]...)
	case 'L':
		v.scroll(v.y, -min(n, v.end-v.y))
	case 'M':
		v.scroll(v.y, min(n, v.end-v.y))
	case 'S':
		v.scroll(v.top, min(n, height))
	case 'T':
		v.scroll(v.top, -min(n, height))
	case 'b':
		for range n {
			v.print(v.last)
		}
	case 'r':
		end, _, _ := params.Param(1, height)
		v.top, v.end, v.x, v.y = n-1, min(height, max(1, end)), 0, 0
	case 'm', 'c', 't', 'n':
	default:
		v.odd = append(v.odd, fmt.Sprintf("CSI %c", cmd.Final()))
	}
}

// mode takes private modes, of which only the alternate screen matters here, and questions.
func (v *Screen) mode(cmd ansi.Cmd, mode int) {
	switch {
	case cmd.Prefix() == '?' && (cmd.Final() == 'h' || cmd.Final() == 'l'):
		if mode == 1049 {
			v.alt = cmd.Final() == 'h'
			for y := range v.cells {
				v.cells[y] = blankRow(len(v.cells[y]))
			}
		}
	case cmd.Final() == 'W': // tab stops at every eighth column, as they are
	case cmd.Final() == 'p', cmd.Final() == 'u', cmd.Final() == 'q', cmd.Final() == 'm', cmd.Final() == 'c', cmd.Final() == 'n':
	default:
		v.odd = append(v.odd, fmt.Sprintf("CSI %c…%c", cmd.Prefix(), cmd.Final()))
	}
}
