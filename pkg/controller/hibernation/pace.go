package hibernation

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// How soon a cluster is visited again. A wait begins at the pace of what is waited for, and slows down while nothing changes, to
// minutes: a cluster that waits for ever costs some hundred requests an hour and no more. A cluster whose servers we hold
// paused is an exception, since people wait for it.
const (
	// pausedRetry is the longest time between visits to a cluster whose servers we hold paused.
	pausedRetry = 30 * time.Second
	// slowestWait is the longest time between visits to a cluster that waits for its cloud, and slowestInside for itself: two
	// minutes after its API serves again, a Node may be lost.
	slowestWait   = 5 * time.Minute
	slowestInside = 2 * time.Minute
	// patienceShare is by which part a wait may take longer because of the pace.
	patienceShare = 6
	// maxNews is how many different findings of one order count as news.
	maxNews = 512
)

// holding is whether servers of a cluster are held paused by us.
type holding int

const (
	holdingUnknown holding = iota
	holdingNothing
	holdingServers
)

// holdingIn reads it from the record: from before the first pause until the seal, and while a hibernation is undone.
func holdingIn(record hibernation.Summary) holding {
	if record.Cutting || record.Standing {
		return holdingServers
	}
	return holdingNothing
}

// holdsServers reports whether servers of the cluster are, or may be, held paused by us. Without our finalizer there is no
// record of such.
func (v *visit) holdsServers(ctx context.Context) bool {
	if v.memo.holding == holdingUnknown && controllerutil.ContainsFinalizer(v.cd, hivev1.FinalizerRecord) {
		if _, err := v.record(ctx); err != nil {
			return true
		}
	}
	return v.memo.holding == holdingServers
}

// news tells of something for the first time since the last order.
func (m *memo) news(what string) bool {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(what))
	key := hash.Sum64()
	if _, known := m.told[key]; known || len(m.told) >= maxNews {
		return false
	}
	if m.told == nil {
		m.told = map[uint64]struct{}{}
	}
	m.told[key] = struct{}{}
	return true
}

// forOrder forgets what an earlier order has brought about.
func (m *memo) forOrder(order string) {
	if m.order != order {
		m.order, m.told, m.retries, m.troubles = order, nil, 0, 0
	}
}

// progressed notes what this visit has brought about so far. The pace of retries begins anew with each progress.
func (v *visit) progressed(ctx context.Context) {
	p, ok := ctx.Value(passKey{}).(*pass)
	if !ok {
		return
	}
	for _, act := range p.takeActs() {
		if v.memo.news(act) {
			v.memo.newsAt, v.memo.retries, v.memo.troubles = v.now, 0, 0
		}
	}
}

// noteOutcome notes what this visit found.
func (v *visit) noteOutcome(outcome Outcome) {
	if outcome.State == StateHibernating || outcome.State == StateRunning {
		v.memo.told = nil
	}
	if outcome.State == StateUnchanged {
		return
	}
	what := string(outcome.State) + ": " + outcome.Message
	if outcome.Awake != nil {
		what += "; " + string(outcome.Awake.State) + ": " + outcome.Awake.Message
	}
	if v.memo.news(what) {
		v.memo.newsAt = v.now
	}
}

// noteRecord notes what the record says, which changes as the hibernation does.
func (v *visit) noteRecord(record hibernation.Summary) {
	v.memo.holding = holdingIn(record)
	record.Observation = nil
	if v.memo.news(fmt.Sprintf("record: %+v", record)) {
		v.memo.newsAt, v.memo.retries, v.memo.troubles = v.now, 0, 0
	}
}

// patient slows a wait down in which nothing changes.
func (v *visit) patient(after, slowest time.Duration) time.Duration {
	waited := v.now.Sub(v.memo.newsAt)
	if after <= 0 || v.memo.newsAt.IsZero() || waited <= 0 {
		// The clock may have been set back.
		return after
	}
	return max(after, min(v.spread(waited/patienceShare), slowest))
}

// cloudWaits are the states in which a cluster waits for its cloud, insideWaits those in which it waits for itself.
func cloudWaits() []State {
	return []State{StateStopping, StateWaitingToStop, StateStarting, StateWaitingToStart, StateDeleted}
}

func insideWaits() []State { return []State{StateWaitingForNodes, StateWaitingForOperators} }

// pace returns when the next visit is due.
func (v *visit) pace(ctx context.Context, outcome Outcome) time.Duration {
	v.progressed(ctx)
	v.noteOutcome(outcome)
	after := outcome.After
	waits := outcome.State
	if outcome.State == StateFailedToStop && outcome.Awake != nil {
		waits = outcome.Awake.State
	}
	switch {
	case slices.Contains(cloudWaits(), waits):
		after = v.patient(after, slowestWait)
	case slices.Contains(insideWaits(), waits):
		after = v.patient(after, slowestInside)
	}
	if shows(v.cd, v.desired()) || after <= pausedRetry || !v.holdsServers(ctx) {
		return after
	}
	return max(pausedRetry, min(after, v.askedFor))
}

// bounded is the time of a retry, at most pausedRetry while servers are held paused, unless the cloud asked for more.
func (v *visit) bounded(ctx context.Context, after time.Duration, err error) time.Duration {
	var cloud *openstackclient.Error
	if errors.As(err, &cloud) {
		v.askedFor = cloud.RetryAfter
	}
	if after <= pausedRetry || !v.holdsServers(ctx) {
		return after
	}
	return max(pausedRetry, min(after, v.askedFor))
}

// trouble is the result of a visit that ended in an error of the hub.
func (v *visit) trouble(ctx context.Context, err error) reconcile.Result {
	v.memo.release()
	v.progressed(ctx)
	after := min(conflictRetry<<min(v.memo.troubles, 10), lastConflictRetry)
	v.memo.troubles++
	after = min(v.spread(after), lastConflictRetry)
	if v.memo.holding != holdingNothing {
		after = min(after, pausedRetry)
	}
	if apierrors.IsConflict(err) {
		v.logger.WithError(err).Debug("the ClusterDeployment has changed meanwhile")
	} else {
		v.logger.WithError(err).WithField("retry", after.String()).Error("the visit failed at the hub's API")
	}
	return reconcile.Result{RequeueAfter: after}
}
