package cloud_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/instanceactions"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

var secondSteps = cloud.Latencies{
	SnapshotPending: time.Second, SnapshotStart: time.Second, SnapshotExtract: time.Second, SnapshotUpload: time.Second,
	SnapshotClear: time.Second, Delete: 100 * time.Millisecond, Deleted: 100 * time.Millisecond,
}

func pausedServer(r *rig) cloud.Server {
	s := r.SeedCluster("demo", 1, 0).Masters[0]
	r.SetServerState(s.ID, "PAUSED")
	return s
}

// lastAction returns the newest entry of a server's history.
func (r *rig) lastAction(serverID string) instanceactions.InstanceAction {
	page, err := instanceactions.List(r.compute, serverID, nil).AllPages(r.ctx)
	r.Expect(err).NotTo(HaveOccurred())
	actions, err := instanceactions.ExtractInstanceActions(page)
	r.Expect(err).NotTo(HaveOccurred())
	return actions[0]
}

func TestSnapshotSteps(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: secondSteps})
	id := pausedServer(r).ID
	imageID, err := r.snapshot(id, "snap", nil)
	r.Expect(err).NotTo(HaveOccurred())
	for _, step := range []struct {
		task  string
		image images.ImageStatus
	}{
		{"image_snapshot_pending", images.ImageStatusQueued}, {"image_snapshot", images.ImageStatusQueued},
		{"image_pending_upload", images.ImageStatusQueued}, {"image_uploading", images.ImageStatusSaving},
		{"image_uploading", images.ImageStatusActive}, {"", images.ImageStatusActive},
	} {
		s := r.server(id)
		r.Expect(s.Status).To(Equal("PAUSED"))
		r.Expect(s.TaskState).To(Equal(step.task))
		r.Expect(r.getImage(imageID).Status).To(Equal(step.image))
		if step.task != "" {
			r.Expect(status(servers.Unpause(r.ctx, r.compute, id).Err)).To(Equal(409), step.task)
			_, err := r.snapshot(id, "snap", nil)
			r.Expect(status(err)).To(Equal(409), step.task)
		}
		r.pass(time.Second)
	}
	r.Expect(r.lastAction(id)).To(And(HaveField("Action", "createImage"), HaveField("Message", "")))
	r.Expect(r.Images()).To(HaveLen(2))
}

// Requests that are under way before one of them was accepted lose in a worse way than later ones.
func TestSnapshotRace(t *testing.T) {
	const n = 4
	var arrived sync.WaitGroup
	arrived.Add(n)
	r := newRig(t, cloud.Options{
		Latencies: cloud.Latencies{Op: map[string]time.Duration{"nova.server.createImage": 1}, SnapshotPending: time.Second},
		Sleep: func(context.Context, time.Duration) error {
			arrived.Done()
			arrived.Wait()
			return nil
		},
	})
	id := pausedServer(r).ID
	codes := make([]int, n)
	var done sync.WaitGroup
	for i := range n {
		done.Go(func() {
			_, err := r.snapshot(id, "snap", nil)
			codes[i] = status(err)
		})
	}
	done.Wait()
	r.Expect(codes).To(ConsistOf(0, 500, 500, 500))
	r.pass(time.Minute)
	states := map[string]int{}
	for _, img := range r.Images() {
		states[img.Status]++
	}
	r.Expect(states).To(Equal(map[string]int{"active": 2, "queued": 3}))
}

func TestSnapshotIDs(t *testing.T) {
	r := newRig(t, cloud.Options{})
	id := pausedServer(r).ID
	for microversion, inBody := range map[string]bool{"2.44": false, "2.45": true} {
		r.at(microversion)
		result := servers.CreateImage(r.ctx, r.compute, id, servers.CreateImageOpts{Name: "snap"})
		r.Expect(result.Err).NotTo(HaveOccurred())
		imageID, err := result.ExtractImageID()
		r.Expect(err).NotTo(HaveOccurred())
		_, exists := r.Image(imageID)
		r.Expect(exists).To(BeTrue())
		r.Expect(strings.HasSuffix(result.Header.Get("Location"), "//images/"+imageID)).To(Equal(!inBody))
		r.Settle()
	}
}

func TestSnapshotMetadata(t *testing.T) {
	r := newRig(t, cloud.Options{})
	id := pausedServer(r).ID
	many := map[string]string{}
	for i := range 125 {
		many[strings.Repeat("k", i+1)] = "v"
	}
	for name, test := range map[string]struct {
		metadata map[string]string
		want     int
	}{
		"good":           {map[string]string{"a-b_c:d. e": strings.Repeat("v", 255)}, 0},
		"slash":          {map[string]string{"a/b": ""}, 400},
		"too long":       {map[string]string{"a": strings.Repeat("v", 256)}, 400},
		"too many":       {many, 500},
		"status":         {map[string]string{"status": "active"}, 500},
		"min_disk":       {map[string]string{"min_disk": "1"}, 500},
		"somebody's own": {map[string]string{"owner": "x"}, 403},
	} {
		_, err := r.snapshot(id, name, test.metadata)
		r.Expect(status(err)).To(Equal(test.want), name)
		r.Settle()
	}
}

func TestSnapshotVanishes(t *testing.T) {
	for name, fail := range map[string]func(*rig){
		"hypervisor": func(r *rig) { r.FailNextSnapshot("") },
		"count":      func(r *rig) { q := cloud.DefaultQuota(); q.Images = 1; r.SetQuota("hive", q) },
		"size":       func(r *rig) { q := cloud.DefaultQuota(); q.ImageBytes = 1 << 20; r.SetQuota("hive", q) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cloud.Options{})
			id := pausedServer(r).ID
			fail(r)
			imageID, err := r.snapshot(id, "snap", nil)
			r.Expect(err).NotTo(HaveOccurred())
			r.Expect(status(images.Get(r.ctx, r.image, imageID).Err)).To(Equal(404))
			s := r.server(id)
			r.Expect(s.Status + s.TaskState + s.Fault.Message).To(Equal("PAUSED"))
			r.Expect(r.lastAction(id)).To(And(HaveField("Action", "createImage"), HaveField("Message", "Error")))
		})
	}
}

func TestDeleteDuringSnapshot(t *testing.T) {
	for after, want := range map[time.Duration]string{0: "", time.Second: "", 2 * time.Second: "", 3 * time.Second: "active"} {
		r := newRig(t, cloud.Options{Latencies: secondSteps})
		id := pausedServer(r).ID
		imageID, err := r.snapshot(id, "snap", nil)
		r.Expect(err).NotTo(HaveOccurred())
		r.pass(after)
		r.Expect(servers.Delete(r.ctx, r.compute, id).ExtractErr()).To(Succeed())
		r.pass(200 * time.Millisecond)
		r.Expect(status(servers.Get(r.ctx, r.compute, id).Err)).To(Equal(404))
		r.pass(time.Minute)
		img, _ := r.Image(imageID)
		r.Expect(img.Status).To(Equal(want), after.String())
	}
}

func TestDeleteUnfinishedSnapshot(t *testing.T) {
	for _, after := range []time.Duration{0, 3 * time.Second} {
		r := newRig(t, cloud.Options{Latencies: secondSteps})
		id := pausedServer(r).ID
		imageID, err := r.snapshot(id, "snap", nil)
		r.Expect(err).NotTo(HaveOccurred())
		r.pass(after)
		r.Expect(images.Delete(r.ctx, r.image, imageID).ExtractErr()).To(Succeed())
		r.pass(time.Second)
		r.Expect(r.server(id).TaskState).To(BeEmpty())
		r.Expect(servers.Unpause(r.ctx, r.compute, id).ExtractErr()).To(Succeed())
	}
}

// An upload takes minutes, and Glance takes it to its end even if its image is deleted; others may break it off.
func TestDeleteImageDuringLongUpload(t *testing.T) {
	for name, test := range map[string]struct {
		breaks time.Duration
		remove func(*rig, string)
	}{
		"by its owner":   {0, func(r *rig, id string) { r.Expect(images.Delete(r.ctx, r.image, id).ExtractErr()).To(Succeed()) }},
		"by an operator": {0, func(r *rig, id string) { r.DeleteImage(id) }},
		"breaking off":   {time.Second, func(r *rig, id string) { r.DeleteImage(id) }},
	} {
		t.Run(name, func(t *testing.T) {
			l := cloud.TestBedLatencies()
			l.SnapshotUpload, l.SnapshotBreak = 10*time.Minute, test.breaks
			r := newRig(t, cloud.Options{Latencies: l})
			id := pausedServer(r).ID
			first, err := r.snapshot(id, "first", nil)
			r.Expect(err).NotTo(HaveOccurred())
			r.pass(time.Second)
			r.Expect(r.server(id).TaskState).To(Equal("image_uploading"))
			test.remove(r, first)
			if test.breaks == 0 {
				r.pass(9*time.Minute + 50*time.Second)
			}
			r.Expect(status(images.Get(r.ctx, r.image, first).Err)).To(Equal(404))
			r.Expect(r.server(id).TaskState).To(Equal("image_uploading"))
			r.Expect(status(servers.Unpause(r.ctx, r.compute, id).Err)).To(Equal(409))
			r.pass(max(test.breaks, 10*time.Second))
			r.Expect(r.server(id).TaskState).To(BeEmpty())
			r.Expect(r.lastAction(id)).To(And(HaveField("Action", "createImage"), HaveField("Message", "Error")))

			second, err := r.snapshot(id, "second", nil)
			r.Expect(err).NotTo(HaveOccurred())
			r.pass(9*time.Minute + 55*time.Second) // the first one's upload has ended by then
			r.Expect(r.server(id).TaskState).To(Equal("image_uploading"), "that of the second")
			r.pass(time.Minute)
			r.Expect(r.server(id).TaskState).To(BeEmpty())
			r.Expect(r.getImage(second).Status).To(Equal(images.ImageStatusActive))
			_, found := r.Image(first)
			r.Expect(found).To(BeFalse())
		})
	}
}

// Before the upload, that is seen at the next step at which the image is asked for, and is no error.
func TestDeleteImageBeforeUpload(t *testing.T) {
	for after, tasks := range map[time.Duration][]string{
		0: {"image_snapshot_pending", ""}, time.Second: {"image_snapshot", "image_pending_upload", ""}, 2 * time.Second: {"image_pending_upload", ""},
	} {
		r := newRig(t, cloud.Options{Latencies: secondSteps})
		id := pausedServer(r).ID
		imageID, err := r.snapshot(id, "snap", nil)
		r.Expect(err).NotTo(HaveOccurred())
		r.pass(after)
		r.DeleteImage(imageID)
		for _, task := range tasks {
			r.Expect(r.server(id).TaskState).To(Equal(task), after.String())
			r.pass(time.Second)
		}
		r.Expect(r.lastAction(id)).To(And(HaveField("Action", "createImage"), HaveField("Message", "")))
		r.Expect(status(images.Get(r.ctx, r.image, imageID).Err)).To(Equal(404))
	}
}

// The end of one snapshot is not taken for that of the next.
func TestSnapshotAfterOneThatWasForgotten(t *testing.T) {
	l := secondSteps
	l.SnapshotExtract, l.SnapshotUpload = 0, 5*time.Second
	r := newRig(t, cloud.Options{Latencies: l})
	id := pausedServer(r).ID
	first, err := r.snapshot(id, "first", nil)
	r.Expect(err).NotTo(HaveOccurred())
	r.pass(3 * time.Second)
	r.SetServerState(id, "PAUSED") // an administrator's reset
	second, err := r.snapshot(id, "second", nil)
	r.Expect(err).NotTo(HaveOccurred())
	r.pass(2 * time.Second)
	r.pass(3 * time.Second)
	r.Expect(r.getImage(first).Status).To(Equal(images.ImageStatusActive))
	r.Expect(r.server(id).TaskState).To(Equal("image_uploading"))
	r.pass(3 * time.Second)
	r.Expect(r.getImage(second).Status).To(Equal(images.ImageStatusActive))
	r.Expect(r.server(id).TaskState).To(BeEmpty())
}

// What a user makes of a resumed server bears all that the snapshot had.
func TestInheritance(t *testing.T) {
	r := newRig(t, cloud.Options{})
	s := pausedServer(r)
	first, err := r.snapshot(s.ID, "snap", map[string]string{"infra": "demo", "cycle": "1"})
	r.Expect(err).NotTo(HaveOccurred())
	r.Settle()
	r.DeleteServer(s.ID)
	r.Settle()
	id, err := r.create(s, first)
	r.Expect(err).NotTo(HaveOccurred())
	r.Settle()
	r.SetImageProperty(first, "cycle", "changed since")
	second, err := r.snapshot(id, "mine", nil)
	r.Expect(err).NotTo(HaveOccurred())
	r.Settle()
	r.Expect(r.getImage(second).Properties).To(And(
		HaveKeyWithValue("infra", "demo"), HaveKeyWithValue("cycle", "1"), HaveKeyWithValue("instance_uuid", id), HaveKeyWithValue("base_image_ref", first)))
	r.Expect(r.getImage(second).Tags).To(BeEmpty())
}

func TestSnapshotOfVolumeBooted(t *testing.T) {
	r := newRig(t, cloud.Options{})
	s := r.SeedClusterWith(cloud.ClusterOptions{InfraID: "demo", Masters: 1, BootFromVolume: true}).Masters[0]
	r.Expect(r.server(s.ID).Image).To(BeNil())
	r.Expect(r.server(s.ID).AttachedVolumes).To(HaveLen(1))
	imageID, err := r.snapshot(s.ID, "snap", nil)
	r.Expect(err).NotTo(HaveOccurred())
	img := r.getImage(imageID)
	r.Expect(img.Status).To(Equal(images.ImageStatusActive))
	r.Expect(img.SizeBytes).To(BeZero())
	r.Expect(img.Properties).To(And(HaveKey("block_device_mapping"), Not(HaveKey("instance_uuid")), Not(HaveKey("image_type"))))
	r.DeleteServer(s.ID)
	r.Settle()
	r.Expect(r.Volumes()).To(ConsistOf(HaveField("Status", "available")), "its snapshot keeps it")
}
