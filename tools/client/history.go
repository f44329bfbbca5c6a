package client

import (
	"slices"

	"gamehall/shared/fault"
	"gamehall/shared/wire"
)

// historyMost is how many lines the input remembers.
const historyMost = 500

// history is what was typed before. Passwords are not in it.
type history struct {
	lines []string
	at    int    // what is shown; len(lines) is the line being typed
	draft string // the line being typed, while another one is shown
}

// add remembers a line, unless it holds a secret or may hold one: a command that is unknown
// may be a /SIGNIN with a slip in it.
func (h *history) add(line string) {
	_, err := wire.ParseLine([]byte(line))
	if secretFrom(line) < 0 && fault.CodeOf(err) != fault.UnknownCommand &&
		(len(h.lines) == 0 || h.lines[len(h.lines)-1] != line) {
		h.lines = append(h.lines, line)
		if len(h.lines) > historyMost {
			h.lines = slices.Delete(h.lines, 0, 1)
		}
	}
	h.at, h.draft = len(h.lines), ""
}

// up gives the line before; false when there is none. now is what stands in the input.
func (h *history) up(now string) (string, bool) {
	if h.at == 0 {
		return "", false
	}
	if h.at == len(h.lines) {
		h.draft = now
		if secretFrom(now) >= 0 {
			h.draft = ""
		}
	}
	h.at--
	return h.lines[h.at], true
}

// down gives the line after; after the last one, what was being typed.
func (h *history) down() (string, bool) {
	if h.at >= len(h.lines) {
		return "", false
	}
	h.at++
	if h.at == len(h.lines) {
		return h.draft, true
	}
	return h.lines[h.at], true
}
