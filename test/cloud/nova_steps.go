package cloud

import (
	"net/http"
	"time"
)

// action is something done to a server that takes time.
type action struct {
	name   string   // in refusals and in the server's history
	from   []string // the vm_states that allow it
	during []string // the tasks that it may put an end to
	steps  []step
	fail   failure // in which its last step may end
	// elsewhere says that another host than the server's own does it.
	elsewhere bool
}

// step is a task that a server has for a time, and what has happened at its end.
type step struct {
	task  string
	takes time.Duration
	then  func()
}

// beginSteps has a server go through the steps of an action, or says why it can not.
func (c *Cloud) beginSteps(k *call, s *server, a action) *reply {
	if refused := refuseDuring(k, a.name, s, a.during, a.from); refused != nil {
		return refused
	}
	c.record(s, k, a.name)
	c.take(s, &a, a.steps)
	return empty(http.StatusAccepted)
}

// take goes through the steps, for as long as nothing else takes the server over.
func (c *Cloud) take(s *server, a *action, steps []step) {
	now, last := steps[0], len(steps) == 1
	c.setTask(s, now.task)
	does := func(bool) {
		if s.task != now.task || s.ended() {
			return // deleted meanwhile
		}
		if last {
			c.setTask(s, taskNone)
		}
		failed := last && a.fail != "" && c.takeFailure(a.fail, s.name) != ""
		if now.then != nil && !failed {
			now.then()
		}
		switch {
		case last:
			c.finishAction(s, a.name, failed)
		case s.task == now.task: // not broken off by what has happened
			c.take(s, a, steps[1:])
		}
	}
	if a.elsewhere {
		c.after(now.takes, func() { does(false) })
	} else {
		c.onHost(s, now.takes, does)
	}
}

// resumeSteps deals with a task of several steps in which a nova-compute that starts finds a server. What it has nothing for stays as it is.
func (c *Cloud) resumeSteps(s *server) {
	switch s.task {
	case taskMigrating, taskResizePrep:
		c.setTask(s, taskNone)
	case taskRebuilding, taskRebuildDevices, taskRebuildSpawning:
		c.interrupt(s)
	case taskRebooting, taskRebootStarted, taskRebootingHard, taskHardStarted:
		if s.domain == powerRunning {
			c.showActive(s)
		} else {
			c.restart(s, vmActive)
			c.setTask(s, taskNone)
		}
	}
}
