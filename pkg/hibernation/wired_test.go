package hibernation_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/openstackclient"
	"github.com/overwinter/overwinter/test/cloud"
)

// guardAttach: a port is given back to the machine that it is recorded with, once its server has been made, and to no other.
func (r *rig) guardAttach(k *cloud.Call, record *hibernation.Record) string {
	var body struct {
		Attachment struct {
			PortID string `json:"port_id"`
		} `json:"interfaceAttachment"`
	}
	if err := json.Unmarshal(k.Body, &body); err != nil {
		return err.Error()
	}
	if record.Opened == nil || record.Cut != nil {
		return "the record is not opened"
	}
	for _, m := range record.Machines {
		if m.Creation == nil || m.Creation.ServerID != k.Target {
			continue
		}
		if !slices.ContainsFunc(m.Spec.Ports, func(p hibernation.Port) bool { return p.ID == body.Attachment.PortID }) {
			return "the port is not recorded with " + m.Name
		}
		if device := r.port(body.Attachment.PortID).DeviceID; device != "" {
			return "the port belongs to " + device
		}
		return ""
	}
	return "the server is not in the record"
}

func (r *rig) port(id string) cloud.Port {
	for _, p := range r.cloud.Ports() {
		if p.ID == id {
			return p
		}
	}
	return cloud.Port{}
}

// made wakes a hibernated cluster until its servers have been asked for and are ACTIVE; the engine has not seen that yet.
func (r *rig) made() {
	r.t.Helper()
	r.hibernate()
	r.passes(1, resume)
	r.cloud.Settle()
}

// A proxy that repeats a create leaves two servers with one port: one fails, and takes the port from the other. In the end each
// machine is there once and has its ports, whichever of the two the engine was told of; and the next cycle is like any other.
func TestCreateCarriedOutTwice(t *testing.T) {
	for name, effect := range map[string]cloud.Effect{"the second is told": cloud.Twice(), "the first is told": cloud.TwiceFirst()} {
		for _, masters := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s, %d", name, masters), func(t *testing.T) {
				r := newRig(t, masters, 1)
				r.hibernate()
				rule := r.cloud.AddRule(cloud.Rule{Op: "nova.server.create", Effect: effect})
				r.resume()
				r.g.Expect(rule.Hits()).To(Equal(masters + 1))
				rule.Remove()
				r.expectAwake()
				for _, s := range r.servers {
					r.g.Expect(r.events).To(ContainElement(HavePrefix(fmt.Sprintf("Warning PortReattached %s: its port %s ", s.Name, s.Ports[0]))))
				}
				r.g.Expect(r.events).To(HaveLen(masters + 1))
				r.hibernate()
				r.expectAsleep()
				r.resume()
				r.expectClean()
			})
		}
	}
}

// The twin that was told of failed, and the manager comes back to it only when it may be made again: the other twin is the
// machine, and no third one is made beside it.
func TestTwinIsTakenWhenTheToldOneFailed(t *testing.T) {
	r := newRig(t, 1, 0)
	r.hibernate()
	rule := r.cloud.AddRule(cloud.Rule{Op: "nova.server.create", Effect: cloud.Twice()})
	r.passes(1, resume)
	rule.Remove()
	r.cloud.Settle()
	r.passes(1, resume)
	r.g.Expect(r.record().Machines[0].Creation.Discarded).NotTo(BeEmpty())
	r.clock.Step(time.Hour)
	r.cloud.Settle()
	r.cloud.Ledger().Reset()
	r.resume()
	r.g.Expect(r.cloud.Ledger().Count("nova.server.create")).To(BeZero())
	r.expectAwake()
}

// A cluster that is to sleep again before it has got its ports back is not taken to be awake; the next resume goes on with them.
func TestWiringIsInterrupted(t *testing.T) {
	r := newRig(t, 1, 0)
	r.hibernate()
	rule := r.cloud.AddRule(cloud.Rule{Op: "nova.server.create", Effect: cloud.TwiceFirst()})
	r.passes(1, resume)
	rule.Remove()
	r.cloud.Settle()
	r.passesUntil(func() bool { return r.port(r.servers[0].Ports[0]).DeviceID == "" }, resume)
	r.g.Expect(r.until(hibernate)).To(MatchError(ContainSubstring("can't be hibernated")))
	p, err := r.once(awake)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Waiting).To(ConsistOf(HavePrefix(master0 + ": its server's ports")))
	r.resume()
	r.expectAwake()
	p, err = r.once(awake)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Done).To(BeTrue())
}

// Where nothing is wrong, one request tells so, once in a resume, and it costs no save.
func TestWiredCostsOneRequest(t *testing.T) {
	r := newRig(t, 3, 3, func(s *setup) { s.engine.RequestsAtOnce = 1 })
	r.hibernate()
	r.cloud.Ledger().Reset()
	writes := r.kube.saves
	r.resume()
	counts := r.cloud.Ledger().Counts()
	r.g.Expect(counts["neutron.port.list"]).To(Equal(2), "before the servers are asked for, and when all are ACTIVE")
	r.g.Expect(r.kube.saves-writes).To(Equal(6), "as without that look")
	for _, m := range r.record().Machines {
		r.g.Expect(m.Creation.Wired).To(Equal(m.Creation.ServerID))
	}
	r.cloud.Ledger().Reset()
	r.resume()
	r.g.Expect(r.cloud.Ledger().Count("neutron.*")).To(BeZero())
}

// While it is not known what becomes of a twin, its machine is not touched; one that waits for a host for ever is a person's to delete.
func TestTwinThatIsBuilt(t *testing.T) {
	r := newRig(t, 1, 0)
	r.hibernate()
	r.cloud.AddRule(cloud.Rule{Op: "nova.server.create", Effect: cloud.Twice(), Times: 1})
	r.cloud.ForgetNextBuild(master0)
	r.passes(20, resume)
	twins := r.cloud.ServersNamed(project, master0)
	r.g.Expect(twins).To(ConsistOf(HaveField("Status", "ACTIVE"), HaveField("Status", "BUILD")))
	twin := twins[slices.IndexFunc(twins, func(s cloud.Server) bool { return s.Status == "BUILD" })]
	p, err := r.once(resume)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Stage).To(Equal(hibernation.StageWaitingToStart))
	r.g.Expect(p.Waiting).To(Equal([]string{master0 + ": a second server, " + twin.ID + ", was made from its snapshot and is BUILD; if it stays so, take the mark openshiftClusterID out of its metadata and tags"}))
	r.g.Expect(r.cloud.Ledger().Count("nova.interface.*")).To(BeZero())
	r.cloud.DeleteServer(twin.ID)
	r.resume()
	r.expectClean()
}

// Of two servers that both have run nobody but a person knows which one the cluster uses. What the message says to do helps.
func TestTwinThatRan(t *testing.T) {
	for name, keep := range map[string]string{"ours is kept": "ours", "the other is kept": "the other"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 0)
			r.made()
			own := r.now(master0)
			other := r.addServer(r.like(own, master0))
			r.expectBlocked(resume, own.ID, other.ID, "which is in the record", "take the mark openshiftClusterID out", "demo/demo-hibernation")
			if keep == "ours" {
				r.cloud.DeleteServer(other.ID)
			} else {
				r.edit(func(record *hibernation.Record) { record.Machines[0].Creation.ServerID = other.ID })
				r.cloud.DeleteServer(own.ID)
			}
			r.cloud.Settle()
			r.clock.Step(time.Minute)
			r.resume()
			if keep == "ours" {
				r.g.Expect(r.now(master0).ID).To(Equal(own.ID))
			} else {
				r.g.Expect(r.now(master0).ID).To(Equal(other.ID))
				r.g.Expect(r.events).To(ContainElement(HavePrefix("Warning PortReattached " + master0)))
			}
			r.g.Expect(r.now(master0).Ports).To(Equal(own.Ports))
		})
	}
}

// Nothing is done to servers that only look like twins: they bear no mark of the cluster, or were not made from the snapshot.
func TestServersThatAreNoTwins(t *testing.T) {
	r := newRig(t, 1, 0)
	base := r.now(master0).ImageID
	r.made()
	stranger := r.like(r.now(master0), master0)
	stranger.Metadata, stranger.Tags = nil, nil
	another := r.like(r.now(master0), master0)
	another.ImageRef = base
	for _, opts := range []openstackclient.CreateServerOpts{stranger, another} {
		r.cloud.FailNextSchedule(master0, noHost)
		r.hand(func() {
			_, err := r.api.CreateServer(t.Context(), opts)
			r.g.Expect(err).NotTo(HaveOccurred())
		})
		r.cloud.Settle()
	}
	r.cloud.Ledger().Reset()
	r.resume()
	r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
	r.g.Expect(r.cloud.ServersNamed(project, master0)).To(ConsistOf(HaveField("Status", "ACTIVE"), HaveField("Status", "ERROR"), HaveField("Status", "ERROR")))
}

// A twin that is locked can't be deleted; that is said.
func TestTwinThatIsLocked(t *testing.T) {
	r := newRig(t, 1, 0)
	r.made()
	r.cloud.FailNextSchedule(master0, noHost)
	var twin string
	r.hand(func() {
		var err error
		twin, err = r.api.CreateServer(t.Context(), r.like(r.now(master0), master0))
		r.g.Expect(err).NotTo(HaveOccurred())
	})
	r.cloud.Settle()
	r.cloud.LockServer(twin, false, "")
	r.cloud.Ledger().Reset()
	p, err := r.once(resume)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Waiting).To(ConsistOf(And(HavePrefix(master0+": a second server, "+twin), HaveSuffix("unlock it"))))
	r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
	r.cloud.UnlockServer(twin)
	r.resume()
	r.expectClean()
}

// All ports come back, in their order.
func TestPortsComeBackInTheirOrder(t *testing.T) {
	r := newRig(t, 1, 0)
	first, second := r.addPort("one"), r.addPort("two")
	opts := r.like(r.seeded.Masters[0], infraID+"-worker-0-two", first, second)
	r.addServer(opts)
	r.remember()
	r.made()
	r.cloud.BindPort(first, "")
	r.cloud.BindPort(second, "")
	r.resume()
	r.g.Expect(r.now(opts.Name).Ports).To(Equal([]string{first, second}))
	r.expectClean()
}

// What a person has to mend is said, nothing is touched, and then it goes on.
func TestPortThatIsNotToBeHad(t *testing.T) {
	for name, test := range map[string]struct {
		take  func(r *rig, port string)
		words []string
		mend  func(r *rig, port string)
	}{
		"it is another server's": {
			func(r *rig, port string) { r.cloud.ReassignPort(port, r.now(r.seeded.Workers[0].Name).ID) },
			[]string{master0 + ": its port ", "belongs to server " + infraID + "-worker-0-", "give it back"},
			func(r *rig, port string) { r.cloud.ReassignPort(port, "") },
		},
		"it is gone": {
			func(r *rig, port string) { r.cloud.DeletePort(port) },
			[]string{master0 + ": its port ", "is gone: make a port with MAC", "demo/demo-hibernation"},
			func(r *rig, _ string) {
				made := r.addPort("new")
				r.edit(func(record *hibernation.Record) { record.Machines[0].Spec.Ports[0].ID = made })
				r.restartManager("manager-1")
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 1)
			r.made()
			port := r.seeded.Masters[0].Ports[0]
			test.take(r, port)
			r.expectBlocked(resume, test.words...)
			test.mend(r, port)
			r.resume()
			r.g.Expect(r.now(master0).Ports).To(HaveLen(1))
			r.g.Expect(r.now(r.seeded.Workers[0].Name).Ports).To(Equal(r.seeded.Workers[0].Ports))
		})
	}
}

// What may pass by itself is waited for, and said.
func TestPortThatIsNotFreeYet(t *testing.T) {
	for name, test := range map[string]struct {
		hold func(r *rig, port string)
		says string
		free func(r *rig, port string)
	}{
		"a server that is gone has it": {
			func(r *rig, port string) { r.cloud.BindPort(port, r.seeded.Masters[0].ID) }, "is not free yet",
			func(r *rig, port string) { r.cloud.BindPort(port, "") },
		},
		"the server is locked": {
			func(r *rig, port string) {
				r.cloud.BindPort(port, "")
				r.cloud.LockServer(r.now(master0).ID, false, "")
			}, "unlock it",
			func(r *rig, _ string) { r.cloud.UnlockServer(r.now(master0).ID) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 1)
			r.made()
			port := r.seeded.Masters[0].Ports[0]
			test.hold(r, port)
			r.cloud.Ledger().Reset()
			for range 3 {
				p, err := r.once(resume)
				r.g.Expect(err).NotTo(HaveOccurred())
				r.g.Expect(p.Waiting).To(ConsistOf(And(HavePrefix(master0+": "), ContainSubstring(port), ContainSubstring(test.says))))
				r.wait(p)
			}
			r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
			test.free(r, port)
			r.resume()
			r.expectClean()
		})
	}
}

// Whatever Nova answers to the request that attaches a port: it is asked for until the port is seen where it belongs.
func TestAnswersToAttachPort(t *testing.T) {
	for name, test := range map[string]struct {
		effect cloud.Effect
		fails  string
		asked  int
	}{
		"a conflict":      {cloud.Answer(409, ""), "", 2},
		"not found":       {cloud.Answer(404, ""), "", 2},
		"a failure":       {cloud.Answer(500, ""), "remove that port from the server and add it anew", 2},
		"forbidden":       {cloud.Answer(403, ""), "could not be attached to its server", 2},
		"its answer lost": {cloud.ResetAfter(), "could not be attached to its server", 1},
		"twice":           {cloud.Twice(), "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 0)
			r.made()
			port := r.seeded.Masters[0].Ports[0]
			r.cloud.BindPort(port, "")
			r.cloud.AddRule(cloud.Rule{Op: "nova.interface.create", Effect: test.effect, Times: 1})
			p, err := r.once(resume)
			if test.fails != "" {
				r.g.Expect(err).To(MatchError(And(HavePrefix(master0+" has lost its port "+port), ContainSubstring(test.fails))))
			} else {
				r.g.Expect(err).NotTo(HaveOccurred())
				r.g.Expect(p.Waiting).To(HaveLen(1))
			}
			r.wait(p)
			r.resume()
			r.g.Expect(r.cloud.Ledger().Count("nova.interface.create")).To(Equal(test.asked))
			r.expectClean()
		})
	}
}

// A list that leaves ports out proves nothing.
func TestListWithoutPorts(t *testing.T) {
	for name, effect := range map[string]cloud.Effect{"empty": cloud.EmptyList(), "without one": cloud.ListWithoutOne()} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 1)
			r.made()
			r.cloud.AddRule(cloud.Rule{Op: "neutron.port.list", Effect: effect, Times: 1})
			r.cloud.Ledger().Reset()
			r.resume()
			r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
			r.expectClean()
		})
	}
}

// A machine that is made anew is looked at anew.
func TestRemadeServerIsLookedAtAnew(t *testing.T) {
	r := newRig(t, 1, 1)
	r.hibernate()
	r.resume()
	r.cloud.FailServer(r.now(master0).ID, "disk full")
	r.cluster.Remake = sets.New(master0)
	r.cloud.AddRule(cloud.Rule{Op: "nova.server.create", Effect: cloud.TwiceFirst(), Times: 1})
	r.resume()
	r.g.Expect(r.clusterServers()).To(HaveLen(2))
	r.g.Expect(r.now(master0).Ports).To(Equal(r.seeded.Masters[0].Ports))
}
