package hibernation_test

import (
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
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

// A snapshot may only be out of sight for a while. An order from before the hibernation does not give it up.
func TestForgottenOrderLeavesNothingOut(t *testing.T) {
	r := newRig(t, 1, 1)
	worker := r.seeded.Workers[0].Name
	r.cluster.LeaveOut = sets.New(worker)
	r.hibernate()
	r.cloud.DeleteImage(r.shotOf(worker))
	r.expectBlocked(resume, worker, hibernation.LeaveOutAnnotation, "take it out first")
	r.expectBlocked(resume, worker, hibernation.LeaveOutAnnotation, "take it out first")
	r.cluster.LeaveOut = nil
	r.expectBlocked(resume, worker, hibernation.LeaveOutAnnotation)
	r.cluster.LeaveOut = sets.New(worker)
	r.resume()
	r.g.Expect(r.clusterServers()).To(HaveLen(1))
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

// A machine whose new server is there, or may be, is not left out whatever became of its snapshot, even if that is ordered.
func TestMachineWithANewServerIsNotLeftOut(t *testing.T) {
	for name, answer := range map[string]func() cloud.Effect{
		"it runs":                       nil,
		"the request was not answered":  cloud.ResetAfter,
		"the request may not have come": cloud.ResetBefore,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 2)
			r.hibernate()
			made, late := r.seeded.Workers[0].Name, r.seeded.Workers[1].Name
			is := func(name string) func(*cloud.Call) bool {
				return func(k *cloud.Call) bool { return bodyNames(k, name) }
			}
			// Another one can't be made, so that the snapshots are looked at in every pass.
			r.cloud.AddRule(cloud.Rule{Op: "nova.server.create", Effect: cloud.Answer(403, ""), When: is(late)})
			if answer != nil {
				r.cloud.AddRule(cloud.Rule{Op: "nova.server.create", Effect: answer(), When: is(made), Times: 1})
			}
			r.passesUntil(func() bool { return r.cloud.Ledger().Count("nova.server.create") > 2 }, resume)
			r.cloud.DeleteImage(r.shotOf(made))
			r.cluster.LeaveOut = sets.New(made)
			r.passes(3, resume)
			for _, m := range r.record().Machines {
				r.g.Expect(m.Removed).To(BeFalse(), m.Name)
			}
			r.g.Expect(r.events).NotTo(ContainElement(HavePrefix("Warning ServerLeftOut")))
		})
	}
}
