package hibernation_test

import (
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// A request for a snapshot is carried out minutes after its hibernation was rolled back: the image does not stay.
func TestSnapshotThatComesAfterItsRollback(t *testing.T) {
	r := newRig(t, 1, 0)
	r.cloud.AddRule(cloud.Rule{Op: "nova.server.createImage", Times: 1, Effect: cloud.Answer(504, "")})
	r.passesUntil(func() bool { return r.cloud.Ledger().Count("nova.server.createImage") > 0 }, hibernate)
	shot := *r.record().Machines[0].Shot
	r.resume()
	r.expectUndone()
	r.hand(func() {
		opts := imageOpts(shot.Name)
		opts.Metadata = map[string]string{"overwinter_infra_id": infraID, "overwinter_cycle": shot.Cycle}
		_, err := r.api.CreateServerImage(t.Context(), shot.ServerID, opts)
		r.g.Expect(err).NotTo(HaveOccurred())
	})
	r.cloud.Settle()
	p, err := r.once(cleanup)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.After).To(BeNumerically(">", time.Minute))
	r.g.Expect(r.snapshots()).To(HaveLen(1))
	r.clock.Step(10 * time.Minute)
	r.cleanup()
	r.g.Expect(r.snapshots()).To(BeEmpty())
	r.g.Expect(r.secret()).To(BeNil())
}

// The same, and the server is gone by then: the image is the last copy of its disk, and stays.
func TestLateSnapshotOfAServerThatIsGone(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cloud.AddRule(cloud.Rule{Op: "nova.server.createImage", Times: 1, Effect: cloud.Answer(504, "")})
	r.passesUntil(func() bool { return r.cloud.Ledger().Count("nova.server.createImage") > 0 }, hibernate)
	asked := slices.IndexFunc(r.record().Machines, func(m *hibernation.Machine) bool { return m.Shot.Asked != nil })
	shot := *r.record().Machines[asked].Shot
	r.resume()
	r.hand(func() {
		opts := imageOpts(shot.Name)
		opts.Metadata = map[string]string{"overwinter_infra_id": infraID, "overwinter_cycle": shot.Cycle}
		_, err := r.api.CreateServerImage(t.Context(), shot.ServerID, opts)
		r.g.Expect(err).NotTo(HaveOccurred())
	})
	r.cloud.Settle()
	r.hand(func() { r.g.Expect(r.api.DeleteServer(t.Context(), shot.ServerID)).To(Succeed()) })
	r.cloud.Settle()
	r.clock.Step(20 * time.Minute)
	_, err := r.once(cleanup)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(r.snapshots()).To(HaveLen(1))
}

// Two requests for a snapshot get no answer, and one of them is carried out only when the other's snapshot was rolled back.
func TestSecondSnapshotThatComesAfterItsRollback(t *testing.T) {
	r := newRig(t, 1, 0)
	const op = "nova.server.createImage"
	r.cloud.AddRule(cloud.Rule{Op: op, Times: 1, Effect: cloud.ResetBefore()})
	r.passesUntil(func() bool { return r.cloud.Ledger().Count(op) == 1 }, hibernate)
	r.cloud.AddRule(cloud.Rule{Op: op, Times: 1, Effect: cloud.ResetAfter()})
	r.passesUntil(func() bool { return r.cloud.Ledger().Count(op) == 2 }, hibernate)
	shot := *r.record().Machines[0].Shot
	r.cloud.Settle()
	r.resume()
	r.expectUndone()
	r.g.Expect(r.snapshots()).To(BeEmpty())
	r.hand(func() {
		opts := imageOpts(shot.Name)
		opts.Metadata = map[string]string{"overwinter_infra_id": infraID, "overwinter_cycle": shot.Cycle}
		_, err := r.api.CreateServerImage(t.Context(), shot.ServerID, opts)
		r.g.Expect(err).NotTo(HaveOccurred())
	})
	r.cloud.Settle()
	r.clock.Step(10 * time.Minute)
	r.cleanup()
	r.g.Expect(r.snapshots()).To(BeEmpty())
	r.g.Expect(r.secret()).To(BeNil())
}

// Every list leaves the same server out. The cluster has a Node on it, so the hibernation does not begin.
func TestServerThatOnlyANodeShows(t *testing.T) {
	r := newRig(t, 1, 1)
	r.inside()
	rules := []*cloud.RuleHandle{
		r.cloud.AddRule(cloud.Rule{Op: "nova.server.list", Effect: cloud.ListWithoutOne()}),
		r.cloud.AddRule(cloud.Rule{Op: "neutron.port.list", Times: 1, Effect: cloud.EmptyList()}),
	}
	p, err := r.once(hibernate)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Waiting).To(ConsistOf(ContainSubstring("is on server")))
	r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
	for _, rule := range rules {
		rule.Remove()
	}
	r.hibernate()
	r.g.Expect(r.record().Machines).To(HaveLen(2))
}
