package cloud_test

import (
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

// A whole cycle of one server: pause, snapshot, delete, make it again from the snapshot with the same port.
func TestCycle(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: cloud.TestBedLatencies()})
	cluster := r.SeedCluster("demo-x7k2p", 3, 3)
	old := cluster.Masters[0]
	r.pass(time.Minute)

	r.Expect(servers.Pause(r.ctx, r.compute, old.ID).ExtractErr()).To(Succeed())
	r.Expect(r.server(old.ID).TaskState).To(Equal("pausing"))
	r.pass(time.Second)
	r.Expect(r.server(old.ID).Status).To(Equal("PAUSED"))
	written := r.Written("hive", old.Name)
	r.Expect(written).To(BeNumerically(">", 500))

	imageID, err := r.snapshot(old.ID, old.Name+"-snap", map[string]string{"ours": "yes"})
	r.Expect(err).NotTo(HaveOccurred())
	r.pass(10 * time.Second)
	img := r.getImage(imageID)
	r.Expect(img.Status).To(Equal(images.ImageStatusActive))
	r.Expect(img.Properties).To(And(
		HaveKeyWithValue("instance_uuid", old.ID), HaveKeyWithValue("image_type", "snapshot"), HaveKeyWithValue("os_distro", "rhcos"),
		HaveKeyWithValue("ours", "yes"), HaveKeyWithValue("base_image_ref", cluster.ImageID)))
	r.Expect(img.MinDiskGigabytes).To(Equal(80))

	r.Expect(servers.Delete(r.ctx, r.compute, old.ID).ExtractErr()).To(Succeed())
	r.pass(5 * time.Second)
	r.Expect(status(servers.Get(r.ctx, r.compute, old.ID).Err)).To(Equal(404))
	port := r.port(old.Ports[0])
	r.Expect([]string{port.DeviceID, port.DeviceOwner, port.Status}).To(Equal([]string{"", "", "DOWN"}))
	r.Expect(r.Usage("hive").Instances).To(Equal(5))
	r.Expect(r.ServerGroups()[0].Members).To(HaveLen(2))

	id, err := r.create(old, imageID)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(r.server(id).Status).To(Equal("BUILD"))
	r.pass(10 * time.Second)
	again, _ := r.Server(id)
	r.Expect(again.Status).To(Equal("ACTIVE"))
	r.Expect(again.Ports).To(Equal(old.Ports))
	r.Expect(again.Group).To(Equal(old.Group))
	r.Expect(r.port(old.Ports[0]).MACAddress).To(Equal(port.MACAddress))
	r.Expect(again.Writes).To(BeNumerically(">", written))
	r.Expect(r.Regressions()).To(BeEmpty())
}

// The same over a real connection.
func TestServed(t *testing.T) {
	g := NewWithT(t)
	c := cloud.New(cloud.Options{})
	url, stop := c.Start()
	defer stop()
	c.SeedCluster("demo-x7k2p", 1, 1)
	g.Expect(c.AuthURL()).To(HavePrefix(url))
	provider, err := openstack.AuthenticatedClient(t.Context(), authOptions(c, cloud.DefaultUser, cloud.DefaultProject))
	g.Expect(err).NotTo(HaveOccurred())
	compute, err := openstack.NewComputeV2(provider, gophercloud.EndpointOpts{Region: "RegionOne"})
	g.Expect(err).NotTo(HaveOccurred())
	page, err := servers.List(compute, servers.ListOpts{}).AllPages(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	found, err := servers.ExtractServers(page)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(HaveLen(2))
	_, err = openstack.NewNetworkV2(provider, gophercloud.EndpointOpts{Region: "elsewhere"})
	g.Expect(err).To(HaveOccurred())
	network, err := openstack.NewNetworkV2(provider, gophercloud.EndpointOpts{Region: "RegionOne"})
	g.Expect(err).NotTo(HaveOccurred())
	page, err = ports.List(network, ports.ListOpts{Tags: "openshiftClusterID=demo-x7k2p"}).AllPages(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	all, err := ports.ExtractPorts(page)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(all).To(HaveLen(4))
}
