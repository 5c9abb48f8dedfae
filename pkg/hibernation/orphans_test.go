package hibernation_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// halfDeleted puts a cluster of three masters and a worker to sleep until two servers are gone and the others still paused, and
// returns the record of that moment.
func halfDeleted(t *testing.T) (*rig, []byte) {
	t.Helper()
	r := newRig(t, 3, 1)
	spared := 0
	r.onRequest(func(k *cloud.Call) *cloud.Effect {
		if k.Op != "nova.server.delete" {
			return nil
		}
		if spared++; spared > 2 {
			e := cloud.Answer(503, "")
			return &e
		}
		return nil
	})
	r.passesUntil(func() bool { return len(r.clusterServers()) == 2 }, hibernate)
	r.before = nil
	for _, s := range r.clusterServers() {
		r.g.Expect(s.Status).To(Equal("PAUSED"))
	}
	return r, r.recordData()
}

// lost returns the names of the machines without a server.
func (r *rig) lost() (names []string) {
	for _, s := range r.servers {
		if !slices.ContainsFunc(r.clusterServers(), func(is cloud.Server) bool { return is.Name == s.Name }) {
			names = append(names, s.Name)
		}
	}
	return names
}

// The record is lost when half of the servers are deleted: what is left is neither hibernated as a cluster of its own nor taken
// for one that runs, and the record that is put back goes on.
func TestS04RecordLostHalfWay(t *testing.T) {
	for name, back := range map[string]verb{"to sleep": hibernate, "awake": resume} {
		t.Run(name, func(t *testing.T) {
			r, right := halfDeleted(t)
			lost := r.lost()
			r.g.Expect(lost).To(HaveLen(2))
			r.dropRecord()
			r.clock.Step(2 * time.Minute)
			for _, do := range []verb{hibernate, resume, awake} {
				r.expectBlocked(do, append(lost, "have no server", "demo/demo-hibernation, is missing", "restore the record")...)
			}
			p, err := r.once(asleep)
			r.g.Expect(err).NotTo(HaveOccurred())
			r.g.Expect(p.Done).To(BeFalse())
			r.g.Expect(r.secret()).To(BeNil(), "the right one can be created")

			r.putBack(right)
			r.clock.Step(2 * time.Minute)
			r.g.Expect(r.until(back)).To(Succeed())
			if name == "to sleep" {
				r.expectAsleep()
				r.resume()
			}
			r.expectClean()
		})
	}
}

// All servers are gone and the record is lost: the message says where the cluster is, and not to give it up.
func TestS04RecordLostAsleep(t *testing.T) {
	r := newRig(t, 1, 1)
	r.hibernate()
	right := r.recordData()
	r.dropRecord()
	for _, do := range []verb{hibernate, resume, awake} {
		err := r.until(do)
		r.g.Expect(err).To(BeAssignableToTypeOf(&hibernation.Blocked{}), "%v", err)
		r.g.Expect(err).To(MatchError(And(ContainSubstring(master0), ContainSubstring("restore the record"), Not(ContainSubstring("delete")))))
	}
	r.putBack(right)
	r.resume()
	r.expectClean()
}

// The right record is put back when the servers that were left have been snapshotted once more without it, and are gone: these
// snapshots are of the very servers that the record names, which have not run since, so that they do not prove it to be old.
func TestS04LeftoversOfAHalfHibernationDoNotMakeARecordOld(t *testing.T) {
	r, right := halfDeleted(t)
	r.dropRecord()
	r.hand(func() {
		for _, s := range r.clusterServers() {
			cycle := "20261124-120000"
			opts := imageOpts(hibernation.SnapshotName(s.Name, cycle))
			opts.Metadata = map[string]string{"overwinter_infra_id": infraID, "overwinter_cycle": cycle}
			_, err := r.api.CreateServerImage(t.Context(), s.ID, opts)
			r.g.Expect(err).NotTo(HaveOccurred())
		}
	})
	r.cloud.Settle()
	r.hand(func() {
		for _, s := range r.clusterServers() {
			r.g.Expect(r.api.DeleteServer(t.Context(), s.ID)).To(Succeed())
		}
	})
	r.cloud.Settle()
	extra := r.snapshots()[4:]
	r.g.Expect(extra).To(HaveLen(2))
	r.clock.Step(2 * time.Minute)
	r.expectBlocked(resume, append(r.lost(), "restore the record")...)
	r.putBack(right)
	r.hibernate()
	r.resume()
	for _, img := range extra {
		r.cloud.DeleteImage(img.ID)
	}
	r.expectClean()
}

// The same, but a server ran before it was snapshotted without the record: what the record knows of is older.
func TestS04ServerThatRanMakesARecordOld(t *testing.T) {
	r, right := halfDeleted(t)
	r.dropRecord()
	ran := r.clusterServers()[0]
	r.cloud.StartServer(ran.ID)
	r.clock.Step(time.Minute)
	r.hand(func() {
		r.g.Expect(r.api.PauseServer(t.Context(), ran.ID)).To(Succeed())
		r.cloud.Settle()
		cycle := "20261124-120000"
		opts := imageOpts(hibernation.SnapshotName(ran.Name, cycle))
		opts.Metadata = map[string]string{"overwinter_infra_id": infraID, "overwinter_cycle": cycle}
		_, err := r.api.CreateServerImage(t.Context(), ran.ID, opts)
		r.g.Expect(err).NotTo(HaveOccurred())
		r.cloud.Settle()
		for _, s := range r.clusterServers() {
			r.g.Expect(r.api.DeleteServer(t.Context(), s.ID)).To(Succeed())
		}
	})
	r.cloud.Settle()
	r.clock.Step(2 * time.Minute)
	r.putBack(right)
	r.g.Expect(r.until(resume)).To(BeAssignableToTypeOf(&hibernation.Blocked{}))
	r.g.Expect(r.clusterServers()).To(BeEmpty())
}

// Images that only look like snapshots of machines without a server keep nobody from anything.
func TestS04ImagesThatAreNoOrphans(t *testing.T) {
	const cycle = "20261122-120000"
	name := hibernation.SnapshotName(infraID+"-worker-0-gone1", cycle)
	for about, test := range map[string]struct {
		name         string
		infra, cycle string
		orphan       bool
	}{
		"an orphan":                          {name, infraID, cycle, true},
		"another name, inherited properties": {"my copy of a worker", infraID, cycle, false},
		"another cycle":                      {name, infraID, "20261121-120000", false},
		"another cluster":                    {name, infraID + "-b", cycle, false},
		"no properties":                      {name, "", "", false},
		"of a machine that has a server":     {hibernation.SnapshotName(master0, cycle), infraID, cycle, false},
	} {
		t.Run(about, func(t *testing.T) {
			r := newRig(t, 1, 1)
			stray := r.addServer(r.like(r.seeded.Workers[0], infraID+"-worker-0-gone1", r.addPort("port-x")))
			r.hand(func() {
				opts := imageOpts(test.name)
				opts.Metadata = map[string]string{}
				if test.infra != "" {
					opts.Metadata["overwinter_infra_id"], opts.Metadata["overwinter_cycle"] = test.infra, test.cycle
				}
				_, err := r.api.CreateServerImage(t.Context(), stray.ID, opts)
				r.g.Expect(err).NotTo(HaveOccurred())
			})
			r.cloud.Settle()
			p, err := r.once(awake)
			r.g.Expect(err).NotTo(HaveOccurred(), "its server is there")
			r.g.Expect(p.Done).To(BeTrue())
			r.hand(func() { r.g.Expect(r.api.DeleteServer(t.Context(), stray.ID)).To(Succeed()) })
			r.cloud.Settle()
			r.clock.Step(time.Minute)
			r.remember()
			if test.orphan {
				r.expectBlocked(hibernate, infraID+"-worker-0-gone1", "another name")
				r.expectBlocked(awake, infraID+"-worker-0-gone1")
				return
			}
			p, err = r.once(awake)
			r.g.Expect(err).NotTo(HaveOccurred())
			r.g.Expect(p.Done).To(BeTrue())
			r.hibernate()
			r.resume()
			r.expectClean()
		})
	}
}

// A ClusterDeployment whose record is lost can be deleted: nothing is deleted in the cloud, and the owner is told what is left.
// A cloud that does not answer does not keep it.
func TestS04DeletionWithoutARecord(t *testing.T) {
	r := newRig(t, 1, 1)
	r.hibernate()
	r.dropRecord()
	r.cloud.Ledger().Reset()
	for _, do := range []verb{release, releaseKeeping} {
		p, err := r.once(do)
		r.g.Expect(err).NotTo(HaveOccurred())
		r.g.Expect(p.Done).To(BeTrue())
		r.g.Expect(r.events).To(ContainElement(And(ContainSubstring("Warning SnapshotsWithoutRecord"), ContainSubstring(r.snapshots()[0].ID), ContainSubstring(master0))))
		r.events = nil
	}
	r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
	r.g.Expect(r.snapshots()).To(HaveLen(2))

	r.cloud.AddRule(cloud.Rule{Op: "nova.server.list", Effect: cloud.Answer(503, "")})
	p, err := r.session().Release(context.WithoutCancel(t.Context()), false)
	r.g.Expect(errors.Join(err)).NotTo(HaveOccurred())
	r.g.Expect(p.Done).To(BeTrue())
}
