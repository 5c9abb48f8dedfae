package hibernation_test

import (
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// wokenFromAnOldCopy returns a cluster that has run for a while from the snapshots of a sealed record, which comes back from a
// backup; the snapshots are still there.
func wokenFromAnOldCopy(t *testing.T) (r *rig, old []byte) {
	t.Helper()
	r = newRig(t, 2, 1)
	r.hibernate()
	old = r.recordData()
	r.protectSnapshots(true)
	r.resume()
	r.clock.Step(10 * time.Minute)
	r.dropRecord()
	r.clock.Step(24 * time.Hour)
	r.putBack(old)
	r.clock.Step(10 * time.Minute)
	return r, old
}

// The record was opened, as the servers show that were made from its snapshots: they are taken for the machines, and go on
// from what is on their disks.
func TestS06OldSealedRecordOfARunningCluster(t *testing.T) {
	for name, do := range map[string]verb{"to sleep": hibernate, "awake": resume} {
		t.Run(name, func(t *testing.T) {
			r, _ := wokenFromAnOldCopy(t)
			running := r.clusterServers()
			r.cloud.Ledger().Reset()
			p, err := r.once(do)
			r.g.Expect(err).NotTo(HaveOccurred())
			r.g.Expect(p.Done).To(BeFalse())
			r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
			r.g.Expect(r.told("Warning RecordIsACopy", "demo/demo-hibernation")).To(BeTrue())
			for _, m := range r.record().Machines {
				r.g.Expect(slices.ContainsFunc(running, func(s cloud.Server) bool {
					return s.Name == m.Name && s.ID == m.Creation.ServerID && m.Creation.Ran
				})).To(BeTrue(), m.Name)
			}
			r.clock.Step(p.After)
			r.protectSnapshots(false)
			r.g.Expect(r.until(do)).To(Succeed())
			if name == "to sleep" {
				r.expectAsleep()
				r.resume()
			}
			r.expectClean()
		})
	}
}

// A question changes nothing: the record stays as it is.
func TestS06AskedWhetherItIsAsleep(t *testing.T) {
	r, old := wokenFromAnOldCopy(t)
	err := r.until(asleep)
	r.g.Expect(err).To(BeAssignableToTypeOf(&hibernation.Blocked{}), "%v", err)
	r.g.Expect(err).NotTo(MatchError(ContainSubstring("delete")))
	r.g.Expect(r.recordData()).To(Equal(old))
}

// A machine whose server is gone may have run: it is made again only if somebody says so.
func TestS06MachineThatIsGoneSince(t *testing.T) {
	for name, test := range map[string]struct {
		order func(r *rig, name string)
		comes bool
	}{
		"made again":   {func(r *rig, name string) { r.cluster.Remake = sets.New(name) }, true},
		"done without": {func(r *rig, name string) { r.cluster.LeaveOut = sets.New(name) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r, old := wokenFromAnOldCopy(t)
			gone := slices.IndexFunc(r.clusterServers(), func(s cloud.Server) bool { return s.Name == r.seeded.Workers[0].Name })
			worker := r.clusterServers()[gone]
			r.hand(func() { r.g.Expect(r.api.DeleteServer(t.Context(), worker.ID)).To(Succeed()) })
			r.cloud.Settle()
			for _, do := range []verb{hibernate, resume} {
				r.expectBlocked(do, worker.Name, "may have run since its snapshot", hibernation.RemakeAnnotation, hibernation.LeaveOutAnnotation)
			}
			r.g.Expect(r.recordData()).To(Equal(old))
			test.order(r, worker.Name)
			r.resume()
			_, there := r.ids()[worker.Name]
			r.g.Expect(there).To(Equal(test.comes))
		})
	}
}

// Somebody examines a copy of a snapshot in a server of his own that bears the cluster's mark: it lacks the ports, and is neither
// the machine nor in anybody's way for ever. Nobody is told to delete anything.
func TestS06CopyThatSomebodyExamines(t *testing.T) {
	r := newRig(t, 1, 1)
	r.hibernate()
	old := r.recordData()
	snapshot := r.record().Machines[0].Snapshot
	opts := r.like(r.servers[0], "examined", r.addPort("port-mine"))
	opts.ImageRef = snapshot.ID
	var id string
	r.hand(func() {
		var err error
		id, err = r.api.CreateServer(t.Context(), opts)
		r.g.Expect(err).NotTo(HaveOccurred())
	})
	r.cloud.Settle()
	r.clock.Step(2 * time.Minute)
	for _, do := range []verb{hibernate, resume} {
		r.expectBlocked(do, master0, id, "lacks the machine's name or its ports", "openshiftClusterID")
		err := r.until(do)
		r.g.Expect(err).NotTo(MatchError(ContainSubstring("delete")))
	}
	r.g.Expect(r.recordData()).To(Equal(old))
	r.cloud.SetServerMetadata(id, "openshiftClusterID", "")
	r.cloud.SetServerTags(id)
	r.resume()
	_, there := r.cloud.Server(id)
	r.g.Expect(there).To(BeTrue())
}
