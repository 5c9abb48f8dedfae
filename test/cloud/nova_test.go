package cloud_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/limits"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servergroups"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

// names lists servers and returns their names.
func (r *rig) names(opts servers.ListOptsBuilder) ([]string, error) {
	page, err := servers.List(r.compute, opts).AllPages(r.ctx)
	if err != nil {
		return nil, err
	}
	found, err := servers.ExtractServers(page)
	r.Expect(err).NotTo(HaveOccurred())
	names := []string{}
	for _, s := range found {
		names = append(names, s.Name)
	}
	return names, nil
}

// raw sends a request to Nova as it is, and returns the status and the body.
func (r *rig) raw(method, path string) (int, string) {
	req, err := http.NewRequestWithContext(r.ctx, method, r.compute.Endpoint+path, nil)
	r.Expect(err).NotTo(HaveOccurred())
	req.Header.Set("X-Auth-Token", r.provider.Token())
	req.Header.Set("OpenStack-API-Version", "compute "+r.compute.Microversion)
	resp, err := r.RoundTripper().RoundTrip(req)
	r.Expect(err).NotTo(HaveOccurred())
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	r.Expect(err).NotTo(HaveOccurred())
	return resp.StatusCode, string(b)
}

func TestPauseCodes(t *testing.T) {
	for _, microversion := range []string{"2.1", "2.93"} {
		r := newRig(t, cloud.Options{Latencies: cloud.Latencies{Pause: time.Second}})
		r.at(microversion)
		id := r.SeedCluster("demo", 1, 0).Masters[0].ID
		pause := func() int { return status(servers.Pause(r.ctx, r.compute, id).Err) }
		unpause := func() int { return status(servers.Unpause(r.ctx, r.compute, id).Err) }
		r.Expect(unpause()).To(Equal(409))
		r.Expect(pause()).To(Equal(0))
		r.Expect(pause()).To(Equal(409), "pausing")
		r.pass(time.Second)
		r.Expect(r.server(id).Status).To(Equal("PAUSED"))
		r.Expect(r.server(id).PowerState).To(BeEquivalentTo(servers.PAUSED))
		r.Expect(pause()).To(Equal(409), "paused")
		r.Expect(status(servers.Start(r.ctx, r.compute, id).Err)).To(Equal(409))
		r.Expect(unpause()).To(Equal(0))
		r.Expect(status(servers.Stop(r.ctx, r.compute, id).Err)).To(Equal(0))
		r.Expect(r.server(id).Status).To(Equal("SHUTOFF"))
		r.Expect(pause()).To(Equal(409), "off")
		r.Expect(status(servers.Start(r.ctx, r.compute, id).Err)).To(Equal(0))
		r.FailNextPause("")
		r.Expect(pause()).To(Equal(0))
		r.pass(time.Second)
		r.Expect(r.server(id).Status).To(Equal("ACTIVE"))
	}
}

func TestLock(t *testing.T) {
	r := newRig(t, cloud.Options{})
	id := r.SeedCluster("demo", 1, 0).Masters[0].ID
	r.Expect(servers.Lock(r.ctx, r.compute, id).ExtractErr()).To(Succeed())
	r.Expect(*r.server(id).Locked).To(BeTrue())
	r.Expect(status(servers.Pause(r.ctx, r.compute, id).Err)).To(Equal(409))
	r.Expect(status(servers.Delete(r.ctx, r.compute, id).Err)).To(Equal(409))
	r.Expect(status(servers.UpdateMetadata(r.ctx, r.compute, id, servers.MetadataOpts{"a": "b"}).Err)).To(Equal(409))
	code, _ := r.raw("PUT", "servers/"+id+"/tags/x")
	r.Expect(code).To(Equal(201))
	_, err := r.snapshot(id, "snap", nil)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(servers.Unlock(r.ctx, r.compute, id).ExtractErr()).To(Succeed())
	r.LockServer(id, true, "")
	r.Expect(status(servers.Unlock(r.ctx, r.compute, id).Err)).To(Equal(403))
}

func TestMicroversions(t *testing.T) {
	r := newRig(t, cloud.Options{MaxMicroversion: "2.93"})
	cluster := r.SeedCluster("demo", 1, 1)
	s := cluster.Masters[0]
	for microversion, want := range map[string]int{"2.93": 200, "2.94": 406, "3.0": 406, "2.x": 400, "latest": 200} {
		r.at(microversion)
		code, body := r.raw("GET", "servers/"+s.ID)
		r.Expect(code).To(Equal(want), microversion+body)
	}
	shown := func(microversion string) map[string]any {
		r.at(microversion)
		var out struct {
			Server map[string]any `json:"server"`
		}
		_, body := r.raw("GET", "servers/"+s.ID)
		r.Expect(json.Unmarshal([]byte(body), &out)).To(Succeed())
		return out.Server
	}
	for key, from := range map[string][2]string{
		"locked": {"2.8", "2.9"}, "description": {"2.18", "2.19"}, "tags": {"2.25", "2.26"}, "server_groups": {"2.70", "2.71"},
		"locked_reason": {"2.72", "2.73"}, "OS-EXT-SRV-ATTR:hostname": {"2.89", "2.90"},
	} {
		r.Expect(shown(from[0])).NotTo(HaveKey(key))
		r.Expect(shown(from[1])).To(HaveKey(key))
	}
	r.Expect(shown("2.46")["flavor"]).To(HaveKeyWithValue("id", s.FlavorID))
	r.Expect(shown("2.47")["flavor"]).To(And(HaveKeyWithValue("original_name", "rig.master"), Not(HaveKey("id"))))
	r.at("2.93")
	_, listed := r.raw("GET", "servers/detail")
	r.Expect(listed).To(And(ContainSubstring("locked_reason"), Not(ContainSubstring("server_groups"))))
}

func TestServerFilters(t *testing.T) {
	r := newRig(t, cloud.Options{})
	r.SeedCluster("a-b", 1, 0)
	r.SeedCluster("a-b-c", 1, 0)
	r.SetServerState(r.ServersNamed("hive", "a-b-master-0")[0].ID, "PAUSED")
	for _, test := range []struct {
		microversion string
		opts         servers.ListOpts
		want         []string
	}{
		{"2.93", servers.ListOpts{Tags: "openshiftClusterID=a-b"}, []string{"a-b-master-0"}},
		{"2.26", servers.ListOpts{Tags: "openshiftClusterID=a-b"}, []string{"a-b-master-0"}},
		{"2.25", servers.ListOpts{Tags: "openshiftClusterID=a-b"}, []string{"a-b-c-master-0", "a-b-master-0"}},
		{"2.93", servers.ListOpts{Tags: "openshiftClusterID=a-b,none"}, []string{}},
		{"2.93", servers.ListOpts{NotTags: "openshiftClusterID=a-b"}, []string{"a-b-c-master-0"}},
		{"2.93", servers.ListOpts{Name: "^A-b-m"}, []string{"a-b-master-0"}},
		{"2.93", servers.ListOpts{Name: "a-b"}, []string{"a-b-c-master-0", "a-b-master-0"}},
		{"2.93", servers.ListOpts{Status: "paused"}, []string{"a-b-master-0"}},
		{"2.93", servers.ListOpts{Host: "nowhere"}, []string{"a-b-c-master-0", "a-b-master-0"}},
	} {
		r.at(test.microversion)
		names, err := r.names(test.opts)
		r.Expect(err).NotTo(HaveOccurred())
		r.Expect(names).To(Equal(test.want), "%+v", test)
	}
	for _, test := range []struct {
		microversion, query string
		want                int
	}{
		{"2.93", "name=(", 400}, {"2.93", "bogus=1", 400}, {"2.74", "bogus=1", 200}, {"2.1", "bogus=1", 200}, {"2.93", "marker=none", 400},
		{"2.93", "status=bogus", 400}, {"2.1", "status=bogus", 200}, {"2.93", "limit=x", 400}, {"2.93", "metadata=x", 200},
	} {
		r.at(test.microversion)
		code, _ := r.raw("GET", "servers/detail?"+test.query)
		r.Expect(code).To(Equal(test.want), "%+v", test)
	}
}

func TestServerPages(t *testing.T) {
	r := newRig(t, cloud.Options{NovaPageSize: 2})
	r.SeedCluster("demo", 4, 0)
	names, err := r.names(nil)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(names).To(Equal([]string{"demo-master-3", "demo-master-2", "demo-master-1", "demo-master-0"}))
	r.Expect(r.Ledger().Count("nova.server.list")).To(Equal(3), "the last page is empty")
}

func TestCellDown(t *testing.T) {
	r := newRig(t, cloud.Options{})
	cluster := r.SeedCluster("demo", 2, 0)
	r.SetCellDown(true, cluster.Masters[0].ID)
	names, err := r.names(servers.ListOpts{Name: "demo"})
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(names).To(Equal([]string{"demo-master-1"}))
	r.Expect(r.server(cluster.Masters[0].ID).Status).To(Equal("UNKNOWN"))
}

func TestGroupsFlavorsLimits(t *testing.T) {
	r := newRig(t, cloud.Options{})
	cluster := r.SeedCluster("demo", 2, 1)
	r.at("2.64")
	g, err := servergroups.Get(r.ctx, r.compute, cluster.MasterGroup).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(g.Members).To(ConsistOf(cluster.Masters[0].ID, cluster.Masters[1].ID))
	r.Expect(*g.Policy).To(Equal("soft-anti-affinity"))
	r.AddFlavor(cloud.FlavorSpec{Name: "odd", VCPUs: 1, RAM: 512, Disk: 1, Ephemeral: 2, Swap: 3})
	r.at("2.46")
	page, err := flavors.ListDetail(r.compute, nil).AllPages(r.ctx)
	r.Expect(err).NotTo(HaveOccurred())
	all, err := flavors.ExtractFlavors(page)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(all).To(ContainElement(And(HaveField("Name", "odd"), HaveField("Ephemeral", 2), HaveField("Swap", 3))))
	l, err := limits.Get(r.ctx, r.compute, nil).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect([]int{l.Absolute.TotalInstancesUsed, l.Absolute.TotalCoresUsed, l.Absolute.TotalRAMUsed}).To(Equal([]int{3, 20, 40960}))
}

func TestLimitOfInstances(t *testing.T) {
	r := newRig(t, cloud.Options{})
	cluster := r.SeedCluster("demo", 1, 0)
	q := cloud.DefaultQuota()
	q.Instances = 1
	r.SetQuota("hive", q)
	_, err := servers.Create(r.ctx, r.compute, servers.CreateOpts{
		Name: "more", ImageRef: cluster.ImageID, FlavorRef: cluster.Masters[0].FlavorID, Networks: "none",
	}, nil).Extract()
	r.Expect(gophercloud.ResponseCodeIs(err, 403)).To(BeTrue())
	r.Expect(body(err)).To(ContainSubstring("Quota exceeded for instances: Requested 1, but already used 1 of 1 instances"))
}
