package alter

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"gamehall/shared/event"
	"gamehall/tools/check/history"
)

func winnerByArrival(r *run) bool {
	for seq, e := range r.decoded {
		if e.Kind != event.Game21Ended || e.Winner == "" {
			continue
		}
		for _, a := range r.answers(e.Round) {
			if a["user"] != e.Winner {
				winner, with, value := fmt.Sprint(a["user"]), fmt.Sprint(a["expression"]), fmt.Sprint(a["value"])
				r.rewrite(seq, func(e *event.Event) { e.Winner, e.Expression, e.Value = winner, with, value },
					func(e *history.Event) { e.Winner, e.Expression, e.Value = winner, with, value })
				return true
			}
		}
	}
	return false
}

// answers are the stored answers of a round.
func (r *run) answers(round int) (list []map[string]any) {
	for _, m := range r.log {
		if m.Stream == game && strings.HasPrefix(m.Subject, fmt.Sprintf("hall.round.%d.answer.", round)) {
			var a map[string]any
			if json.Unmarshal(m.Data, &a) == nil {
				list = append(list, a)
			}
		}
	}
	return list
}

func floatJudge(r *run) bool {
	// 7/(1-2/3) is 20.999999999999996 in float64: as an exact fraction, not 21.
	const almost = "5910974510923775/281474976710656"
	for i, m := range r.log {
		if m.Stream != game || !strings.Contains(m.Subject, ".answer.") {
			continue
		}
		var a map[string]any
		if json.Unmarshal(m.Data, &a) != nil || !strings.Contains(fmt.Sprint(a["expression"]), "/") {
			continue
		}
		a["value"] = almost
		r.log[i].Data = encode(a)
		return true
	}
	return false
}

func answersInMemory(r *run) bool {
	p, found := r.one(func(e history.Event) bool { return e.Type == history.OK && e.F == history.Answer })
	if !found {
		return false
	}
	_, user := r.sessionOf(p)
	before := len(r.log)
	r.log = slices.DeleteFunc(r.log, func(m history.Message) bool {
		var a map[string]any
		return m.Stream == game && strings.HasPrefix(m.Subject, fmt.Sprintf("hall.round.%d.answer.", r.event(p).Round)) &&
			json.Unmarshal(m.Data, &a) == nil && a["user"] == user
	})
	return len(r.log) < before
}

func twoResults(r *run) bool {
	for _, m := range r.log {
		if e := r.decoded[m.Seq]; m.Stream == events && e.Kind == event.Game21Ended {
			var last uint64
			for _, m := range r.log {
				if m.Stream == events {
					last = max(last, m.Seq)
				}
			}
			m.Seq = last + 1
			r.log = append(r.log, m)
			return true
		}
	}
	return false
}

func longRound(r *run) bool {
	for i, m := range r.log {
		if m.Stream == game && strings.HasSuffix(m.Subject, ".close") {
			r.log[i].Time = m.Time.Add(time.Hour)
			return true
		}
	}
	return false
}
