package hibernation_test

import (
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// A server that waits for a host for ever, as after the death of a conductor, never ran: it is deleted and made again.
func TestServerWithoutHost(t *testing.T) {
	r := newRig(t, 1, 1)
	r.hibernate()
	for _, s := range r.servers {
		r.cloud.ForgetNextBuild(s.Name)
	}
	r.passes(30, resume)
	r.g.Expect(r.cloud.Ledger().Count("nova.server.delete")).To(Equal(2), "those that were hibernated, so far")
	r.resume()
	r.g.Expect(r.cloud.Ledger().Count("nova.server.delete")).To(Equal(4))
	r.expectClean()
}

// The same while the cluster is to go back to sleep.
func TestServerWithoutHostIsNoReasonToStayAwake(t *testing.T) {
	r := newRig(t, 1, 1)
	r.hibernate()
	r.cloud.ForgetNextBuild(master0)
	r.passes(10, resume)
	r.hibernate()
	r.expectAsleep()
	r.resume()
	r.expectClean()
}

// A server that was only slow may have run for a moment before it went: its snapshot is not used again.
func TestServerThatGotItsHostAfterAll(t *testing.T) {
	r := newRig(t, 1, 0)
	r.hibernate()
	slow := cloud.TestBedLatencies()
	slow.Schedule, slow.Delete = 11*time.Minute, time.Minute
	r.cloud.SetLatencies(slow)
	err := r.until(resume)
	var blocked *hibernation.Blocked
	r.g.Expect(errors.As(err, &blocked)).To(BeTrue(), "%v", err)
	r.g.Expect(blocked.Message).To(ContainSubstring("may have run"))
	r.g.Expect(r.cloud.Ledger().Count("nova.server.create")).To(Equal(1))
}

// A snapshot on which nobody works any more ends the cut long before its deadline.
func TestDeadUpload(t *testing.T) {
	r := newRig(t, 1, 1, func(s *setup) { s.cloud.Latencies.SnapshotUpload = 24 * time.Hour })
	r.passesUntil(func() bool { return len(r.snapshots()) == 2 }, hibernate)
	r.clock.Step(20 * time.Second)
	r.hand(func() {
		for _, s := range r.clusterServers() {
			r.cloud.SetServerState(s.ID, "PAUSED")
		}
	})
	begun := r.clock.Now()
	r.expectRefused(hibernate, "stays incomplete")
	r.g.Expect(r.clock.Now().Sub(begun)).To(BeNumerically("<", 5*time.Minute))
	r.expectUndone()
}
