package cloud

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// The services; each has its way of saying no.
const (
	keystone = "keystone"
	nova     = "nova"
	glance   = "glance"
	neutron  = "neutron"
)

// route is one operation of the API.
type route struct {
	op      string // as in "nova.server.create": what ledger, faults and latencies call it
	service string // the first part of op
	method  string
	path    []string // a segment in braces is a parameter
	open    bool     // needs no token
	handle  func(*Cloud, *call) *reply
}

func newRoute(op, methodAndPath string, handle func(*Cloud, *call) *reply) route {
	method, path, _ := strings.Cut(methodAndPath, " ")
	service, _, _ := strings.Cut(op, ".")
	return route{op: op, service: service, method: method, path: segments(path), handle: handle}
}

// allRoutes are those of all services by the number of segments in their paths. They are the same for every cloud.
var allRoutes = sync.OnceValue(func() [][]route {
	var out [][]route
	for _, r := range slices.Concat(keystoneRoutes(), novaRoutes(), glanceRoutes(), neutronRoutes()) {
		for len(out) <= len(r.path) {
			out = append(out, nil)
		}
		out[len(r.path)] = append(out[len(r.path)], r)
	}
	return out
})

// segments splits a path and drops what is empty, so that slashes may be doubled or trail.
func segments(path string) []string {
	out := make([]string, 0, 8)
	for s := range strings.SplitSeq(path, "/") {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

func isParam(segment string) bool { return segment[0] == '{' }

// match says whether the route is that of a path with as many segments.
func (r *route) match(path []string) bool {
	for i, want := range r.path {
		if want != path[i] && !isParam(want) {
			return false
		}
	}
	return true
}

func (r *route) params(path []string) map[string]string {
	params := map[string]string{}
	for i, want := range r.path {
		if isParam(want) {
			params[want[1:len(want)-1]] = path[i]
		}
	}
	return params
}

// find returns the route of a request, or nil, and whether the path exists with another method.
func find(r *http.Request) (found *route, params map[string]string, otherMethod bool) {
	path := segments(r.URL.Path)
	byLength := allRoutes()
	if len(path) >= len(byLength) {
		return nil, nil, false
	}
	routes := byLength[len(path)]
	for i := range routes {
		switch {
		case !routes[i].match(path):
		case routes[i].method == r.Method:
			return &routes[i], routes[i].params(path), false
		default:
			otherMethod = true
		}
	}
	return nil, nil, otherMethod
}

// operation names what a request is about; an action's name is in its body.
func operation(r *route, body []byte) string {
	if r == nil {
		return "unknown"
	}
	if r.op != opAction {
		return r.op
	}
	if name := actionName(body); name != "" {
		return "nova.server." + strings.TrimPrefix(name, "os-")
	}
	return r.op
}

// actionName returns the only key of a server action's body, or "".
func actionName(body []byte) string {
	var keys map[string]json.RawMessage
	if json.Unmarshal(body, &keys) != nil || len(keys) != 1 {
		return ""
	}
	for k := range keys {
		return k
	}
	return ""
}
