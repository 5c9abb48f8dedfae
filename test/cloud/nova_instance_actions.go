package cloud

import (
	"net/http"
	"slices"
	"time"
)

// instanceAction is Nova's record of something done to a server.
type instanceAction struct {
	name, requestID  string
	user             *user
	started, updated time.Time
	done, failed     bool
	events           []*actionEvent
}

// actionEvent is what one service did for an action. It is there from when that service has begun.
type actionEvent struct {
	name, host        string
	started, finished time.Time
	failed            bool
}

// The hosts of Nova's other services.
const (
	apiHost       = "sim-api-0"
	conductorHost = "sim-conductor-0"
)

// record enters an action in the server's history, in the name of the request's user.
func (c *Cloud) record(s *server, k *call, name string) {
	c.recordAs(s, k.user, k.reqID, name)
}

func (c *Cloud) recordAs(s *server, by *user, requestID, name string) {
	s.actions = append(s.actions, &instanceAction{name: name, requestID: requestID, user: by, started: c.now, updated: c.now})
	switch event := computeEvents[name]; {
	case event == "":
		c.beginEvent(s, name, "api_"+name, apiHost)
	case name == "create":
		// The build has to find a host first.
	case s.host != "" && !c.hostNamed(s.host).down:
		c.beginEvent(s, name, event, s.host)
	}
}

// beginEvent enters in the newest action of that name, unless it has ended, that a service has begun with it. It does so once.
func (c *Cloud) beginEvent(s *server, action, event, host string) {
	for _, a := range slices.Backward(s.actions) {
		if a.name != action || a.done {
			continue
		}
		if !slices.ContainsFunc(a.events, func(e *actionEvent) bool { return e.name == event && e.finished.IsZero() }) {
			a.events = append(a.events, &actionEvent{name: event, host: host, started: c.now})
			a.updated = c.now
		}
		return
	}
}

// finishAction ends the newest action of that name which has not ended.
func (c *Cloud) finishAction(s *server, name string, failed bool) {
	for _, a := range slices.Backward(s.actions) {
		if a.name == name && !a.done {
			a.done, a.failed, a.updated = true, failed, c.now
			for _, e := range a.events {
				if e.finished.IsZero() {
					e.finished, e.failed = c.now, failed
				}
			}
			return
		}
	}
}

// historic returns a server whose history may be read: from 2.21 also when it is gone.
func (c *Cloud) historic(k *call) *server {
	s := c.servers[k.id()]
	if s == nil || s.project != k.project || (s.ended() && k.mv < 21) {
		return nil
	}
	return s
}

// history returns the actions that a cell has of a server. Before the server has a cell there are none, though its create was accepted.
func (s *server) history() []*instanceAction {
	if !s.mapped {
		return nil
	}
	return s.actions
}

func (c *Cloud) listInstanceActions(k *call) *reply {
	s := c.historic(k)
	if s == nil {
		return noServer(k.id())
	}
	views := []object{}
	for _, a := range slices.Backward(s.history()) {
		views = append(views, a.view(k, s))
	}
	return answer(http.StatusOK, object{"instanceActions": views})
}

func (c *Cloud) showInstanceAction(k *call) *reply {
	s := c.historic(k)
	if s == nil {
		return noServer(k.id())
	}
	actions := s.history()
	i := slices.IndexFunc(actions, func(a *instanceAction) bool { return a.requestID == k.params["request"] })
	if i < 0 {
		return novaError(http.StatusNotFound, "Action %s not found", k.params["request"])
	}
	a := actions[i]
	v := a.view(k, s)
	if k.mv >= 51 {
		events := []object{}
		for _, e := range slices.Backward(a.events) {
			events = append(events, e.view(k, s))
		}
		v["events"] = events
	}
	return answer(http.StatusOK, object{"instanceAction": v})
}

func (a *instanceAction) view(k *call, s *server) object {
	v := object{
		"action": a.name, "instance_uuid": s.id, "request_id": a.requestID, "user_id": a.user.id, "project_id": s.project.id,
		"start_time": isoMicrosNoZone(a.started.Truncate(time.Second)), "message": nil,
	}
	if a.failed {
		v["message"] = "Error"
	}
	if k.mv >= 58 {
		v["updated_at"] = isoMicrosNoZone(a.updated.Truncate(time.Second))
	}
	return v
}

// computeEvents are the names of what the compute host does for an action.
var computeEvents = map[string]string{
	"create": "compute__do_build_and_run_instance", "delete": "compute_terminate_instance", "pause": "compute_pause_instance",
	"unpause": "compute_unpause_instance", "createImage": "compute_snapshot_instance", "start": "compute_start_instance", "stop": "compute_stop_instance",
	"attach_interface": "compute_attach_interface", "detach_interface": "compute_detach_interface", "reboot": "compute_reboot_instance",
	"rebuild": "compute_rebuild_instance", "evacuate": "compute_rebuild_instance", "rescue": "compute_rescue_instance",
	"unrescue": "compute_unrescue_instance", "suspend": "compute_suspend_instance", "resume": "compute_resume_instance",
	"shelve": "compute_shelve_instance", "shelveOffload": "compute_shelve_offload_instance", "unshelve": "compute_unshelve_instance",
	"live-migration": "compute_live_migration", "resize": "compute_prep_resize", "migrate": "compute_prep_resize",
	"confirmResize": "compute_confirm_resize", "revertResize": "compute_revert_resize", "createBackup": "compute_backup_instance",
}

func (e *actionEvent) view(k *call, s *server) object {
	v := object{"event": e.name, "start_time": isoMicrosNoZone(e.started.Truncate(time.Second)), "finish_time": nil, "result": nil}
	if !e.finished.IsZero() {
		v["finish_time"], v["result"] = isoMicrosNoZone(e.finished.Truncate(time.Second)), "Success"
		if e.failed {
			v["result"] = "Error"
		}
	}
	if k.mv >= 62 {
		v["hostId"] = s.project.hostID(e.host)
	}
	return v
}
