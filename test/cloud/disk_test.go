package cloud_test

import (
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

func TestDiskCountsWhileRunning(t *testing.T) {
	r := newRig(t, cloud.Options{WriteInterval: time.Second})
	s := r.SeedCluster("demo", 1, 0).Masters[0]
	writes := func() int64 {
		now, ok := r.Server(s.ID)
		r.Expect(ok).To(BeTrue())
		return now.Writes
	}
	r.Expect(writes()).To(BeEquivalentTo(1), "its start")
	r.clock.Step(10500 * time.Millisecond)
	r.Expect(writes()).To(BeEquivalentTo(11))
	r.Expect(servers.Pause(r.ctx, r.compute, s.ID).ExtractErr()).To(Succeed())
	r.pass(time.Hour)
	r.Expect(writes()).To(BeEquivalentTo(11))
	imageID, err := r.snapshot(s.ID, "snap", nil)
	r.Expect(err).NotTo(HaveOccurred())
	r.Settle()
	img, _ := r.Image(imageID)
	r.Expect(img).To(And(HaveField("Writes", BeEquivalentTo(11)), HaveField("CutRunning", false), HaveField("Machine", s.Name)))
	r.StartServer(s.ID)
	r.Expect(writes()).To(BeEquivalentTo(12), "going on after a pause")
	r.Write(s.ID, 100)
	r.Expect(r.Written("hive", s.Name)).To(BeEquivalentTo(112))
	r.Expect(r.lastAction(s.ID).Action).To(Equal("unpause"))

	again, err := r.snapshot(s.ID, "live", nil)
	r.Expect(err).NotTo(HaveOccurred())
	r.Settle()
	img, _ = r.Image(again)
	r.Expect(img.CutRunning).To(BeTrue())
}

func TestGoingBackInTime(t *testing.T) {
	for name, ranSince := range map[string]bool{"kept still": false, "ran since the cut": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cloud.Options{})
			s := pausedServer(r)
			imageID, err := r.snapshot(s.ID, "snap", nil)
			r.Expect(err).NotTo(HaveOccurred())
			r.Settle()
			if ranSince {
				r.StartServer(s.ID)
			}
			r.DeleteServer(s.ID)
			r.Settle()
			_, err = r.create(s, imageID)
			r.Expect(err).NotTo(HaveOccurred())
			r.Settle()
			if ranSince {
				r.Expect(r.Regressions()).To(ConsistOf(And(HaveField("Name", s.Name), HaveField("Highest", BeEquivalentTo(2)), HaveField("Started", BeEquivalentTo(1)))))
			} else {
				r.Expect(r.Regressions()).To(BeEmpty())
			}
		})
	}
}

func TestWatchers(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: cloud.Latencies{Spawn: time.Second}})
	s, imageID := freed(r)
	var seen []cloud.EventKind
	cancel := r.Subscribe(func(e cloud.ServerEvent) {
		_, known := r.Server(e.Server.ID) // a watcher may use the cloud
		r.Expect(known).To(BeTrue())
		seen = append(seen, e.Kind)
	})
	id, err := r.create(s, imageID)
	r.Expect(err).NotTo(HaveOccurred())
	at, pending := r.NextEvent()
	r.Expect(pending).To(BeTrue())
	r.Expect(at).To(Equal(r.clock.Now().Add(time.Second)))
	r.clock.SetTime(at)
	r.Advance()
	r.Expect(servers.Pause(r.ctx, r.compute, id).ExtractErr()).To(Succeed())
	r.Settle()
	r.Expect(seen).To(Equal([]cloud.EventKind{cloud.ServerCreated, cloud.ServerActive, cloud.ServerPaused}))
	cancel()
	r.SetServerState(id, "ACTIVE")
	r.Expect(seen).To(HaveLen(3))
}
