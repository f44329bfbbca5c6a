package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The times of making a bystander.
const (
	moveWithin = 30 * time.Second
	moveAgain  = 300 * time.Millisecond
)

// bystander gives a follower of the events that leads nothing: what it leads is given to another
// node before, and moved tells how much that was. The metadata's leader is not moved, for which
// another account would be needed: writing needs none.
func (a *admin) bystander(ctx context.Context) (node string, moved int, err error) {
	ctx, cancel := context.WithTimeout(ctx, moveWithin)
	defer cancel()
	if node, err = a.role(ctx, follower); err != nil {
		return "", 0, err
	}
	last := errors.New("it was not looked yet")
	for free := 0; free < 2; { // a leader may come back in an election that was under way
		led, err := a.ledBy(ctx, node)
		switch {
		case err != nil:
			last = err
		case len(led) == 0:
			free++
		default:
			free = 0
			last = fmt.Errorf("it leads %d", len(led))
		}
		for _, l := range led {
			if err := a.handOver(ctx, l.subject, l.to); err != nil {
				last = fmt.Errorf("%s: %w", l.subject, err)
				continue
			}
			moved++
		}
		if !wait(ctx, moveAgain) {
			return "", moved, fmt.Errorf("%s cannot be made to lead nothing: %w", node, last)
		}
	}
	return node, moved, nil
}

// led is what a node leads: how it is asked to go, and who is to come.
type led struct{ subject, to string }

// ledBy lists what a node leads of streams and consumers that have copies elsewhere.
func (a *admin) ledBy(ctx context.Context, node string) (all []led, err error) {
	note := func(cluster *jetstream.ClusterInfo, kind string, names ...string) {
		if cluster == nil || cluster.Leader != node {
			return
		}
		if i := slices.IndexFunc(cluster.Replicas, func(p *jetstream.PeerInfo) bool { return !p.Offline && p.Current }); i >= 0 {
			all = append(all, led{kind + ".LEADER.STEPDOWN." + strings.Join(names, "."), cluster.Replicas[i].Name})
		} else if len(cluster.Replicas) > 0 {
			err = errors.Join(err, fmt.Errorf("nobody can take %s over from %s", strings.Join(names, " "), node))
		}
	}
	list := a.js.ListStreams(ctx)
	for s := range list.Info() {
		note(s.Cluster, "STREAM", s.Config.Name)
		stream, err := a.js.Stream(ctx, s.Config.Name)
		if err != nil {
			return nil, err
		}
		consumers := stream.ListConsumers(ctx)
		for c := range consumers.Info() {
			note(c.Cluster, "CONSUMER", s.Config.Name, c.Name)
		}
		if err := consumers.Err(); err != nil && !errors.Is(err, jetstream.ErrEndOfData) {
			return nil, err
		}
	}
	return all, errors.Join(err, list.Err())
}
