package hibernation_test

import (
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/overwinter/overwinter/pkg/hibernation"
)

// A snapshot is destroyed while the cluster sleeps. What is left of the cluster is woken without that machine if that is ordered,
// and not by itself.
func TestMachineWithoutACopyIsLeftOut(t *testing.T) {
	r := newRig(t, 1, 2)
	r.hibernate()
	worker := r.seeded.Workers[0].Name
	r.cloud.DeleteImage(r.shotOf(worker))
	for _, do := range []verb{resume, resume} {
		r.expectBlocked(do, worker, "is gone from Glance", "bring that image back", hibernation.LeaveOutAnnotation, `"`+worker+`"`)
	}
	r.cluster.LeaveOut = sets.New(worker, r.seeded.Workers[1].Name, master0)
	r.resume()
	r.g.Expect(r.events).To(ConsistOf(HavePrefix("Warning ServerLeftOut " + worker)))
	r.g.Expect(r.clusterServers()).To(HaveLen(2), "the others have their snapshots")
	s, err := r.session().Summary(t.Context())
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(s.Machines).To(HaveLen(2))
	r.cleanup()
	r.g.Expect(r.secret()).To(BeNil())
	r.g.Expect(r.snapshots()).To(BeEmpty())
}

// Without its only control plane machine a cluster can't live.
func TestOnlyControlPlaneMachineIsNotLeftOut(t *testing.T) {
	r := newRig(t, 1, 1)
	r.hibernate()
	r.cloud.DeleteImage(r.shotOf(master0))
	r.cluster.LeaveOut = sets.New(master0)
	r.expectBlocked(resume, master0, "bring that image back", "the cluster is lost")
}

// One of several can be missed.
func TestControlPlaneMachineIsLeftOut(t *testing.T) {
	r := newRig(t, 3, 0)
	r.hibernate()
	r.cloud.DeleteImage(r.shotOf(master0))
	r.expectBlocked(resume, master0, hibernation.LeaveOutAnnotation)
	r.cluster.LeaveOut = sets.New(master0)
	r.resume()
	r.g.Expect(r.clusterServers()).To(HaveLen(2))
	s, err := r.session().Summary(t.Context())
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(s.ControlPlane).To(Equal(2))
}
