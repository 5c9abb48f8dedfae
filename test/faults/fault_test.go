package faults

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/overwinter/overwinter/test/cloud"
)

// kind is one way in which a call goes wrong.
type kind struct {
	name string
	// service is whose calls go wrong so; anybody's if it is empty.
	service string
	// only, unless nil, says which.
	only func(*call) bool
	// late says that the call has its effect first.
	late bool
	// crash says that it is the process that goes wrong.
	crash bool
	// twins says that there may be two servers of a name for a while, which is not looked at from then on.
	twins bool
	// again says that the next call like it goes wrong in the same way: what ends a hibernation has to be found twice.
	again bool
	make  func(w *world, c *call) *fault
}

func onCloud(name string, effect cloud.Effect) kind {
	return kind{name: name, service: openstack, make: func(*world, *call) *fault { return &fault{name: name, cloud: &effect} }}
}

func list(k kind) kind {
	k.only = func(c *call) bool { return strings.HasSuffix(c.op, ".list") }
	return k
}

func answer(status int, headers ...string) kind {
	name := fmt.Sprint(status)
	for _, h := range headers {
		name += " " + h
	}
	return onCloud(name, cloud.Answer(status, "", headers...))
}

// cloudKinds are the ways in which requests to OpenStack go wrong.
func cloudKinds() []kind {
	out := []kind{
		answer(http.StatusBadRequest), answer(http.StatusForbidden), answer(http.StatusNotFound), answer(http.StatusConflict),
		answer(http.StatusRequestEntityTooLarge), answer(http.StatusTooManyRequests), answer(http.StatusTooManyRequests, "Retry-After: 30"),
		answer(http.StatusInternalServerError), answer(http.StatusBadGateway), answer(http.StatusServiceUnavailable), answer(http.StatusGatewayTimeout),
		onCloud("401 for once", cloud.Answer(http.StatusUnauthorized, "")),
		onCloud("expired token", cloud.ExpireToken()),
		onCloud("504 after the effect", cloud.AnswerAfter(http.StatusGatewayTimeout, "")),
		onCloud("timeout", cloud.Hang(forEver)), onCloud("timeout after the effect", cloud.HangAfter(forEver)),
		onCloud("reset", cloud.ResetBefore()), onCloud("reset after the effect", cloud.ResetAfter()),
		onCloud("truncated", cloud.Truncated()), onCloud("malformed", cloud.Malformed()),
		onCloud("quota 403", cloud.QuotaExceeded(http.StatusForbidden)), onCloud("quota 413", cloud.QuotaExceeded(http.StatusRequestEntityTooLarge)),
		list(onCloud("empty list", cloud.EmptyList())), list(onCloud("list without one", cloud.ListWithoutOne())),
		list(onCloud("duplicate entry", cloud.DuplicateEntry())),
		list(onCloud("list of a minute ago", cloud.OldList(time.Minute))), list(onCloud("list of before", cloud.StaleList())),
		twice("twice", cloud.Twice()), twice("twice, first answer", cloud.TwiceFirst()),
		{name: "another project", service: openstack, make: (*world).elsewhere},
		{name: "late", service: openstack, only: func(c *call) bool { return c.changes }, twins: true, make: (*world).delay},
	}
	return out
}

// repeatedKinds are the ways in which two calls go wrong together.
func repeatedKinds() []kind {
	return []kind{
		again(onCloud("403 again", cloud.Answer(http.StatusForbidden, ""))),
		again(onCloud("quota 413 again", cloud.QuotaExceeded(http.StatusRequestEntityTooLarge))),
	}
}

// again has a server's pause or snapshot go wrong in both tries.
func again(k kind) kind {
	k.again = true
	k.only = func(c *call) bool { return c.op == "nova.server.pause" || c.op == "nova.server.createImage" }
	return k
}

// twice has requests carried out twice, so that two servers of a name may be there for a while.
func twice(name string, effect cloud.Effect) kind {
	return kind{name: name, service: openstack, only: func(c *call) bool { return c.changes }, twins: true, make: func(w *world, _ *call) *fault {
		w.twins = true
		return &fault{name: name, cloud: &effect}
	}}
}

// elsewhere makes the credentials lead to another project, until the next finish or for a minute.
func (w *world) elsewhere(*call) *fault {
	for _, id := range w.shape.clusters {
		w.credentials(id, w.cloud.CloudsYAML("stranger", "other"))
	}
	w.trace.add("the credentials lead to another project")
	w.later(time.Minute, w.backHome)
	return nil
}

// backHome puts the right credentials back.
func (w *world) backHome() {
	w.trace.add("the credentials are the right ones again")
	for _, id := range w.shape.clusters {
		w.credentials(id, w.cloud.CloudsYAML(cloud.DefaultUser, cloud.DefaultProject))
	}
}

// lateBy is how late a request is carried out that its sender has given up.
const lateBy = 2 * time.Minute

// delay has a request carried out long after its sender got no answer.
func (w *world) delay(c *call) *fault {
	again := c.http.Request.Clone(context.Background())
	body := slices.Clone(c.http.Body)
	w.twins = true
	w.later(lateBy, func() {
		again.Body = http.NoBody
		if len(body) > 0 {
			again.Body = bodyOf(body)
		}
		answer, err := w.cloud.RoundTripper().RoundTrip(again)
		if err == nil {
			w.trace.add("the late %s is carried out: %d", c, answer.StatusCode)
			_ = answer.Body.Close()
		}
		w.check("the late " + c.String())
	})
	hang := cloud.Hang(forEver)
	return &fault{name: "carried out late", cloud: &hang}
}

func hubError(name string, late bool, only func(*call) bool, err func(c *call) error) kind {
	return kind{name: name, service: hubAPI, late: late, only: only, make: func(*world, *call) *fault {
		return &fault{name: name, refuse: err, lose: err}
	}}
}

func changes(c *call) bool { return c.changes }

// updates tells whether a call replaces something that it has read, so that it can be in conflict.
func updates(c *call) bool { return c.changes && !strings.HasSuffix(c.op, ".create") }

func resource(c *call) schema.GroupResource {
	return schema.GroupResource{Resource: strings.Split(c.op, ".")[1] + "s"}
}

var errReset = &os.SyscallError{Syscall: "read", Err: syscall.ECONNRESET}

// hubKinds are the ways in which calls to the hub's API go wrong.
func hubKinds() []kind {
	return []kind{
		hubError("conflict", false, updates, func(c *call) error {
			return apierrors.NewConflict(resource(c), c.target, errors.New("the object has been modified"))
		}),
		hubError("500", false, nil, func(*call) error { return apierrors.NewInternalError(errors.New("etcdserver: leader changed")) }),
		hubError("timeout", false, nil, func(c *call) error { return apierrors.NewServerTimeout(resource(c), c.op, 1) }),
		hubError("429", false, nil, func(*call) error { return apierrors.NewTooManyRequests("slow down", 1) }),
		hubError("403", false, nil, func(c *call) error { return apierrors.NewForbidden(resource(c), c.target, errors.New("no")) }),
		hubError("reset", false, nil, func(*call) error { return errReset }),
		hubError("reset after the effect", true, changes, func(*call) error { return errReset }),
		hubError("timeout after the effect", true, changes, func(c *call) error { return apierrors.NewTimeoutError(c.op, 1) }),
	}
}

// guestKinds are the ways in which calls to the hibernated cluster's own API go wrong.
func guestKinds() []kind {
	guestError := func(name string, late bool, only func(*call) bool, err func(*call) error) kind {
		return kind{name: name, service: guestAPI, late: late, only: only, make: func(*world, *call) *fault {
			return &fault{name: name, refuse: err, lose: err}
		}}
	}
	unreachable := func(*call) error { return errUnreachable }
	return []kind{
		guestError("unreachable", false, nil, unreachable),
		guestError("unreachable after the effect", true, changes, unreachable),
		guestError("500 of the cluster", false, nil, func(*call) error { return apierrors.NewInternalError(errors.New("etcdserver: leader changed")) }),
		guestError("403 of the cluster", false, nil, func(c *call) error { return apierrors.NewForbidden(resource(c), c.target, errors.New("no")) }),
		guestError("conflict in the cluster", false, updates, func(c *call) error {
			return apierrors.NewConflict(resource(c), c.target, errors.New("the object has been modified"))
		}),
	}
}

// forEver is longer than any deadline.
const forEver = 24 * time.Hour

func kinds() []kind { return slices.Concat(cloudKinds(), hubKinds(), guestKinds()) }

// fits tells whether a call can go wrong in this way.
func (k kind) fits(c *call) bool {
	return (k.service == "" || c.service == k.service) && (k.only == nil || k.only(c))
}

// once has the n-th call go wrong, and the next one like it if the kind says so.
func (w *world) once(k kind, n int) func(*call, bool) *fault {
	left, like := 1, ""
	if k.again {
		left = 2
	}
	return func(c *call, done bool) *fault {
		if left == 0 || done != k.late || !k.fits(c) || c.n != n && c.String() != like {
			return nil
		}
		left--
		if k.again {
			like = c.String()
		}
		return k.make(w, c)
	}
}

// Every call goes wrong in every way, once.
func TestSingleFaults(t *testing.T) {
	pick := func(s shape, _ flow) bool { return (s.name == "one" || s.name == "six") && s.perFlow() == 0 }
	eachPoint(t, complete(29), pick, func(t *testing.T, s shape, f flow, n int, calls []call) {
		for _, k := range slices.Concat(kinds(), repeatedKinds()) {
			if !k.fits(&calls[n-1]) {
				continue
			}
			t.Run(fmt.Sprintf("%d-%s-%s", n, calls[n-1].op, k.name), func(t *testing.T) {
				tried.faults.Add(1)
				inWorld(t, s, *first, func(w *world) {
					w.pass(f, w.once(k, n))
					w.finish()
				})
			})
		}
	})
}
