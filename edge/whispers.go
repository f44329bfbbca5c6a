package edge

import (
	"sync"
	"time"

	"gamehall/shared/bus"
)

// whispers remembers the whispers that were delivered here, by sender, target and command:
// one that is repeated, perhaps by another copy of chat and for a session that came back
// meanwhile, is delivered once.
type whispers struct {
	mu  sync.Mutex
	had map[string]time.Time
}

// once shows a whisper that was not delivered yet, and tells whether it is now. show must not wait.
func (w *whispers) once(id string, now time.Time, show func() bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at, had := w.had[id]; had && now.Sub(at) <= bus.AnswersKept {
		return true
	}
	if !show() {
		return false
	}
	if w.had == nil {
		w.had = map[string]time.Time{}
	}
	w.had[id] = now
	return true
}

// whisperID names a whisper by its sender, its target's id and its command.
func whisperID(from, userID, command string) string { return from + " " + userID + " " + command }

// forget drops what is too old to be repeated.
func (w *whispers) forget(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, at := range w.had {
		if now.Sub(at) > bus.AnswersKept {
			delete(w.had, id)
		}
	}
}
