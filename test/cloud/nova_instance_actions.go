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
}

// record enters an action in the server's history, in the name of the request's user.
func (c *Cloud) record(s *server, k *call, name string) {
	c.recordAs(s, k.user, k.reqID, name)
}

func (c *Cloud) recordAs(s *server, by *user, requestID, name string) {
	s.actions = append(s.actions, &instanceAction{name: name, requestID: requestID, user: by, started: c.now, updated: c.now})
}

// finishAction ends the newest action of that name which has not ended.
func (c *Cloud) finishAction(s *server, name string, failed bool) {
	for _, a := range slices.Backward(s.actions) {
		if a.name == name && !a.done {
			a.done, a.failed, a.updated = true, failed, c.now
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

func (c *Cloud) listInstanceActions(k *call) *reply {
	s := c.historic(k)
	if s == nil {
		return noServer(k.id())
	}
	views := []object{}
	for _, a := range slices.Backward(s.actions) {
		views = append(views, a.view(k, s))
	}
	return answer(http.StatusOK, object{"instanceActions": views})
}

func (c *Cloud) showInstanceAction(k *call) *reply {
	s := c.historic(k)
	if s == nil {
		return noServer(k.id())
	}
	i := slices.IndexFunc(s.actions, func(a *instanceAction) bool { return a.requestID == k.params["request"] })
	if i < 0 {
		return novaError(http.StatusNotFound, "Action %s not found", k.params["request"])
	}
	a := s.actions[i]
	v := a.view(k, s)
	if k.mv >= 51 {
		v["events"] = []object{a.event(k, s)}
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
	"attach_interface": "compute_attach_interface",
}

func (a *instanceAction) event(k *call, s *server) object {
	name := computeEvents[a.name]
	if name == "" {
		name = "api_" + a.name
	}
	e := object{"event": name, "start_time": isoMicrosNoZone(a.started.Truncate(time.Second)), "finish_time": nil, "result": nil}
	if a.done {
		e["finish_time"], e["result"] = isoMicrosNoZone(a.updated.Truncate(time.Second)), "Success"
	}
	if a.failed {
		e["result"] = "Error"
	}
	if k.mv >= 62 {
		e["hostId"] = hostID(s)
	}
	return e
}
