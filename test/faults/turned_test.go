package faults

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/overwinter/overwinter/test/cloud"
)

// turnPoints is at how many points orders are taken back, or hibernations fail, in rows that do something else at each call.
const turnPoints = 5

// turnedFlows are hibernations and resumes whose order is taken back, and hibernations that are rolled back, at five points each.
func turnedFlows(t *testing.T, s shape) []flow {
	t.Helper()
	var out []flow
	for _, f := range []flow{hibernateFlow(s), resumeFlow()} {
		calls := reference(t, s, f)
		for i := range turnPoints {
			n := 1 + (2*i+1)*len(calls)/(2*turnPoints)
			out = append(out, reversed(f, n))
			if f.name == "hibernate" {
				out = append(out, rolledBack(f, n))
			}
		}
	}
	return out
}

// rolledBack is a hibernation in which, from a call on, nothing can be paused or snapshotted for a while.
func rolledBack(f flow, n int) flow {
	prepare := f.prepare
	f.name = fmt.Sprintf("%s-refused-at-%d", f.name, n)
	f.prepare = func(w *world) {
		prepare(w)
		quota := onCloud("quota 403", cloud.QuotaExceeded(http.StatusForbidden))
		quota.only = func(c *call) bool { return c.op == "nova.server.createImage" || c.op == "nova.server.pause" }
		w.disturbers = append(w.disturbers, w.from(quota, n, inForce/6))
	}
	return f
}
