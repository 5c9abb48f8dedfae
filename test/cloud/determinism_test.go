package cloud_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

// With one seed and one client, everything is the same in each run: answers to the last byte, ledger, events and what is there at the end.
func TestDeterminism(t *testing.T) {
	g := NewWithT(t)
	first := story(t)
	g.Expect(len(first)).To(BeNumerically(">", 300))
	for range 3 {
		again := story(t)
		for i := range min(len(first), len(again)) {
			g.Expect(again[i]).To(Equal(first[i]))
		}
		g.Expect(again).To(HaveLen(len(first)))
	}
}

// story lets much happen to a cloud and returns all there is to see of it.
func story(t *testing.T) []string {
	t.Helper()
	var told []string
	tell := func(what string, args ...any) { told = append(told, what+fmt.Sprintf(" %+v", args)) }
	b := newBench(t, cloud.Options{Zones: []string{"a", "b"}, NovaPageSize: 4, GlancePageSize: 3, NeutronPageSize: 3})
	b.sent = func(request string, status int, header http.Header, body []byte) {
		tell(request, status, slices.Sorted(maps.Keys(header)), fmt.Sprint(header), string(body))
	}
	b.cloud.Subscribe(func(e cloud.ServerEvent) { tell("event", e) })
	one := b.cloud.SeedCluster("demo-x7k2p", 3, 3)
	two := b.cloud.SeedClusterWith(cloud.ClusterOptions{InfraID: "demo-x7k2p-b", Masters: 1, Workers: 2, KeyName: "key", NovaPorts: true})
	b.cloud.SeedClusterWith(cloud.ClusterOptions{InfraID: "other", Masters: 2, BootFromVolume: true, Project: "other", User: "another"})
	b.logIn()
	all := one.Servers()
	b.lists()
	b.cycle(one.InfraID, all)
	b.others(one, two, all)
	b.lists()
	b.cloud.Settle()
	b.cycle(one.InfraID, all)
	b.lists()
	for _, e := range b.cloud.Ledger().Entries() {
		tell("ledger", e)
	}
	b.cloud.View(func(v *cloud.View) {
		for s := range v.Servers() {
			tell("viewed server", s.Copy())
		}
		for img := range v.Images() {
			tell("viewed image", img.Copy())
		}
		for p := range v.Ports() {
			tell("viewed port", p.Copy())
		}
	})
	tell("servers", b.cloud.Servers())
	tell("images", b.cloud.Images())
	tell("ports", b.cloud.Ports())
	tell("volumes", b.cloud.Volumes())
	tell("groups", b.cloud.ServerGroups())
	tell("regressions", b.cloud.Regressions())
	tell("version", b.cloud.Version(), b.cloud.CloudsYAML(cloud.DefaultUser, cloud.DefaultProject))
	return told
}

// others has somebody else do things to the clusters.
func (b *bench) others(one, two *cloud.Cluster, all []cloud.Server) {
	c := b.cloud
	c.AddServer(one, "")
	c.AddServer(two, "")
	c.FailNextSpawn("", "no valid host")
	c.AddServer(two, "")
	b.clock.Step(10 * time.Second)
	c.ReassignPort(one.IngressPort, two.Masters[0].ID)
	c.SnapshotServer(two.Workers[0].ID, "theirs")
	c.ResizeServer(two.Workers[1].ID, "rig.master")
	c.DeleteNetwork(two.NetworkID)
	c.RenameServer(two.Workers[1].ID, one.Workers[0].Name+"x")
	c.PauseServer(two.Workers[1].ID)
	c.SetCellDown(true, two.Masters[0].ID)
	for _, effect := range []cloud.Effect{
		cloud.OldList(time.Minute), cloud.StaleList(), cloud.ListWithoutOne(1), cloud.DuplicateEntry(), cloud.EmptyList(), cloud.Twice(), cloud.Slow(time.Second),
	} {
		rule := c.AddRule(cloud.Rule{Method: "GET", Effect: effect})
		b.look(one.InfraID)
		rule.Remove()
	}
	rule := c.AddRule(cloud.Rule{Op: "nova.server.pause", Effect: cloud.TwiceFirst()})
	b.send("POST", benchServers+"/"+all[0].ID+"/action", "", `{"pause":null}`)
	rule.Remove()
	b.clock.Step(time.Second)
	b.send("POST", benchServers+"/"+all[0].ID+"/action", "", `{"unpause":null}`)
	c.DeleteServer(two.Workers[0].ID)
	b.clock.Step(time.Second)
}

// lists asks for whatever can be listed.
func (b *bench) lists() {
	for _, path := range []string{
		"/", "/identity/v3", "/compute", "/compute/v2.1", "/image", "/network",
		benchServers + "?limit=3", benchServers + "/detail?sort_key=display_name&sort_dir=asc", benchServers + "/detail?status=ACTIVE&status=PAUSED",
		"/compute/v2.1/flavors", "/compute/v2.1/flavors/detail?limit=2", "/compute/v2.1/os-server-groups", "/compute/v2.1/os-keypairs",
		"/compute/v2.1/limits", "/compute/v2.1/os-availability-zone", "/image/v2/images", "/image/v2/images?limit=50&sort=name:asc,created_at:desc",
		"/network/v2.0/ports?sort_key=status", "/network/v2.0/networks", "/network/v2.0/subnets", "/network/v2.0/security-groups", "/network/v2.0/ports?fields=id",
	} {
		b.send("GET", path, "2.96", "")
	}
}
