package cloud_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/limits"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

// rows returns the keys and the status of each server that a list shows.
func (r *rig) rows(path string) []map[string]any {
	code, body := r.raw("GET", path)
	r.ExpectWithOffset(1, code).To(Equal(200), body)
	var out struct {
		Servers []map[string]any `json:"servers"`
	}
	r.Expect(json.Unmarshal([]byte(body), &out)).To(Succeed())
	return out.Servers
}

func keysOf(m map[string]any) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	return out
}

func TestGetFromACellThatIsDown(t *testing.T) {
	r := newRig(t, cloud.Options{})
	cluster := r.SeedCluster("demo", 1, 0)
	id := cluster.Masters[0].ID
	r.TakeCellDown("cell1", 0)
	code, body := r.raw("GET", "servers/"+id)
	r.Expect(code).To(Equal(200))
	var got struct{ Server map[string]any }
	r.Expect(json.Unmarshal([]byte(body), &got)).To(Succeed())
	r.Expect(keysOf(got.Server)).To(ConsistOf("id", "status", "tenant_id", "created", "links", "image", "flavor", "user_id",
		"OS-EXT-AZ:availability_zone", "OS-EXT-STS:power_state", "server_groups"))
	r.Expect(got.Server).To(And(HaveKeyWithValue("status", "UNKNOWN"), HaveKeyWithValue("OS-EXT-AZ:availability_zone", "UNKNOWN"),
		HaveKeyWithValue("OS-EXT-STS:power_state", BeEquivalentTo(0))))
	for _, old := range []string{"2.1", "2.68"} {
		r.at(old)
		code, _ = r.raw("GET", "servers/"+id)
		r.Expect(code).To(Equal(500), old)
	}
	r.at("2.96")
	r.BringCellUp("cell1")
	r.Expect(r.server(id).Status).To(Equal("ACTIVE"))
}

func TestListsWhileACellIsDown(t *testing.T) {
	r := newRig(t, cloud.Options{Cells: []string{"cell1", "cell2"}})
	cluster := r.SeedCluster("demo", 2, 0)
	lost, seen := cluster.Masters[0].ID, cluster.Masters[1].ID
	r.TakeCellDown("cell1", 0)
	for path, keys := range map[string][]string{
		"servers/detail": {"id", "status", "tenant_id", "created", "links"}, "servers": {"id", "status", "links"},
		"servers/detail?all_tenants=0": {"id", "status", "tenant_id", "created", "links"},
	} {
		found := r.rows(path)
		r.Expect(found).To(HaveLen(2), path)
		r.Expect(found[0]).To(And(HaveKeyWithValue("id", lost), HaveKeyWithValue("status", "UNKNOWN")), path)
		r.Expect(keysOf(found[0])).To(ConsistOf(keys), path)
		r.Expect(found[1]).To(HaveKeyWithValue("id", seen), path)
	}
	for _, narrowed := range []string{"name=demo", "limit=10", "tags=openshiftClusterID%3Ddemo", "sort_key=uuid", "status=ACTIVE", "marker=" + seen} {
		for _, row := range r.rows("servers/detail?" + narrowed) {
			r.Expect(row).To(HaveKeyWithValue("id", seen), narrowed)
		}
	}
	r.at("2.68")
	r.Expect(r.rows("servers/detail")).To(ConsistOf(HaveKeyWithValue("id", seen)))
	r.at("2.96")
	code, _ := r.raw("GET", "servers/detail?marker="+lost)
	r.Expect(code).To(Equal(400), "no cell that answers has it")

	r.SetDownCells(cloud.DownCells{FailLists: true})
	for path, want := range map[string]int{"servers/detail": 200, "servers/detail?name=demo": 500} {
		code, _ := r.raw("GET", path)
		r.Expect(code).To(Equal(want), path)
	}
	r.at("2.68")
	code, _ = r.raw("GET", "servers/detail")
	r.Expect(code).To(Equal(500))
}

func TestEverythingElseWhileACellIsDown(t *testing.T) {
	r := newRig(t, cloud.Options{})
	cluster := r.SeedCluster("demo", 1, 0)
	s := cluster.Masters[0]
	request := r.lastAction(s.ID).RequestID
	r.TakeCellsDown(0)
	for name, err := range map[string]error{
		"pause":    servers.Pause(r.ctx, r.compute, s.ID).ExtractErr(),
		"delete":   servers.Delete(r.ctx, r.compute, s.ID).ExtractErr(),
		"force":    servers.ForceDelete(r.ctx, r.compute, s.ID).ExtractErr(),
		"metadata": servers.Metadata(r.ctx, r.compute, s.ID).Err,
		"update":   servers.Update(r.ctx, r.compute, s.ID, servers.UpdateOpts{Name: "x"}).Err,
	} {
		r.Expect(status(err)).To(Equal(500), name)
	}
	_, err := r.snapshot(s.ID, "x", nil)
	r.Expect(status(err)).To(Equal(500))
	r.Expect(r.Images()).To(HaveLen(1), "no image was begun")
	for want, behaviour := range map[int]cloud.DownCells{500: {}, 404: {HistoryStatus: 404}} {
		r.SetDownCells(behaviour)
		for _, path := range []string{"/os-instance-actions", "/os-instance-actions/" + request} {
			code, _ := r.raw("GET", "servers/"+s.ID+path)
			r.Expect(code).To(Equal(want), path)
		}
	}
	r.Expect(r.port(s.Ports[0]).DeviceID).To(Equal(s.ID))
	r.Expect(r.getImage(cluster.ImageID).Status).To(BeEquivalentTo("active"))
	l, err := limits.Get(r.ctx, r.compute, nil).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(l.Absolute.TotalInstancesUsed).To(Equal(0))
	r.BringCellsUp()
	r.Expect(r.server(s.ID).Name).To(Equal(s.Name))
}

// What was accepted before the cell went down goes on, and a server whose delete was accepted is not found, gone or not.
func TestACellGoesDownInTheMiddle(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: cloud.Latencies{Pause: time.Second, Delete: time.Minute}})
	cluster := r.SeedCluster("demo", 2, 0)
	first, second := cluster.Masters[0].ID, cluster.Masters[1].ID
	r.Expect(servers.Pause(r.ctx, r.compute, first).ExtractErr()).To(Succeed())
	r.Expect(servers.Delete(r.ctx, r.compute, second).ExtractErr()).To(Succeed())
	r.TakeCellDown("cell1", 2*time.Second)
	r.pass(time.Second)
	r.Expect(r.server(first).Status).To(Equal("UNKNOWN"))
	r.Expect(status(servers.Get(r.ctx, r.compute, second).Err)).To(Equal(404))
	r.Expect(r.rows("servers/detail")).To(ConsistOf(HaveKeyWithValue("id", first)))
	r.pass(time.Second)
	r.Expect(r.server(first).Status).To(Equal("PAUSED"))
	r.Expect(r.server(second).TaskState).To(Equal("deleting"), "it was there all the time")
}

func TestALaterOutageIsNotEndedByAnEarlierOne(t *testing.T) {
	r := newRig(t, cloud.Options{})
	id := r.SeedCluster("demo", 1, 0).Masters[0].ID
	r.MoveToCell("far", id)
	r.TakeCellDown("far", time.Minute)
	r.BringCellUp("far")
	r.pass(30 * time.Second)
	r.TakeCellDown("far", time.Hour)
	for minute := range 3 {
		r.pass(time.Minute)
		r.Expect(r.server(id).Status).To(Equal("UNKNOWN"), fmt.Sprint(minute))
	}
	r.pass(time.Hour)
	r.Expect(r.server(id).Status).To(Equal("ACTIVE"))
}

// A server that no cell has yet is seen, whatever cells are down.
func TestABuildIsSeenBeforeItHasACell(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: cloud.Latencies{Schedule: time.Second, Spawn: time.Second}})
	s, imageID := freed(r)
	id, err := r.create(s, imageID)
	r.Expect(err).NotTo(HaveOccurred())
	r.TakeCellsDown(0)
	r.Expect(r.server(id).Status).To(Equal("BUILD"))
	r.pass(time.Second)
	r.Expect(r.server(id).Status).To(Equal("UNKNOWN"))
}
