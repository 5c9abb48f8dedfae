package hibernation

import (
	"slices"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/instanceactions"
)

// Instance actions in Nova's words (nova/compute/instance_actions.py).
const (
	actionPause       = "pause"
	actionCreateImage = "createImage"
	actionDelete      = "delete"
	actionFailed      = "Error"
)

// effect is what an action in a server's history may have done to a server that was paused or off.
type effect int

const (
	// replaces says that the disk may be another one since, or that this version does not know the action.
	replaces effect = iota
	// keeps says that the disk is as it was, and that the guest did not run because of it.
	keeps
	// runs says that the guest may have run and written. The disk is the server's own.
	runs
)

// effects are those of Nova's actions. An action that is not in it counts as one that replaces the disk.
var effects = map[string]effect{
	"attach_interface": keeps,
	"attach_volume":    keeps,
	"createBackup":     keeps,
	actionCreateImage:  keeps,
	actionDelete:       keeps,
	"detach_interface": keeps,
	"detach_volume":    keeps,
	"extend_volume":    keeps,
	"lock":             keeps,
	"unlock":           keeps,

	// A paused guest is paused on its new host, too.
	"live-migration":                keeps,
	"live_migration_cancel":         keeps,
	"live_migration_force_complete": keeps,

	actionPause: runs, // it proves that the guest ran until then
	"reboot":    runs,
	"resume":    runs,
	"start":     runs,
	"stop":      runs,
	"suspend":   runs,
	"unpause":   runs,

	"changePassword":     replaces,
	"confirmResize":      replaces,
	"create":             replaces,
	"evacuate":           replaces,
	"migrate":            replaces,
	"rebuild":            replaces,
	"rescue":             replaces,
	"resize":             replaces,
	"restore":            replaces,
	"revertResize":       replaces,
	"shelve":             replaces,
	"shelveOffload":      replaces,
	"swap_volume":        replaces,
	"trigger_crash_dump": replaces,
	"unrescue":           replaces,
	"unshelve":           replaces,
}

func effectOf(entry instanceactions.InstanceAction) effect { return effects[entry.Action] }

// history is what Nova says was done to a server, newest first.
type history struct {
	// known says that Nova answered. A 404 is no answer about a server that exists: its cell may be down.
	known   bool
	entries []instanceactions.InstanceAction
}

// touching returns the entries that may have changed the disk or let the guest run, newest first.
func (h history) touching() []instanceactions.InstanceAction {
	var out []instanceactions.InstanceAction
	for _, entry := range h.entries {
		switch effectOf(entry) {
		case runs, replaces:
			out = append(out, entry)
		case keeps:
		}
	}
	return out
}

// shows reports whether Nova shows that an action was asked for since a moment.
func (h history) shows(action string, since time.Time) bool {
	return slices.ContainsFunc(h.entries, func(entry instanceactions.InstanceAction) bool {
		return entry.Action == action && !entry.StartTime.Before(since)
	})
}
