package unreachable

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// memo is what is remembered of one ClusterDeployment between visits. It saves requests; nothing depends on its survival.
type memo struct {
	uid types.UID

	// checked is when the cluster was last asked; failures counts how often in a row it did not answer at the primary
	// address.
	checked  time.Time
	failures int

	// noted is what the ClusterDeployment looked like at the last visit, and from when on; nil before the first.
	noted      *outlook
	notedSince time.Time
}

// differs tells whether the ClusterDeployment has changed since the last visit. At the first one nothing is known: then the
// conditions stand for what an earlier process found out.
func (m memo) differs(is outlook) bool { return m.noted != nil && *m.noted != is }

// since returns from when on the ClusterDeployment has looked like this.
func (m memo) since(is outlook, now time.Time) time.Time {
	if m.noted == nil || *m.noted != is {
		return now
	}
	return m.notedSince
}

// retryAfter returns how long a cluster is left in peace that did not answer.
func (m memo) retryAfter() time.Duration {
	if m.failures == 0 {
		return 0
	}
	return min(firstRetry<<min(m.failures-1, 10), lastRetry)
}

// note keeps what a ClusterDeployment looks like now.
func (m *memo) note(is outlook, now time.Time) {
	if m.noted != nil && *m.noted == is {
		return
	}
	m.noted, m.notedSince, m.failures = &is, now, 0
}

// asked keeps what came of asking the cluster.
func (m *memo) asked(answered bool, now time.Time) {
	m.checked = now
	m.failures++
	if answered {
		m.failures = 0
	}
}

// memory holds the memos. No ClusterDeployment is visited by two workers at once, so a memo needs no lock of its own.
type memory struct {
	mu    sync.Mutex
	memos map[types.NamespacedName]*memo
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
	return fresh
}

// forget drops what is remembered of a ClusterDeployment that is gone.
func (m *memory) forget(key types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.memos, key)
}
