package hibernation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/controller/conditions"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/remoteclient"
)

const (
	nodesPoll     = 5 * time.Second
	operatorsPoll = 15 * time.Second
	// revisit is when a cluster that has just become ready is visited again, to plan what its being ready entails.
	revisit = time.Second
)

// step is one of the steps from running machines to a cluster that is ready. It returns nil when it is done.
type step func(ctx context.Context, v *visit, remote client.Client, record hibernation.Summary) *Outcome

// steps returns the steps in order.
func steps() []step {
	return []step{nodesReady, operatorsSettled, operatorsGood, healthChecksResumed}
}

// ready follows a cluster whose machines run until it is ready for use. A cluster that has not slept is taken to be: only
// who was asleep has to be asked.
func (v *visit) ready(ctx context.Context) (Outcome, error) {
	record := hibernation.Summary{Exists: true}
	if keeper, ok := v.actuator.(RecordKeeper); ok {
		var err error
		if record, err = keeper.Summary(ctx, v.cd, v.Client, v.logger); err != nil {
			return v.failed(ctx, StateFailedToStart, err), nil
		}
		v.noteRecord(record)
	}
	exists, slept := record.Exists, v.slept()
	switch {
	case !exists && slept == nil:
		return v.running(), v.dropFinalizer(ctx)
	case slept != nil && !record.Sealed:
		paused := record.HealthChecksPaused
		record = *slept
		record.Exists, record.HealthChecksPaused = exists, paused
	}
	if pending := v.follow(ctx, record); pending != nil {
		return *pending, nil
	}
	if !exists {
		return v.running(), v.dropFinalizer(ctx)
	}
	return v.running(), nil
}

// follow goes through the steps and returns what the first one that is not done says, nil when all are.
func (v *visit) follow(ctx context.Context, record hibernation.Summary) *Outcome {
	remote, err := v.Remote.ClientFor(ctx, v.cd)
	if err != nil {
		return v.noClient(err)
	}
	ctx, done := toRemote(ctx)
	defer done()
	for _, step := range steps() {
		if pending := step(ctx, v, remote, record); pending != nil {
			return pending
		}
	}
	return nil
}

// noClient is the outcome where there is no way to ask the cluster. A kubeconfig that is refused has to be mended first.
func (v *visit) noClient(err error) *Outcome {
	after := nodesPoll
	var refusal *remoteclient.Refusal
	if errors.As(err, &refusal) {
		after = slowRetry
	}
	return &Outcome{
		State:   StateWaitingForNodes,
		Message: "The cluster's Nodes cannot be asked for: " + err.Error(),
		After:   v.spread(after),
	}
}

// running is the outcome for a cluster that is ready.
func (v *visit) running() Outcome {
	v.memo.awake = nil
	v.setSlept(nil)
	return Outcome{State: StateRunning, Message: "The cluster is running", After: revisit}
}

// nodesReady waits for as many Nodes to be ready as were before the cluster went to sleep; where that is not known, for
// every Node there is and a full control plane. Until a Node's kubelet has renewed its Lease, what the API says about
// that Node is from before the sleep.
func nodesReady(ctx context.Context, v *visit, remote client.Client, record hibernation.Summary) *Outcome {
	pending := &Outcome{State: StateWaitingForNodes, After: v.spread(nodesPoll)}
	nodes, err := readNodes(ctx, remote)
	if err != nil {
		pending.Message = remoteMessage(v, err)
		return pending
	}
	if v.memo.awake == nil {
		v.memo.awake = &resume{}
	}
	if v.memo.awake.leases == nil {
		v.memo.awake.leases = nodes.leases
	}
	atFirst := v.memo.awake.leases
	unrepaired := v.repair(ctx, remote, &record, func(name string) bool { return nodes.renewed(name, atFirst) })
	if len(record.Machines) > 0 && !skipsRepair(v.cd) {
		if nodes, err = readNodes(ctx, remote); err != nil {
			pending.Message = remoteMessage(v, err)
			return pending
		}
	}
	message, enough := nodes.verdict(atFirst, record, !skipsRepair(v.cd))
	switch {
	case !enough:
		v.approve(ctx, remote)
		pending.Message = message
		return pending
	case len(unrepaired) > 0:
		pending.Message = lagging("The Nodes are ready, and not all is repaired yet", unrepaired)
		return pending
	}
	return nil
}

// operatorsSettled gives the ClusterOperators time to start and to report anew, because what they reported last is from
// before the sleep. The pause begins when it is first shown in the Ready condition, so that a restart does not lengthen it.
func operatorsSettled(_ context.Context, v *visit, _ client.Client, _ hibernation.Summary) *Outcome {
	if truthy(v.cd.Labels[hivev1.LabelResumeSkipsClusterOperators]) || v.options.OperatorsSettle <= 0 {
		return nil
	}
	left := v.options.OperatorsSettle
	switch shownReason(v.cd, hivev1.ClusterReadyCondition) {
	case hivev1.ReadyReasonWaitingForClusterOperators:
		return nil
	case hivev1.ReadyReasonPausingForClusterOperatorsToSettle:
		began := v.cd.Status.Conditions[conditions.Index(v.cd, hivev1.ClusterReadyCondition)].LastProbeTime.Time
		left -= v.now.Sub(began)
	}
	if left <= 0 {
		return nil
	}
	return &Outcome{
		State:   StateSettling,
		Message: fmt.Sprintf("The Nodes are ready; the ClusterOperators are given %s to report anew", v.options.OperatorsSettle),
		After:   left,
	}
}

// operatorsGood waits for all ClusterOperators to be good.
func operatorsGood(ctx context.Context, v *visit, remote client.Client, _ hibernation.Summary) *Outcome {
	if truthy(v.cd.Labels[hivev1.LabelResumeSkipsClusterOperators]) {
		return nil
	}
	pending := &Outcome{State: StateWaitingForOperators, After: v.spread(operatorsPoll)}
	bad, err := operatorsNotGood(ctx, remote)
	switch {
	case err != nil:
		pending.Message = remoteMessage(v, err)
	case len(bad) > 0:
		pending.Message = lagging("Waiting for ClusterOperators", bad)
	default:
		return nil
	}
	return pending
}
