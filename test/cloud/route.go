package cloud

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
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
	op     string // as in "nova.server.create": what ledger, faults and latencies call it
	method string
	path   []string // a segment in braces is a parameter
	open   bool     // needs no token
	handle func(*Cloud, *call) *reply
}

func (r route) service() string { return strings.SplitN(r.op, ".", 2)[0] }

func newRoute(op, methodAndPath string, handle func(*Cloud, *call) *reply) route {
	method, path, _ := strings.Cut(methodAndPath, " ")
	return route{op: op, method: method, path: segments(path), handle: handle}
}

func routes() []route {
	return slices.Concat(keystoneRoutes(), novaRoutes(), glanceRoutes(), neutronRoutes())
}

// segments splits a path and drops what is empty, so that slashes may be doubled or trail.
func segments(path string) []string {
	return slices.DeleteFunc(strings.Split(path, "/"), func(s string) bool { return s == "" })
}

func (r route) match(path []string) (map[string]string, bool) {
	if len(path) != len(r.path) {
		return nil, false
	}
	params := map[string]string{}
	for i, want := range r.path {
		if strings.HasPrefix(want, "{") {
			params[strings.Trim(want, "{}")] = path[i]
		} else if want != path[i] {
			return nil, false
		}
	}
	return params, true
}

// find returns the route of a request, or nil, and whether the path exists with another method.
func (c *Cloud) find(r *http.Request) (found *route, params map[string]string, otherMethod bool) {
	path := segments(r.URL.Path)
	for i := range c.routes {
		p, ok := c.routes[i].match(path)
		switch {
		case ok && c.routes[i].method == r.Method:
			return &c.routes[i], p, false
		case ok:
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
