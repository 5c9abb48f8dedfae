package cloud

import (
	"context"
	"encoding/json"
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

	status int // an answer in place of the cloud's
	header http.Header
	body   string

	expire  bool
	rewrite func(c *Cloud, k *call, rep *reply) *reply
}

// Answer makes the cloud answer with a status, a body (the service's own form of error if empty) and headers given as "Name: value",
// without doing what was asked.
func Answer(status int, body string, headers ...string) Effect {
	e := Effect{name: "answer " + strconv.Itoa(status), status: status, body: body, header: http.Header{}}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		e.header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return e
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

// EmptyList takes everything out of the lists in the answer.
func EmptyList() Effect {
	return Effect{name: "empty list", after: true, rewrite: func(_ *Cloud, _ *call, rep *reply) *reply { return emptied(rep) }}
}

// StaleList gives the answer that the last request with the same URL got, if there was one.
func StaleList() Effect {
	return Effect{name: "stale list", after: true, rewrite: func(c *Cloud, k *call, rep *reply) *reply {
		if old := c.staleList(k); old != nil {
			return old
		}
		return rep
	}}
}

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
	return c.spoil(ctx, k, e, nil), true
}

// applyAfter has an effect on the answer of a request that was carried out.
func (c *Cloud) applyAfter(ctx context.Context, k *call, e *Effect, rep *reply) outcome {
	out := outcome{reply: rep}
	if e != nil {
		out = c.spoil(ctx, k, e, rep)
	}
	if k.Request.Method == http.MethodGet && rep.status == http.StatusOK {
		c.keepList(k, rep)
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
	case e.status != 0:
		out.reply = c.instead(k, e)
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

func (c *Cloud) instead(k *call, e *Effect) *reply {
	rep := empty(e.status)
	if e.body == "" {
		rep = serviceError(serviceOf(k.Request.URL.Path), e.status, "Injected fault.")
	} else {
		rep.body = []byte(e.body)
	}
	rep.header.Set("X-Openstack-Request-Id", k.reqID)
	maps.Copy(rep.header, e.header)
	return rep
}

func emptied(rep *reply) *reply {
	var doc map[string]json.RawMessage
	if json.Unmarshal(rep.body, &doc) != nil {
		return rep
	}
	for key, value := range doc {
		switch {
		case strings.HasSuffix(key, "_links") || key == "next":
			delete(doc, key)
		case strings.HasPrefix(string(value), "["):
			doc[key] = json.RawMessage("[]")
		}
	}
	out := rep.clone()
	b, err := json.Marshal(doc)
	if err != nil { // it was JSON a moment ago
		return rep
	}
	out.body = b
	return out
}

func (k *call) listKey() string { return k.Project + " " + k.Request.URL.RequestURI() }

func (c *Cloud) keepList(k *call, rep *reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastLists[k.listKey()] = rep
}

func (c *Cloud) staleList(k *call) *reply {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.lastLists[k.listKey()]; old != nil {
		return old.clone()
	}
	return nil
}
