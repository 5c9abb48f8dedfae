package hibernation

import (
	"fmt"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// Statuses of servers in Nova's words: the whole list (nova/api/openstack/common.py). UNKNOWN comes from a cell that does
// not answer.
const (
	statusActive           = "ACTIVE"
	statusBuild            = "BUILD"
	statusDeleted          = "DELETED"
	statusError            = "ERROR"
	statusHardReboot       = "HARD_REBOOT"
	statusMigrating        = "MIGRATING"
	statusPassword         = "PASSWORD"
	statusPaused           = "PAUSED"
	statusReboot           = "REBOOT"
	statusRebuild          = "REBUILD"
	statusRescue           = "RESCUE"
	statusResize           = "RESIZE"
	statusRevertResize     = "REVERT_RESIZE"
	statusShelved          = "SHELVED"
	statusShelvedOffloaded = "SHELVED_OFFLOADED"
	statusShutoff          = "SHUTOFF"
	statusSoftDeleted      = "SOFT_DELETED"
	statusSuspended        = "SUSPENDED"
	statusUnknown          = "UNKNOWN"
	statusVerifyResize     = "VERIFY_RESIZE"
)

// condition is what a server is to the engine. Every step handles each of these.
type condition int

const (
	// unknown says that there is no answer: the cell is down, the status is none of Nova's, or the hypervisor contradicts it.
	unknown condition = iota
	// gone says that Nova answers 404.
	gone
	// ended says that the server is deleted and GET still shows it for a moment.
	ended
	// softDeleted says that the server is deleted and can be restored.
	softDeleted
	building
	running
	paused
	off
	// failed says that the server is in ERROR. Its guest may run all the same.
	failed
	// changing says that Nova is in the middle of an operation that ends by itself.
	changing
	// parked says that somebody has put the server into a state that lasts until a person ends it.
	parked
)

// conditions are what Nova's statuses mean. A status that is not in it is no answer.
var conditions = map[string]condition{
	statusActive:           running,
	statusBuild:            building,
	statusDeleted:          ended,
	statusError:            failed,
	statusHardReboot:       changing,
	statusMigrating:        changing,
	statusPassword:         changing,
	statusPaused:           paused,
	statusReboot:           changing,
	statusRebuild:          changing,
	statusRescue:           parked,
	statusResize:           changing,
	statusRevertResize:     changing,
	statusShelved:          parked,
	statusShelvedOffloaded: parked,
	statusShutoff:          off,
	statusSoftDeleted:      softDeleted,
	statusSuspended:        parked,
	statusUnknown:          unknown,
	statusVerifyResize:     parked,
}

// conditionOf returns what a server is; nil is one that answered 404. While a task runs, Nova may save status and power state
// one after the other.
func conditionOf(srv *openstackclient.Server) condition {
	if srv == nil {
		return gone
	}
	c := conditions[srv.Status]
	if srv.TaskState == "" && !agrees(c, srv.Power) {
		return unknown
	}
	return c
}

// agrees reports whether a domain's power state fits a condition. Nova itself takes a stopped server's domain for stopped in
// three power states (nova/compute/manager.py, _sync_instance_power_state).
func agrees(c condition, power openstackclient.Power) bool {
	switch c {
	case running:
		return power == openstackclient.PowerRunning
	case paused:
		return power == openstackclient.PowerPaused
	case off:
		return power == openstackclient.PowerOff || power == openstackclient.PowerNone || power == openstackclient.PowerCrashed
	case unknown, gone, ended, softDeleted, building, failed, changing, parked:
	}
	return true
}

// present reports whether the server exists, as far as is known: one that does not answer is not known to be gone.
func present(srv *openstackclient.Server) bool { return conditionOf(srv).exists() }

func (c condition) exists() bool {
	switch c {
	case gone, ended, softDeleted:
		return false
	case unknown, building, running, paused, off, failed, changing, parked:
	}
	return true
}

// healthy reports whether a server is in a state in which its disk is surely whole.
func healthy(srv *openstackclient.Server) bool {
	switch conditionOf(srv) {
	case running, paused, off:
		return true
	case unknown, gone, ended, softDeleted, building, failed, changing, parked:
	}
	return false
}

// unanswered says, for a person, why there is no answer about a server.
func unanswered(name string, srv *openstackclient.Server) string {
	switch {
	case srv == nil || srv.Status == statusUnknown:
		return name + ": Nova can't say what its server is; the cell that holds it does not answer"
	case conditions[srv.Status] == unknown:
		return fmt.Sprintf("%s: its server is in status %q, which this version does not know", name, srv.Status)
	}
	return fmt.Sprintf("%s: Nova shows its server %s, and its hypervisor shows the power state %s; waiting until they agree. If that lasts for ten minutes, reboot the server hard", name, srv.Status, srv.Power)
}
