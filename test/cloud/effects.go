package cloud

import (
	"context"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Effect is one way in which a request goes wrong. Make one with the functions below.
type Effect struct {
	name  string
	after bool // the request has its effect in the cloud first
	delay time.Duration
	kind  outcomeKind
	hang  time.Duration // for timedOut: how long, 0 being until the client gives up
	late  time.Duration // the request has its effect only then, unseen

	instead func(k *call, base string) *reply // an answer in place of the cloud's
	expire  bool
	rewrite func(c *Cloud, k *call, rep *reply) *reply
}

// String returns the effect's name, which is what the ledger calls a fault whose rule has none of its own.
func (e Effect) String() string { return e.name }

// Answer makes the cloud answer with a status, a body (the service's own form of error if empty) and headers given as "Name: value",
// without doing what was asked.
func Answer(status int, body string, headers ...string) Effect {
	with := http.Header{}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		with.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return Effect{name: "answer " + strconv.Itoa(status), instead: func(k *call, base string) *reply {
		rep := empty(status)
		if body == "" {
			rep = ownError(k, base, status, with.Get("Retry-After"))
		} else {
			rep.body = []byte(body)
		}
		maps.Copy(rep.header, with)
		return rep
	}}
}

// ownError is a failure in the manner of the service that the request was for.
func ownError(k *call, base string, status int, retryAfter string) *reply {
	service := serviceOf(k.Request.URL.Path)
	switch {
	case status == http.StatusUnauthorized:
		return unauthorized(service, base)
	case service == nova && retryAfter != "" && novaKeys[status] == "overLimit":
		return novaOverLimit(status, "Injected fault.", retryAfter)
	}
	return serviceError(service, status, "Injected fault.")
}

// AnswerAfter is Answer, but the cloud does what was asked first: what an overloaded proxy makes of a request.
func AnswerAfter(status int, body string, headers ...string) Effect {
	e := Answer(status, body, headers...)
	e.after, e.name = true, e.name+" after"
	return e
}

// ResetBefore breaks the connection, and nothing was done.
func ResetBefore() Effect { return Effect{name: "reset before", kind: reset} }

// ResetAfter breaks the connection when the request was carried out.
func ResetAfter() Effect { return Effect{name: "reset after", kind: reset, after: true} }

// Hang gives no answer for d, then breaks the connection; 0 is until the client gives up. Nothing was done.
func Hang(d time.Duration) Effect { return Effect{name: "hang", kind: timedOut, hang: d} }

// HangAfter is Hang when the request was carried out.
func HangAfter(d time.Duration) Effect {
	return Effect{name: "hang after", kind: timedOut, hang: d, after: true}
}

// Slow delays the request by d. Nothing else is wrong with it.
func Slow(d time.Duration) Effect { return Effect{name: "slow", delay: d, after: true} }

// Truncated breaks the connection in the middle of the answer's body.
func Truncated() Effect { return Effect{name: "truncated", kind: truncated, after: true} }

// Malformed makes the answer's body something that is not JSON, with the same status.
func Malformed() Effect {
	return Effect{name: "malformed", after: true, rewrite: func(_ *Cloud, _ *call, rep *reply) *reply {
		out := rep.clone()
		out.body = []byte("<html><body>It works!</body></html>")
		return out
	}}
}

// Twice has the cloud carry the request out twice, as a proxy does that repeats what it takes for lost. The client gets the second
// answer. Both come at once, so that neither sees the other's beginning: of two creates with one port, both are accepted at first.
func Twice() Effect { return twice("twice", false) }

// TwiceFirst is Twice, and the client gets the first answer.
func TwiceFirst() Effect { return twice("twice, first answer", true) }

func twice(name string, first bool) Effect {
	return Effect{name: name, after: true, rewrite: func(c *Cloud, k *call, rep *reply) *reply {
		again := *k
		again.query = k.Request.URL.Query()
		c.locked(func() { again.reqID = "req-" + c.newID() })
		if second := c.execute(&again); !first {
			return second
		}
		return rep
	}}
}

// Late breaks the connection at once and carries the request out d later: what has waited in a queue while its client gave up.
func Late(d time.Duration) Effect { return Effect{name: "late " + d.String(), kind: reset, late: d} }

// ExpireToken ends the request's token, so that it is answered 401.
func ExpireToken() Effect { return Effect{name: "expire token", expire: true, after: true} }

// applyBefore has what of an effect comes before the request is carried out, and says whether that was all.
func (c *Cloud) applyBefore(ctx context.Context, k *call, e *Effect) (outcome, bool) {
	if e == nil {
		return outcome{}, false
	}
	if c.sleep(ctx, e.delay) != nil {
		return outcome{kind: timedOut, fault: e.name}, true
	}
	if e.expire {
		c.revoke(k.Request.Header.Get("X-Auth-Token"))
	}
	if e.after {
		return outcome{}, false
	}
	if e.late > 0 {
		c.locked(func() {
			c.after(e.late, func() {
				k.snapshots = c.snapshots
				c.carryOut(k)
			})
		})
	}
	return c.spoil(ctx, k, e, nil), true
}

// applyAfter has an effect on the answer of a request that was carried out.
func (c *Cloud) applyAfter(ctx context.Context, k *call, e *Effect, rep *reply) outcome {
	out := outcome{reply: rep}
	if e != nil {
		out = c.spoil(ctx, k, e, rep)
	}
	if k.Request.Method == http.MethodGet && rep.status == http.StatusOK {
		c.keepAnswer(k, rep)
	}
	return out
}

func (c *Cloud) spoil(ctx context.Context, k *call, e *Effect, rep *reply) outcome {
	out := outcome{kind: e.kind, reply: rep, fault: e.name}
	switch {
	case e.kind == timedOut:
		c.ledger.end(k.Seq, 0, k.reqID, e.name) // it may be long until finish does
		c.hang(ctx, e.hang)
		out.reply = nil
	case e.kind == reset:
		out.reply = nil
	case e.instead != nil:
		out.reply = e.instead(k, c.URL())
		out.reply.header.Set("X-Openstack-Request-Id", k.reqID)
	case e.rewrite != nil:
		out.reply = e.rewrite(c, k, rep)
	}
	return out
}

func (c *Cloud) hang(ctx context.Context, d time.Duration) {
	if d == 0 {
		<-ctx.Done()
		return
	}
	_ = c.sleep(ctx, d) // either way the client gets nothing
}
