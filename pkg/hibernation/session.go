package hibernation

import (
	"context"
	"errors"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	log "github.com/sirupsen/logrus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

const saveTimeout = 10 * time.Second

// Session is one reconcile of one cluster.
type Session struct {
	engine  *Engine
	cluster Cluster
	cloud   openstackclient.Client
	log     log.FieldLogger
	// ends is when this pass has used up its budget.
	ends time.Time

	loaded  bool
	stored  *stored
	record  *Record
	claimed bool
	// fresh says that the present cut was begun in this pass.
	fresh bool
	// seen and images are the last look at the servers and the images, nil after a change.
	seen   *look
	images []images.Image
	// ports are the servers' ports as they were last seen.
	ports map[string][]ports.Port
	// asked are the servers that were asked for by their IDs; nil for one that answered 404.
	asked map[string]*openstackclient.Server
	// sealed says that this very pass proved that the servers are still, and sealed the cut.
	sealed bool
	// dropping says that the cluster is being destroyed: what is its own is given up, whatever becomes of its servers.
	dropping bool
	// waking says that the cluster is to run.
	waking bool
	// dirty says that the record holds what the next pass must know, though nothing is about to be done.
	dirty bool
	// missed are the objects that this pass did not find: more looks at the same list are no further proof.
	missed sets.Set[*Attempt]
	// why is what ended the cut that is being rolled back; empty if its record already says so.
	why string
}

func (s *Session) now() time.Time { return s.engine.opts.Clock.Now() }

func (s *Session) key() types.NamespacedName {
	return types.NamespacedName{Namespace: s.cluster.Namespace, Name: s.cluster.Name}
}

// load reads the record, uncached, once a session; reload reads it again.
func (s *Session) load(ctx context.Context) error {
	if s.loaded {
		return nil
	}
	return s.reload(ctx)
}

func (s *Session) reload(ctx context.Context) error {
	st, err := s.engine.store.load(ctx, s.cluster)
	if err != nil {
		return err
	}
	if st == nil || s.stored == nil || st.version() != s.stored.version() {
		// Somebody else wrote it, if this session had claimed it.
		s.claimed = false
	}
	s.loaded, s.stored, s.record = true, st, nil
	if st != nil {
		s.record = st.record
		s.engine.saw(s.key(), st.version(), false)
	}
	return nil
}

func (st *stored) version() string {
	return string(st.secret.UID) + "/" + st.secret.ResourceVersion
}

// save writes the record with this process's claim on it.
func (s *Session) save(ctx context.Context) error {
	if err := s.yield(); err != nil {
		return err
	}
	// What was just done must be saved even if the pass has run out of time.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	s.record.Version = recordVersion
	s.record.boundTexts()
	s.record.Claim = &Claim{Holder: s.engine.opts.Holder, Seconds: int(claimFor / time.Second), At: s.now().UTC()}
	st, err := s.engine.store.save(ctx, s.cluster, s.stored, s.record)
	if err != nil {
		// What stands in the record is not what this session believes: the next one loads it.
		s.loaded, s.claimed = false, false
		return err
	}
	s.stored, s.claimed, s.dirty = st, true, false
	s.engine.noteEnd(s.key(), false)
	s.engine.saw(s.key(), st.version(), true)
	return nil
}

// claim makes sure that the record bears this process's claim for longer than this pass can take. It comes before
// everything that changes the cloud.
func (s *Session) claim(ctx context.Context) error {
	if s.claimed {
		return nil
	}
	if s.stored != nil {
		seen := s.engine.saw(s.key(), s.stored.version(), false)
		if seen.ours && s.now().Sub(seen.since) < claimRenew {
			s.claimed = true
			return nil
		}
	}
	return s.save(ctx)
}

// yield fails while another process's claim may still be good.
func (s *Session) yield() error {
	if s.stored == nil || s.claimed {
		return nil
	}
	c := s.record.Claim
	if c == nil || c.Holder == "" || c.Holder == s.engine.opts.Holder {
		return nil
	}
	seen := s.engine.saw(s.key(), s.stored.version(), false)
	left := time.Duration(c.Seconds)*time.Second - s.now().Sub(seen.since)
	if left < 0 {
		return nil
	}
	return &held{holder: c.Holder, after: left + time.Second}
}

// inTime fails once the pass has used up its budget: a process that stalled between a save and its call must not act on
// what it believed then.
func (s *Session) inTime() error {
	if s.now().Before(s.ends) {
		return nil
	}
	return context.DeadlineExceeded
}

// pass runs one verb within the budget and turns what is no error into progress.
func (s *Session) pass(ctx context.Context, verb func(context.Context) (Progress, error)) (Progress, error) {
	ctx, cancel := context.WithTimeout(ctx, s.engine.opts.Budget)
	defer cancel()
	if err := s.load(ctx); err != nil {
		return Progress{}, err
	}
	p, err := s.obeying(ctx, verb)
	if err == nil && s.dirty && s.record != nil {
		err = s.save(ctx)
	}
	var h *held
	switch {
	case errors.As(err, &h):
		return Progress{Waiting: []string{h.Error()}, After: h.after, Stage: s.stage()}, nil
	case err != nil && ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded):
		s.log.WithError(err).Debug("the pass has used up its budget and goes on in the next")
		return Progress{Waiting: []string{"OpenStack answers slowly; going on"}, After: s.soon(), Stage: s.stage()}, nil
	case err != nil && errors.Is(err, context.DeadlineExceeded) && s.inTime() != nil:
		return Progress{Waiting: []string{"OpenStack answers slowly; going on"}, After: s.soon(), Stage: s.stage()}, nil
	}
	return p, err
}

// obeying does what a verb says once it is known which orders are to be obeyed.
func (s *Session) obeying(ctx context.Context, verb func(context.Context) (Progress, error)) (Progress, error) {
	if err := s.forgetOrders(ctx); err != nil {
		return Progress{}, err
	}
	return verb(ctx)
}

// checkCloud fails if the credentials lead elsewhere than the record says: there, every 404 would be a lie.
func (s *Session) checkCloud(ctx context.Context) error {
	scope, err := s.cloud.Scope(ctx)
	if err != nil {
		return err
	}
	if s.record != nil && s.record.pinned() && s.record.Cloud != scope {
		return blocked("the credentials lead to project %s in region %q of %s, and the cluster sleeps in project %s in region %q of %s: put the right credentials there; nothing was touched",
			scope.ProjectID, scope.Region, scope.AuthURL, s.record.Cloud.ProjectID, s.record.Cloud.Region, s.record.Cloud.AuthURL)
	}
	return nil
}

// stage derives from the record what a pass that could not act is about.
func (s *Session) stage() Stage {
	r := s.record
	switch {
	case r == nil:
		return StageStopping
	case r.Cut != nil && r.Cut.Abandoned:
		return StageRollingBack
	case r.Cut != nil:
		return StageStopping
	case r.Sealed != nil && r.Opened == nil:
		return StageWaitingToStop
	case r.Opened != nil:
		return StageWaitingToStart
	}
	return StageCleaning
}

func (s *Session) event(eventType, reason, message string) {
	if s.cluster.Event != nil {
		s.cluster.Event(eventType, reason, message)
	}
}

// soon is when to come back for what takes seconds.
func (s *Session) soon() time.Duration { return s.engine.opts.Jitter(2 * time.Second) }

// later is when to come back for what takes as long as images do: half the time that it has taken so far, between 2 and
// 12 seconds, so that a fast cloud is asked soon and a slow one seldom.
func (s *Session) later(since time.Time) time.Duration {
	return s.engine.opts.Jitter(min(max(s.now().Sub(since)/2, 2*time.Second), 12*time.Second))
}

// pending is progress that waits for the named machines.
func (s *Session) pending(stage Stage, after time.Duration, waiting []string) Progress {
	return Progress{Waiting: waiting, After: after, Stage: stage}
}
