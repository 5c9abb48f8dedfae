package hibernation_test

import (
	"errors"
	"slices"
	"time"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// remember notes what is there, to be compared with later.
func (r *rig) remember() {
	r.servers, r.images = r.clusterServers(), r.cloud.Images()
}

// clusterServers returns the cluster's servers that hold anything, by name.
func (r *rig) clusterServers() []cloud.Server {
	return slices.DeleteFunc(r.cloud.Servers(), func(s cloud.Server) bool {
		return s.Project != project || s.Metadata["openshiftClusterID"] != infraID || s.Status == "DELETED"
	})
}

// snapshots returns the images that were not there in the beginning.
func (r *rig) snapshots() []cloud.Image {
	return slices.DeleteFunc(r.cloud.Images(), func(img cloud.Image) bool {
		return slices.ContainsFunc(r.images, func(old cloud.Image) bool { return old.ID == img.ID })
	})
}

// likeness is a server without what a new one may have different.
func likeness(s cloud.Server) cloud.Server {
	s.ID, s.ImageID, s.Status, s.VMState, s.PowerState, s.Writes, s.UserData, s.User = "", "", "", "", 0, 0, "", ""
	s.Created, s.Launched, s.Terminated = time.Time{}, time.Time{}, time.Time{}
	slices.Sort(s.Tags)
	return s
}

// expectAwake: each machine is there once, runs, is what it was, and has lost nothing.
func (r *rig) expectAwake() {
	r.t.Helper()
	var have, want []cloud.Server
	for _, s := range r.clusterServers() {
		have = append(have, likeness(s))
		r.g.Expect(s.Status).To(Equal("ACTIVE"), s.Name)
	}
	for _, s := range r.servers {
		want = append(want, likeness(s))
	}
	r.g.Expect(have).To(Equal(want))
	r.g.Expect(r.cloud.Regressions()).To(BeEmpty())
}

// expectUndone: the very servers that were there are in the states in which they were, and no image is left.
func (r *rig) expectUndone() {
	r.t.Helper()
	state := func(s cloud.Server) string { return s.Name + " " + s.ID + " " + s.Status + s.TaskState }
	var have, want []string
	for _, s := range r.clusterServers() {
		have = append(have, state(s))
	}
	for _, s := range r.servers {
		want = append(want, state(s))
	}
	r.g.Expect(have).To(ConsistOf(want))
	r.g.Expect(r.snapshots()).To(BeEmpty())
	r.g.Expect(r.cloud.Regressions()).To(BeEmpty())
}

// expectAsleep: no server is left, and each machine has one complete snapshot.
func (r *rig) expectAsleep() {
	r.t.Helper()
	r.g.Expect(r.clusterServers()).To(BeEmpty())
	p, err := r.once(asleep)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Done).To(BeTrue(), "%v", p.Waiting)
	record := r.record()
	r.g.Expect(record.Machines).To(HaveLen(len(r.servers)))
	needed := map[string]bool{}
	for _, m := range record.Machines {
		img, ok := r.cloud.Image(m.Snapshot.ID)
		r.g.Expect(ok).To(BeTrue(), m.Name)
		r.g.Expect(img.Status).To(Equal("active"), m.Name)
		needed[img.ID] = true
		for _, older := range m.Older {
			needed[older.ID] = true
		}
	}
	for _, img := range r.snapshots() {
		r.g.Expect(needed).To(HaveKey(img.ID), "nobody needs %s", img.Name)
	}
}

// expectClean: the cluster is awake and nothing of the hibernation is left.
func (r *rig) expectClean() {
	r.t.Helper()
	r.cleanup()
	r.expectAwake()
	r.g.Expect(r.snapshots()).To(BeEmpty())
	r.g.Expect(r.secret()).To(BeNil())
}

// expectRefused: the verb ends in a Refusal whose message has all the words. It returns when the next try may come.
func (r *rig) expectRefused(do verb, words ...string) (after time.Duration) {
	r.t.Helper()
	err := r.until(do)
	var refusal *hibernation.Refusal
	r.g.Expect(errors.As(err, &refusal)).To(BeTrue(), "%v", err)
	for _, w := range words {
		r.g.Expect(refusal.Message).To(ContainSubstring(w))
	}
	return refusal.After
}

// expectBlocked: the verb ends Blocked with a message that has all the words, and changes nothing.
func (r *rig) expectBlocked(do verb, words ...string) {
	r.t.Helper()
	r.cloud.Ledger().Reset()
	err := r.until(do)
	var blocked *hibernation.Blocked
	r.g.Expect(errors.As(err, &blocked)).To(BeTrue(), "%v", err)
	for _, w := range words {
		r.g.Expect(blocked.Message).To(ContainSubstring(w))
	}
	r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
}

// now returns the state of a server of the cluster, by name.
func (r *rig) now(name string) cloud.Server {
	r.t.Helper()
	for _, s := range r.clusterServers() {
		if s.Name == name {
			return s
		}
	}
	r.t.Fatalf("there is no server %s", name)
	return cloud.Server{}
}
