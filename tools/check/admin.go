package check

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/streams"
	"gamehall/tools/check/history"
)

// admin looks at the hall's NATS as its administrator does, past the links.
type admin struct {
	nc *nats.Conn
	js jetstream.JetStream
}

// connect connects to one node, or to whichever of several answers. Close it.
func (h *hall) connect(nodes ...string) (*admin, error) {
	var urls []string
	for _, n := range nodes {
		u, err := h.adminURL(n)
		if err != nil {
			return nil, err
		}
		urls = append(urls, u)
	}
	nc, err := nats.Connect(strings.Join(urls, ","), nats.Name("check"), nats.IgnoreDiscoveredServers(),
		nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond), nats.PingInterval(2*time.Second),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		var bad *url.Error
		if errors.As(err, &bad) {
			err = bad.Err // without the password
		}
		return nil, fmt.Errorf("connect to nats: %w", err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, err
	}
	return &admin{nc, js}, nil
}

func (a *admin) close() { a.nc.Close() }

// role gives the node that leads the events, or one that follows.
func (a *admin) role(ctx context.Context, role string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var last error
	for ctx.Err() == nil {
		var info *jetstream.StreamInfo
		s, err := a.js.Stream(ctx, streams.Events)
		if err == nil {
			info = s.CachedInfo()
		}
		switch {
		case err != nil:
			last = err
		case info.Cluster == nil || info.Cluster.Leader == "":
			last = errors.New("nobody leads")
		case role == leader:
			return info.Cluster.Leader, nil
		default:
			for _, r := range info.Cluster.Replicas {
				if !r.Offline {
					return r.Name, nil
				}
			}
			last = errors.New("nobody follows")
		}
		wait(ctx, 200*time.Millisecond)
	}
	return "", last
}

// stepDown asks the leader of the events to go.
func (a *admin) stepDown(ctx context.Context) error {
	return a.handOver(ctx, "STREAM.LEADER.STEPDOWN."+streams.Events, "")
}

// handOver asks the leader that subject names to go, and to leave its place to a node, if one is
// given.
func (a *admin) handOver(ctx context.Context, subject, to string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var ask []byte
	if to != "" {
		var err error
		if ask, err = json.Marshal(map[string]any{"placement": map[string]any{"preferred": to}}); err != nil {
			return err
		}
	}
	m, err := a.nc.RequestWithContext(ctx, "$JS.API."+subject, ask)
	if err != nil {
		return err
	}
	var answer struct {
		Error *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return err
	}
	if answer.Error != nil {
		return errors.New(answer.Error.Description)
	}
	return nil
}

// last gives the last sequence of a stream by its leader.
func (a *admin) last(ctx context.Context, stream string) (uint64, error) {
	s, err := a.js.Stream(ctx, stream)
	if err != nil {
		return 0, err
	}
	return s.CachedInfo().State.LastSeq, nil
}

// messages reads what the node that a is connected to has of both streams: a server answers
// direct gets of its own clients from its own copy.
func (a *admin) messages(ctx context.Context) iter.Seq2[history.Message, error] {
	return func(yield func(history.Message, error) bool) {
		for _, stream := range []string{streams.Events, streams.Game21} {
			upTo, err := a.last(ctx, stream)
			if err != nil {
				yield(history.Message{}, fmt.Errorf("read %s: %w", stream, err))
				return
			}
			going := true
			err = streams.RangeOf(ctx, a.js, stream, ">", 0, upTo, func(m streams.Msg) bool {
				going = yield(history.Message{
					Stream: stream, Seq: m.Seq, Subject: m.Subject, ID: m.ID, Time: m.At, Data: jsontext.Value(m.Data),
				}, nil)
				return going
			})
			if err != nil && going {
				yield(history.Message{}, fmt.Errorf("read %s: %w", stream, err))
				return
			}
			if !going {
				return
			}
		}
	}
}
