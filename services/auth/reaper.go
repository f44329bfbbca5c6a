package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"gamehall/shared/authapi"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// reapEvery is how often a copy looks for dead edges: a lease of 30 s, a look every 2 s and
// the lease's expiry to the second keep its users' end within 35 s of its death.
const reapEvery = 2 * time.Second

// renewedLate is how long after its last renewal an edge is taken to have died: one that
// renews every 5 s has died 0 to 5 s after it.
const renewedLate = 3 * time.Second

// reapWorkers is how many sessions one look ends side by side; an edge may have had
// thousands.
const reapWorkers = 16

// reapFor bounds the work on one session: as long as any command.
const reapFor = 15 * time.Second

// duty is what is left to do for a session.
type duty int

const (
	none    duty = iota
	expire       // no edge holds it and its time is up
	bury         // its edge's lease is gone
	finish       // it is marked as ending
	tell         // it is claimed, and the hall perhaps not told
	dismiss      // the edge of the session before did not answer
)

// dutyTo judges a session; held says that its edge has a lease.
func dutyTo(r session.Record, held bool, now time.Time) duty {
	switch {
	case r.State == session.Ending:
		return finish
	case !r.Detached.IsZero():
		// It has its time to come back, whatever became of the edge that had it.
		if now.Sub(r.Detached) > authapi.ResumeFor {
			return expire
		}
		return none
	case r.Edge != "" && !held:
		return bury
	case r.Edge == "" && now.Sub(r.Since) > streams.LeaseTTL:
		return expire
	case r.Claimed == 0:
		return tell
	case r.Prev != nil:
		return dismiss
	}
	return none
}

// begun tells whether some copy may be at d right now.
func (d duty) begun() bool { return d == finish || d == tell || d == dismiss }

// reaper finishes what dead copies of auth and dead edges left behind. Its goroutine owns
// standing.
type reaper struct {
	s *Service
	// standing is the work that the last look found begun, by user and revision. Only what
	// stands unchanged from one look to the next is taken over: before that, the copy that
	// began it is likely at it. So no clocks are compared.
	standing map[string]uint64
}

// run looks every so often until ctx ends.
func (p *reaper) run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := p.look(ctx); err != nil && ctx.Err() == nil {
				p.s.log.Warn("dead sessions are looked for again later", "error", err)
			}
		}
	}
}

// look goes through all sessions once.
func (p *reaper) look(ctx context.Context) error {
	all := p.s.directory.Online()
	held, err := p.s.lookAtEdges(ctx, all)
	if err != nil {
		return err
	}
	standing := map[string]uint64{}
	var due []*session.Record
	now := time.Now()
	for _, r := range all {
		d := dutyTo(*r, held[r.Edge], now)
		if d.begun() {
			standing[r.UserID] = r.Revision
		}
		if d != none && (!d.begun() || p.standing[r.UserID] == r.Revision) {
			due = append(due, r)
		}
	}
	p.standing = standing
	return p.s.each(ctx, due, func(ctx context.Context, r session.Record) error {
		return p.s.do(ctx, dutyTo(r, held[r.Edge], now), r)
	})
}

// lookAtEdges asks once for the lease of each edge that a session is on or was on.
func (s *Service) lookAtEdges(ctx context.Context, all []*session.Record) (held map[string]bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, reapFor)
	defer cancel()
	held = map[string]bool{}
	for _, r := range all {
		edges := []string{r.Edge}
		if r.Prev != nil {
			edges = append(edges, r.Prev.Edge)
		}
		for _, edge := range edges {
			if _, asked := held[edge]; asked {
				continue
			}
			if _, held[edge], err = s.leases.look(ctx, edge); err != nil {
				return nil, err
			}
		}
	}
	s.leases.forget(held)
	return held, nil
}

// do does what is left to do for r. That r is over by now is fine.
func (s *Service) do(ctx context.Context, d duty, r session.Record) error {
	if d.begun() {
		// The mirror may be behind, by more than a look: what was finished meanwhile, by this very
		// copy perhaps, is not done once more, for an edge would be told twice.
		have, found, err := s.sessions.read(ctx, r.UserID)
		if err != nil || !found || have.Revision != r.Revision {
			return err
		}
	}
	var err error
	switch d {
	case none:
	case finish:
		_, err = s.finish(ctx, r)
	case expire:
		_, err = s.end(ctx, r, ending{until: lastHeard(r)})
	case bury:
		err = s.bury(ctx, r)
	case tell:
		_, err = s.complete(ctx, r)
	case dismiss:
		err = s.dismiss(ctx, r)
	}
	if errors.Is(err, errOver) {
		return nil
	}
	return err
}

// bury ends a session whose edge is dead, as of the lease's last renewal. It looks at the
// lease again, for the one look on which many sessions depend was some time ago.
func (s *Service) bury(ctx context.Context, r session.Record) error {
	renewed, held, err := s.leases.look(ctx, r.Edge)
	if held || err != nil {
		return err
	}
	if r.TokenHash != "" && !renewed.IsZero() {
		// Its client has its time to come back from the edge's death on, which was at most a
		// renewal after the last one; not all of that is given, so that who does not come
		// back is offline 35 s after the death.
		return s.detach(ctx, r, loss{at: renewed.Add(renewedLate), until: renewed})
	}
	s.log.Info("the edge is gone, its session ends", "user_id", r.UserID, "edge", r.Edge, "renewed", renewed)
	_, err = s.end(ctx, r, ending{until: renewed, lost: true})
	return err
}

// dismiss tells the edge of the session before r once more. One without a lease has let go
// of its sessions by itself.
func (s *Service) dismiss(ctx context.Context, r session.Record) error {
	if !s.tellEdge(ctx, r) {
		if _, held, err := s.leases.look(ctx, r.Prev.Edge); held || err != nil {
			return err
		}
	}
	return s.settle(ctx, r, true, 0)
}

// endFormer ends the sessions of a former life, whose edges died with it, as of their last
// renewal where that is still known. Those of other edges are none of its business.
func (s *Service) endFormer(ctx context.Context) error {
	all := slices.DeleteFunc(s.directory.Online(), func(r *session.Record) bool {
		return !slices.Contains(s.cfg.FormerEdges, r.Edge) // of an edge that may well live
	})
	if _, err := s.lookAtEdges(ctx, all); err != nil {
		return fmt.Errorf("end former sessions: %w", err)
	}
	err := s.each(ctx, all, func(ctx context.Context, r session.Record) error {
		if r.Live() && !r.Detached.IsZero() {
			// Its client may still come back, also to a hall that was stopped in order.
			return s.do(ctx, dutyTo(r, false, time.Now()), r)
		}
		renewed, _, err := s.leases.look(ctx, r.Edge)
		if err != nil {
			return err
		}
		if r.TokenHash != "" && r.Live() && !renewed.IsZero() {
			// Its client may come back as the same session, as after the loss of one edge.
			err = s.detach(ctx, r, loss{at: renewed.Add(renewedLate), until: renewed})
		} else {
			_, err = s.end(ctx, r, ending{until: renewed, lost: true})
		}
		if errors.Is(err, errOver) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("end former sessions: %w", err)
	}
	return nil
}

// each calls do for all, some side by side, each with reapFor, and waits for them.
func (s *Service) each(ctx context.Context, all []*session.Record, do func(context.Context, session.Record) error) error {
	next := make(chan *session.Record)
	errs := make([]error, min(reapWorkers, len(all)))
	var work sync.WaitGroup
	for i := range errs {
		work.Go(func() {
			for r := range next {
				one, cancel := context.WithTimeout(ctx, reapFor)
				errs[i] = errors.Join(errs[i], do(one, *r))
				cancel()
			}
		})
	}
	for _, r := range all {
		if ctx.Err() != nil {
			break
		}
		next <- r
	}
	close(next)
	work.Wait()
	return errors.Join(errors.Join(errs...), ctx.Err())
}
