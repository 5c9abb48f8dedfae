package hibernation

import (
	"crypto/sha256"
	"encoding/json"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/bounds"
	"github.com/overwinter/overwinter/pkg/hibernation"
)

// memo is what the reconciler remembers of one ClusterDeployment between visits. It saves requests and keeps conditions
// from flapping; nothing depends on its survival.
type memo struct {
	uid types.UID

	// failures counts the visits in a row that ended in an error, the first of them at failingSince.
	failures     int
	failingSince time.Time
	// retries counts those since something last got done, troubles the visits since then that ended in an error of the hub.
	retries, troubles int

	// order is the power state that is ordered; told are what was found and done since, and newsAt is when something was for
	// the first time.
	order  string
	told   map[uint64]struct{}
	newsAt time.Time
	// holding is whether servers are held paused, as far as is known.
	holding holding

	// heldUntil is when the machines may be touched again, unless the ClusterDeployment no longer is what it was: held.
	heldUntil time.Time
	held      string

	// blockedTold is what a person was told last that keeps the clean-up from going on.
	blockedTold string

	// illSince is since when a cluster is ill whose snapshots are about to go, and illTold that its owner was told.
	illSince time.Time
	illTold  bool
	// remade is the ClusterDeployment whose order to make machines again was passed on although it shows as running.
	remade string

	// cleanupFrom is when leftovers are tried again.
	cleanupFrom time.Time

	// recordless is the ClusterDeployment for which no record was found, and so none is looked for.
	recordless string

	// early are the Leases of the Nodes when the cluster first answered, while not all machines run yet.
	early map[string]time.Time
	// approvedAt is when certificates were last approved.
	approvedAt time.Time
	// healthChecksSince is since when the MachineHealthChecks can't be un-paused.
	healthChecksSince time.Time
	// wakeBy is when the certificates of a cluster that sleeps expire, nil if that was not looked up; toldLate and toldYoung
	// that its owner was told.
	wakeBy              *time.Time
	toldLate, toldYoung bool

	// awake is what is known of the present resume; nil before the machines run.
	awake *resume
}

// resume is what is remembered from the moment on at which the machines run.
type resume struct {
	// seenRunning is when the cloud was last asked.
	seenRunning time.Time
	// leases are the renew times of the Nodes' Leases at first contact with the cluster's API; nil before.
	leases map[string]time.Time
}

// succeeded forgets the failures.
func (m *memo) succeeded() {
	m.failures, m.retries, m.failingSince = 0, 0, time.Time{}
	m.release()
}

// failed counts a failure and returns how many there are in a row, and for how long.
func (m *memo) failed(now time.Time) (int, time.Duration) {
	if m.failures == 0 {
		m.failingSince = now
	}
	m.failures++
	m.retries++
	return m.failures, now.Sub(m.failingSince)
}

// hold keeps the machines from being touched for a while, or until someone changes the ClusterDeployment.
func (m *memo) hold(cd *hivev1.ClusterDeployment, until time.Time) {
	m.heldUntil, m.held = until, fingerprint(cd)
}

// release lets the machines be touched again: what was to be shown meanwhile could not be written.
func (m *memo) release() {
	m.heldUntil, m.held = time.Time{}, ""
}

// holds returns for how long the machines are not to be touched; 0 if they may be.
func (m *memo) holds(cd *hivev1.ClusterDeployment, now time.Time) time.Duration {
	if m.held == "" || m.held != fingerprint(cd) || !now.Before(m.heldUntil) {
		return 0
	}
	return m.heldUntil.Sub(now)
}

// fingerprint changes when a person (or a pool) changes the ClusterDeployment, and not when its status does.
func fingerprint(cd *hivev1.ClusterDeployment) string {
	// Annotations may be large.
	type orders struct {
		Generation          int64
		Annotations, Labels map[string]string
	}
	// A map of strings can always be encoded, in the order of its keys.
	data, _ := json.Marshal(orders{cd.Generation, cd.Annotations, cd.Labels})
	sum := sha256.Sum256(data)
	return string(sum[:])
}

// memory holds the memos. No ClusterDeployment is visited by two workers at once, so a memo needs no lock of its own.
type memory struct {
	mu    sync.Mutex
	memos map[types.NamespacedName]*memo
	// slept are the records of the hibernations that this process saw last, until the clusters are ready again: one that is
	// undone takes its record with it, and with that the number of Nodes to expect. Of too many or too large ones the oldest
	// are forgotten.
	slept *bounds.Cache[types.NamespacedName, *hibernation.Summary]
}

const (
	// sleptKept is of how many clusters the last record is remembered, sleptMemory how many bytes of memory these may take.
	sleptKept   = 1024
	sleptMemory = 32 << 20
)

func newMemory() *memory {
	return &memory{
		memos: map[types.NamespacedName]*memo{},
		slept: bounds.NewCache[types.NamespacedName, *hibernation.Summary](sleptKept, sleptMemory),
	}
}

// lastSlept returns the record of a cluster's last hibernation; nil if it is not known.
func (m *memory) lastSlept(key types.NamespacedName) *hibernation.Summary {
	m.mu.Lock()
	defer m.mu.Unlock()
	record, _ := m.slept.Get(key)
	return record
}

// keepSlept remembers the record of a cluster's last hibernation; nil forgets it.
func (m *memory) keepSlept(key types.NamespacedName, record *hibernation.Summary) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if record == nil {
		m.slept.Remove(key)
		return
	}
	m.slept.Put(key, record, record.Size())
}

// of returns the memo of a ClusterDeployment, an empty one at the first visit.
func (m *memory) of(cd *hivev1.ClusterDeployment) *memo {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := types.NamespacedName{Namespace: cd.Namespace, Name: cd.Name}
	if known, ok := m.memos[key]; ok && known.uid == cd.UID {
		return known
	}
	fresh := &memo{uid: cd.UID}
	m.memos[key] = fresh
	m.slept.Remove(key)
	return fresh
}

// forget drops what is remembered of a ClusterDeployment that is gone.
func (m *memory) forget(key types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.memos, key)
	m.slept.Remove(key)
}
