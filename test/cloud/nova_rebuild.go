package cloud

import (
	"maps"
	"net/http"
)

func (c *Cloud) rebuildAsked(k *call, s *server) *reply {
	var req struct {
		Rebuild struct {
			ImageRef string            `json:"imageRef"`
			Name     *string           `json:"name"`
			Metadata map[string]string `json:"metadata"`
		} `json:"rebuild"`
	}
	if !k.decode(&req) || req.Rebuild.ImageRef == "" {
		return malformedBody()
	}
	if refused := checkMetadata(req.Rebuild.Metadata); refused != nil {
		return refused
	}
	if rep := c.rebuild(k, s, req.Rebuild.ImageRef); rep.status != http.StatusAccepted {
		return rep
	}
	if n := req.Rebuild.Name; n != nil {
		s.name = *n
	}
	if m := req.Rebuild.Metadata; m != nil {
		s.metadata = maps.Clone(m)
	}
	rep := c.written(func(w *jsonWriter) {
		w.open('{')
		w.key("server")
		c.writeDetail(w, k, s)
		w.end('}')
	})
	rep.status = http.StatusAccepted
	return rep
}

// rebuild gives a server a new disk, made from an image. It is started for that, and turned off again if it was off.
func (c *Cloud) rebuild(k *call, s *server, imageID string) *reply {
	if refused := refuseTPM(s, "rebuild"); refused != nil {
		return refused
	}
	from := []string{vmActive, vmStopped, vmError}
	if refused := refuse(k, "rebuild", s, from...); refused != nil {
		return refused
	}
	img := c.usableImage(s.project, imageID)
	switch {
	case img == nil:
		return novaError(http.StatusBadRequest, "Cannot find image for rebuild")
	case s.volumeBooted():
		return novaError(http.StatusBadRequest, "Unable to rebuild with a different image for a volume-backed server.")
	}
	if refused := unfit(img, s.flavor); refused != nil {
		return refused
	}
	steps := []step{
		{taskRebuilding, c.opts.Latencies.Rebuild, func() { c.setDomain(s, powerShutdown) }}, {task: taskRebuildDevices},
		{taskRebuildSpawning, c.opts.Latencies.Rebuild, func() { c.rebuilt(s, img) }},
	}
	if s.vm == vmStopped {
		steps = append(steps, step{taskPoweringOff, c.opts.Latencies.Stop, func() { c.setVM(s, vmStopped) }})
	}
	return c.beginSteps(k, s, action{name: "rebuild", from: from, steps: steps})
}

func (c *Cloud) rebuilt(s *server, img *image) {
	c.replaceDisk(s, img.writes)
	if img.broken {
		c.failed(s, img.unacceptable())
		c.setTask(s, taskNone)
		c.finishAction(s, "rebuild", true)
		return
	}
	s.imageID, s.imageProps, s.imageMinRAM, s.launched = img.id, inheritable(img), img.minRAM, c.now
	c.setVM(s, vmActive)
}
