package cloud

import (
	"slices"
	"strconv"
	"time"
)

// service is one of Nova's that takes messages from a queue. What comes while it is down waits there; what it was doing when it died is
// lost.
type service struct {
	down    bool
	life    int // counts its deaths
	waiting []func()
}

func (v *service) die() {
	v.down = true
	v.life++
}

// host is a compute host: its nova-compute, as its domains live on without it.
type host struct {
	service
	name  string
	since time.Time // of its death
	spare bool      // not for new servers
}

const (
	// rpcTimeout is how long the conductor waits for a scheduler that does not answer (rpc_response_timeout).
	rpcTimeout = time.Minute
	// serviceDownTime is how long Nova believes in a service that does not report (service_down_time).
	serviceDownTime = time.Minute
)

// take has a service do something, now or when it is up again. late says that it was asked for before the service's last start.
func (v *service) take(do func(late bool)) {
	if v.down {
		v.waiting = append(v.waiting, func() { do(true) })
		return
	}
	do(false)
}

// start brings a service up and has it do what waits.
func (v *service) start() {
	v.down = false
	waiting := v.waiting
	v.waiting = nil
	for _, do := range waiting {
		do()
	}
}

func (c *Cloud) hostNamed(name string) *host {
	for _, h := range c.hosts {
		if h.name == name {
			return h
		}
	}
	return nil
}

// pickHost returns the host for one more server, in turn, or nil if Nova knows of none that is up.
func (c *Cloud) pickHost() *host {
	for range c.hosts {
		h := c.hosts[c.hostTurn%len(c.hosts)]
		c.hostTurn++
		if !h.spare && !c.knownDown(h) {
			return h
		}
	}
	return nil
}

// nextHost returns a host that is not the one of that name. Where there is none, one is added that takes no new servers.
func (c *Cloud) nextHost(name string) *host {
	at := slices.IndexFunc(c.hosts, func(h *host) bool { return h.name == name })
	for i := range c.hosts {
		if h := c.hosts[(at+1+i)%len(c.hosts)]; h.name != name && !c.knownDown(h) {
			return h
		}
	}
	h := &host{name: "sim-spare-" + strconv.Itoa(len(c.hosts)), spare: true}
	c.hosts = append(c.hosts, h)
	return h
}

// knownDown reports whether Nova has noticed that a nova-compute is dead.
func (c *Cloud) knownDown(h *host) bool {
	return h != nil && h.down && !c.now.Before(h.since.Add(serviceDownTime))
}

// onHost has a server's nova-compute do something that takes a time. It is lost if nova-compute dies meanwhile, and waits if it is dead. A
// server without a host has nobody who could die.
func (c *Cloud) onHost(s *server, takes time.Duration, do func(late bool)) {
	h := c.hostNamed(s.host)
	if h == nil {
		c.after(takes, func() { do(false) })
		return
	}
	h.take(func(late bool) {
		life := h.life
		c.after(takes, func() {
			if h.life == life {
				do(late)
			}
		})
	})
}

func newHosts(names []string) []*host {
	var out []*host
	for _, name := range names {
		if !slices.ContainsFunc(out, func(h *host) bool { return h.name == name }) {
			out = append(out, &host{name: name})
		}
	}
	return out
}
