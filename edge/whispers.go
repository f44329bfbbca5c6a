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

// first notes a whisper, and tells whether it was not had before.
func (w *whispers) first(id string, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at, had := w.had[id]; had && now.Sub(at) <= bus.AnswersKept {
		return false
	}
	if w.had == nil {
		w.had = map[string]time.Time{}
	}
	w.had[id] = now
	return true
}

// delivered tells whether a whisper was had.
func (w *whispers) delivered(id string, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, had := w.had[id]
	return had && now.Sub(at) <= bus.AnswersKept
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
