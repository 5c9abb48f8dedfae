package hibernation

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/noderepair"
)

// approveEvery is how often certificates are approved while Nodes are not ready.
const approveEvery = 30 * time.Second

// skipsRepair tells whether the owner wants nothing to be changed inside of the cluster.
func skipsRepair(cd *hivev1.ClusterDeployment) bool {
	return truthy(cd.Labels[hivev1.LabelResumeSkipsNodeRepair])
}

// repairEarly repairs what can be repaired while machines still start: the cloud controller manager deletes the Nodes of
// servers that it does not find about two minutes after it has started, however long the last machine takes. It returns
// when to come back; 0 if there is nothing to repair yet.
func (v *visit) repairEarly(ctx context.Context) time.Duration {
	record, err := v.record(ctx)
	if err != nil || !record.Opened || record.Cutting || skipsRepair(v.cd) || !v.mayAnswer(record) {
		return 0
	}
	remote, err := v.Remote.ClientFor(ctx, v.cd)
	if err != nil {
		v.logger.WithError(err).Info("the cluster's Nodes cannot be asked for")
		return 0
	}
	ctx, done := toRemote(ctx)
	defer done()
	nodes, err := readNodes(ctx, remote)
	if err != nil {
		v.logger.WithError(err).Debug("the cluster's API could not be asked")
		return v.spread(operatorsPoll)
	}
	if v.memo.early == nil {
		v.memo.early = nodes.leases
	}
	v.repair(ctx, remote, &record, func(name string) bool { return nodes.renewed(name, v.memo.early) })
	v.approve(ctx, remote)
	return v.spread(nodesPoll)
}

// failedToStart is the outcome where not all machines can be started. Those that run are a cluster already.
func (v *visit) failedToStart(ctx context.Context, err error) Outcome {
	outcome := v.failed(ctx, StateFailedToStart, err)
	if ctx.Err() == nil {
		outcome.After = soonest(outcome.After, v.repairMeanwhile(ctx))
	}
	return outcome
}

// repairMeanwhile is repairEarly for a cluster of which some machine can't be started now, for minutes or for days.
func (v *visit) repairMeanwhile(ctx context.Context) time.Duration {
	if v.memo.failures == 0 || shows(v.cd, StateRunning) {
		return 0
	}
	if v.repairEarly(ctx) == 0 {
		return 0
	}
	return v.patient(v.spread(operatorsPoll), slowestInside)
}

// mayAnswer tells whether the cluster's API may: most of the control plane runs, as far as is known. After a failure it is not
// known which of the servers run that have been made.
func (v *visit) mayAnswer(record hibernation.Summary) bool {
	all, running := 0, 0
	for _, m := range record.Machines {
		if m.ControlPlane {
			all++
			if m.ServerID != "" && (m.Running || v.memo.failures > 0) {
				running++
			}
		}
	}
	return running > all/2
}

// planOf returns what the record says of a cluster that wakes.
func planOf(record *hibernation.Summary) noderepair.Plan {
	return noderepair.Plan{Machines: record.Machines, Observation: record.Observation}
}

// repair makes the cluster take its new servers for its own, as far as that can be done now. It returns what is not done
// yet; record then holds what was saved meanwhile.
func (v *visit) repair(ctx context.Context, remote client.Client, record *hibernation.Summary, alive func(node string) bool) []string {
	// Behind a seal, and before the first deletion, the machines count as having no servers, and all of them stand.
	sealedOnly := record.Sealed && !record.Opened && !record.Deleting
	if skipsRepair(v.cd) || len(record.Machines) == 0 || sealedOnly {
		return nil
	}
	plan := planOf(record)
	plan.Alive = alive
	plan.Remember = v.rememberer(record)
	waiting, err := noderepair.Repair(ctx, remote, plan)
	if err != nil {
		v.logger.WithError(err).Info("the cluster's Nodes and Machines are not all repaired yet")
		if len(waiting) == 0 {
			waiting = []string{remoteWords(err)}
		}
	}
	return waiting
}

// rememberer returns what saves into the record what a cluster that wakes says of itself; nil where there is none.
func (v *visit) rememberer(record *hibernation.Summary) func(context.Context, hibernation.Observation) (*hibernation.Observation, error) {
	caretaker, ok := v.actuator.(Caretaker)
	if !ok || !record.Exists {
		return nil
	}
	return func(ctx context.Context, o hibernation.Observation) (*hibernation.Observation, error) {
		now, err := caretaker.Remember(ctx, v.cd, v.Client, o, v.logger)
		if err != nil {
			return nil, err
		}
		record.Observation = now.Observation
		return now.Observation, nil
	}
}

// approve approves the certificates that Nodes ask for as they wake, every now and then. That it fails shows in that Nodes
// do not become ready.
func (v *visit) approve(ctx context.Context, remote client.Client) {
	if v.Approve == nil || skipsRepair(v.cd) || v.now.Sub(v.memo.approvedAt) < approveEvery {
		return
	}
	v.memo.approvedAt = v.now
	approved, err := v.Approve(ctx, remote, v.logger, v.now)
	if err != nil {
		v.logger.WithError(err).Info("the certificates that the cluster's Nodes ask for could not all be approved")
	}
	if len(approved) > 0 {
		v.event(corev1.EventTypeNormal, "CertificatesApproved", lagging("Approved requests for certificates of the cluster's Nodes", sorted(approved)))
	}
}
