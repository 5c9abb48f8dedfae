package hibernation_test

import (
	"context"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/openstackclient"
	"github.com/overwinter/overwinter/test/cloud"
)

// A server breaks after its snapshot and before the seal, while the cluster is to run again: its snapshot is the last copy of
// its disk, and the others' are not.
func TestSnapshotOfABrokenServerIsKept(t *testing.T) {
	r := newRig(t, 2, 1, slowSnapshots)
	r.passesUntil(func() bool { return len(r.snapshots()) == 3 }, hibernate)
	r.cloud.Settle()
	r.g.Expect(r.record().Sealed).To(BeNil())
	lost, kept := r.seeded.Masters[0].ID, r.shotOf(master0)
	r.cloud.FailServer(lost, "the disk is gone")
	r.resume()
	r.g.Expect(r.snapshots()).To(HaveLen(1))
	r.g.Expect(r.snapshots()[0].ID).To(Equal(kept))
	r.g.Expect(r.events).To(ContainElement(And(HavePrefix("Warning SnapshotKept"), ContainSubstring(lost), ContainSubstring(kept))))
	for _, s := range r.clusterServers() {
		r.g.Expect(s.Status == "ACTIVE" || s.ID == lost).To(BeTrue(), s.Name)
	}
}

// A soft-deleted server that ran since its snapshot is the last copy of what it wrote.
func TestSoftDeletedServerThatRanIsKept(t *testing.T) {
	r := newRig(t, 1, 1, func(s *setup) { s.cloud.ReclaimInterval = 24 * time.Hour })
	rule := r.cloud.AddRule(cloud.Rule{Op: "nova.server.forceDelete", Effect: cloud.Answer(503, "")})
	r.passesUntil(func() bool { return r.cloud.Ledger().Count("nova.server.forceDelete") > 0 }, hibernate)
	master := r.seeded.Masters[0].ID
	r.cloud.StartServer(master)
	r.clock.Step(time.Minute)
	r.cloud.Write(master, 1000)
	r.hand(func() { r.g.Expect(r.api.DeleteServer(t.Context(), master)).To(Succeed()) })
	r.clock.Step(time.Minute)
	r.g.Expect(r.now(master0).Status).To(Equal("SOFT_DELETED"))
	rule.Remove()
	for _, do := range []verb{hibernate, resume} {
		r.expectBlocked(do, master0, master, "soft-deleted, the last copy of its disk")
	}
	r.cloud.StartServer(master)
	r.cloud.SetReclaimInterval(0)
	r.hibernate()
	r.expectAsleep()
	r.resume()
	r.expectClean()
}

// The annotation orders to go back in time once. For another time it has to be taken out and put in again.
func TestRemakeIsObeyedOnce(t *testing.T) {
	for name, lose := range map[string]func(*rig, string){
		"it failed":   func(r *rig, id string) { r.cloud.FailServer(id, "the host died") },
		"it vanished": func(r *rig, id string) { r.cloud.DeleteServer(id); r.clock.Step(time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 1)
			r.hibernate()
			r.resume()
			r.cluster.Remake = sets.New(master0)
			lose(r, r.now(master0).ID)
			r.resume()
			r.g.Expect(r.cloud.Regressions()).To(HaveLen(1), "as it was ordered")

			r.clock.Step(5 * time.Minute)
			lose(r, r.now(master0).ID)
			r.expectBlocked(resume, master0, hibernation.RemakeAnnotation)
			r.cluster.Remake = nil
			r.g.Expect(r.until(resume)).To(BeAssignableToTypeOf(&hibernation.Blocked{}))
			r.g.Expect(r.cloud.Regressions()).To(HaveLen(1))
			r.cluster.Remake = sets.New(master0)
			r.resume()
			r.g.Expect(r.cloud.Regressions()).To(HaveLen(2))
		})
	}
}

// An order that is still on the cluster from before its hibernation is none for that one, until it is given anew.
func TestForgottenOrderIsNotObeyed(t *testing.T) {
	ordered := func(r *rig) { r.cluster.Remake = sets.New(master0) }
	woken := func(t *testing.T) *rig {
		t.Helper()
		r := newRig(t, 1, 1)
		ordered(r)
		r.hibernate()
		r.resume()
		return r
	}
	for name, prepare := range map[string]func(t *testing.T) *rig{
		"behind the seal": func(t *testing.T) *rig {
			t.Helper()
			r := sealedRigWith(t, ordered)
			r.runAndDelete(r.seeded.Masters[0].ID)
			return r
		},
		"it failed after the resume": func(t *testing.T) *rig {
			t.Helper()
			r := woken(t)
			r.cloud.FailServer(r.now(master0).ID, "the host died")
			return r
		},
		"it vanished after the resume": func(t *testing.T) *rig {
			t.Helper()
			r := woken(t)
			r.cloud.DeleteServer(r.now(master0).ID)
			r.clock.Step(time.Minute)
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := prepare(t)
			r.g.Expect(r.until(resume)).To(BeAssignableToTypeOf(&hibernation.Blocked{}))
			r.expectBlocked(resume, master0, hibernation.RemakeAnnotation, "take it out first")
			r.cluster.Remake = nil
			r.g.Expect(r.until(resume)).To(MatchError(And(ContainSubstring(hibernation.RemakeAnnotation), Not(ContainSubstring("take it out")))))
			r.g.Expect(r.cloud.Regressions()).To(BeEmpty())
			ordered(r)
			r.resume()
			r.g.Expect(r.cloud.Regressions()).To(HaveLen(1), "that is what was ordered")
		})
	}
}

// A worker that is deleted while the snapshots are still there was taken out on purpose: nobody waits for it.
func TestWorkerRemovedAfterAResume(t *testing.T) {
	for name, do := range map[string]verb{"resume": resume, "hibernate": hibernate, "cleanup": cleanup} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 2)
			r.hibernate()
			r.resume()
			removed := r.seeded.Workers[1].Name
			r.cloud.DeleteServer(r.now(removed).ID)
			r.clock.Step(time.Minute)
			r.servers = withoutServer(r.servers, removed)
			r.g.Expect(r.until(do)).To(Succeed())
			if name != "cleanup" {
				r.g.Expect(r.events).To(ContainElement(And(HavePrefix("Warning ServerRemoved"), ContainSubstring(removed))))
				r.resume()
				r.g.Expect(r.until(awake)).To(Succeed())
				r.hibernate()
				r.expectAsleep()
				r.resume()
			}
			r.expectClean()
		})
	}
}

func withoutServer(list []cloud.Server, name string) []cloud.Server {
	var out []cloud.Server
	for _, s := range list {
		if s.Name != name {
			out = append(out, s)
		}
	}
	return out
}

// A member of the control plane is missed: nobody takes it out on purpose.
func TestMasterRemovedAfterAResume(t *testing.T) {
	r := newRig(t, 2, 1)
	r.hibernate()
	r.resume()
	kept := len(r.snapshots())
	r.cloud.DeleteServer(r.now(master0).ID)
	r.clock.Step(time.Minute)
	for _, do := range []verb{resume, hibernate} {
		r.expectBlocked(do, master0, "is gone")
	}
	p, err := r.once(cleanup)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Waiting).To(ContainElement(ContainSubstring(master0)))
	r.g.Expect(r.snapshots()).To(HaveLen(kept))
}

// ended is a cloud whose lists show a server as DELETED.
type ended struct {
	openstackclient.Client
	id string
}

// ListServers implements openstackclient.Client.
func (c ended) ListServers(ctx context.Context, view openstackclient.View, opts servers.ListOpts) ([]openstackclient.Server, error) {
	list, err := c.Client.ListServers(ctx, view, opts)
	for i := range list {
		if list[i].ID == c.id {
			list[i].Status = "DELETED"
		}
	}
	return list, err
}

// A server that Nova still shows for a while after its end is no stranger.
func TestDeletedServerIsNoStranger(t *testing.T) {
	r := newRig(t, 1, 1)
	r.hibernate()
	stranger := r.addServer(r.like(r.seeded.Workers[0], infraID+"-worker-0-new", r.addPort("new")))
	r.expectBlocked(asleep, stranger.ID)
	r.api = ended{r.api, stranger.ID}
	for _, do := range []verb{asleep, hibernate} {
		p, err := r.once(do)
		r.g.Expect(err).NotTo(HaveOccurred())
		r.g.Expect(p.Done).To(BeTrue())
	}
}

// A request for a snapshot that was sent before a cut was abandoned is carried out long after: its image is deleted at the
// next hibernation.
func TestLateImageOfAnAbandonedCut(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cloud.AddRule(cloud.Rule{Op: "nova.server.createImage", Times: 1, Effect: cloud.Answer(504, "")})
	r.passesUntil(func() bool { return r.cloud.Ledger().Count("nova.server.createImage") > 0 }, hibernate)
	var late hibernation.Snapshot
	for _, m := range r.record().Machines {
		if m.Shot.Asked != nil {
			late = *m.Shot
		}
	}
	r.g.Expect(late.Name).NotTo(BeEmpty())
	r.resume()
	r.expectUndone()
	r.hand(func() {
		opts := imageOpts(late.Name)
		opts.Metadata = map[string]string{"overwinter_infra_id": infraID, "overwinter_cycle": late.Cycle}
		_, err := r.api.CreateServerImage(t.Context(), late.ServerID, opts)
		r.g.Expect(err).NotTo(HaveOccurred())
	})
	r.cloud.Settle()
	r.g.Expect(r.snapshots()).To(HaveLen(1))
	r.hibernate()
	r.expectAsleep()
	r.clock.Step(10 * time.Minute)
	r.resume()
	r.expectClean()
}
