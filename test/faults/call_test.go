package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/overwinter/overwinter/test/cloud"
)

// The services that a process calls.
const (
	openstack = "openstack"
	hubAPI    = "hub"
	guestAPI  = "guest"
)

// call is one outgoing call of a manager process.
type call struct {
	// n counts the calls since counting began, from 1; 0 while nothing is counted.
	n       int
	process *process
	service string
	// op is the operation, as in "nova.server.delete" or "hub.secret.update".
	op, target string
	// changes tells whether the call is meant to change something.
	changes bool
	// http is the request to OpenStack.
	http *cloud.Call
	// expired says that its sender's time ran out before it was sent.
	expired bool
}

func (c *call) String() string {
	return fmt.Sprintf("%s %s", c.op, c.target)
}

// fault is what goes wrong with a call.
type fault struct {
	name string
	// cloud is what happens to a request to OpenStack.
	cloud *cloud.Effect
	// refuse is what the hub or the guest answers without doing anything, lose what the caller gets after it was done.
	refuse, lose func(*call) error
}

var errDead = errors.New("the process is dead")

// begin enters a call in the trace and returns what goes wrong with it before it has its effect.
func (w *world) begin(c *call) *fault {
	if c.process.dead.Load() {
		return dead(c)
	}
	w.calls, w.lastCall = w.calls+1, time.Now()
	c.process.calls++
	if c.service == openstack {
		w.requests++
	}
	if w.counting {
		w.counted++
		c.n = w.counted
		w.recorded = append(w.recorded, *c)
	}
	if f := w.disturb(c, false); c.expired {
		return expired()
	} else if f != nil {
		w.trace.add("%s  ✗ %s: %s", c.process.name, c, f.name)
		return f
	}
	return nil
}

// end enters the end of a call in the trace and returns what goes wrong with its answer.
func (w *world) end(c *call, answer string) *fault {
	if c.changes {
		w.check(c.String())
	}
	if c.process.dead.Load() {
		return dead(c)
	}
	w.trace.add("%s  %s %s → %s", c.process.name, number(c.n), c, answer)
	f := w.disturb(c, true)
	if f != nil {
		w.trace.add("%s  ✗ the answer: %s", c.process.name, f.name)
	}
	return f
}

func number(n int) string {
	if n == 0 {
		return "·"
	}
	return fmt.Sprintf("#%d", n)
}

// disturb asks those who disturb this world.
func (w *world) disturb(c *call, done bool) *fault {
	for _, d := range w.disturbers {
		if f := d(c, done); f != nil {
			return f
		}
	}
	return nil
}

// dead is what becomes of the calls of a process that was killed.
func dead(*call) *fault {
	effect := cloud.ResetBefore()
	fail := func(*call) error { return errDead }
	return &fault{name: "dead", cloud: &effect, refuse: fail, lose: fail}
}

// expired is what becomes of a call that is sent too late.
func expired() *fault {
	effect := cloud.ResetBefore()
	fail := func(*call) error { return context.DeadlineExceeded }
	return &fault{name: "too late", cloud: &effect, refuse: fail, lose: fail}
}

type processKey struct{}

// transport carries the requests of one process to the cloud.
type transport struct {
	process *process
	next    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.process.dead.Load() {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, errDead
	}
	t.process.world.trace.guard(r.Header.Get("X-Auth-Token"))
	return t.next.RoundTrip(r.WithContext(context.WithValue(r.Context(), processKey{}, t.process)))
}

// hookBefore and hookAfter see the requests to the cloud. Those that no process made are somebody else's.
func (w *world) hookBefore(k *cloud.Call) *cloud.Effect {
	p, ok := k.Request.Context().Value(processKey{}).(*process)
	if !ok {
		return nil
	}
	c := &call{
		process: p, service: openstack, op: k.Op, target: w.nameOf(k), http: k,
		changes: k.Request.Method != http.MethodGet && k.Op != opToken,
	}
	w.open[k.Seq] = c
	if f := w.begin(c); f != nil {
		delete(w.open, k.Seq)
		return f.cloud
	}
	w.guard(c)
	return nil
}

const opToken = "keystone.token.create"

func (w *world) hookAfter(k *cloud.Call, status int) *cloud.Effect {
	c, ok := w.open[k.Seq]
	if !ok {
		return nil
	}
	delete(w.open, k.Seq)
	if f := w.end(c, fmt.Sprint(status)); f != nil {
		return f.cloud
	}
	return nil
}

// nameOf returns the name of what a request is about, where it has one.
func (w *world) nameOf(k *cloud.Call) string {
	if k.Target == "" {
		if k.Request.URL.RawQuery != "" {
			return "?" + k.Request.URL.RawQuery
		}
		return ""
	}
	if s, ok := w.cloud.Server(k.Target); ok {
		return s.Name
	}
	if img, ok := w.cloud.Image(k.Target); ok {
		return img.Name
	}
	return k.Target
}

func bodyOf(data []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(data)) }
