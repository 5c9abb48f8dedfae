package cloud

import (
	"encoding/json"
	"net/http"
	"time"
)

// serverActions are those that any member may ask for, by the only key of the body.
var serverActions = map[string]func(*Cloud, *call, *server) *reply{
	"pause": (*Cloud).pause, "unpause": (*Cloud).unpause, "os-start": (*Cloud).start, "os-stop": (*Cloud).stop, "createImage": (*Cloud).createImage,
	"lock": (*Cloud).lock, "unlock": (*Cloud).unlock, "forceDelete": (*Cloud).forceDelete, "restore": (*Cloud).restore,
	"reboot": (*Cloud).rebootAsked, "suspend": (*Cloud).suspend, "resume": (*Cloud).resume, "rescue": (*Cloud).rescueAsked, "unrescue": (*Cloud).unrescue,
	"rebuild": (*Cloud).rebuildAsked, "resize": (*Cloud).resizeAsked, "confirmResize": (*Cloud).confirmResize, "revertResize": (*Cloud).revertResize,
	"shelve": (*Cloud).shelve, "unshelve": (*Cloud).unshelve, "createBackup": (*Cloud).backupAsked, "changePassword": (*Cloud).changePassword,
	"trigger_crash_dump": (*Cloud).crashDump,
}

// adminActions are those that Nova's policy leaves to administrators, with the names of their rules. All accounts here are plain members, so
// that a request never gets further; the functions of somebody.go and its kind do what they do.
var adminActions = map[string]string{
	"os-migrateLive": "os-migrate-server:migrate_live", "migrate": "os-migrate-server:migrate", "evacuate": "os-evacuate",
	"shelveOffload": "os-shelve:shelve_offload", "os-resetState": "os-admin-actions:reset_state",
	"injectNetworkInfo": "os-admin-actions:inject_network_info",
}

// serverAction does what the only key of the body names.
func (c *Cloud) serverAction(k *call) *reply {
	name := actionName(k.Body)
	if name == "" {
		return malformedBody()
	}
	do, rule := serverActions[name], adminActions[name]
	if do == nil && rule == "" {
		return novaError(http.StatusBadRequest, "There is no such action: %s", name)
	}
	s := c.visible(k.project, k.id())
	if s == nil || s.ended() {
		return noServer(k.id())
	}
	if rule != "" {
		return novaError(http.StatusForbidden, "Policy doesn't allow os_compute_api:%s to be performed.", rule)
	}
	return do(c, k, s)
}

func (c *Cloud) pause(k *call, s *server) *reply { return c.begin(k, s, c.pausing()) }

func (c *Cloud) unpause(k *call, s *server) *reply { return c.begin(k, s, c.unpausing()) }

func (c *Cloud) start(k *call, s *server) *reply { return c.begin(k, s, c.starting()) }

func (c *Cloud) stop(k *call, s *server) *reply { return c.begin(k, s, c.stopping()) }

func (c *Cloud) pausing() change {
	return change{name: "pause", from: []string{vmActive}, task: taskPausing, takes: c.opts.Latencies.Pause, to: vmPaused, fail: failPause}
}

func (c *Cloud) unpausing() change {
	return change{name: "unpause", from: []string{vmPaused}, task: taskUnpausing, takes: c.opts.Latencies.Unpause, to: vmActive}
}

func (c *Cloud) starting() change {
	return change{name: "start", from: []string{vmStopped}, task: taskPoweringOn, takes: c.opts.Latencies.Start, to: vmActive}
}

func (c *Cloud) stopping() change {
	return change{name: "stop", from: []string{vmActive, vmError}, task: taskPoweringOff, takes: c.opts.Latencies.Stop, to: vmStopped}
}

// change is an action that leads in one step from one vm_state to another.
type change struct {
	name  string
	from  []string
	task  string
	takes time.Duration
	to    string
	fail  failure
}

func (c *Cloud) begin(k *call, s *server, a change) *reply {
	if refused := refuse(k, a.name, s, a.from...); refused != nil {
		return refused
	}
	c.record(s, k, a.name)
	c.setTask(s, a.task)
	c.onHost(s, a.takes, func(late bool) {
		switch {
		case s.task == a.task:
			c.perform(s, a)
		case late && s.task == taskNone && !s.ended():
			c.performLate(s, a)
		}
	})
	return empty(http.StatusAccepted)
}

// perform is what nova-compute does for a change: the hypervisor's part first, then that of the database.
func (c *Cloud) perform(s *server, a change) {
	c.beginEvent(s, a.name, computeEvents[a.name], s.host)
	if c.dies(KillPoint("before "+a.name), s) {
		return
	}
	failed := a.fail != "" && c.takeFailure(a.fail, s.name) != ""
	if !failed {
		c.setDomain(s, powerOf[a.to])
		if c.dies(KillPoint("after "+a.name), s) {
			return
		}
	}
	c.setTask(s, taskNone)
	if !failed {
		c.setVM(s, a.to)
	}
	c.finishAction(s, a.name, failed)
}

// performLate is a change of which nova-compute hears after a start at which it has cleared the task already. The hypervisor does it, and
// saving it fails: an ACTIVE server is left with a domain that is paused. A task that was taken up again at the start is done.
func (c *Cloud) performLate(s *server, a change) {
	if a.task == taskPausing {
		c.beginEvent(s, a.name, computeEvents[a.name], s.host)
		c.setDomain(s, powerOf[a.to])
		c.finishAction(s, a.name, true)
	}
}

func (c *Cloud) lock(k *call, s *server) *reply {
	var req struct {
		Lock struct {
			Reason string `json:"locked_reason"`
		} `json:"lock"`
	}
	if !json.Valid(k.Body) {
		return malformedBody()
	}
	if k.mv >= 73 && k.decode(&req) {
		s.lockNote = req.Lock.Reason
	}
	c.record(s, k, "lock")
	if s.locked == "" {
		s.locked = lockedByOwner
	}
	c.finishAction(s, "lock", false)
	return empty(http.StatusAccepted)
}

func (c *Cloud) unlock(k *call, s *server) *reply {
	if s.locked == lockedByAdmin {
		return novaError(http.StatusForbidden, "Policy doesn't allow os_compute_api:os-lock-server:unlock:unlock_override to be performed.")
	}
	c.record(s, k, "unlock")
	s.locked, s.lockNote = "", ""
	c.finishAction(s, "unlock", false)
	return empty(http.StatusAccepted)
}
