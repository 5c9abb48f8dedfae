package hibernation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// insides is what a cluster itself is asked for and told.
type insides struct {
	observed        hibernation.Observation
	observeErr      error
	pauseErr        error
	resumeErr       error
	paused, resumed int
	// is says that its MachineHealthChecks are paused.
	is bool
}

// inside gives the rig's cluster an API that answers.
func (r *rig) inside() *insides {
	in := &insides{observed: hibernation.Observation{NodesReady: len(r.servers)}}
	for _, s := range r.servers {
		in.observed.Nodes = append(in.observed.Nodes, hibernation.ObservedNode{Name: s.Name, UID: "uid-" + s.Name, ProviderID: "openstack:///" + s.ID, Ready: true})
	}
	r.cluster.Observe = func(context.Context) (hibernation.Observation, error) { return in.observed, in.observeErr }
	check := func() {
		r.g.Expect(r.record().HealthChecks).NotTo(BeNil(), "that they may be paused is saved before")
		r.g.Expect(r.now(master0).Status).To(Equal("ACTIVE"), "no server is paused yet")
	}
	r.cluster.PauseHealthChecks = func(context.Context) error {
		check()
		in.paused++
		in.is = true
		return in.pauseErr
	}
	r.cluster.ResumeHealthChecks = func(context.Context) error {
		in.resumed++
		if in.resumeErr == nil {
			in.is = false
		}
		return in.resumeErr
	}
	return in
}

func (r *rig) summary() hibernation.Summary {
	r.t.Helper()
	s, err := r.session().Summary(r.t.Context())
	r.g.Expect(err).NotTo(HaveOccurred())
	return s
}

func (r *rig) told(words ...string) bool {
	for _, e := range r.events {
		all := true
		for _, w := range words {
			all = all && strings.Contains(e, w)
		}
		if all {
			return true
		}
	}
	return false
}

// The MachineHealthChecks are paused once, before the first server is, and the record stays until they are un-paused.
func TestHealthChecksArePausedFirst(t *testing.T) {
	r := newRig(t, 1, 1)
	in := r.inside()
	r.hibernate()
	r.g.Expect(in.paused).To(Equal(1))
	r.g.Expect(r.summary().HealthChecksPaused).To(BeTrue())
	r.g.Expect(r.session().ResumeHealthChecks(t.Context())).To(Succeed())
	r.g.Expect(in.resumed).To(BeZero(), "it is asleep")

	r.resume()
	p, err := r.once(cleanup)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Waiting).To(ConsistOf(ContainSubstring("MachineHealthChecks")))
	r.g.Expect(r.snapshots()).To(BeEmpty(), "only the record is kept for them")
	r.g.Expect(r.record()).NotTo(BeNil())
	r.g.Expect(r.session().ResumeHealthChecks(t.Context())).To(Succeed())
	r.g.Expect(in.is).To(BeFalse())
	r.expectClean()
}

func TestHealthChecksThatCannotBePaused(t *testing.T) {
	r := newRig(t, 1, 1)
	in := r.inside()
	in.pauseErr = errors.New("the API does not answer")
	r.hibernate()
	r.g.Expect(in.paused).To(Equal(1), "one try in each cut")
	r.g.Expect(r.summary().HealthChecksFailed).To(Equal("the API does not answer"))
	r.g.Expect(r.told("Warning HealthChecksNotPaused", "the API does not answer")).To(BeTrue())
	r.g.Expect(r.summary().HealthChecksPaused).To(BeTrue(), "some may have been")
}

// A cluster that could not be asked is not waited for once more.
func TestUnreachableClusterIsHibernated(t *testing.T) {
	r := newRig(t, 1, 1)
	in := r.inside()
	in.observeErr = errors.New("no route to host")
	r.hibernate()
	r.g.Expect(in.paused).To(BeZero())
	sum := r.summary()
	r.g.Expect(sum.Unobserved).To(Equal("no route to host"))
	r.g.Expect(sum.HealthChecksPaused).To(BeFalse())
	r.g.Expect(sum.Observation).To(BeNil())
	r.resume()
	r.expectClean()
}

// Nor is one whose MachineHealthChecks are still paused from the last time, and which can't be reached now.
func TestUnreachableClusterWithPausedHealthChecks(t *testing.T) {
	r := newRig(t, 1, 1)
	in := r.inside()
	r.passes(2, hibernate)
	r.resume()
	in.observeErr = errors.New("no route to host")
	r.clock.Step(time.Minute)
	r.hibernate()
	r.g.Expect(in.paused).To(Equal(1))
	r.g.Expect(r.summary().HealthChecksPaused).To(BeTrue())
	in.observeErr = nil
	r.resume()
	r.g.Expect(r.session().ResumeHealthChecks(t.Context())).To(Succeed())
	r.expectClean()
}

// A cluster of which its owner should know something first is not touched.
func TestClusterThatIsNotToBeHibernatedSo(t *testing.T) {
	r := newRig(t, 1, 1)
	in := r.inside()
	in.observeErr = fmt.Errorf("asked: %w", &hibernation.Refusal{Message: "its kubeconfig runs a command"})
	r.g.Expect(r.expectRefused(hibernate, "its kubeconfig runs a command")).To(Equal(10 * time.Minute))
	r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
}

// The manager dies at each save around the pause of the MachineHealthChecks: it is done all the same, before any server's.
func TestHealthChecksAndCrashes(t *testing.T) {
	for n := 1; n <= 4; n++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("save %d, after it %t", n, after), func(t *testing.T) {
				r := newRig(t, 1, 1)
				in := r.inside()
				saves := 0
				die := func() error {
					if saves++; saves == n {
						r.dead.Store(true)
						return errDied
					}
					return nil
				}
				if after {
					r.kube.afterSave = die
				} else {
					r.kube.beforeSave = die
				}
				r.runUntilDeath(hibernate)
				r.kube.afterSave, r.kube.beforeSave = nil, nil
				r.restartManager("manager-1")
				r.hibernate()
				r.g.Expect(in.is).To(BeTrue())
				r.g.Expect(in.paused).To(BeNumerically("<=", 2))
				r.resume()
				r.g.Expect(r.session().ResumeHealthChecks(t.Context())).To(Succeed())
				r.expectClean()
			})
		}
	}
}

// A hibernation that is taken back leaves the record until the MachineHealthChecks are un-paused.
func TestTurnedBackWithPausedHealthChecks(t *testing.T) {
	for name, giveUp := range map[string]bool{"un-paused": false, "given up": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 1)
			in := r.inside()
			r.passes(2, hibernate)
			r.resume()
			r.g.Expect(r.summary().HealthChecksPaused).To(BeTrue())
			r.restartManager("manager-2")
			r.clock.Step(2 * time.Minute)
			r.resume()
			r.g.Expect(r.summary().HealthChecksPaused).To(BeTrue())
			r.expectAwakeAgain()
			r.g.Expect(r.session().ResumeHealthChecks(t.Context())).To(MatchError(ContainSubstring("claimed by another manager")))
			r.g.Expect(in.resumed).To(BeZero())
			r.clock.Step(2 * time.Minute)

			in.resumeErr = errors.New("no route to host")
			r.g.Expect(r.session().ResumeHealthChecks(t.Context())).NotTo(Succeed())
			r.g.Expect(r.summary().HealthChecksPaused).To(BeTrue())
			in.resumeErr = nil
			if giveUp {
				r.g.Expect(r.session().ForgetHealthChecks(t.Context())).To(Succeed())
				r.g.Expect(in.is).To(BeTrue())
			} else {
				r.g.Expect(r.session().ResumeHealthChecks(t.Context())).To(Succeed())
				r.g.Expect(in.is).To(BeFalse())
			}
			r.resume()
			r.g.Expect(r.record()).To(BeNil())
		})
	}
}

func (r *rig) expectAwakeAgain() {
	r.t.Helper()
	for _, s := range r.clusterServers() {
		r.g.Expect(s.Status).To(Equal("ACTIVE"))
	}
	r.g.Expect(r.snapshots()).To(BeEmpty())
}

// A cluster that stays when its ClusterDeployment goes gets its MachineHealthChecks back, if it answers.
func TestReleaseUnpausesHealthChecks(t *testing.T) {
	tests := map[string]struct {
		do      func(r *rig)
		release verb
		err     error
		resumed int
	}{
		"being hibernated, kept":    {func(r *rig) { r.passes(2, hibernate) }, releaseKeeping, nil, 1},
		"awake, kept":               {func(r *rig) { r.hibernate(); r.resume() }, releaseKeeping, nil, 1},
		"awake, kept, out of reach": {func(r *rig) { r.hibernate(); r.resume() }, releaseKeeping, errors.New("no"), 1},
		"asleep, kept":              {func(r *rig) { r.hibernate() }, releaseKeeping, nil, 0},
		"awake, destroyed":          {func(r *rig) { r.hibernate(); r.resume() }, release, nil, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 1)
			in := r.inside()
			tt.do(r)
			in.resumeErr = tt.err
			r.destroyed = true
			r.g.Expect(r.until(tt.release)).To(Succeed())
			r.g.Expect(in.resumed).To(Equal(tt.resumed))
			r.g.Expect(r.told("HealthChecksPaused")).To(Equal(tt.err != nil))
		})
	}
}

func (r *rig) machineState(name string) hibernation.MachineState {
	r.t.Helper()
	for _, m := range r.summary().Machines {
		if m.Name == name {
			return m
		}
	}
	r.t.Fatalf("there is no machine %s", name)
	return hibernation.MachineState{}
}

// What a machine is and was is known through all of a cycle, and through one that follows before the cluster was repaired.
func TestServersThatAMachineWas(t *testing.T) {
	r := newRig(t, 1, 1)
	worker := r.seeded.Workers[0].Name
	first := r.now(worker).ID
	r.passes(1, hibernate)
	r.g.Expect(r.machineState(worker)).To(Equal(hibernation.MachineState{Name: worker, OldServerIDs: []string{}, ServerID: first, Running: true}))
	r.hibernate()
	r.g.Expect(r.machineState(worker)).To(Equal(hibernation.MachineState{Name: worker, OldServerIDs: []string{first}}))
	r.resume()
	second := r.now(worker).ID
	r.g.Expect(r.machineState(worker)).To(Equal(hibernation.MachineState{Name: worker, OldServerIDs: []string{first}, ServerID: second, Running: true}))
	r.g.Expect(r.summary().Machines[0].ControlPlane).To(BeTrue())

	r.clock.Step(time.Minute)
	r.hibernate()
	r.g.Expect(r.machineState(worker).OldServerIDs).To(Equal([]string{first, second}))
	r.resume()
	r.g.Expect(r.machineState(worker).OldServerIDs).To(Equal([]string{first, second}))
	r.g.Expect(r.machineState(worker).ServerID).To(Equal(r.now(worker).ID))
}

// A server that failed to start may have been given to the machine's Node already.
func TestServersThatAMachineWasToBecome(t *testing.T) {
	r := newRig(t, 1, 1)
	worker := r.seeded.Workers[0].Name
	first := r.now(worker).ID
	r.hibernate()
	var failed string
	r.cloud.Subscribe(func(e cloud.ServerEvent) {
		if e.Kind == cloud.ServerFailed {
			failed = e.Server.ID
		}
	})
	r.cloud.FailNextSchedule(worker, noHost)
	r.passesUntil(func() bool { return failed != "" && r.record().Machines[1].Creation.Discarded != "" }, resume)
	r.g.Expect(r.machineState(worker)).To(Equal(hibernation.MachineState{Name: worker, OldServerIDs: []string{first, failed}}))
	r.resume()
	r.g.Expect(r.machineState(worker).OldServerIDs).To(ConsistOf(first, failed))
	r.g.Expect(r.machineState(worker).ServerID).To(Equal(r.now(worker).ID))
}

// A Node shows as ready for a while after its server was stopped. Nothing starts that server again when the hibernation is
// given up, so its Node is not waited for.
func TestNodeOfAStoppedServerIsNotReady(t *testing.T) {
	r := newRig(t, 1, 2)
	in := r.inside()
	worker := r.seeded.Workers[0]
	for i := range in.observed.Nodes {
		if in.observed.Nodes[i].Name == worker.Name {
			in.observed.Nodes[i].Name = "as-its-host-is-called"
		}
	}
	r.cloud.StopServer(worker.ID)
	r.cloud.StopServer(r.seeded.Workers[1].ID)
	r.cloud.Settle()
	r.remember()
	r.passes(1, hibernate)
	o := r.record().Observation
	r.g.Expect(o.NodesReady).To(Equal(1))
	r.g.Expect(o.Node(master0).Ready).To(BeTrue())
	r.g.Expect(o.Node("as-its-host-is-called").Ready).To(BeFalse())
	r.g.Expect(o.Node(r.seeded.Workers[1].Name).Ready).To(BeFalse())
}

// Which servers were off is known while the hibernation can still be given up, also of a cluster that could not be asked.
func TestMachinesThatWereOff(t *testing.T) {
	r := newRig(t, 1, 2)
	worker := r.seeded.Workers[0].Name
	r.cloud.StopServer(r.seeded.Workers[0].ID)
	r.cloud.Settle()
	r.remember()
	r.passes(1, hibernate)
	for _, m := range r.summary().Machines {
		r.g.Expect(m.Off).To(Equal(m.Name == worker), m.Name)
	}
	r.hibernate()
	r.g.Expect(r.machineState(worker).Off).To(BeFalse(), "it is started with the others")
}

// What a cluster says of itself as it wakes is saved beside what was known of it, and for good.
func TestRemember(t *testing.T) {
	late := hibernation.Observation{NodesReady: 9, Nodes: []hibernation.ObservedNode{
		{Name: master0, ProviderID: "openstack:///late", Labels: map[string]string{"is": "late"}}, {Name: "new", ProviderID: "openstack:///new"},
	}}
	t.Run("nothing was known", func(t *testing.T) {
		r := newRig(t, 1, 1)
		r.hibernate()
		r.resume()
		r.g.Expect(r.session().Remember(t.Context(), late)).To(Succeed())
		o := r.summary().Observation
		r.g.Expect(o.Late).To(BeTrue())
		r.g.Expect(o.Nodes).To(Equal(late.Nodes))
		r.g.Expect(o.At).NotTo(BeZero())
	})
	t.Run("it was known", func(t *testing.T) {
		r := newRig(t, 1, 1)
		in := r.inside()
		in.observed.Nodes[0].ProviderID = ""
		in.observed.Nodes[0].Name = master0
		r.hibernate()
		r.resume()
		r.g.Expect(r.session().Remember(t.Context(), late)).To(Succeed())
		o := r.summary().Observation
		r.g.Expect(o.Late).To(BeFalse())
		r.g.Expect(o.Node(master0).ProviderID).To(Equal("openstack:///late"), "it was given one since")
		r.g.Expect(o.NodesReady).To(Equal(2))
		r.g.Expect(o.Node(master0).Labels).To(BeEmpty())
		r.g.Expect(o.Node("new")).NotTo(BeNil())
		r.g.Expect(o.Nodes).To(HaveLen(3))
	})
	t.Run("another manager has the record", func(t *testing.T) {
		r := newRig(t, 1, 1)
		r.hibernate()
		r.resume()
		r.restartManager("manager-2")
		r.g.Expect(r.session().Remember(t.Context(), late)).To(MatchError(ContainSubstring("claimed by another manager")))
		r.g.Expect(r.summary().Observation).To(BeNil())
	})
}

// A cluster that goes to sleep again before it was well keeps what it had when it was.
func TestHibernatedAgainBeforeItWasRepaired(t *testing.T) {
	r := newRig(t, 1, 1)
	in := r.inside()
	worker := r.seeded.Workers[0].Name
	in.observed.Nodes[1].Labels = map[string]string{"mine": "kept"}
	in.observed.Machines = []hibernation.ObservedMachine{{Name: worker, Phase: "Running"}}
	node := in.observed.Nodes[1]
	r.hibernate()
	r.resume()
	r.clock.Step(time.Minute)
	in.observed = hibernation.Observation{NodesReady: 1, Nodes: []hibernation.ObservedNode{
		{Name: node.Name, UID: "by its kubelet", Labels: map[string]string{"few": "labels"}},
	}, Machines: []hibernation.ObservedMachine{{Name: worker, Phase: "Failed"}}}
	r.hibernate()
	o := r.summary().Observation
	r.g.Expect(o.Nodes).To(HaveLen(2), "one was lost")
	r.g.Expect(o.NodesReady).To(Equal(2))
	is := o.Node(node.Name)
	r.g.Expect(is.ProviderID).To(Equal(node.ProviderID))
	r.g.Expect(is.Labels).To(Equal(map[string]string{"mine": "kept", "few": "labels"}))
	r.g.Expect(is.Ready).To(BeTrue())
	r.g.Expect(is.UID).To(Equal("by its kubelet"))
	r.g.Expect(o.Machines[0].Phase).To(Equal("Running"))
}

// However much is written on Nodes, the record fits: the largest annotations are left out, and nothing else.
func TestBulkyNodes(t *testing.T) {
	r := newRig(t, 3, 30)
	in := r.inside()
	for i := range in.observed.Nodes {
		in.observed.Nodes[i].Labels = map[string]string{"mine": "kept"}
		in.observed.Nodes[i].Annotations = map[string]string{"small": "kept", "bulky": strings.Repeat("<&>", 10<<10)}
	}
	r.hibernate()
	r.g.Expect(len(r.recordData())).To(BeNumerically("<", 900<<10))
	r.g.Expect(r.told("Warning AnnotationsLeftOut")).To(BeTrue())
	kept := 0
	for _, n := range r.summary().Observation.Nodes {
		r.g.Expect(n.Labels).To(HaveKeyWithValue("mine", "kept"))
		r.g.Expect(n.Annotations).To(HaveKeyWithValue("small", "kept"))
		kept += len(n.Annotations) - 1
	}
	r.g.Expect(kept).To(BeNumerically("<", 33))
	r.resume()
}
