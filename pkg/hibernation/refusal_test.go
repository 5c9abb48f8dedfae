package hibernation_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/openstackclient"
	"github.com/overwinter/overwinter/test/cloud"
)

// What can't be restored is refused before anything is touched, with the server's name and the cause, and is not tried again
// for a while.
func TestRefusals(t *testing.T) {
	worker := func(r *rig) cloud.Server { return r.seeded.Workers[0] }
	for name, test := range map[string]struct {
		cluster cloud.ClusterOptions
		prepare func(*rig)
		words   []string
	}{
		"boots from a volume": {cluster: cloud.ClusterOptions{BootFromVolume: true}, words: []string{master0, "boots from a volume"}},
		"ports made by Nova":  {cluster: cloud.ClusterOptions{NovaPorts: true}, words: []string{"was made by Nova"}},
		"locked": {prepare: func(r *rig) { r.cloud.LockServer(r.seeded.Masters[0].ID, false, "mine") },
			words: []string{master0, "unlock it"}},
		"suspended": {prepare: func(r *rig) { r.cloud.SetServerState(r.seeded.Masters[0].ID, "SUSPENDED") },
			words: []string{master0, "SUSPENDED"}},
		"in error": {prepare: func(r *rig) { r.cloud.FailServer(r.seeded.Masters[0].ID, "broken") },
			words: []string{master0, "ERROR"}},
		"bootstrap": {prepare: func(r *rig) { r.cloud.RenameServer(worker(r).ID, infraID+"-bootstrap") },
			words: []string{infraID + "-bootstrap", "bootstrap server"}},
		"an interface without port": {prepare: func(r *rig) { r.hideInterface(worker(r)) },
			words: []string{"has no port that belongs to it"}},
		"the flavor is gone": {prepare: func(r *rig) { r.cloud.DeleteFlavor("rig.master") },
			words: []string{master0, "flavor rig.master", "exists no more"}},
		"ephemeral disks": {prepare: func(r *rig) {
			opts := r.like(worker(r), infraID+"-worker-0-disks")
			opts.FlavorRef = r.cloud.AddFlavor(cloud.FlavorSpec{Name: "big", VCPUs: 1, RAM: 1, Disk: 100, Ephemeral: 10})
			r.addServer(opts)
		}, words: []string{infraID + "-worker-0-disks", "flavor big", "ephemeral"}},
		"two of one name": {prepare: func(r *rig) { r.cloud.RenameServer(worker(r).ID, master0) },
			words: []string{"two servers of the cluster are called " + master0, "rename one"}},
		"a server without the mark on one of its ports": {prepare: func(r *rig) {
			r.cloud.SetServerMetadata(worker(r).ID, "openshiftClusterID", "")
			r.cloud.SetServerTags(worker(r).ID)
		}, words: []string{"belongs to server " + infraID + "-worker-0-", "mark it"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 1, func(s *setup) {
				test.cluster.InfraID, test.cluster.Masters, test.cluster.Workers = infraID, 1, 1
				s.cluster = test.cluster
			})
			if test.prepare != nil {
				test.prepare(r)
			}
			r.remember()
			r.cloud.Ledger().Reset()
			r.g.Expect(r.expectRefused(hibernate, test.words...)).To(Equal(10 * time.Minute))
			r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
			r.expectUndone()

			r.cloud.Ledger().Reset()
			r.clock.Step(time.Minute)
			again := r.expectRefused(hibernate, test.words...)
			r.g.Expect(again).To(BeNumerically("~", 9*time.Minute, time.Minute/2))
			r.g.Expect(r.cloud.Ledger().Entries()).To(BeEmpty())
		})
	}
}

// hideInterface makes Neutron's lists leave out the ports of a server.
func (r *rig) hideInterface(s cloud.Server) {
	r.cloud.BindPort(s.Ports[0], "another-device")
	r.onRequest(func(k *cloud.Call) *cloud.Effect {
		if k.Op == "nova.server.list" {
			r.cloud.BindPort(s.Ports[0], s.ID)
		}
		return nil
	})
	r.onAnswer(func(k *cloud.Call, _ int) *cloud.Effect {
		if k.Op == "nova.server.list" {
			r.cloud.BindPort(s.Ports[0], "")
		}
		return nil
	})
}

func TestRefusalEndsWhenTheCauseDoes(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cloud.LockServer(r.seeded.Masters[0].ID, false, "")
	after := r.expectRefused(hibernate, "unlock it")
	r.cloud.UnlockServer(r.seeded.Masters[0].ID)
	r.clock.Step(after)
	r.hibernate()
	r.g.Expect(r.record().Tries).To(BeNil())
	r.resume()
	r.expectClean()
}

// Whoever asks for Running after a refusal may ask for Hibernating at once: a person has acted.
func TestRefusalIsForgivenByRunning(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cloud.LockServer(r.seeded.Masters[0].ID, false, "")
	r.expectRefused(hibernate)
	r.resume()
	r.g.Expect(r.secret()).To(BeNil())
	r.cloud.UnlockServer(r.seeded.Masters[0].ID)
	r.hibernate()
	r.expectAsleep()
}

// A server in the middle of something is waited for.
func TestBusyServersAreWaitedFor(t *testing.T) {
	r := newRig(t, 1, 1)
	r.hand(func() { r.g.Expect(r.api.StopServer(t.Context(), r.seeded.Workers[0].ID)).To(Succeed()) })
	p, err := r.once(hibernate)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Waiting).To(Equal([]string{r.seeded.Workers[0].Name + ": busy with powering-off"}))
	r.hibernate()
	r.g.Expect(r.record().Machines[1].Before).To(Equal("SHUTOFF"))
	r.expectAsleep()
}

func TestMarksOfTwoClusters(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cloud.SetServerTags(r.seeded.Workers[0].ID, "openshiftClusterID="+infraID, "openshiftClusterID=other-abcde")
	r.expectBlocked(hibernate, r.seeded.Workers[0].Name, "marks of two clusters")
	r.expectBlocked(awake, "marks of two clusters")
	r.expectUndone()
}

// A name proves nothing: neither one with our infraID before it, nor the name of one of our own machines.
func TestOthersServersAreNeverTouched(t *testing.T) {
	r := newRig(t, 1, 1)
	neighbour := r.cloud.SeedCluster(infraID+"-b", 1, 1)
	stray := r.addServer(openstackclient.CreateServerOpts{CreateOpts: r.like(r.seeded.Workers[0], infraID+"-worker-0-stray").CreateOpts})
	r.cloud.SetServerMetadata(stray.ID, "openshiftClusterID", infraID+"-b")
	r.cloud.SetServerTags(stray.ID)
	r.clock.Step(time.Second)
	r.images = r.cloud.Images()
	others := []string{neighbour.Masters[0].ID, neighbour.Workers[0].ID, stray.ID}

	r.hibernate()
	r.expectAsleep()
	r.resume()
	r.expectClean()
	for _, id := range others {
		s, ok := r.cloud.Server(id)
		r.g.Expect(ok).To(BeTrue())
		r.g.Expect(s.Status).To(Equal("ACTIVE"))
	}
	for _, e := range r.cloud.Ledger().Changes() {
		r.g.Expect(others).NotTo(ContainElement(e.Target), "%s", e.Op)
	}
}

// A member of the cluster that bears only one of the two marks, or none of the usual names, is found all the same.
func TestServersAreFoundByEitherMark(t *testing.T) {
	for name, change := range map[string]func(*rig, string){
		"tag alone":      func(r *rig, id string) { r.cloud.SetServerMetadata(id, "openshiftClusterID", "") },
		"metadata alone": func(r *rig, id string) { r.cloud.SetServerTags(id, "cluster-api-provider-openstack") },
		"another name":   func(r *rig, id string) { r.cloud.RenameServer(id, "storage-node") },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 1)
			worker := r.seeded.Workers[0].ID
			change(r, worker)
			r.hibernate()
			r.g.Expect(r.record().Machines).To(HaveLen(2))
			_, there := r.cloud.Server(worker)
			r.g.Expect(there).To(BeFalse())
			r.resume()
			r.g.Expect(r.cloud.Usage(project).Instances).To(Equal(2))
			r.g.Expect(r.cloud.Regressions()).To(BeEmpty())
		})
	}
}

func TestNoServerAndNoRecord(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cluster.InfraID = "other-abcde"
	r.expectBlocked(hibernate, "no server of cluster other-abcde", "no record")
	r.expectBlocked(awake, "no server of cluster other-abcde", "no record")
	r.g.Expect(r.secret()).To(BeNil())
	p, err := r.once(asleep)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Done).To(BeFalse(), "no servers and no record is not asleep")
}

// A Nova cell that is down leaves its servers out of lists, which are still answered 200.
func TestCellDownIsNotAbsence(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		r := newRig(t, 1, 2)
		r.cloud.SetCellDown(true, r.seeded.Workers[0].ID)
		_, err := r.once(hibernate)
		r.g.Expect(err).To(MatchError(And(ContainSubstring(r.seeded.Workers[0].ID), ContainSubstring("the cell that holds it does not answer"))))
		r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
		r.cloud.SetCellDown(false, r.seeded.Workers[0].ID)
		r.expectUndone()
	})
	t.Run("all of them", func(t *testing.T) {
		r := newRig(t, 1, 1)
		r.cloud.SetCellDown(true, r.seeded.Masters[0].ID, r.seeded.Workers[0].ID)
		r.expectBlocked(hibernate, "no server")
	})
	t.Run("while servers are deleted", func(t *testing.T) {
		r := newRig(t, 1, 1)
		worker := r.seeded.Workers[0].ID
		r.onRequest(func(k *cloud.Call) *cloud.Effect {
			if k.Op == "nova.server.delete" && k.Target == worker {
				r.cloud.SetCellDown(true, worker)
				e := cloud.Answer(500, "")
				return &e
			}
			return nil
		})
		for range 30 {
			p, err := r.once(hibernate)
			r.g.Expect(err == nil && p.Done).To(BeFalse(), "it is not gone")
			p, err = r.once(asleep)
			r.g.Expect(err == nil && p.Done).To(BeFalse(), "it is not gone")
			r.clock.Step(5 * time.Second)
		}
		r.before = nil
		r.cloud.SetCellDown(false, worker)
		r.hibernate()
		r.expectAsleep()
		r.resume()
		r.expectClean()
	})
}

// A record that would not fit into a Secret is noticed before anything is touched.
func TestRecordThatWouldNotFit(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 1)
	value := strings.Repeat("x", 255)
	for i := range 40 {
		opts := r.like(r.seeded.Workers[0], fmt.Sprintf("%s-worker-0-%d", infraID, i), r.addPort(fmt.Sprint("port-", i)))
		opts.Metadata = map[string]string{"openshiftClusterID": infraID}
		for j := range 100 {
			opts.Metadata[fmt.Sprint("key-", j)] = value
		}
		r.addServer(opts)
	}
	r.cloud.Ledger().Reset()
	var refusal *hibernation.Refusal
	_, err := r.once(hibernate)
	r.g.Expect(errors.As(err, &refusal)).To(BeTrue(), "%v", err)
	r.g.Expect(refusal.Message).To(ContainSubstring("a Secret holds no more"))
	r.g.Expect(r.secret()).To(BeNil())
	r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
}
