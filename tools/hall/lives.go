package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// edgesFile is where hall up keeps the ids that its edge has had, one a line. When it starts
// again, the sessions that those held are over; those of other edges on the same NATS are
// not.
const edgesFile = "edges"

// lives are the ids of this data folder's edges.
type lives struct {
	path string
	past []string
}

// openLives reads what the lives before this one left.
func openLives(data string) (*lives, error) {
	l := &lives{path: filepath.Join(data, edgesFile)}
	text, err := os.ReadFile(l.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the ids of former edges: %w: make it readable, or choose another folder with --data", err)
	}
	l.past = strings.Fields(string(text))
	return l, nil
}

// former gives the ids of edges that are gone.
func (l *lives) former() []string {
	if l == nil {
		return nil
	}
	return l.past
}

// begin notes the id of an edge that is about to take a session. The first one of a life
// forgets those before: their sessions have been ended by then.
func (l *lives) begin(id string) error {
	if l == nil {
		return nil
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if l.past != nil {
		flags |= os.O_TRUNC
		l.past = nil
	}
	f, err := os.OpenFile(l.path, flags, 0o600)
	if err != nil {
		return fmt.Errorf("write the edge's id: %w", err)
	}
	_, err = f.WriteString(id + "\n")
	return errors.Join(err, f.Close())
}
