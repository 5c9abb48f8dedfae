package hibernation

import (
	"math/rand/v2"
	"sync"
	"time"

	log "github.com/sirupsen/logrus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/utils/clock"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

const (
	defaultInFlight = 16
	defaultRequests = 8
	defaultDeadline = time.Hour
	defaultBudget   = 30 * time.Second
	// defaultScheduling is far longer than any scheduler takes.
	defaultScheduling = 10 * time.Minute

	// A claim outlasts the pass that it covers: it is renewed once it is older than claimRenew, and
	// claimRenew + the budget of a pass stay well inside claimFor.
	claimFor   = time.Minute
	claimRenew = 15 * time.Second

	// firstBackoff is the time after a first failed hibernation; it doubles up to lastBackoff, because each try pauses a
	// cluster that people use.
	firstBackoff = 10 * time.Minute
	lastBackoff  = 6 * time.Hour
	// wakingBackoff is the time after a failed snapshot that keeps a cluster from being woken.
	wakingBackoff = time.Minute
)

// Options are the engine's settings. Zero values mean the defaults.
type Options struct {
	// Clock is the engine's only source of time; nil means the machine's.
	Clock clock.PassiveClock
	// Holder names this process; no two managers may share it.
	Holder string
	// SnapshotsInFlight is how many snapshots of one cluster are made at a time (16).
	SnapshotsInFlight int
	// RequestsAtOnce bounds the concurrent requests of one step of one cluster (8). With 1 they are made one after the other,
	// in an order that depends on nothing but the record and the cloud.
	RequestsAtOnce int
	// Deadline is how long a hibernation may take before its seal (60 minutes); then it is rolled back.
	Deadline time.Duration
	// SchedulingDeadline is how long a new server may wait for a host before it is deleted and made again (10 minutes).
	SchedulingDeadline time.Duration
	// SettlingDeadline is how long a hibernation waits, before it touches anything, for a cluster that is not at rest
	// (10 minutes); then it is refused.
	SettlingDeadline time.Duration
	// Budget is how long one pass may take (30 seconds).
	Budget time.Duration
	// Jitter spreads the times at which passes come back; nil means up to a fifth more, at random.
	Jitter func(time.Duration) time.Duration
}

// Engine hibernates and resumes clusters. It is safe for use by several workers; no cluster is worked on by two at once,
// which the caller sees to in one process and the record's claim between processes.
type Engine struct {
	store *Store
	opts  Options

	mu sync.Mutex
	// watched remembers, by this process's own clock, since when a record has stood as it is.
	watched map[types.NamespacedName]sighting
	// standing remembers for what clusters wait, and since when.
	standing map[types.NamespacedName]standstill
	// whole are the clusters without a record that are known to need none.
	whole sets.Set[types.NamespacedName]
}

// sighting is when a version of a record was first seen, and whether this process wrote it.
type sighting struct {
	version string
	since   time.Time
	ours    bool
}

// New returns an engine that keeps its records in the store.
func New(store *Store, opts Options) *Engine {
	if opts.Clock == nil {
		opts.Clock = clock.RealClock{}
	}
	if opts.SnapshotsInFlight <= 0 {
		opts.SnapshotsInFlight = defaultInFlight
	}
	if opts.RequestsAtOnce <= 0 {
		opts.RequestsAtOnce = defaultRequests
	}
	if opts.Deadline <= 0 {
		opts.Deadline = defaultDeadline
	}
	if opts.SchedulingDeadline <= 0 {
		opts.SchedulingDeadline = defaultScheduling
	}
	if opts.SettlingDeadline <= 0 {
		opts.SettlingDeadline = defaultSettling
	}
	if opts.Budget <= 0 {
		opts.Budget = defaultBudget
	}
	if opts.Jitter == nil {
		opts.Jitter = func(d time.Duration) time.Duration { return d + rand.N(d/5+1) }
	}
	return &Engine{store: store, opts: opts, watched: map[types.NamespacedName]sighting{}, standing: map[types.NamespacedName]standstill{}, whole: sets.New[types.NamespacedName]()}
}

// Session returns a session for one reconcile of one cluster. It remembers what it saw of the cloud until it changes
// something there, so that several questions cost one look. It is not safe for concurrent use.
func (e *Engine) Session(cluster Cluster, cloud openstackclient.Client, logger log.FieldLogger) *Session {
	return &Session{
		engine:  e,
		cluster: cluster,
		cloud:   cloud,
		log:     logger,
		asked:   map[string]*openstackclient.Server{},
		missed:  sets.New[*Attempt](),
		ends:    e.opts.Clock.Now().Add(e.opts.Budget),
	}
}

// saw notes which version of a record stands, and returns since when this process has seen it so.
func (e *Engine) saw(key types.NamespacedName, version string, ours bool) sighting {
	e.mu.Lock()
	defer e.mu.Unlock()
	seen, ok := e.watched[key]
	if !ok || seen.version != version {
		seen = sighting{version: version, since: e.opts.Clock.Now(), ours: ours}
		e.watched[key] = seen
	}
	return seen
}

// forget drops all that is remembered of a cluster.
func (e *Engine) forget(key types.NamespacedName) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.watched, key)
	delete(e.standing, key)
	e.whole.Delete(key)
}
