package alter

import (
	"gamehall/tools/check/history"
)

func doubleOnline(r *run) bool {
	p, found := r.one(func(e history.Event) bool {
		return e.Type == history.OK && e.F == history.OnlineTime && e.Seconds > 40
	})
	if found {
		r.event(p).Seconds *= 2
	}
	return found
}

func shrinkingOnline(r *run) bool {
	p, found := r.one(func(e history.Event) bool {
		return e.Type == history.OK && e.F == history.OnlineTime && e.Seconds > 60
	})
	if found {
		r.event(p).Seconds /= 3
	}
	return found
}
