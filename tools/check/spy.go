package check

import (
	"bufio"
	"os"
	"regexp"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"

	"gamehall/shared/edgeapi"
	"gamehall/tools/check/history"
)

// spy hears which edge is given which whisper: clients cannot see what their edge keeps to itself.
// It hears as well as a connection does that is lost with its server now and then.
type spy struct {
	mu    sync.Mutex
	heard []history.Carried // their edges by their ids
}

// listen begins to hear; it ends with the connection of a.
func (s *spy) listen(a *admin) error {
	_, err := a.nc.Subscribe("hall.edge.>", s.hear)
	return err
}

func (s *spy) hear(m *nats.Msg) {
	id, whisper := strings.CutSuffix(strings.TrimPrefix(m.Subject, "hall.edge."), ".whisper")
	var r edgeapi.WhisperRequest
	if !whisper || json.Unmarshal(m.Data, &r) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, history.Carried{T: history.Now(), Edge: id, To: r.To, Text: r.Text})
}

// carried gives what was heard, with the edges by their processes' names.
func (s *spy) carried(h *hall) ([]history.Carried, error) {
	names := map[string]string{}
	for _, edge := range h.kind("edge") {
		ids, err := leases(h.processes[edge].log)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			names[id] = edge
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []history.Carried
	for _, c := range s.heard {
		if c.Edge = names[c.Edge]; c.Edge != "" {
			all = append(all, c)
		}
	}
	return all, nil
}

// leased is what an edge logs when it has taken an id.
var leased = regexp.MustCompile(`msg="edge has its lease".* edge=(\S+)`)

// leases are the ids that an edge has had, by its log.
func leases(path string) (ids []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(make([]byte, 64<<10), 16<<20)
	for in.Scan() {
		if m := leased.FindStringSubmatch(in.Text()); m != nil {
			ids = append(ids, m[1])
		}
	}
	return ids, in.Err()
}
