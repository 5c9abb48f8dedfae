package hibernation_test

import (
	"encoding/json"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

func (r *rig) recordData() []byte {
	r.t.Helper()
	s := r.secret()
	r.g.Expect(s).NotTo(BeNil())
	return s.Data[hibernation.RecordKey]
}

// An old copy of the record is put back: no snapshot is deleted because of it, and no server.
func TestOldCopiesOfTheRecord(t *testing.T) {
	t.Parallel()
	t.Run("being paused, put back asleep", func(t *testing.T) {
		r := newRig(t, 1, 1)
		r.passes(1, hibernate)
		old := r.recordData()
		r.hibernate()
		r.expectOldCopy(old, hibernate, resume, releaseKeeping)
		r.resume()
		r.expectClean()
	})
	t.Run("being snapshotted, put back asleep", func(t *testing.T) {
		r := newRig(t, 1, 1)
		r.passes(2, hibernate)
		old := r.recordData()
		r.hibernate()
		r.expectOldCopy(old, releaseKeeping)
		// What it says was to be done has been done: every snapshot is there, and nothing has run since.
		r.putBack(old)
		r.hibernate()
		r.expectAsleep()
		r.resume()
		r.expectClean()
	})
	t.Run("being snapshotted, put back a cycle later", func(t *testing.T) {
		r := newRig(t, 1, 1, func(s *setup) { s.cloud.ImagesInUse = true })
		r.passes(2, hibernate)
		old := r.recordData()
		r.hibernate()
		r.cloud.AddRule(cloud.Rule{Op: "glance.image.delete", Effect: cloud.Answer(409, "")})
		r.resume()
		r.hibernate()
		r.g.Expect(r.snapshots()).To(HaveLen(4))
		r.expectOldCopy(old, hibernate, resume, releaseKeeping)
		r.resume()
		r.expectAwake()
	})
}

// expectOldCopy: an old record that is put back is found out, and changes nothing. The right one is then put back.
func (r *rig) expectOldCopy(old []byte, verbs ...verb) {
	r.t.Helper()
	right, images := r.recordData(), r.snapshots()
	for _, do := range verbs {
		r.putBack(old)
		r.clock.Step(2 * time.Minute)
		r.cloud.Ledger().Reset()
		err := r.until(do)
		r.g.Expect(err).To(BeAssignableToTypeOf(&hibernation.Blocked{}), "%v", err)
		r.g.Expect(err).To(MatchError(ContainSubstring("old copy of the record")))
		r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
	}
	r.g.Expect(r.snapshots()).To(Equal(images))
	r.putBack(right)
}

func TestOldSealedCopiesOfTheRecord(t *testing.T) {
	t.Run("asleep, put back awake", func(t *testing.T) {
		r := newRig(t, 1, 1)
		r.hibernate()
		old := r.recordData()
		r.resume()
		running := r.clusterServers()
		r.putBack(old)
		r.expectBlocked(asleep, "yet it has server", master0)
		r.resume()
		r.g.Expect(r.clusterServers()).To(HaveLen(len(running)))
		r.expectClean()
	})
	t.Run("of the last cycle, put back asleep", func(t *testing.T) {
		r := newRig(t, 1, 1)
		r.hibernate()
		old := r.recordData()
		r.resume()
		r.hibernate()
		right := r.recordData()
		r.putBack(old)
		r.cloud.Ledger().Reset()
		err := r.until(resume)
		r.g.Expect(err).To(BeAssignableToTypeOf(&hibernation.Blocked{}), "%v", err)
		r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
		r.putBack(right)
		r.resume()
		r.expectClean()
	})
	t.Run("opened, put back after the clean-up", func(t *testing.T) {
		r := newRig(t, 1, 1)
		r.hibernate()
		r.resume()
		old := r.recordData()
		r.cleanup()
		r.putBack(old)
		r.resume()
		r.expectClean()
	})
}

// A record of another cluster, or one that can't be read, stops everything.
func TestUnusableRecords(t *testing.T) {
	for name, test := range map[string]struct {
		data string
		why  string
	}{
		"foreign":         {`{"version": 1, "infraID": "other-abcde", "cloud": {"authURL": "u", "projectID": "p", "region": "r"}}`, `is of cluster "other-abcde"`},
		"malformed":       {`{"version": 1, "infraID": `, "can't be used"},
		"a later version": {`{"version": 2}`, "version is 2"},
	} {
		for do, verb := range everyVerb {
			t.Run(name+", "+do, func(t *testing.T) {
				r := newRig(t, 1, 1)
				r.putBack([]byte(test.data))
				r.expectBlocked(verb, test.why, "demo/demo-hibernation", "nothing was touched")
				r.g.Expect(r.cloud.Ledger().Entries()).To(BeEmpty())
				r.g.Expect(string(r.recordData())).To(Equal(test.data))
			})
		}
	}
}

// The record is deleted by hand while the cluster sleeps: without the finalizer it would be lost.
func TestDeletedRecord(t *testing.T) {
	t.Run("with its finalizer", func(t *testing.T) {
		r := newRig(t, 1, 1)
		r.hibernate()
		r.g.Expect(r.kube.Delete(t.Context(), r.secret())).To(Succeed())
		r.g.Expect(r.secret().DeletionTimestamp).NotTo(BeNil())
		r.expectAsleep()
		r.resume()
		r.expectClean()
	})
	t.Run("without", func(t *testing.T) {
		r := newRig(t, 1, 1)
		r.hibernate()
		images := r.snapshots()
		r.dropRecord()
		r.expectBlocked(hibernate, "no server of cluster", "no record")
		r.expectBlocked(awake, "no server of cluster", "no record")
		r.g.Expect(r.snapshots()).To(Equal(images))
		r.g.Expect(r.secret()).To(BeNil())
	})
	t.Run("in the middle", func(t *testing.T) {
		r := newRig(t, 1, 1)
		r.passes(2, hibernate)
		r.g.Expect(r.kube.Delete(t.Context(), r.secret())).To(Succeed())
		r.hibernate()
		r.expectAsleep()
		r.resume()
		r.expectClean()
	})
}

// The record keeps what a newer manager wrote into it through a whole cycle.
func TestUnknownFieldsSurviveACycle(t *testing.T) {
	r := newRig(t, 1, 1)
	r.passes(1, hibernate)
	var doc map[string]any
	r.g.Expect(json.Unmarshal(r.recordData(), &doc)).To(Succeed())
	doc["future"] = "kept"
	machine := doc["machines"].([]any)[0].(map[string]any)
	machine["future"] = "kept too"
	machine["spec"].(map[string]any)["future"] = "and this"
	data, err := json.Marshal(doc)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.putBack(data)
	check := func() {
		t.Helper()
		var doc map[string]any
		r.g.Expect(json.Unmarshal(r.recordData(), &doc)).To(Succeed())
		r.g.Expect(doc).To(HaveKeyWithValue("future", "kept"))
		machine := doc["machines"].([]any)[0].(map[string]any)
		r.g.Expect(machine).To(HaveKeyWithValue("future", "kept too"))
		r.g.Expect(machine["spec"]).To(HaveKeyWithValue("future", "and this"))
	}
	r.hibernate()
	check()
	r.resume()
	check()
}
