package cloud

import (
	"net/http"
	"strings"
)

// What any member may do to a server that keeps its disk and its host: reboot, suspend, rescue, and the like.

func (c *Cloud) rebootAsked(k *call, s *server) *reply {
	var req struct {
		Reboot struct {
			Type string `json:"type"`
		} `json:"reboot"`
	}
	if !k.decode(&req) {
		return malformedBody()
	}
	switch kind := strings.ToUpper(req.Reboot.Type); kind {
	case "SOFT", "HARD":
		return c.reboot(k, s, kind == "HARD")
	}
	return novaError(http.StatusBadRequest, "Invalid input for field/attribute type. Value: %s. '%s' is not one of ['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft']", req.Reboot.Type, req.Reboot.Type)
}

// reboot starts the guest anew. A hard one also brings back what is off, paused, suspended or in ERROR.
func (c *Cloud) reboot(k *call, s *server, hard bool) *reply {
	takes := c.opts.Latencies.Reboot
	again := func() { c.restart(s, vmActive) }
	if !hard {
		return c.beginSteps(k, s, action{name: "reboot", from: []string{vmActive}, steps: []step{{task: taskRebooting}, {taskRebootStarted, takes, again}}})
	}
	return c.beginSteps(k, s, action{
		name: "reboot", from: []string{vmActive, vmStopped, vmPaused, vmSuspended, vmError},
		during: []string{taskRebooting, taskRebootStarted, taskResuming, taskRebootingHard, taskUnpausing, taskPausing, taskSuspending},
		steps:  []step{{task: taskRebootingHard}, {taskHardStarted, takes, again}},
	})
}

// restart has the guest off, if it ran, and then on in a vm_state.
func (c *Cloud) restart(s *server, vm string) {
	c.setDomain(s, powerShutdown)
	c.setVM(s, vm)
}

func (c *Cloud) suspend(k *call, s *server) *reply {
	return c.begin(k, s, change{name: "suspend", from: []string{vmActive}, task: taskSuspending, takes: c.opts.Latencies.Suspend, to: vmSuspended})
}

func (c *Cloud) resume(k *call, s *server) *reply {
	return c.begin(k, s, change{name: "resume", from: []string{vmSuspended}, task: taskResuming, takes: c.opts.Latencies.Resume, to: vmActive})
}

// rescueAsked answers with the password of the rescue system, and with 200: Nova does so for the sake of old clients.
func (c *Cloud) rescueAsked(k *call, s *server) *reply {
	var req struct {
		Rescue struct {
			Image string `json:"rescue_image_ref"`
		} `json:"rescue"`
	}
	if !k.decode(&req) {
		return malformedBody()
	}
	if id := req.Rescue.Image; id != "" && c.usableImage(k.project, id) == nil {
		return novaError(http.StatusBadRequest, "Requested rescue image '%s' is not supported", id)
	}
	if rep := c.rescue(k, s); rep.status != http.StatusAccepted {
		return rep
	}
	return answer(http.StatusOK, object{"adminPass": c.newHexID()[:12]})
}

// rescue boots another system, to which the server's own disk is attached. launched_at is new.
func (c *Cloud) rescue(k *call, s *server) *reply {
	if refused := refuseTPM(s, "rescue"); refused != nil {
		return refused
	}
	rep := refuse(k, "rescue", s, vmActive, vmStopped, vmError)
	switch {
	case rep != nil:
		return rep
	case s.volumeBooted() && (k.mv < 87 || s.imageProps["hw_rescue_bus"] == "" || s.imageProps["hw_rescue_device"] == ""):
		return novaError(http.StatusBadRequest, "Instance %s cannot be rescued: Cannot rescue a volume-backed instance", s.id)
	}
	return c.beginSteps(k, s, action{name: "rescue", from: []string{vmActive, vmStopped, vmError}, steps: []step{{taskRescuing, c.opts.Latencies.Rescue, func() {
		s.launched = c.now
		c.restart(s, vmRescued)
	}}}})
}

func (c *Cloud) unrescue(k *call, s *server) *reply {
	return c.beginSteps(k, s, action{name: "unrescue", from: []string{vmRescued}, steps: []step{{taskUnrescuing, c.opts.Latencies.Rescue, func() {
		c.restart(s, vmActive)
	}}}})
}

func (c *Cloud) changePassword(k *call, s *server) *reply {
	return c.begin(k, s, change{name: "changePassword", from: []string{vmActive}, task: taskPassword, to: vmActive})
}

// crashDump has the guest's kernel dump its memory. Nova sees no more of that.
func (c *Cloud) crashDump(k *call, s *server) *reply {
	if k.mv < 17 {
		return novaError(http.StatusNotFound, "The resource could not be found.")
	}
	if refused := refuse(k, "trigger_crash_dump", s, vmActive, vmPaused, vmRescued, vmResized, vmError); refused != nil {
		return refused
	}
	c.record(s, k, "trigger_crash_dump")
	c.finishAction(s, "trigger_crash_dump", false)
	return empty(http.StatusAccepted)
}

// hasTPM reports whether a server has a TPM, whose state is on its host and in none of its snapshots.
func (s *server) hasTPM() bool {
	return s.flavor.extraSpecs["hw:tpm_version"] != "" || s.imageProps["hw_tpm_version"] != ""
}

// refuseTPM says no to what a server with a TPM does not survive.
func refuseTPM(s *server, operation string) *reply {
	if !s.hasTPM() {
		return nil
	}
	return novaError(http.StatusConflict, "Operation '%s' not supported for vTPM-enabled instance (%s).", operation, s.id)
}
