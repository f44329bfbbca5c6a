package natstest

import (
	"bytes"
	"strings"
	"sync"
)

// Output is what a process or a logger writes, read while it is written. The zero Output is empty.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed at the next write; nil while nobody waits
}

// Write implements [io.Writer].
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more != nil {
		close(o.more)
		o.more = nil
	}
	return o.text.Write(p)
}

// Text gives all that was written, and a channel that is closed when there is more.
func (o *Output) Text() (text string, more <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more == nil {
		o.more = make(chan struct{})
	}
	return o.text.String(), o.more
}

// String gives all that was written.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Count tells how often s was written.
func (o *Output) Count(s string) int { return strings.Count(o.String(), s) }
