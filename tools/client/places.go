package client

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

// dialNextWithin bounds one attempt to connect where there is another address to try: an edge
// whose machine is gone does not answer at all, and its people are to be back in 5 s.
const dialNextWithin = 2 * time.Second

// places are where the hall is: any of its edges will do.
type places struct {
	all  []address
	next atomic.Uint32 // where to try first
}

// parsePlaces reads one address or several, between commas; see [parseAddress].
func parsePlaces(text, authorities string) (*places, error) {
	p := &places{}
	for one := range strings.SplitSeq(text, ",") {
		one = strings.TrimSpace(one)
		if one == "" && strings.Contains(text, ",") {
			return nil, fmt.Errorf("%q: there is an address missing beside a comma", text)
		}
		a, err := parseAddress(one, authorities)
		if err != nil {
			return nil, err
		}
		p.all = append(p.all, a)
	}
	return p, nil
}

// dial connects to the first of the places that takes it. It begins behind the one that it
// connected to the last time: whoever comes back has lost that one.
func (p *places) dial(ctx context.Context) (net.Conn, error) {
	if len(p.all) == 1 {
		return p.all[0].dial(ctx, dialWithin)
	}
	first := int(p.next.Load())
	var failed error
	for i := range p.all {
		at := (first + i) % len(p.all)
		nc, err := p.all[at].dial(ctx, dialNextWithin)
		if err == nil {
			p.next.Store(uint32((at + 1) % len(p.all)))
			return nc, nil
		}
		if failed == nil {
			failed = err
		} else {
			failed = fmt.Errorf("%w; %w", failed, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, failed
}

// String gives the addresses as people know them.
func (p *places) String() string {
	var hosts []string
	for _, a := range p.all {
		hosts = append(hosts, a.host)
	}
	return strings.Join(hosts, ", ")
}
