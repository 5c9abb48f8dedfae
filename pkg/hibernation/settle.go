package hibernation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// defaultSettling is far longer than any server needs to boot, or Nova to bring its lists into agreement.
	defaultSettling = 10 * time.Minute
	// longestWait is the pace at which something is looked at that has not changed for long.
	longestWait       = 2 * time.Minute
	longestWaitPaused = 15 * time.Second
)

// unsettledError says that the cloud is in the middle of something, or contradicts itself, and that a later look may find it otherwise.
type unsettledError struct{ why string }

func (u *unsettledError) Error() string { return u.why }

func notYet(format string, args ...any) error {
	return &unsettledError{why: fmt.Sprintf(format, args...)}
}

// stock is takeStock, and an inventory that contradicts itself is one that has to settle.
func (s *Session) stock(ctx context.Context) (machines []*Machine, waiting []string, err error) {
	machines, waiting, err = s.takeStock(ctx)
	if why := unsettledBecause(err); why != "" {
		return nil, []string{why}, nil
	}
	return machines, waiting, err
}

// unsettledBecause returns what an error says that has to settle; empty for any other error.
func unsettledBecause(err error) string {
	var unsettled *unsettledError
	if errors.As(err, &unsettled) {
		return unsettled.why
	}
	return ""
}

// settling waits, before anything of the cluster is touched, for what the inventory has found unsettled. Since when is saved,
// so that it ends also where managers come and go: it is refused then, and tried again later. The waits grow as long as it lasts.
func (s *Session) settling(ctx context.Context, waiting []string) (Progress, error) {
	if err := s.noteWait(ctx); err != nil {
		return Progress{}, err
	}
	lasts := s.now().Sub(*s.record.WaitingSince)
	if lasts >= s.settlingLimit() {
		return Progress{}, s.refused(ctx, &Refusal{Message: fmt.Sprintf("the cluster can't be hibernated while it is not at rest, and it has not come to rest within %s: %s", s.settlingLimit(), nameSome(waiting))})
	}
	return s.pending(StageStopping, s.engine.opts.Jitter(min(max(lasts, 2*time.Second), longestWait)), waiting), nil
}

// settlingLimit is how long an inventory is waited for. New servers of an opened record have a deadline of their own for
// finding a host, which ends first.
func (s *Session) settlingLimit() time.Duration {
	limit := s.engine.opts.SettlingDeadline
	if s.record.Opened != nil {
		limit += s.engine.opts.SchedulingDeadline
	}
	return limit
}

// noteWait saves since when something is waited for.
func (s *Session) noteWait(ctx context.Context) error {
	if s.record == nil {
		scope, err := s.cloud.Scope(ctx)
		if err != nil {
			return err
		}
		s.record = &Record{InfraID: s.cluster.InfraID, Cloud: scope}
	}
	now := s.now().UTC()
	if since := s.record.WaitingSince; since != nil && !since.After(now) {
		return nil
	}
	s.record.WaitingSince = &now
	return s.save(ctx)
}

// endWait forgets that something was waited for: the cluster is to run.
func (s *Session) endWait() {
	if s.record != nil && s.record.WaitingSince != nil {
		s.record.WaitingSince, s.dirty = nil, true
	}
}

// nameSome joins the first of many messages.
func nameSome(list []string) string {
	text := strings.Join(list[:min(len(list), maxNamed)], "; ")
	if more := len(list) - maxNamed; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// standstill is what a cluster was seen waiting for, and since when nothing of it has changed.
type standstill struct {
	waiting string
	since   time.Time
}

// pace has a pass that found nothing changed come back later and later, up to two minutes, and up to a quarter of one while
// servers of a running cluster are held paused. It is kept in memory: a manager that starts anew begins at the step's own pace.
func (s *Session) pace(p Progress, err error) (Progress, error) {
	e, key := s.engine, s.key()
	e.mu.Lock()
	defer e.mu.Unlock()
	waiting := string(p.Stage) + ": " + strings.Join(p.Waiting, "; ")
	if err != nil || p.Done || len(p.Waiting) == 0 {
		delete(e.standing, key)
		return p, err
	}
	still, ok := e.standing[key]
	if !ok || still.waiting != waiting {
		still = standstill{waiting: waiting, since: s.now()}
		e.standing[key] = still
	}
	limit := longestWait
	if s.holdsPaused() {
		limit = longestWaitPaused
	}
	p.After = max(p.After, e.opts.Jitter(min(s.now().Sub(still.since)/16, limit)))
	return p, err
}

// holdsPaused reports whether servers of a running cluster may be paused by us.
func (s *Session) holdsPaused() bool {
	return s.record != nil && s.record.Cut != nil
}
