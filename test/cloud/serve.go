package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// maxBody bounds what is read of a request.
const maxBody = 16 << 20

// Call is a request as hooks and faults see it.
type Call struct {
	// Seq counts requests from 1.
	Seq int
	// Op is the name of the operation, as in "nova.server.create"; see Ledger.
	Op string
	// At is the time of arrival.
	At time.Time
	// Project and User are the names that the token stands for; empty without a valid one.
	Project, User string
	// Target is the ID in the path, if there is one.
	Target string
	// Body is what was sent.
	Body []byte
	// Request is the request itself; its body has been read.
	Request *http.Request
}

// call is a request on its way through the cloud.
type call struct {
	Call
	route     *route
	wrongVerb bool
	params    map[string]string
	query     url.Values
	uri       string // path and query
	reqID     string
	mv        int // minor microversion, of Nova
	token     *token
	project   *project
	user      *user
	snapshots int // how many snapshots had been accepted when it came
	admin     bool
}

// reply is an answer, not yet sent.
type reply struct {
	status int
	header http.Header
	body   []byte
	stream func() io.Reader // of a body that is made while it is read, in place of the other
}

func (r *reply) clone() *reply {
	return &reply{status: r.status, header: r.header.Clone(), body: r.body, stream: r.stream}
}

// decode reads the JSON body into v and returns false if it is none.
func (k *call) decode(v any) bool { return json.Unmarshal(k.Body, v) == nil }

func (k *call) id() string { return k.params["id"] }

// arrive makes the call of a request and enters it in the ledger.
func (c *Cloud) arrive(r *http.Request) (*call, error) {
	var body []byte
	if r.Body != nil && r.Body != http.NoBody {
		b, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if err != nil {
			return nil, fmt.Errorf("reading the request: %w", err)
		}
		body = b
	}
	k := &call{uri: r.URL.RequestURI()}
	if r.URL.RawQuery != "" {
		k.query = r.URL.Query()
	}
	k.route, k.params, k.wrongVerb = find(r)
	k.Call = Call{Op: operation(k.route, body), Body: body, Request: r, Target: k.params["id"]}
	c.locked(func() {
		k.At = c.now
		k.reqID = "req-" + c.newID()
		k.snapshots = c.snapshots
		if t := c.validToken(r.Header.Get("X-Auth-Token")); t != nil {
			k.User = t.user.name
			if t.project != nil {
				k.Project = t.project.name
			}
		}
		k.Seq = c.ledger.begin(k)
	})
	return k, nil
}

// process takes a request through latency, hooks, faults and its handler.
func (c *Cloud) process(r *http.Request) outcome {
	k, err := c.arrive(r)
	if err != nil {
		return outcome{kind: reset}
	}
	ctx := r.Context()
	if c.sleep(ctx, c.latency(k.Op)) != nil {
		return c.finish(k, outcome{kind: reset})
	}
	e := c.faultOf(k)
	if out, done := c.applyBefore(ctx, k, e); done {
		return c.finish(k, out)
	}
	rep := c.execute(k)
	if e == nil {
		e = c.hookAfter(k, rep.status)
	}
	return c.finish(k, c.applyAfter(ctx, k, e, rep))
}

func (c *Cloud) latency(op string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opts.Latencies.API + c.opts.Latencies.Op[op]
}

// execute has the request's effect.
func (c *Cloud) execute(k *call) *reply {
	var rep *reply
	c.locked(func() { rep = c.carryOut(k) })
	return rep
}

func (c *Cloud) carryOut(k *call) *reply {
	if k.mayChange() {
		c.version++
	}
	rep := c.dispatch(k)
	rep.header["X-Openstack-Request-Id"] = []string{k.reqID}
	return rep
}

// mayChange says whether the request is one that changes things, tokens aside. One that was refused counts too: some refusals of Nova's
// leave something behind.
func (k *call) mayChange() bool {
	return k.route != nil && k.route.service != keystone && k.Request.Method != http.MethodGet && k.Request.Method != http.MethodHead
}

func (c *Cloud) dispatch(k *call) *reply {
	if k.route == nil {
		return notRouted(k)
	}
	service := k.route.service
	if !k.route.open {
		k.token = c.validToken(k.Request.Header.Get("X-Auth-Token"))
		if k.token == nil || (k.token.project == nil && service != keystone) {
			return unauthorized(service, c.base(k.Request))
		}
		k.user, k.project = k.token.user, k.token.project
	}
	if service != nova || k.route.open {
		return k.route.handle(c, k)
	}
	if refused := c.negotiate(k); refused != nil {
		return refused
	}
	rep := c.refuseDown(k)
	if rep == nil {
		rep = k.route.handle(c, k)
	}
	setMicroversion(rep.header, k.mv)
	return rep
}

func (c *Cloud) finish(k *call, out outcome) outcome {
	status := 0
	if out.reply != nil {
		status = out.reply.status
	}
	c.ledger.end(k.Seq, status, k.reqID, out.fault)
	return out
}

// sleep waits for d, or less if ctx ends, and returns the context's error then.
func (c *Cloud) sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	if c.opts.Sleep != nil {
		return c.opts.Sleep(ctx, d)
	}
	t := c.clock.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
