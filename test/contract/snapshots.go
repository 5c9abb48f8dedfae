package contract

import (
	"slices"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// snapshotAndReplace: the way of one server through a hibernation.
func snapshotAndReplace(t *testing.T, s *suite) {
	port := s.port(t)
	opts := s.plainServer("cycle", port.ID)
	opts.ServerGroup = s.seed.groupID
	opts.Tags = []string{"openshiftClusterID=" + s.prefix}
	id := s.server(t, opts).ID
	NewWithT(t).Expect(s.client.PauseServer(t.Context(), id)).To(Succeed())
	s.inStatus(t, id, "PAUSED")

	image := s.snapshot(t, id)
	s.delete(t, id, port)
	s.replace(t, opts, image, port)
}

// snapshot takes one of a paused server and returns the image's ID.
func (s *suite) snapshot(t *testing.T, id string) string {
	t.Helper()
	g := NewWithT(t)
	ctx := t.Context()
	properties := map[string]string{"contract_cycle": "20261123-120000", "contract-infra": s.prefix}
	name := s.prefix + "-snapshot"
	image, err := s.client.CreateServerImage(ctx, id, servers.CreateImageOpts{Name: name, Metadata: properties})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image).NotTo(BeEmpty())
	s.seed.removeImage(t, image)

	early, err := s.client.GetImage(ctx, image)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(early.Name).To(Equal(name))
	s.isSnapshotOf(t, early, id)
	// While the server has a task, neither another snapshot nor an unpause is accepted.
	_, err = s.client.CreateServerImage(ctx, id, servers.CreateImageOpts{Name: name})
	kind(g, err, openstackclient.KindConflict)
	kind(g, s.client.UnpauseServer(ctx, id), openstackclient.KindConflict)

	s.untilActive(t, id, image)
	// Not earlier: Glance may lose a tag that is added while the upload ends.
	g.Expect(s.client.TagImage(ctx, image, "openshiftClusterID="+s.prefix)).To(Succeed())
	s.inStatus(t, id, "PAUSED")
	late, err := s.client.GetImage(ctx, image)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(late.Status).To(Equal(images.ImageStatusActive))
	g.Expect(late.SizeBytes).To(BeNumerically(">", 0))
	g.Expect(late.Tags).To(Equal([]string{"openshiftClusterID=" + s.prefix}), "server tags are not image tags")
	g.Expect(late.MinDiskGigabytes).To(Equal(s.seed.flavor.Disk))
	g.Expect(late.Visibility).NotTo(Equal(images.ImageVisibilityPublic))
	s.isSnapshotOf(t, late, id)
	s.imageFilters(t, image)
	return image
}

// isSnapshotOf checks the properties that bind an image to its server.
func (s *suite) isSnapshotOf(t *testing.T, image *images.Image, server string) {
	t.Helper()
	g := NewWithT(t)
	g.Expect(image.Properties).To(HaveKeyWithValue("instance_uuid", server))
	g.Expect(image.Properties).To(HaveKeyWithValue("image_type", "snapshot"))
	g.Expect(image.Properties).To(HaveKeyWithValue("contract_cycle", "20261123-120000"))
	g.Expect(image.Properties).To(HaveKeyWithValue("contract-infra", s.prefix))
	g.Expect(image.Properties).To(HaveKeyWithValue(baseProperty, "yes"), "inherited from the image of the server")
}

// untilActive waits for an image and checks the states on the way.
func (s *suite) untilActive(t *testing.T, server, image string) {
	t.Helper()
	tasks := []string{"image_snapshot_pending", "image_snapshot", "image_pending_upload", "image_uploading", ""}
	states := []images.ImageStatus{images.ImageStatusQueued, images.ImageStatusSaving, images.ImageStatusActive}
	task, state := 0, 0
	s.await(t, "the snapshot to be active", func(g Gomega) bool {
		// The image is asked for first: it may be active a moment before the server has no task any more.
		seen, err := s.client.GetImage(t.Context(), image)
		g.Expect(err).NotTo(HaveOccurred())
		now := slices.Index(states, seen.Status)
		g.Expect(now).To(BeNumerically(">=", state), "%s after %s", seen.Status, states[state])
		state = now
		holder, err := s.client.GetServer(t.Context(), openstackclient.ViewFlavorID, server)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(holder.Status).To(Equal("PAUSED"), "all the time")
		now = slices.Index(tasks, holder.TaskState)
		g.Expect(now).To(BeNumerically(">=", task), "%s after %s", holder.TaskState, tasks[task])
		task = now
		if holder.TaskState == "" {
			seen, err = s.client.GetImage(t.Context(), image)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(seen.Status).To(Equal(images.ImageStatusActive), "a server without a task has finished its snapshot")
		}
		return holder.TaskState == ""
	})
}

// imageFilters: by custom property, name, tag and status, alone and together.
func (s *suite) imageFilters(t *testing.T, image string) {
	t.Helper()
	g := NewWithT(t)
	property := func(pairs ...string) openstackclient.ListImagesOpts {
		opts := openstackclient.ListImagesOpts{Properties: map[string]string{}}
		for i := 0; i < len(pairs); i += 2 {
			opts.Properties[pairs[i]] = pairs[i+1]
		}
		return opts
	}
	both := property("contract-infra", s.prefix, "contract_cycle", "20261123-120000")
	both.Name = s.prefix + "-snapshot"
	tag := property("contract-infra", s.prefix)
	tag.Tags = []string{"openshiftClusterID=" + s.prefix}
	names := property("contract-infra", s.prefix)
	names.Name = "in:" + s.prefix + "-snapshot,other"
	otherName := property("contract-infra", s.prefix)
	otherName.Name = s.prefix
	saving := property("contract-infra", s.prefix)
	saving.Status = images.ImageStatusSaving
	for what, test := range map[string]struct {
		opts openstackclient.ListImagesOpts
		want []string
	}{
		"one property":         {property("contract-infra", s.prefix), []string{image}},
		"properties and name":  {both, []string{image}},
		"another value":        {property("contract-infra", s.prefix, "contract_cycle", "20261123-130000"), nil},
		"the start of a value": {property("contract-infra", s.prefix[:len(s.prefix)-1]), nil},
		"an unknown property":  {property("contract_nobody_has_this", "x"), nil},
		"tag":                  {tag, []string{image}},
		"names":                {names, []string{image}},
		"a part of the name":   {otherName, nil},
		"another status":       {saving, nil},
	} {
		found, err := s.client.ListImages(t.Context(), test.opts)
		g.Expect(err).NotTo(HaveOccurred(), what)
		ids := []string{}
		for _, one := range found {
			ids = append(ids, one.ID)
		}
		g.Expect(ids).To(ConsistOf(test.want), what)
	}
}

// delete removes a paused server and checks what becomes of its port.
func (s *suite) delete(t *testing.T, id string, port ports.Port) {
	t.Helper()
	g := NewWithT(t)
	ctx := t.Context()
	g.Expect(s.client.DeleteServer(ctx, id)).To(Succeed())
	if err := s.client.DeleteServer(ctx, id); err != nil {
		kind(g, err, openstackclient.KindNotFound)
	}
	s.absent(t, id)
	kind(g, s.client.DeleteServer(ctx, id), openstackclient.KindNotFound)
	kind(g, s.client.UnpauseServer(ctx, id), openstackclient.KindNotFound)
	listed, err := s.client.ListServers(ctx, openstackclient.ViewFlavorID, servers.ListOpts{Tags: "openshiftClusterID=" + s.prefix})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(serverIDs(listed)).NotTo(ContainElement(id))
	kept := s.unbound(t, port.ID)
	g.Expect(kept.MACAddress).To(Equal(port.MACAddress))
	g.Expect(kept.FixedIPs).To(Equal(port.FixedIPs))
	g.Expect(kept.Tags).To(Equal([]string{s.prefix}))
	g.Expect(kept.SecurityGroups).To(Equal(port.SecurityGroups))
	groups, err := s.client.ListServerGroups(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	for _, group := range groups {
		g.Expect(group.Members).NotTo(ContainElement(id), "the group has forgotten it")
	}
}

// unbound waits until a port belongs to nothing.
func (s *suite) unbound(t *testing.T, id string) ports.Port {
	t.Helper()
	var port ports.Port
	s.await(t, "the port to be free", func(g Gomega) bool {
		found, err := s.client.ListPorts(t.Context(), openstackclient.ListPortsOpts{ListOpts: ports.ListOpts{ID: id}})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(found).To(HaveLen(1), "a port that was made beforehand outlives its server")
		port = found[0]
		return port.DeviceID == ""
	})
	NewWithT(t).Expect(port.DeviceOwner).To(BeEmpty())
	NewWithT(t).Expect(port.Status).To(Equal("DOWN"))
	return port
}

// replace makes the server again from its snapshot, with its port.
func (s *suite) replace(t *testing.T, opts openstackclient.CreateServerOpts, image string, port ports.Port) {
	t.Helper()
	g := NewWithT(t)
	ctx := t.Context()
	opts.ImageRef = image
	again := s.server(t, opts)
	g.Expect(again.ImageID).To(Equal(image))
	g.Expect(again.MACs).To(Equal([]string{port.MACAddress}))
	g.Expect(*again.Tags).To(Equal(opts.Tags))
	found, err := s.client.ListPorts(ctx, openstackclient.ListPortsOpts{DeviceIDs: []string{again.ID}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(portIDs(found)).To(Equal([]string{port.ID}))
	g.Expect(found[0].FixedIPs).To(Equal(port.FixedIPs))

	// The port is in use now, and a second server does not get it.
	_, err = s.client.CreateServer(ctx, opts)
	kind(g, err, openstackclient.KindConflict)
	named, err := s.client.ListServers(ctx, openstackclient.ViewFlavorID, servers.ListOpts{Name: "^" + opts.Name + "$"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(serverIDs(named)).To(Equal([]string{again.ID}))
}

// deleteDuringSnapshot: the delete is accepted and wins. Its image goes, becomes active, or stays queued for ever, by the
// moment of the delete; whatever becomes of it, it can be deleted.
func deleteDuringSnapshot(t *testing.T, s *suite) {
	g := NewWithT(t)
	ctx := t.Context()
	id := s.server(t, s.plainServer("hurry", s.port(t).ID)).ID
	g.Expect(s.client.PauseServer(ctx, id)).To(Succeed())
	s.inStatus(t, id, "PAUSED")
	image, err := s.client.CreateServerImage(ctx, id, servers.CreateImageOpts{Name: s.prefix + "-hurry"})
	g.Expect(err).NotTo(HaveOccurred())
	s.seed.removeImage(t, image)
	g.Expect(s.client.DeleteServer(ctx, id)).To(Succeed())
	s.absent(t, id)
	err = s.client.DeleteImage(ctx, image)
	if err != nil {
		kind(g, err, openstackclient.KindNotFound)
	}
	s.await(t, "the image to be gone", func(Gomega) bool {
		_, err := s.client.GetImage(ctx, image)
		return openstackclient.IsNotFound(err)
	})
}

// deleteUnfinishedImage: a snapshot that is deleted before it has arrived is gone, and its server is let go as it was.
func deleteUnfinishedImage(t *testing.T, s *suite) {
	g := NewWithT(t)
	ctx := t.Context()
	id := s.server(t, s.plainServer("undone", s.port(t).ID)).ID
	g.Expect(s.client.PauseServer(ctx, id)).To(Succeed())
	s.inStatus(t, id, "PAUSED")
	for _, task := range []string{"image_snapshot_pending", "image_uploading"} { // or later, if it is gone before it is seen
		image, err := s.client.CreateServerImage(ctx, id, servers.CreateImageOpts{Name: s.prefix + "-undone"})
		g.Expect(err).NotTo(HaveOccurred())
		s.seed.removeImage(t, image)
		s.await(t, "the snapshot to come as far as "+task, func(g Gomega) bool {
			now, err := s.client.GetServer(ctx, openstackclient.ViewFlavorID, id)
			g.Expect(err).NotTo(HaveOccurred())
			return task == "image_snapshot_pending" || now.TaskState == task || now.TaskState == ""
		})
		g.Expect(s.client.DeleteImage(ctx, image)).To(Succeed())
		_, err = s.client.GetImage(ctx, image)
		kind(g, err, openstackclient.KindNotFound)
		s.await(t, "the server to have no task", func(g Gomega) bool {
			now, err := s.client.GetServer(ctx, openstackclient.ViewFlavorID, id)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(now.Status).To(Equal("PAUSED"))
			return now.TaskState == ""
		})
		_, err = s.client.GetImage(ctx, image)
		kind(g, err, openstackclient.KindNotFound)
	}
	g.Expect(s.client.UnpauseServer(ctx, id)).To(Succeed())
	s.inStatus(t, id, "ACTIVE")
}
