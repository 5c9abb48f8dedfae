package cloud_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

// What a view shows is what the copies show.
func TestViewAgreesWithCopies(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: cloud.TestBedLatencies()})
	cluster := r.SeedCluster("demo", 1, 1)
	r.SeedClusterWith(cloud.ClusterOptions{InfraID: "bfv", Masters: 1, BootFromVolume: true, Project: "other", User: "stranger"})
	s := cluster.Masters[0]
	r.pass(time.Minute)
	r.Expect(servers.Pause(r.ctx, r.compute, s.ID).ExtractErr()).To(Succeed())
	r.pass(time.Second)
	_, err := r.snapshot(s.ID, "snap", nil)
	r.Expect(err).NotTo(HaveOccurred())
	r.pass(time.Minute)
	r.FailServer(cluster.Workers[0].ID, "broken")

	want, images, ports := r.Servers(), r.Images(), r.Ports()
	written := r.Written("hive", s.Name)
	r.View(func(v *cloud.View) {
		for one := range v.Servers() {
			i := slices.IndexFunc(want, func(w cloud.Server) bool { return w.ID == one.ID })
			r.Expect(i).To(BeNumerically(">=", 0))
			w := want[i]
			r.Expect(one.Copy()).To(Equal(w))
			r.Expect(cloud.Server{
				ID: one.ID, Name: one.Name, Project: one.Project, Status: one.Status, TaskState: one.TaskState, Created: one.Created,
				Launched: one.Launched, ImageID: one.ImageID, FlavorID: one.FlavorID, Metadata: one.Metadata, Tags: one.Tags, Writes: one.Writes,
			}).To(Equal(cloud.Server{
				ID: w.ID, Name: w.Name, Project: w.Project, Status: w.Status, TaskState: w.TaskState, Created: w.Created,
				Launched: w.Launched, ImageID: w.ImageID, FlavorID: w.FlavorID, Metadata: w.Metadata, Tags: w.Tags, Writes: w.Writes,
			}))
			r.Expect(one.Cluster).To(Equal(w.Metadata["openshiftClusterID"]))
			r.Expect(one.Running).To(Equal(w.Status == "ACTIVE"))
			r.Expect([]bool{one.Ended, one.Hidden}).To(Equal([]bool{false, false}))
			var bound []string
			for p := range one.Ports() {
				bound = append(bound, p.ID)
			}
			r.Expect(bound).To(Equal(w.Ports))
		}
		r.Expect(slices.Collect(v.Servers())).To(HaveLen(len(want)))
		var seen []cloud.Image
		for img := range v.Images() {
			seen = append(seen, img.Copy())
		}
		r.Expect(seen).To(Equal(images))
		r.Expect(slices.Collect(v.Ports())).To(HaveLen(len(ports)))
		for _, p := range ports {
			one, ok := v.Port(p.ID)
			r.Expect(ok).To(BeTrue())
			r.Expect(one.Copy()).To(Equal(p))
			r.Expect([]string{one.Name, one.DeviceID, one.Status}).To(Equal([]string{p.Name, p.DeviceID, p.Status}))
		}
		r.Expect(v.Written("hive", s.Name)).To(Equal(written))
		r.Expect([]int{v.Volumes(), v.Snapshots(), len(v.Regressions())}).To(Equal([]int{1, 0, 0}))
		r.Expect(v.Now()).To(Equal(r.clock.Now()))
	})
}

func TestViewOfSnapshot(t *testing.T) {
	r := newRig(t, cloud.Options{})
	s := pausedServer(r)
	imageID, err := r.snapshot(s.ID, "snap", map[string]string{"cycle": "1"})
	r.Expect(err).NotTo(HaveOccurred())
	r.Settle()
	r.View(func(v *cloud.View) {
		img, ok := v.Image(imageID)
		r.Expect(ok).To(BeTrue())
		r.Expect(img).To(And(HaveField("Name", "snap"), HaveField("Project", "hive"), HaveField("Status", "active"), HaveField("Machine", s.Name),
			HaveField("Writes", BeEquivalentTo(1)), HaveField("Server", s.ID), HaveField("Type", "snapshot"), HaveField("CutRunning", false),
			HaveField("Properties", HaveKeyWithValue("cycle", "1"))))
		_, ok = v.Image("none")
		r.Expect(ok).To(BeFalse())
		one, ok := v.Server(s.ID)
		r.Expect(ok).To(BeTrue())
		r.Expect([]int64{one.Writes, one.Written}).To(Equal([]int64{1, 1}))
		_, ok = v.Server("none")
		r.Expect(ok).To(BeFalse())
	})
}

// The version tells a checker when it need not look again.
func TestVersion(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: cloud.Latencies{Pause: time.Second}})
	s := r.SeedCluster("demo", 1, 0).Masters[0]
	for _, step := range []struct {
		name    string
		do      func()
		changes bool
	}{
		{"a list", func() { _, _ = r.names(nil) }, false},
		{"a get", func() { r.server(s.ID) }, false},
		{"time, with nothing under way", func() { r.pass(time.Hour) }, false},
		{"looking", func() { r.Servers(); r.Images(); r.Ports(); r.View(func(*cloud.View) {}) }, false},
		{"a token", func() { r.as(cloud.DefaultUser, cloud.DefaultProject) }, false},
		{"a pause", func() { _ = servers.Pause(r.ctx, r.compute, s.ID) }, true},
		{"nothing", func() {}, false},
		{"the end of the pause", func() { r.pass(time.Second) }, true},
		{"another state by hand", func() { r.SetServerState(s.ID, "ACTIVE") }, true},
		{"a port by hand", func() { r.BindPort(s.Ports[0], "") }, true},
		{"an image by hand", func() { r.SetImageProperty(s.ImageID, "a", "b") }, true},
		{"another cluster", func() { r.SeedCluster("more", 1, 0) }, true},
	} {
		before := r.Version()
		step.do()
		r.Expect(r.Version() > before).To(Equal(step.changes), step.name)
	}
}

func TestLedgerSize(t *testing.T) {
	r := newRig(t, cloud.Options{LedgerSize: 3})
	id := r.SeedCluster("demo", 1, 0).Masters[0].ID
	for range 20 {
		r.server(id)
		_, _ = r.names(nil)
		kept := r.Ledger().Entries()
		r.Expect(len(kept)).To(BeNumerically("<=", 3))
		last, _ := r.Ledger().Last()
		r.Expect(kept[len(kept)-1]).To(Equal(last))
		r.Expect(last.Op).To(Equal("nova.server.list"))
		r.Expect(last.Status).To(Equal(200))
		r.Expect(last.Seq).To(Equal(r.Ledger().Requests()))
	}
	r.Expect(r.Ledger().Entries()).To(HaveLen(3))

	none := newRig(t, cloud.Options{LedgerSize: -1})
	before := none.Ledger().Requests()
	_, _ = none.names(nil)
	none.Expect(none.Ledger().Entries()).To(BeEmpty())
	none.Expect(none.Ledger().Requests()).To(Equal(before + 1))
	_, found := none.Ledger().Last()
	none.Expect(found).To(BeFalse())
}
