package hibernation

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"
)

// Cluster is all that the engine knows of a cluster.
type Cluster struct {
	// Namespace and Name say where the record is kept: in the Secret <Name>-hibernation.
	Namespace, Name string
	// InfraID marks the cluster's servers: their metadata or tag openshiftClusterID holds it.
	InfraID string
	// Observe, unless nil, is asked before the first server is paused what the cluster says of itself. A *Refusal means
	// that the cluster is not to be hibernated so. Any other error means that the cluster could not be asked; it is
	// hibernated all the same, and the error's text is kept.
	Observe func(ctx context.Context) (Observation, error)
	// PauseHealthChecks, unless nil, has the cluster's MachineHealthChecks paused. It is called when the record is saved and
	// no server is paused yet, and may be called again: it has to be idempotent. An error is told and kept.
	PauseHealthChecks func(ctx context.Context) error
	// ResumeHealthChecks, unless nil, un-pauses those that PauseHealthChecks paused, and no others.
	ResumeHealthChecks func(ctx context.Context) error
	// Event, unless nil, is told what a person should know. The type is Normal or Warning.
	Event func(eventType, reason, message string)
	// Remake names the machines that may be made again from their snapshot although they have run since.
	Remake sets.Set[string]
	// LeaveOut names the machines that the cluster may be woken without, should there be no copy of them.
	LeaveOut sets.Set[string]
}

// Summary is what the record says, without a look at the cloud.
type Summary struct {
	// Exists tells whether there is a record.
	Exists bool
	// Cutting tells that a hibernation has begun and is not sealed, or is being rolled back.
	Cutting bool
	// Sealed tells that the machines are kept as snapshots.
	Sealed bool
	// Opened tells that servers may have been made from these snapshots.
	Opened bool
	// Deleting tells that servers were asked to be deleted: it can't be undone any more.
	Deleting bool
	// Standing tells that servers of a hibernation that was given up are, or were, brought back.
	Standing bool
	// Observation is nil if the cluster could not be asked. It belongs to the record: who changes it changes a copy.
	Observation *Observation
	// Unobserved is why the cluster could not be asked before the last hibernation; empty if it was.
	Unobserved string
	// Machines are those that the cluster is made of, the control plane first; empty if nothing is known of them.
	Machines []MachineState
	// HealthChecksPaused tells that MachineHealthChecks of the cluster may be paused by us.
	HealthChecksPaused bool
	// HealthChecksFailed is why they could not all be paused; empty if they were.
	HealthChecksFailed string
	// ControlPlane is the number of the control plane's servers.
	ControlPlane int
	// OldOrders tells that orders of the owner are not obeyed because they are from before the hibernation.
	OldOrders bool
	// Leftovers is the number of snapshots that could not be deleted yet.
	Leftovers int
	// SealedAt is when the cluster went to sleep; zero if it did not.
	SealedAt time.Time
}

// Final tells that nothing under way can be rolled back: the machines are snapshots, or servers made of them.
func (s Summary) Final() bool {
	return s.Sealed && !s.Cutting && (s.Opened || s.Deleting) && !s.Standing
}

// Size returns about how many bytes of memory the summary takes.
func (s Summary) Size() int64 {
	size := smallStruct
	for _, m := range s.Machines {
		size += smallStruct + len(m.Name) + len(m.ServerID) + textsSize(m.OldServerIDs)
	}
	if s.Observation == nil {
		return int64(size)
	}
	for i := range s.Observation.Nodes {
		n := &s.Observation.Nodes[i]
		size += smallStruct + len(n.Name) + len(n.UID) + len(n.ProviderID) + mapSize(n.Labels) + mapSize(n.Annotations)
		size += textsSize(n.PodCIDRs) + textsSize(n.Finalizers)
		for _, taint := range n.Taints {
			size += smallStruct + len(taint.Key) + len(taint.Value) + len(taint.Effect)
		}
	}
	for _, m := range s.Observation.Machines {
		size += smallStruct + len(m.Name) + len(m.ProviderID) + len(m.Phase) + len(m.NodeName)
	}
	for _, signer := range s.Observation.Signers {
		size += smallStruct + len(signer.Name)
	}
	return int64(size)
}

// smallStruct is what a struct of some texts takes besides these, smallEntry what a text or two take in a list or a map.
const (
	smallStruct = 256
	smallEntry  = 64
)

func textsSize(texts []string) int {
	size := 0
	for _, text := range texts {
		size += len(text) + smallEntry
	}
	return size
}

func mapSize(texts map[string]string) int {
	size := 0
	for key, value := range texts {
		size += len(key) + len(value) + smallEntry
	}
	return size
}

// Stage is what a pass is about, for the reason in a condition.
type Stage string

const (
	// StageStopping means that servers are being paused and snapshotted; it can still be undone.
	StageStopping Stage = "Stopping"
	// StageWaitingToStop means that the snapshots are sealed and the servers are being deleted.
	StageWaitingToStop Stage = "WaitingToStop"
	// StageRollingBack means that an unfinished hibernation is being undone.
	StageRollingBack Stage = "RollingBack"
	// StageStarting means that servers are being asked for.
	StageStarting Stage = "Starting"
	// StageWaitingToStart means that servers have been asked for and are not all active.
	StageWaitingToStart Stage = "WaitingToStart"
	// StageCleaning means that snapshots are being deleted.
	StageCleaning Stage = "Cleaning"
)

// Progress is what a pass has to say.
type Progress struct {
	// Done tells that nothing is pending.
	Done bool
	// Waiting names each lagging machine and what it waits for, in a stable order.
	Waiting []string
	// After is when to come back; 0 if nothing is pending.
	After time.Duration
	// Stage is what the pass was about.
	Stage Stage
}

func done() Progress { return Progress{Done: true} }
