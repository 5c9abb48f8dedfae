package cloud_test

import (
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

// freed deletes a server and returns what it was, with its port left behind.
func freed(r *rig) (cloud.Server, string) {
	cluster := r.SeedCluster("demo", 1, 0)
	s := cluster.Masters[0]
	r.DeleteServer(s.ID)
	r.Settle()
	return s, cluster.ImageID
}

func TestTwoCreatesWithOnePort(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: cloud.Latencies{Schedule: time.Second, Spawn: time.Second}})
	s, imageID := freed(r)
	first, err := r.create(s, imageID)
	r.Expect(err).NotTo(HaveOccurred())
	second, err := r.create(s, imageID)
	r.Expect(err).NotTo(HaveOccurred(), "the port is not bound yet")
	r.pass(time.Minute)
	winner, loser := r.server(first), r.server(second)
	r.Expect(winner.Status).To(Equal("ACTIVE"))
	r.Expect(winner.Addresses).To(BeEmpty())
	r.Expect(loser.Status).To(Equal("ERROR"))
	r.Expect(loser.LaunchedAt).To(BeZero())
	r.Expect(loser.Fault.Message).To(ContainSubstring("Failed to allocate the network(s)"))
	r.Expect(r.port(s.Ports[0]).DeviceID).To(BeEmpty())
}

func TestPortStillInUse(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: cloud.Latencies{Schedule: time.Second, Spawn: time.Second}})
	s, imageID := freed(r)
	_, err := r.create(s, imageID)
	r.Expect(err).NotTo(HaveOccurred())
	r.pass(time.Second)
	_, err = r.create(s, imageID)
	r.Expect(status(err)).To(Equal(409))
	r.Expect(body(err)).To(ContainSubstring("Port " + s.Ports[0] + " is still in use."))
}

func TestFailedBootFreesItsPort(t *testing.T) {
	r := newRig(t, cloud.Options{})
	s, imageID := freed(r)
	r.FailNextSpawn(s.Name, "No valid host was found.")
	failed, err := r.create(s, imageID)
	r.Expect(err).NotTo(HaveOccurred())
	r.Settle()
	r.Expect(r.server(failed)).To(And(HaveField("Status", "ERROR"), HaveField("Fault.Message", "No valid host was found.")))
	good, err := r.create(s, imageID)
	r.Expect(err).NotTo(HaveOccurred())
	r.Settle()
	r.Expect(servers.Delete(r.ctx, r.compute, failed).ExtractErr()).To(Succeed())
	r.Settle()
	r.Expect(r.port(s.Ports[0]).DeviceID).To(Equal(good))
	r.Expect(r.server(good).Addresses).NotTo(BeEmpty())
}

func TestCreateRefusals(t *testing.T) {
	r := newRig(t, cloud.Options{})
	s, imageID := freed(r)
	r.AddKeypair("stranger", "theirs")
	r.AddKeypair(cloud.DefaultUser, "mine")
	nowhere := "2a1a6a5b-0000-4000-8000-000000000000"
	for name, test := range map[string]struct {
		microversion string
		change       func(*servers.CreateOpts)
		want         int
	}{
		"as it was":          {"2.96", func(*servers.CreateOpts) {}, 0},
		"own key":            {"2.96", func(*servers.CreateOpts) {}, 0},
		"tags too early":     {"2.51", func(o *servers.CreateOpts) { o.Tags = []string{"a"} }, 400},
		"hostname too early": {"2.89", func(o *servers.CreateOpts) { o.Hostname = "a" }, 400},
		"image":              {"2.96", func(o *servers.CreateOpts) { o.ImageRef = nowhere }, 400},
		"flavor":             {"2.96", func(o *servers.CreateOpts) { o.FlavorRef = nowhere }, 400},
		"zone":               {"2.96", func(o *servers.CreateOpts) { o.AvailabilityZone = "moon" }, 400},
		"port":               {"2.96", func(o *servers.CreateOpts) { o.Networks = []servers.Network{{Port: nowhere}} }, 400},
		"network":            {"2.96", func(o *servers.CreateOpts) { o.Networks = []servers.Network{{UUID: nowhere}} }, 400},
		"port twice":         {"2.96", func(o *servers.CreateOpts) { o.Networks = []servers.Network{{Port: s.Ports[0]}, {Port: s.Ports[0]}} }, 400},
	} {
		r.at(test.microversion)
		o := servers.CreateOpts{Name: "x", ImageRef: imageID, FlavorRef: s.FlavorID, Networks: []servers.Network{{Port: s.Ports[0]}}}
		test.change(&o)
		made, err := servers.Create(r.ctx, r.compute, o, nil).Extract()
		r.Expect(status(err)).To(Equal(test.want), name)
		if err == nil {
			r.DeleteServer(made.ID)
			r.Settle()
		}
	}
	r.at("2.96")
	_, err := servers.Create(r.ctx, r.compute, servers.CreateOpts{Name: "x", ImageRef: imageID, FlavorRef: s.FlavorID, Networks: "none"},
		servers.SchedulerHintOpts{Group: nowhere}).Extract()
	r.Expect(status(err)).To(Equal(400))
}

// A port that Nova made dies with its server, unless it was taken from it before.
func TestNovaMadePorts(t *testing.T) {
	for _, keep := range []bool{false, true} {
		r := newRig(t, cloud.Options{})
		cluster := r.SeedClusterWith(cloud.ClusterOptions{InfraID: "demo", Masters: 1, NovaPorts: true})
		s := cluster.Masters[0]
		before := r.port(s.Ports[0])
		r.Expect(before.DeviceID).To(Equal(s.ID))
		if keep {
			none := ""
			_, err := ports.Update(r.ctx, r.network, before.ID, ports.UpdateOpts{DeviceID: &none}).Extract()
			r.Expect(err).NotTo(HaveOccurred())
		}
		r.Expect(servers.Delete(r.ctx, r.compute, s.ID).ExtractErr()).To(Succeed())
		r.Settle()
		if !keep {
			r.Expect(status(ports.Get(r.ctx, r.network, before.ID).Err)).To(Equal(404))
			continue
		}
		again, err := r.create(s, cluster.ImageID)
		r.Expect(err).NotTo(HaveOccurred())
		r.Settle()
		r.DeleteServer(again)
		r.Settle()
		after := r.port(before.ID)
		r.Expect(after.DeviceID).To(BeEmpty())
		r.Expect(after.MACAddress).To(Equal(before.MACAddress))
		r.Expect(after.FixedIPs).To(Equal(before.FixedIPs))
	}
}

func TestDeletedIsShownForAMoment(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: cloud.Latencies{Delete: time.Second, Deleted: time.Second}})
	id := pausedServer(r).ID
	remove := func() int { return status(servers.Delete(r.ctx, r.compute, id).Err) }
	r.Expect(remove()).To(Equal(0))
	r.Expect(r.server(id)).To(And(HaveField("Status", "PAUSED"), HaveField("TaskState", "deleting")))
	r.Expect(remove()).To(Equal(0), "again")
	r.pass(time.Second)
	r.Expect(r.server(id).Status).To(Equal("DELETED"))
	r.Expect(r.names(nil)).To(BeEmpty())
	r.Expect(remove()).To(Equal(404))
	r.pass(time.Second)
	r.Expect(status(servers.Get(r.ctx, r.compute, id).Err)).To(Equal(404))
	r.Expect(r.lastAction(id).Action).To(Equal("delete"), "its history can still be read")
	r.at("2.20")
	code, _ := r.raw("GET", "servers/"+id+"/os-instance-actions")
	r.Expect(code).To(Equal(404))
}

func TestDeleteDuringBuild(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: cloud.Latencies{Schedule: time.Second, Spawn: time.Second}})
	s, imageID := freed(r)
	r.SetLatencies(cloud.Latencies{Schedule: time.Second, Spawn: time.Second, Delete: time.Second})
	id, err := r.create(s, imageID)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(servers.Delete(r.ctx, r.compute, id).ExtractErr()).To(Succeed())
	r.pass(time.Second)
	r.Expect(r.server(id).Status).To(Equal("BUILD"))
	r.pass(time.Second)
	r.Expect(r.server(id).Status).To(Equal("ACTIVE"))
	r.pass(time.Second)
	r.Expect(status(servers.Get(r.ctx, r.compute, id).Err)).To(Equal(404))
	r.Expect(r.port(s.Ports[0]).DeviceID).To(BeEmpty())
}

func TestSoftDelete(t *testing.T) {
	r := newRig(t, cloud.Options{ReclaimInterval: time.Hour})
	cluster := r.SeedCluster("demo", 2, 0)
	for i, s := range cluster.Masters {
		r.Expect(servers.Delete(r.ctx, r.compute, s.ID).ExtractErr()).To(Succeed())
		r.Expect(r.server(s.ID).Status).To(Equal("SOFT_DELETED"))
		r.Expect(r.names(nil)).To(HaveLen(1-i), "not in lists")
		r.Expect(r.port(s.Ports[0]).DeviceID).To(Equal(s.ID))
	}
	r.Expect(r.Usage("hive").Instances).To(Equal(2))
	forced := cluster.Masters[0]
	r.Expect(servers.ForceDelete(r.ctx, r.compute, forced.ID).ExtractErr()).To(Succeed())
	r.Expect(status(servers.Get(r.ctx, r.compute, forced.ID).Err)).To(Equal(404))
	r.Expect(r.port(forced.Ports[0]).DeviceID).To(BeEmpty())
	r.pass(time.Hour)
	r.Expect(status(servers.Get(r.ctx, r.compute, cluster.Masters[1].ID).Err)).To(Equal(404), "reclaimed")
	r.Expect(r.Usage("hive").Instances).To(BeZero())
}

func TestDeleteOvertakes(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: cloud.Latencies{Pause: time.Second, Delete: 2 * time.Second}})
	s, imageID := freed(r)
	id, err := r.create(s, imageID)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(servers.Pause(r.ctx, r.compute, id).ExtractErr()).To(Succeed())
	r.Expect(servers.Delete(r.ctx, r.compute, id).ExtractErr()).To(Succeed())
	r.pass(time.Second)
	r.Expect(r.server(id)).To(And(HaveField("Status", "ACTIVE"), HaveField("TaskState", "deleting")))
	r.pass(time.Second)
	r.FailNextSpawn("", "No valid host was found.")
	failed, err := r.create(s, imageID)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(r.server(failed).Status).To(Equal("ERROR"))
	r.Expect(servers.Delete(r.ctx, r.compute, failed).ExtractErr()).To(Succeed())
	r.Expect(r.names(nil)).To(BeEmpty(), "what never got a host goes at once")
}
