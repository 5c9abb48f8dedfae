package cloud_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/instanceactions"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

// byOthers are the actions in a server's history that are another user's than its own, newest first.
func (r *rig) byOthers(serverID string) []string {
	page, err := instanceactions.List(r.compute, serverID, nil).AllPages(r.ctx)
	r.ExpectWithOffset(1, err).NotTo(HaveOccurred())
	actions, err := instanceactions.ExtractInstanceActions(page)
	r.ExpectWithOffset(1, err).NotTo(HaveOccurred())
	owner := actions[len(actions)-1].UserID // who made it
	var out []string
	for _, a := range actions {
		if a.UserID != owner {
			out = append(out, a.Action)
		}
	}
	return out
}

func TestSomebodyElseChangesStates(t *testing.T) {
	r := newRig(t, cloud.Options{WriteInterval: time.Second, Latencies: cloud.TestBedLatencies()})
	id := r.SeedCluster("demo", 1, 0).Masters[0].ID
	states := []string{}
	for _, step := range []struct {
		do func(string) bool
		ok bool
	}{
		{r.UnpauseServer, false}, {r.PauseServer, true}, {r.PauseServer, false}, {r.StopServer, false}, {r.UnpauseServer, true},
		{r.StopServer, true}, {r.PauseServer, false}, {r.StartServer, true}, {r.PauseServer, true}, {r.StartServer, true},
	} {
		r.Expect(step.do(id)).To(Equal(step.ok))
		if step.ok {
			states = append(states, r.server(id).Status)
		}
	}
	r.Expect(states).To(Equal([]string{"PAUSED", "ACTIVE", "SHUTOFF", "ACTIVE", "PAUSED", "ACTIVE"}))
	r.Expect(r.byOthers(id)).To(Equal([]string{"unpause", "pause", "start", "stop", "unpause", "pause"}))
	s, _ := r.Server(id)
	r.Expect(s.Writes).To(BeEquivalentTo(4), "one for each time that it went on")

	r.Expect(servers.Pause(r.ctx, r.compute, id).ExtractErr()).To(Succeed())
	r.Expect([]bool{r.PauseServer(id), r.StopServer(id)}).To(Equal([]bool{false, false}), "while it has a task")
	r.Expect(r.PauseServer("nobody")).To(BeFalse())
	r.Settle()
	r.DeleteServer(id)
	r.Expect(r.byOthers(id)[0]).To(Equal("delete"))
}

func TestSomebodyResizes(t *testing.T) {
	r := newRig(t, cloud.Options{})
	s := r.SeedCluster("demo", 0, 1).Workers[0]
	r.pass(time.Minute)
	r.Expect(r.ResizeServer(s.ID, "none")).To(BeFalse())
	r.Expect(r.ResizeServer(s.ID, "rig.master")).To(BeTrue())
	now, _ := r.Server(s.ID)
	r.Expect(now).To(And(HaveField("Status", "ACTIVE"), HaveField("FlavorName", "rig.master"), HaveField("Launched", r.clock.Now())))
	r.Expect(r.server(s.ID).Flavor["original_name"]).To(Equal("rig.master"))
	r.Expect(r.byOthers(s.ID)).To(Equal([]string{"confirmResize", "resize"}))
	r.Expect(r.Usage("hive").Cores).To(Equal(8))
	r.PauseServer(s.ID)
	r.Expect(r.ResizeServer(s.ID, "rig.worker")).To(BeFalse())
	r.Expect(r.Regressions()).To(BeEmpty())
}

func TestSomebodySnapshots(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: secondSteps})
	s := pausedServer(r)
	ours, err := r.snapshot(s.ID, "ours", map[string]string{"infra": "demo"})
	r.Expect(err).NotTo(HaveOccurred())
	_, ok := r.SnapshotServer(s.ID, "too early")
	r.Expect(ok).To(BeFalse())
	r.Settle()
	r.DeleteServer(s.ID)
	r.Settle()
	id, err := r.create(s, ours)
	r.Expect(err).NotTo(HaveOccurred())
	r.Settle()
	theirs, ok := r.SnapshotServer(id, "theirs")
	r.Expect(ok).To(BeTrue())
	r.Expect(r.getImage(theirs).Status).To(Equal(images.ImageStatusQueued))
	r.Expect(r.server(id).TaskState).To(Equal("image_snapshot_pending"))
	r.Settle()
	img := r.getImage(theirs)
	r.Expect(img.Status).To(Equal(images.ImageStatusActive))
	r.Expect(img.Properties).To(And(HaveKeyWithValue("infra", "demo"), HaveKeyWithValue("instance_uuid", id), HaveKeyWithValue("base_image_ref", ours)))
	r.Expect(r.byOthers(id)).To(Equal([]string{"createImage"}))
}

func TestAutoscalerAddsServer(t *testing.T) {
	for name, o := range map[string]cloud.ClusterOptions{
		"own ports": {}, "Nova's ports": {NovaPorts: true}, "from volumes": {BootFromVolume: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cloud.Options{Latencies: cloud.Latencies{Schedule: time.Second, Spawn: time.Second}})
			o.InfraID, o.Workers = "demo", 2
			cluster := r.SeedClusterWith(o)
			sibling := cluster.Workers[0]
			s, ok := r.AddServer(cluster, "")
			r.Expect(ok).To(BeTrue())
			r.Expect(s.Name).To(HavePrefix("demo-worker-0-"))
			r.Expect(r.server(s.ID).Status).To(Equal("BUILD"))
			r.pass(2 * time.Second)
			now, _ := r.Server(s.ID)
			r.Expect(now.Status).To(Equal("ACTIVE"))
			r.Expect([]any{now.Metadata, now.Tags, now.FlavorName, now.Group, now.Zone, now.ImageID, len(now.Volumes)}).
				To(Equal([]any{sibling.Metadata, sibling.Tags, sibling.FlavorName, sibling.Group, sibling.Zone, sibling.ImageID, len(sibling.Volumes)}))
			r.Expect(now.Ports).To(HaveLen(1))
			old, added := r.port(sibling.Ports[0]), r.port(now.Ports[0])
			r.Expect(added.SecurityGroups).To(Equal(old.SecurityGroups))
			r.Expect(added.Tags).To(Equal(old.Tags))
			again, ok := r.AddServer(cluster, "demo-worker-0-again")
			r.Expect(ok).To(BeTrue())
			r.Settle()
			again, _ = r.Server(again.ID)
			r.Expect(r.port(again.Ports[0]).FixedIPs).NotTo(Equal(added.FixedIPs))
			r.Expect(r.byOthers(s.ID)).To(BeEmpty(), "the machine API has the cluster's own credentials")

			r.DeleteServer(s.ID)
			r.Settle()
			r.Expect(status(ports.Get(r.ctx, r.network, added.ID).Err)).To(Equal(map[bool]int{true: 404}[o.NovaPorts]))

			q := cloud.DefaultQuota()
			q.Instances = 3
			r.SetQuota("hive", q)
			_, ok = r.AddServer(cluster, "")
			r.Expect(ok).To(BeFalse())
			r.SetQuota("hive", cloud.DefaultQuota())
			r.DeleteFlavor("rig.worker")
			_, ok = r.AddServer(cluster, "")
			r.Expect(ok).To(BeFalse())
			r.Expect(r.Servers()).To(HaveLen(3))
		})
	}
}

func TestNetworkGoes(t *testing.T) {
	r := newRig(t, cloud.Options{})
	cluster := r.SeedCluster("demo", 1, 1)
	other := r.SeedCluster("other", 1, 0)
	r.Expect(status(networks.Delete(r.ctx, r.network, cluster.NetworkID).Err)).To(Equal(409))
	r.Expect(r.DeleteNetwork(cluster.NetworkID)).To(BeTrue())
	r.Expect(r.DeleteNetwork(cluster.NetworkID)).To(BeFalse())
	r.Expect(status(networks.Get(r.ctx, r.network, cluster.NetworkID).Err)).To(Equal(404))
	r.Expect(status(ports.Get(r.ctx, r.network, cluster.Masters[0].Ports[0]).Err)).To(Equal(404))
	r.Expect(r.server(cluster.Masters[0].ID)).To(And(HaveField("Status", "ACTIVE"), HaveField("Addresses", BeEmpty())))
	for _, p := range r.Ports() {
		r.Expect(p.NetworkID).To(Equal(other.NetworkID))
	}
	r.Expect(r.Ports()).To(HaveLen(3))
	_, ok := r.AddServer(cluster, "")
	r.Expect(ok).To(BeFalse())
}

func TestPortIsTaken(t *testing.T) {
	r := newRig(t, cloud.Options{})
	cluster := r.SeedCluster("demo", 1, 1)
	from, to := cluster.Masters[0], cluster.Workers[0]
	r.Expect(r.ReassignPort(from.Ports[0], "nobody")).To(BeFalse())
	r.Expect(r.ReassignPort("none", to.ID)).To(BeFalse())
	r.Expect(r.ReassignPort(from.Ports[0], to.ID)).To(BeTrue())
	r.Expect(r.port(from.Ports[0])).To(And(HaveField("DeviceID", to.ID), HaveField("Status", "ACTIVE")))
	old, _ := r.Server(from.ID)
	taker, _ := r.Server(to.ID)
	r.Expect(old.Ports).To(BeEmpty())
	r.Expect(taker.Ports).To(Equal([]string{to.Ports[0], from.Ports[0]}))
	r.Expect(r.byOthers(from.ID)).To(Equal([]string{"detach_interface"}))
	r.Expect(r.byOthers(to.ID)).To(Equal([]string{"attach_interface"}))
	r.DeleteServer(to.ID)
	r.Settle()
	r.Expect(r.port(from.Ports[0]).DeviceID).To(BeEmpty(), "it existed before its server")
	r.Expect(r.ReassignPort(from.Ports[0], from.ID)).To(BeTrue())
	r.Expect(r.ReassignPort(from.Ports[0], "")).To(BeTrue())
	r.Expect(r.port(from.Ports[0]).DeviceID).To(BeEmpty())
}

func TestImageComesBack(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: secondSteps})
	s := pausedServer(r)
	id, err := r.snapshot(s.ID, "snap", map[string]string{"cycle": "1"})
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(r.RestoreImage(id)).To(BeFalse(), "it is there")
	r.Settle()
	before, _ := r.Image(id)
	r.Expect(images.Delete(r.ctx, r.image, id).ExtractErr()).To(Succeed())
	r.Expect(status(images.Get(r.ctx, r.image, id).Err)).To(Equal(404))
	r.Expect(r.RestoreImage(id)).To(BeTrue())
	after, _ := r.Image(id)
	r.Expect(after).To(Equal(before))
	r.Expect(r.RestoreImage(id)).To(BeFalse())
	r.DeleteImage(id)
	r.Expect(r.RestoreImage(id)).To(BeTrue(), "once more")

	unfinished, err := r.snapshot(s.ID, "unfinished", nil)
	r.Expect(err).NotTo(HaveOccurred())
	r.DeleteImage(unfinished)
	r.Expect(r.RestoreImage(unfinished)).To(BeFalse(), "there is nothing to restore")
}

func TestGroupAndKeyGo(t *testing.T) {
	r := newRig(t, cloud.Options{})
	cluster := r.SeedClusterWith(cloud.ClusterOptions{InfraID: "demo", Masters: 1, KeyName: "mine"})
	_, ok := r.AddServer(cluster, "")
	r.Expect(ok).To(BeTrue())
	r.Settle()
	r.Expect([]bool{r.DeleteServerGroup(cluster.MasterGroup), r.DeleteServerGroup(cluster.MasterGroup)}).To(Equal([]bool{true, false}))
	r.Expect([]bool{r.DeleteKeyPair(cloud.DefaultUser, "mine"), r.DeleteKeyPair(cloud.DefaultUser, "mine"), r.DeleteKeyPair("nobody", "mine")}).
		To(Equal([]bool{true, false, false}))
	s, _ := r.Server(cluster.Masters[0].ID)
	r.Expect(s).To(And(HaveField("Group", ""), HaveField("KeyName", "mine"), HaveField("Status", "ACTIVE")))
	code, _ := r.raw(http.MethodGet, "os-keypairs/mine")
	r.Expect(code).To(Equal(404))
	_, ok = r.AddServer(cluster, "")
	r.Expect(ok).To(BeFalse())
}

func TestCredentialsLeadElsewhere(t *testing.T) {
	r := newRig(t, cloud.Options{})
	id := r.SeedCluster("demo", 1, 0).Masters[0].ID
	r.Expect(r.LeadElsewhere("nobody", "other")).To(BeFalse())
	r.Expect(r.LeadElsewhere(cloud.DefaultUser, "other")).To(BeTrue())
	r.Expect(status(servers.Get(r.ctx, r.compute, id).Err)).To(Equal(404), "after it has logged in anew by itself")
	r.Expect(r.listed()).To(BeEmpty())
	projects := []string{}
	for _, e := range r.Ledger().Entries("nova.*") {
		projects = append(projects, e.Project)
	}
	r.Expect(slices.Compact(projects)).To(Equal([]string{"", "other"}), "a 401, then the other project")
	r.Expect(r.LeadElsewhere(cloud.DefaultUser, "")).To(BeTrue())
	r.Expect(r.server(id).Status).To(Equal("ACTIVE"))
}
