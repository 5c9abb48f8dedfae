package hibernation

import (
	"fmt"
	"strings"
	"time"
)

// State is what a visit found a cluster to be in. The rows of the table in status.go say what each one looks like.
type State string

// The states.
const (
	// StateUnchanged: there is nothing to say; conditions and powerState stay as they are.
	StateUnchanged State = ""
	// StateNotEvaluated: conditions that do not exist yet are made, Unknown.
	StateNotEvaluated State = "NotEvaluated"
	// StatePaused: the power state is not to be managed.
	StatePaused State = "Paused"
	// StateDeleted: the ClusterDeployment is being deleted.
	StateDeleted State = "Deleted"
	// StateUnsupported: no actuator handles the platform.
	StateUnsupported State = "Unsupported"

	// StateSyncSetsNotApplied: hibernation waits for the first success of the SyncSets.
	StateSyncSetsNotApplied State = "SyncSetsNotApplied"
	// StateSyncSetsApplied: hibernation has waited for them, and begins.
	StateSyncSetsApplied State = "SyncSetsApplied"
	// StateStopping: the machines are being told to stop.
	StateStopping State = "Stopping"
	// StateWaitingToStop: machines have been told to stop and have not all done so.
	StateWaitingToStop State = "WaitingToStop"
	// StateFailedToStop: the cluster can't be hibernated (now).
	StateFailedToStop State = "FailedToStop"
	// StateHibernating: all machines are stopped.
	StateHibernating State = "Hibernating"

	// StateStarting: the machines are being told to start.
	StateStarting State = "Starting"
	// StateWaitingToStart: machines have been told to start and do not all run.
	StateWaitingToStart State = "WaitingToStart"
	// StateFailedToStart: the machines can't be started (now).
	StateFailedToStart State = "FailedToStart"
	// StateWaitingForNodes: the machines run, and not all Nodes are ready.
	StateWaitingForNodes State = "WaitingForNodes"
	// StateSettling: the ClusterOperators are given time to report anew.
	StateSettling State = "Settling"
	// StateWaitingForOperators: not all ClusterOperators are good.
	StateWaitingForOperators State = "WaitingForOperators"
	// StateRunning: the cluster runs and is ready.
	StateRunning State = "Running"
)

// Outcome is what a visit found.
type Outcome struct {
	State State
	// Message says it to a person.
	Message string
	// Awake, where State leaves the Ready condition open (StateFailedToStop), says how ready the cluster is. Without it
	// the condition stays as it is.
	Awake *Outcome
	// After is when to come back; 0 means not before something changes.
	After time.Duration
}

const (
	// maxMessage and maxNote are the longest texts in a condition and in an event, in bytes. The API takes notes of less
	// than 1024 bytes.
	maxMessage = 2048
	maxNote    = 1000
	// maxNamed is how many lagging things a message names.
	maxNamed = 10
)

// lagging returns a message that begins with what is waited for and names the first of the things that lag.
func lagging(what string, things []string) string {
	if len(things) == 0 {
		return what
	}
	named := things[:min(len(things), maxNamed)]
	text := what + ": " + strings.Join(named, "; ")
	if more := len(things) - len(named); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// soonest returns the shortest of the times, where 0 means never.
func soonest(times ...time.Duration) time.Duration {
	var first time.Duration
	for _, t := range times {
		if t > 0 && (first == 0 || t < first) {
			first = t
		}
	}
	return first
}
