package cloud_test

import (
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/attributestags"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

func (r *rig) portIDs(opts ports.ListOpts) []string {
	page, err := ports.List(r.network, opts).AllPages(r.ctx)
	r.ExpectWithOffset(1, err).NotTo(HaveOccurred())
	found, err := ports.ExtractPorts(page)
	r.Expect(err).NotTo(HaveOccurred())
	ids := []string{}
	for _, p := range found {
		ids = append(ids, p.ID)
	}
	return ids
}

// portQuery is a list request as it is.
type portQuery string

func (q portQuery) ToPortListQuery() (string, error) { return "?" + string(q), nil }

func TestPortFilters(t *testing.T) {
	r := newRig(t, cloud.Options{NeutronPageSize: 2})
	cluster := r.SeedCluster("demo", 2, 1)
	r.SeedCluster("other", 1, 0)
	m, w := cluster.Masters, cluster.Workers[0]
	r.Expect(r.portIDs(ports.ListOpts{})).To(HaveLen(8))
	r.Expect(r.portIDs(ports.ListOpts{DeviceID: m[0].ID})).To(Equal(m[0].Ports))
	r.Expect(r.portIDs(ports.ListOpts{Name: w.Name + "-0"})).To(Equal(w.Ports))
	r.Expect(r.portIDs(ports.ListOpts{NetworkID: cluster.NetworkID})).To(HaveLen(5))
	r.Expect(r.portIDs(ports.ListOpts{Tags: "openshiftClusterID=demo,cluster-api-provider-openstack"})).To(HaveLen(3))
	r.Expect(r.portIDs(ports.ListOpts{FixedIPs: []ports.FixedIPOpts{{IPAddress: "10.0.1.10"}}, NetworkID: cluster.NetworkID})).To(Equal(m[0].Ports))
	page, err := ports.List(r.network, portQuery("device_id="+m[0].ID+"&device_id="+m[1].ID+"&fields=id")).AllPages(r.ctx)
	r.Expect(err).NotTo(HaveOccurred())
	several, err := ports.ExtractPorts(page)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(several).To(ConsistOf(ports.Port{ID: m[0].Ports[0]}, ports.Port{ID: m[1].Ports[0]}))
	err = ports.List(r.network, portQuery("bogus=1")).EachPage(r.ctx, nil)
	r.Expect(status(err)).To(Equal(400))
}

func TestPorts(t *testing.T) {
	r := newRig(t, cloud.Options{})
	cluster := r.SeedCluster("demo", 1, 0)
	old := r.port(cluster.Masters[0].Ports[0])
	again := ports.CreateOpts{
		NetworkID: old.NetworkID, Name: "again", MACAddress: old.MACAddress, FixedIPs: old.FixedIPs, SecurityGroups: &old.SecurityGroups,
		AllowedAddressPairs: old.AllowedAddressPairs,
	}
	_, err := ports.Create(r.ctx, r.network, again).Extract()
	r.Expect(status(err)).To(Equal(409), "MAC")
	other := again
	other.MACAddress = ""
	_, err = ports.Create(r.ctx, r.network, other).Extract()
	r.Expect(status(err)).To(Equal(409), "address")
	r.Expect(ports.Delete(r.ctx, r.network, old.ID).ExtractErr()).To(Succeed())
	made, err := ports.Create(r.ctx, r.network, again).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(made).To(And(HaveField("MACAddress", old.MACAddress), HaveField("FixedIPs", old.FixedIPs), HaveField("Status", "DOWN")))
	r.Expect(made.AllowedAddressPairs).To(Equal(old.AllowedAddressPairs))
	mac := "fa:16:3e:00:00:01"
	_, err = ports.Update(r.ctx, r.network, made.ID, ports.UpdateOpts{MACAddress: &mac}).Extract()
	r.Expect(status(err)).To(Equal(403))
	tags, err := attributestags.ReplaceAll(r.ctx, r.network, "ports", made.ID, attributestags.ReplaceAllOpts{Tags: []string{"b", "a"}}).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(tags).To(ConsistOf("a", "b"))
	r.Expect(r.port(made.ID).Tags).To(Equal([]string{"a", "b"}))
}

func TestForeignNetworks(t *testing.T) {
	r := newRig(t, cloud.Options{})
	shared := r.AddNetwork("operator", "shared", "10.5.0.0/24", true)
	private := r.AddNetwork("operator", "private", "10.6.0.0/24", false)
	for name, test := range map[string]struct {
		opts ports.CreateOpts
		want int
	}{
		"plain":   {ports.CreateOpts{NetworkID: shared}, 0},
		"MAC":     {ports.CreateOpts{NetworkID: shared, MACAddress: "fa:16:3e:00:00:01"}, 403},
		"address": {ports.CreateOpts{NetworkID: shared, FixedIPs: []ports.IP{{IPAddress: "10.5.0.9"}}}, 403},
		"pairs":   {ports.CreateOpts{NetworkID: shared, AllowedAddressPairs: []ports.AddressPair{{IPAddress: "10.5.0.9"}}}, 403},
		"private": {ports.CreateOpts{NetworkID: private}, 404},
	} {
		_, err := ports.Create(r.ctx, r.network, test.opts).Extract()
		r.Expect(status(err)).To(Equal(test.want), name)
	}
	r.Expect(status(networks.Get(r.ctx, r.network, private).Err)).To(Equal(404))
}

func TestSecurityGroups(t *testing.T) {
	r := newRig(t, cloud.Options{})
	cluster := r.SeedCluster("demo", 1, 0)
	g, err := groups.Get(r.ctx, r.network, cluster.MasterSecurityGroup).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(g.Name).To(Equal("demo-master"))
	r.Expect(r.server(cluster.Masters[0].ID).SecurityGroups).To(Equal([]map[string]any{{"name": "demo-master"}}))
	page, err := groups.List(r.network, groups.ListOpts{Name: "default"}).AllPages(r.ctx)
	r.Expect(err).NotTo(HaveOccurred())
	own, err := groups.ExtractGroups(page)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(own).To(HaveLen(1))
}

func TestNetworkLife(t *testing.T) {
	r := newRig(t, cloud.Options{})
	n, err := networks.Create(r.ctx, r.network, networks.CreateOpts{Name: "mine"}).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	s, err := subnets.Create(r.ctx, r.network, subnets.CreateOpts{NetworkID: n.ID, CIDR: "10.7.0.0/24", IPVersion: 4}).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(s.AllocationPools).To(Equal([]subnets.AllocationPool{{Start: "10.7.0.2", End: "10.7.0.254"}}))
	p, err := ports.Create(r.ctx, r.network, ports.CreateOpts{NetworkID: n.ID, FixedIPs: []ports.IP{{IPAddress: "10.7.0.200"}}}).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	_, err = ports.Create(r.ctx, r.network, ports.CreateOpts{NetworkID: n.ID, FixedIPs: []ports.IP{{SubnetID: s.ID, IPAddress: "10.8.0.1"}}}).Extract()
	r.Expect(status(err)).To(Equal(400))
	r.Expect(status(networks.Delete(r.ctx, r.network, n.ID).Err)).To(Equal(409))
	r.Expect(status(subnets.Delete(r.ctx, r.network, s.ID).Err)).To(Equal(409))
	page, err := networks.List(r.network, networks.ListOpts{}).AllPages(r.ctx)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(networks.ExtractNetworks(page)).To(ConsistOf(HaveField("Name", "mine"), HaveField("Name", "external")))
	for _, tag := range []string{"a", "b"} {
		r.Expect(attributestags.Add(r.ctx, r.network, "networks", n.ID, tag).ExtractErr()).To(Succeed())
	}
	r.Expect(attributestags.Delete(r.ctx, r.network, "networks", n.ID, "a").ExtractErr()).To(Succeed())
	r.Expect(status(attributestags.Delete(r.ctx, r.network, "networks", n.ID, "a").Err)).To(Equal(404))
	r.Expect(attributestags.List(r.ctx, r.network, "networks", n.ID).Extract()).To(Equal([]string{"b"}))
	g, err := groups.Create(r.ctx, r.network, groups.CreateOpts{Name: "g"}).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	_, err = ports.Update(r.ctx, r.network, p.ID, ports.UpdateOpts{SecurityGroups: &[]string{g.ID}}).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(status(groups.Delete(r.ctx, r.network, g.ID).Err)).To(Equal(409))
	r.Expect(ports.Delete(r.ctx, r.network, p.ID).ExtractErr()).To(Succeed())
	r.Expect(groups.Delete(r.ctx, r.network, g.ID).ExtractErr()).To(Succeed())
	r.Expect(networks.Delete(r.ctx, r.network, n.ID).ExtractErr()).To(Succeed())
	r.Expect(status(subnets.Get(r.ctx, r.network, s.ID).Err)).To(Equal(404))
}
