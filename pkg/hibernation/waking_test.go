package hibernation_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

const noHost = "No valid host was found. There are not enough hosts available."

// A server that never became ACTIVE is deleted and made again, each time a while later, and the fault's words are told.
func TestFailedBootIsRemade(t *testing.T) {
	r := newRig(t, 1, 1)
	worker := r.seeded.Workers[0].Name
	r.hibernate()
	failures := 0
	r.cloud.Subscribe(func(e cloud.ServerEvent) {
		if e.Kind == cloud.ServerFailed && failures < 3 {
			failures++
			r.cloud.FailNextSchedule(worker, noHost)
		}
	})
	r.cloud.FailNextSchedule(worker, noHost)
	told := false
	for range maxPasses {
		p, err := r.once(resume)
		r.g.Expect(err).NotTo(HaveOccurred())
		if p.Done {
			break
		}
		for _, w := range p.Waiting {
			told = told || w == worker+": its server failed to start ("+noHost+"); it is made again shortly"
		}
		r.wait(p)
	}
	r.g.Expect(failures).To(Equal(3))
	r.g.Expect(told).To(BeTrue())
	r.expectClean()

	var made []time.Time
	for _, e := range r.cloud.Ledger().Entries("nova.server.create") {
		if e.Name == worker {
			made = append(made, e.At)
		}
	}
	r.g.Expect(made).To(HaveLen(5))
	for i, least := range []time.Duration{15, 30, 60, 120} {
		r.g.Expect(made[i+1].Sub(made[i])).To(BeNumerically(">=", least*time.Second))
	}
	r.g.Expect(r.cloud.Ledger().Entries("nova.server.create")).To(HaveLen(6), "the others are not made again")
}

// One that ran and then failed or vanished is not remade from a snapshot that is older; an annotation may order it.
func TestMachineThatRanIsNotRemade(t *testing.T) {
	for name, lose := range map[string]func(*rig, string){
		"it failed":   func(r *rig, id string) { r.cloud.FailServer(id, "disk full") },
		"it vanished": func(r *rig, id string) { r.cloud.DeleteServer(id); r.clock.Step(time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 1)
			r.hibernate()
			// The worker is slow, so that the cluster is still being woken when the master is lost.
			rule := r.cloud.AddRule(cloud.Rule{
				Op: "nova.server.create", Effect: cloud.Answer(403, ""), When: func(k *cloud.Call) bool { return !bodyNames(k, master0) },
			})
			for range 3 {
				_, err := r.once(resume)
				r.g.Expect(err).To(HaveOccurred())
				r.clock.Step(10 * time.Second)
			}
			ran := r.now(master0)
			r.g.Expect(ran.Status).To(Equal("ACTIVE"))
			lose(r, ran.ID)
			rule.Remove()

			r.expectBlocked(resume, master0, hibernation.RemakeAnnotation, `"`+master0+`"`)
			r.expectBlocked(hibernate, master0, hibernation.RemakeAnnotation)
			r.g.Expect(r.snapshots()).To(HaveLen(2), "the snapshots are kept")

			r.cluster.Remake = sets.New(master0)
			r.resume()
			r.g.Expect(r.now(master0).Status).To(Equal("ACTIVE"))
			r.g.Expect(r.now(master0).ID).NotTo(Equal(ran.ID))
			r.g.Expect(r.events).To(ContainElement(HavePrefix("Warning ServerRemade " + master0)))
			r.g.Expect(r.cloud.Regressions()).To(HaveLen(1), "that is what was ordered")
		})
	}
}

// What the annotation does not name is not remade.
func TestRemakeNamesItsMachine(t *testing.T) {
	r := newRig(t, 1, 1)
	r.hibernate()
	r.resume()
	r.cluster.Remake = sets.New(r.seeded.Workers[0].Name, "master-0")
	r.cloud.FailServer(r.now(master0).ID, "disk full")
	r.expectBlocked(resume, master0, "disk full")
}

// A new server that is gone before anybody saw it run may have run all the same.
func TestServerThatVanishedUnseen(t *testing.T) {
	r := newRig(t, 1, 1)
	r.hibernate()
	r.passes(1, resume)
	r.cloud.Settle()
	r.cloud.DeleteServer(r.now(master0).ID)
	r.cloud.Settle()
	r.clock.Step(time.Minute)
	r.expectBlocked(resume, master0, "may have run")
}

// A server in ERROR that never got a host is told from one that may have run by the events of its create action.
func TestFailedBootIsToldByItsEvents(t *testing.T) {
	r := newRig(t, 1, 0)
	r.hibernate()
	r.cloud.FailNextSchedule(master0, noHost)
	r.passes(1, resume)
	r.cloud.Settle()
	failed := r.now(master0)
	r.g.Expect(failed.Status).To(Equal("ERROR"))
	r.g.Expect(failed.Launched).To(BeZero())
	r.restartManager("manager-1")
	r.resume()
	r.expectClean()
}

// What is missing is said, and nothing is touched.
func TestResumeWithoutWhatItNeeds(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*rig)
		words []string
	}{
		"a snapshot is gone": {func(r *rig) { r.cloud.DeleteImage(r.shotOf(master0)) },
			[]string{master0 + ": its snapshot", "is gone from Glance"}},
		"a snapshot is broken": {func(r *rig) { r.cloud.SetImageStatus(r.shotOf(master0), "deactivated") },
			[]string{master0 + ": its snapshot", "not active"}},
		"a snapshot is another server's": {func(r *rig) { r.cloud.SetImageProperty(r.shotOf(master0), "instance_uuid", "another") },
			[]string{master0 + ": its snapshot"}},
		"a port is gone": {func(r *rig) { r.cloud.DeletePort(r.seeded.Masters[0].Ports[0]) },
			[]string{master0 + ": its port ", "is gone: make a port with MAC", "demo/demo-hibernation"}},
		"a port is another's": {func(r *rig) {
			other := r.addServer(r.like(r.seeded.Masters[0], "somebody-elses", r.seeded.Masters[0].Ports[0]))
			r.cloud.SetServerMetadata(other.ID, "openshiftClusterID", "other-abcde")
			r.cloud.SetServerTags(other.ID)
		}, []string{master0 + ": its port ", "belongs to server somebody-elses"}},
		"another server of that name": {func(r *rig) { r.addServer(r.like(r.seeded.Masters[0], master0)) },
			[]string{master0}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 1)
			r.hibernate()
			test.spoil(r)
			r.expectBlocked(resume, test.words...)
			r.g.Expect(r.record().Sealed).NotTo(BeNil())
		})
	}
}

// A network that is gone takes its ports with it: that is said once, and not for each of them.
func TestResumeWithoutNetwork(t *testing.T) {
	r := newRig(t, 1, 0)
	r.hibernate()
	r.cloud.DeletePort(r.seeded.Masters[0].Ports[0])
	r.cloud.AddRule(cloud.Rule{Op: "neutron.network.get", Effect: cloud.Answer(404, `{"NeutronError": {"type": "NetworkNotFound", "message": "Network could not be found.", "detail": ""}}`)})
	r.expectBlocked(resume, master0, "so is network "+r.seeded.NetworkID, "make a network", "10.0.", "demo/demo-hibernation")
}

// A flavor that is gone keeps back the machines that had it, and no others. It goes on with the same one, or with one that a
// person puts into the record.
func TestResumeWithoutFlavor(t *testing.T) {
	for name, mend := range map[string]func(*rig, cloud.FlavorSpec){
		"it is made again": func(r *rig, gone cloud.FlavorSpec) { r.cloud.AddFlavor(gone) },
		"another is taken": func(r *rig, gone cloud.FlavorSpec) {
			gone.ID, gone.Name = "", "rig.better"
			id := r.cloud.AddFlavor(gone)
			r.edit(func(record *hibernation.Record) { record.Machines[1].Spec.FlavorID = id })
			r.restartManager("manager-1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 1)
			r.hibernate()
			gone, ok := r.cloud.DeleteFlavor("rig.worker")
			r.g.Expect(ok).To(BeTrue())
			err := r.until(resume)
			r.g.Expect(err).To(BeAssignableToTypeOf(&hibernation.Blocked{}))
			r.g.Expect(err).To(MatchError(And(ContainSubstring(infraID+"-worker-0-"), ContainSubstring("its flavor rig.worker ("+gone.ID+") exists no more"), ContainSubstring("demo/demo-hibernation"))))
			r.g.Expect(r.clusterServers()).To(HaveLen(1))
			mend(r, gone)
			r.resume()
			r.g.Expect(r.clusterServers()).To(HaveLen(2))
			r.g.Expect(r.cloud.Regressions()).To(BeEmpty())
		})
	}
}

// While ports are still bound to a server that goes, nothing is made: two servers with one port would lose it both.
func TestResumeWaitsForPorts(t *testing.T) {
	r := newRig(t, 1, 0)
	r.hibernate()
	port := r.seeded.Masters[0].Ports[0]
	r.cloud.BindPort(port, r.seeded.Masters[0].ID)
	r.passes(3, resume)
	r.g.Expect(r.cloud.Ledger().Count("nova.server.create")).To(BeZero())
	p, err := r.once(resume)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Waiting).To(ConsistOf(HavePrefix(master0 + ": port " + port + " is not free yet")))
	r.cloud.BindPort(port, "")
	r.resume()
	r.expectClean()
}

// A quota that is used up is told, and the machines that there is room for are not made twice.
func TestQuotaWhileWaking(t *testing.T) {
	r := newRig(t, 1, 2)
	r.hibernate()
	q := cloud.DefaultQuota()
	q.Instances = 2
	r.cloud.SetQuota(project, q)
	for range 5 {
		_, err := r.once(resume)
		r.g.Expect(err).To(MatchError(And(ContainSubstring(infraID+"-worker-0-"), ContainSubstring("Quota exceeded for instances"), ContainSubstring("flavor rig.worker"))))
		r.clock.Step(time.Minute)
	}
	r.g.Expect(r.clusterServers()).To(HaveLen(2))
	r.cloud.SetQuota(project, cloud.DefaultQuota())
	r.resume()
	r.expectClean()
}

func TestServersOfAnOpenedClusterAreNamed(t *testing.T) {
	r := newRig(t, 1, 1)
	r.hibernate()
	p, err := r.once(awake)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Waiting).To(Equal([]string{"hibernated"}))
	_, err = r.once(resume)
	r.g.Expect(err).NotTo(HaveOccurred())
	p, err = r.once(awake)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Stage).To(Equal(hibernation.StageWaitingToStart))
	r.g.Expect(p.Waiting).To(HaveLen(2))
	r.g.Expect(p.Waiting[0]).To(HavePrefix(master0 + ": BUILD, "))
	r.g.Expect(p.Waiting[1]).To(HavePrefix(r.seeded.Workers[0].Name + ": BUILD, "))
	p, err = r.once(asleep)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Done).To(BeFalse())
}

// A worker that ran and is gone was taken out of the cluster: neither the clean-up nor the next cycle waits for it.
func TestWorkerThatWasRemoved(t *testing.T) {
	for name, next := range map[string][]verb{"cleaned up": {cleanup}, "resumed again": {resume, cleanup}, "next cycle": {hibernate, resume, cleanup}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 2)
			r.hibernate()
			r.resume()
			r.cloud.DeleteServer(r.now(r.seeded.Workers[0].Name).ID)
			r.clock.Step(time.Minute)
			for _, do := range next {
				r.g.Expect(r.until(do)).To(Succeed())
			}
			r.g.Expect(r.clusterServers()).To(HaveLen(2))
			r.g.Expect(r.snapshots()).To(BeEmpty())
			r.g.Expect(r.secret()).To(BeNil())
			r.g.Expect(r.cloud.Regressions()).To(BeEmpty())
		})
	}
}
