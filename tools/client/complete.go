package client

import (
	"slices"
	"strings"

	"gamehall/shared/wire"
)

// commandWords are the commands, with their slash.
var commandWords = func() []string {
	all := []string{"/GAME21"}
	for _, line := range wire.Usage() {
		if word, _, _ := strings.Cut(line, " "); strings.HasPrefix(word, "/") {
			all = append(all, word)
		}
	}
	slices.Sort(all)
	return all
}()

// completion is a walk through what the start of a word can become.
type completion struct {
	head, tail string // what stands around it
	choices    []string
	at         int
}

// names are what can be completed, beside commands.
type names struct {
	users, rooms []string
}

// complete finds what the text before the cursor can become; nil when nothing.
func complete(before, after string, n names) *completion {
	line := strings.TrimLeft(before, " ")
	word, args, inArgs := strings.Cut(line, " ")
	if strings.HasPrefix(line, "/") && !inArgs {
		return among(before[:len(before)-len(line)], line, after, commandWords, " ")
	}
	switch strings.ToUpper(word) {
	case "/JOINROOM", "/CREATEROOM":
		args = strings.TrimLeft(args, " ") // a room's name may have blanks
		return among(before[:len(before)-len(args)], args, after, n.rooms, "")
	case "/W":
		args = strings.TrimLeft(args, " ")
		if !strings.Contains(args, " ") {
			return among(before[:len(before)-len(args)], args, after, n.users, " ")
		}
	case "/SIGNIN", "/SIGNUP", "/PASSWD":
		return nil
	}
	last := before[strings.LastIndexByte(before, ' ')+1:]
	if last == "" {
		return nil
	}
	suffix := " "
	if last == line {
		suffix = ": " // the line begins with whom it is for
	}
	return among(before[:len(before)-len(last)], last, after, n.users, suffix)
}

// among gives those of all that begin with start, whatever the case.
func among(head, start, after string, all []string, suffix string) *completion {
	c := &completion{head: head, tail: after}
	for _, s := range all {
		if len(s) >= len(start) && strings.EqualFold(s[:len(start)], start) {
			c.choices = append(c.choices, s+suffix)
		}
	}
	if len(c.choices) == 0 {
		return nil
	}
	slices.Sort(c.choices)
	return c
}

// take gives the text before the cursor with the next choice.
func (c *completion) take() string {
	s := c.head + c.choices[c.at]
	c.at = (c.at + 1) % len(c.choices)
	return s
}
