package cloud_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/attachinterfaces"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/instanceactions"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/keypairs"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servergroups"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/tags"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/volumeattach"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/utils"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

func TestKeypairsAreTheUsersOwn(t *testing.T) {
	r := newRig(t, cloud.Options{})
	s, imageID := freed(r)
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE5ldmVyVXNlZEFueXdoZXJlRXhjZXB0SW5UaGlzVGVz me"
	made, err := keypairs.Create(r.ctx, r.compute, keypairs.CreateOpts{Name: "mine", PublicKey: key}).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(made.Fingerprint).To(HaveLen(47))
	_, err = keypairs.Create(r.ctx, r.compute, keypairs.CreateOpts{Name: "mine", PublicKey: key}).Extract()
	r.Expect(status(err)).To(Equal(409))
	_, err = keypairs.Create(r.ctx, r.compute, keypairs.CreateOpts{Name: "bad", PublicKey: "ssh-rsa AAAA"}).Extract()
	r.Expect(status(err)).To(Equal(400))
	r.AddKeypair("stranger", "theirs")
	page, err := keypairs.List(r.compute, nil).AllPages(r.ctx)
	r.Expect(err).NotTo(HaveOccurred())
	own, err := keypairs.ExtractKeyPairs(page)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(own).To(ConsistOf(HaveField("Name", "mine")))
	r.Expect(status(keypairs.Get(r.ctx, r.compute, "theirs", nil).Err)).To(Equal(404))
	for name, want := range map[string]int{"mine": 0, "theirs": 400} {
		_, err := servers.Create(r.ctx, r.compute, keypairs.CreateOptsExt{
			CreateOptsBuilder: servers.CreateOpts{Name: "x", ImageRef: imageID, FlavorRef: s.FlavorID, Networks: "none"}, KeyName: name,
		}, nil).Extract()
		r.Expect(status(err)).To(Equal(want), name)
	}
	r.Expect(keypairs.Delete(r.ctx, r.compute, "mine", nil).ExtractErr()).To(Succeed())
	r.Expect(status(keypairs.Get(r.ctx, r.compute, "mine", nil).Err)).To(Equal(404))
}

func TestServersDetails(t *testing.T) {
	r := newRig(t, cloud.Options{Zones: []string{"nova", "az2"}})
	s := r.SeedClusterWith(cloud.ClusterOptions{InfraID: "demo", Masters: 1, Zone: "az2", KeyName: "core", Description: "a master"}).Masters[0]
	r.Expect(r.server(s.ID)).To(And(HaveField("AvailabilityZone", "az2"), HaveField("KeyName", "core"), HaveField("ConfigDrive", true)))
	_, err := servers.UpdateMetadata(r.ctx, r.compute, s.ID, servers.MetadataOpts{"a": "b"}).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	all, err := servers.ResetMetadata(r.ctx, r.compute, s.ID, servers.MetadataOpts{"c": "d"}).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(all).To(Equal(map[string]string{"c": "d"}))
	r.Expect(servers.DeleteMetadatum(r.ctx, r.compute, s.ID, "c").ExtractErr()).To(Succeed())
	r.Expect(status(servers.DeleteMetadatum(r.ctx, r.compute, s.ID, "c").Err)).To(Equal(404))
	r.Expect(servers.Metadata(r.ctx, r.compute, s.ID).Extract()).To(BeEmpty())

	r.Expect(tags.ReplaceAll(r.ctx, r.compute, s.ID, tags.ReplaceAllOpts{Tags: []string{"b", "a"}}).Extract()).To(Equal([]string{"a", "b"}))
	r.Expect(tags.Delete(r.ctx, r.compute, s.ID, "a").ExtractErr()).To(Succeed())
	r.Expect(status(tags.Delete(r.ctx, r.compute, s.ID, "a").Err)).To(Equal(404))
	r.Expect(tags.List(r.ctx, r.compute, s.ID).Extract()).To(Equal([]string{"b"}))

	hostname := "other"
	_, err = servers.Update(r.ctx, r.compute, s.ID, servers.UpdateOpts{Name: "renamed", Hostname: &hostname}).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(*r.server(s.ID).Hostname).To(Equal("other"))
	r.Expect(r.names(servers.ListOpts{Name: "renamed"})).To(HaveLen(1))

	page, err := attachinterfaces.List(r.compute, s.ID).AllPages(r.ctx)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(attachinterfaces.ExtractInterfaces(page)).To(ConsistOf(HaveField("PortID", s.Ports[0])))
	action, err := instanceactions.Get(r.ctx, r.compute, s.ID, r.lastAction(s.ID).RequestID).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(action.Action).To(Equal("create"))
	r.Expect(*action.Events).To(ConsistOf(HaveField("Result", "Success")))
	r.Expect(status(instanceactions.Get(r.ctx, r.compute, s.ID, "req-none").Err)).To(Equal(404))
}

func TestAttachInterface(t *testing.T) {
	r := newRig(t, cloud.Options{})
	cluster := r.SeedCluster("demo", 2, 0)
	s, other := cluster.Masters[0], cluster.Masters[1]
	made, err := ports.Create(r.ctx, r.network, ports.CreateOpts{NetworkID: cluster.NetworkID}).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	attach := func(serverID, portID string) int {
		return status(attachinterfaces.Create(r.ctx, r.compute, serverID, attachinterfaces.CreateOpts{PortID: portID}).Err)
	}
	got, err := attachinterfaces.Create(r.ctx, r.compute, s.ID, attachinterfaces.CreateOpts{PortID: made.ID}).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(*got).To(And(HaveField("PortID", made.ID), HaveField("PortState", "ACTIVE"), HaveField("MACAddr", made.MACAddress)))
	r.Expect(r.port(made.ID)).To(And(HaveField("DeviceID", s.ID), HaveField("DeviceOwner", HavePrefix("compute:"))))
	now, _ := r.Server(s.ID)
	r.Expect(now.Ports).To(Equal([]string{s.Ports[0], made.ID}))
	r.Expect(r.lastAction(s.ID)).To(And(HaveField("Action", "attach_interface"), HaveField("Message", BeEmpty())))

	r.Expect(attach(s.ID, made.ID)).To(Equal(409), "it has the port already")
	r.Expect(attach(other.ID, made.ID)).To(Equal(409))
	r.Expect(r.lastAction(other.ID)).To(And(HaveField("Action", "attach_interface"), HaveField("Message", "Error")))
	r.Expect(attach(s.ID, s.ID)).To(Equal(404), "no such port")
	r.Expect(attach(made.ID, made.ID)).To(Equal(404), "no such server")
	for _, body := range []string{`[]`, `{}`, `{"interfaceAttachment": {"port_id": "x"}}`, `{"interfaceAttachment": {"port_id": "` + made.ID + `", "net_id": "` + cluster.NetworkID + `"}}`} {
		_, err := r.compute.Post(r.ctx, r.compute.ServiceURL("servers", s.ID, "os-interface"), json.RawMessage(body), nil, nil) //nolint:bodyclose // gophercloud has
		r.Expect(status(err)).To(Equal(400), body)
	}

	// What is taken from it comes back after the others.
	r.BindPort(s.Ports[0], "")
	for _, state := range []string{"BUILD", "ERROR", "SUSPENDED"} {
		r.SetServerState(s.ID, state)
		r.Expect(attach(s.ID, s.Ports[0])).To(Equal(409), state)
	}
	r.SetServerState(s.ID, "PAUSED")
	r.Expect(attach(s.ID, s.Ports[0])).To(Equal(0))
	now, _ = r.Server(s.ID)
	r.Expect(now.Ports).To(Equal([]string{made.ID, s.Ports[0]}))
	r.DeleteServer(s.ID)
	r.Settle()
	r.Expect(r.port(made.ID).DeviceID).To(BeEmpty(), "it survives, as it was there before")
	r.LockServer(other.ID, false, "")
	r.Expect(attach(other.ID, made.ID)).To(Equal(409), "locked")
	r.as("stranger", "other")
	r.Expect(attach(other.ID, made.ID)).To(Equal(404))
}

func TestDeleteOnTermination(t *testing.T) {
	r := newRig(t, cloud.Options{})
	for _, keep := range []bool{true, false} {
		s := r.SeedClusterWith(cloud.ClusterOptions{InfraID: "demo", Masters: 1, BootFromVolume: true}).Masters[0]
		page, err := volumeattach.List(r.compute, s.ID).AllPages(r.ctx)
		r.Expect(err).NotTo(HaveOccurred())
		r.Expect(volumeattach.ExtractVolumeAttachments(page)).To(ConsistOf(And(HaveField("VolumeID", s.Volumes[0]), HaveField("DeleteOnTermination", HaveValue(BeTrue())))))
		set := func() int {
			url := r.compute.ServiceURL("servers", s.ID, "os-volume_attachments", s.Volumes[0])
			body := map[string]any{"volumeAttachment": map[string]any{"volumeId": s.Volumes[0], "delete_on_termination": !keep}}
			_, err := r.compute.Put(r.ctx, url, body, nil, nil) //nolint:bodyclose // gophercloud has
			return status(err)
		}
		r.at("2.84")
		r.Expect(set()).To(Equal(400))
		r.at("2.85")
		r.Expect(set()).To(Equal(0))
		r.DeleteServer(s.ID)
		r.Settle()
		if !keep {
			r.Expect(r.Volumes()).To(HaveLen(1), "that of the other server, which was kept")
			continue
		}
		r.Expect(r.Volumes()).To(ConsistOf(HaveField("Status", "available")))
		made, err := servers.Create(r.ctx, r.compute, servers.CreateOpts{Name: s.Name, FlavorRef: s.FlavorID, Networks: "none", BlockDevice: []servers.BlockDevice{
			{SourceType: servers.SourceVolume, DestinationType: servers.DestinationVolume, UUID: s.Volumes[0]},
		}}, nil).Extract()
		r.Expect(err).NotTo(HaveOccurred())
		r.Settle()
		now, _ := r.Server(made.ID)
		r.Expect(now).To(And(HaveField("ImageID", ""), HaveField("Volumes", s.Volumes), HaveField("Writes", BeEquivalentTo(2))))
		r.Expect(r.Regressions()).To(BeEmpty(), "a volume goes on where it was")
	}
}

func TestServerGroupsOverTime(t *testing.T) {
	r := newRig(t, cloud.Options{})
	r.at("2.64")
	g, err := servergroups.Create(r.ctx, r.compute, servergroups.CreateOpts{Name: "g", Policy: "anti-affinity"}).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	page, err := servergroups.List(r.compute, nil).AllPages(r.ctx)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(servergroups.ExtractServerGroups(page)).To(ConsistOf(HaveField("ID", g.ID)))
	r.at("2.63")
	old, err := servergroups.Get(r.ctx, r.compute, g.ID).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(old.Policies).To(Equal([]string{"anti-affinity"}))
	r.Expect(servergroups.Delete(r.ctx, r.compute, g.ID).ExtractErr()).To(Succeed())
	r.Expect(status(servergroups.Get(r.ctx, r.compute, g.ID).Err)).To(Equal(404))
}

func TestFlavors(t *testing.T) {
	r := newRig(t, cloud.Options{})
	id := r.SeedCluster("demo", 1, 0).Masters[0].FlavorID
	f, err := flavors.Get(r.ctx, r.compute, id).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(f).To(And(HaveField("Name", "rig.master"), HaveField("Disk", 80), HaveField("Ephemeral", 0), HaveField("Swap", 0)))
	r.DeleteFlavor("rig.master")
	r.Expect(status(flavors.Get(r.ctx, r.compute, id).Err)).To(Equal(404))
}

func TestVersions(t *testing.T) {
	r := newRig(t, cloud.Options{MaxMicroversion: "2.93"})
	supported, err := utils.GetSupportedMicroversions(r.ctx, r.compute)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(supported.MaxMinor).To(Equal(93))
	code, body := r.raw("GET", "nothing")
	r.Expect(code).To(Equal(404))
	r.Expect(body).To(ContainSubstring("itemNotFound"))
	code, _ = r.raw("PATCH", "servers")
	r.Expect(code).To(Equal(405))
}

func TestScaled(t *testing.T) {
	g := NewWithT(t)
	l := cloud.Latencies{API: time.Second, Spawn: 3 * time.Second, Op: map[string]time.Duration{"a": time.Minute}}
	l.SnapshotUploadOf = func(cloud.Server) time.Duration { return time.Hour }
	half := l.Scaled(0.5)
	g.Expect(half.API).To(Equal(500 * time.Millisecond))
	g.Expect(half.Spawn).To(Equal(1500 * time.Millisecond))
	g.Expect(half.Op).To(Equal(map[string]time.Duration{"a": 30 * time.Second}))
	g.Expect(half.SnapshotUploadOf(cloud.Server{})).To(Equal(30 * time.Minute))
	g.Expect(l.API).To(Equal(time.Second))
}

// What somebody does behind the product's back shows in the API.
func TestBehindTheBack(t *testing.T) {
	r := newRig(t, cloud.Options{})
	cluster := r.SeedCluster("demo", 2, 0)
	s := cluster.Servers()[0]
	r.Expect(r.SetServerMetadata(s.ID, "a", "b")).To(BeTrue())
	r.Expect(r.SetServerTags(s.ID, "t")).To(BeTrue())
	r.Expect(r.RenameServer(s.ID, "new")).To(BeTrue())
	r.Expect(r.server(s.ID)).To(And(HaveField("Name", "new"), HaveField("Metadata", HaveKeyWithValue("a", "b")), HaveField("Tags", HaveValue(Equal([]string{"t"})))))
	r.Expect(r.FailServer(s.ID, "host is gone")).To(BeTrue())
	r.Expect(r.server(s.ID)).To(And(HaveField("Status", "ERROR"), HaveField("Fault.Message", "host is gone")))
	r.Expect(r.SetServerState("none", "ACTIVE")).To(BeFalse())
	r.Expect(r.BindPort(s.Ports[0], "")).To(BeTrue())
	r.Expect(r.server(s.ID).Addresses).To(BeEmpty())
	r.Expect(r.SetImageStatus(cluster.ImageID, "deactivated")).To(BeTrue())
	r.Expect(r.SetImageProtected(cluster.ImageID, true)).To(BeTrue())
	r.Expect(r.getImage(cluster.ImageID)).To(And(HaveField("Status", BeEquivalentTo("deactivated")), HaveField("Protected", true)))
	r.Expect(r.DeleteImage(cluster.ImageID)).To(BeTrue())
	r.Expect(r.Images()).To(BeEmpty())
	r.Expect(r.DeletePort(s.Ports[0])).To(BeTrue())
	r.Expect(r.Ports()).To(HaveLen(3))
}
