package client

import (
	"hash/fnv"
	"strconv"

	"charm.land/lipgloss/v2"
)

// nameColours are of the 256 that terminals know, each with a contrast of at least 3:1 (WCAG)
// on white and on black, so that nobody need say which the terminal has.
var nameColours = []int{
	25, 28, 29, 30, 31, 61, 62, 63, 64, 65, 66, 94, 95, 96, 97, 98, 99,
	126, 127, 128, 129, 130, 131, 132, 133, 134, 135, 160, 161, 162, 163, 164, 165, 166, 167, 168, 169,
}

// colourOf is the colour of a name, always the same.
func colourOf(name string) lipgloss.Style {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	c := nameColours[h.Sum32()%uint32(len(nameColours))]
	return lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Color(strconv.Itoa(c)))
}

// The looks of what is not a name. They are the terminal's own, so they fit its theme.
var (
	plainStyle   = lipgloss.NewStyle()
	faintStyle   = lipgloss.NewStyle().Faint(true)
	alertStyle   = lipgloss.NewStyle().Foreground(lipgloss.Color("9"))
	whisperStyle = lipgloss.NewStyle().Italic(true)
	barStyle     = lipgloss.NewStyle().Reverse(true)
	tabStyle     = lipgloss.NewStyle()
	tabHereStyle = lipgloss.NewStyle().Bold(true).Reverse(true)
	tabNewStyle  = lipgloss.NewStyle().Bold(true)
)
