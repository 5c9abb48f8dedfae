//go:build e2e

package openstack

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	. "github.com/onsi/gomega"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

const (
	infraID = "demo-x7k2p"
	// A cluster whose name begins with the other's.
	neighborID = "demo-x7k2p-bq5zt"

	// Far above what is expected: the machine may be busy with something else.
	hibernateTimeout = 5 * time.Minute
	resumeTimeout    = 5 * time.Minute
	cleanupTimeout   = 3 * time.Minute
)

// world is all that a test needs: the cloud, what records the manager's requests to it, and the manager.
type world struct {
	t        *testing.T
	cloud    *cloud
	recorder *recorder
	hub      *hub
}

// newWorld starts a manager, with flags besides those of every test, and what it takes to watch it.
func newWorld(t *testing.T, flags ...string) *world {
	w := &world{t: t, cloud: openCloud(t.Context(), NewWithT(t))}
	w.recorder = startRecorder(t, w.cloud)
	w.hub = startHub(t, flags...)
	w.hub.credentials(t.Context(), NewWithT(t), "openstack-credentials", w.recorder.authURL, nil)
	return w
}

// TestCycle hibernates and resumes six servers twice, as a plain project member, beside another cluster.
func TestCycle(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t)
	remove(t, infraID)
	seed(t, neighborID, "1", "1")
	without := w.cloud.usage(t.Context(), g)
	seed(t, infraID, "3", "3", "--adorned")
	before := w.cloud.servers(t.Context(), g, infraID)
	expectAdorned(g, before)
	with := w.cloud.usage(t.Context(), g)
	g.Expect(with.minus(without)).To(Equal(sum(before)))
	neighbor := w.cloud.everything(t.Context(), g, neighborID)

	w.startGuest("demo", infraID)
	c := w.hub.deploy(t, "demo", infraID, "openstack-credentials")
	c.await(time.Time{}, time.Minute, "running", running)

	began := time.Now()
	hibernation := w.hibernate(c)
	w.expectAsleep(g, c, before, without)
	resumption := w.resume(c)
	w.expectAwake(g, c, before, with)
	g.Expect(w.recorder.between(began, time.Time{}).authentications()).To(BeNumerically("<=", 1))

	if !inCI() {
		t.Log("a second cycle, with a server that is off")
		w.stop(g, before)
		w.hibernate(c)
		w.expectAsleep(g, c, before, without)
		w.resume(c)
		w.expectAwake(g, c, before, with)
	}

	all := w.recorder.between(time.Time{}, time.Time{})
	g.Expect(all.authentications()).To(Equal(1), "authentications")
	for _, r := range all {
		g.Expect(r.Agent).To(HavePrefix("overwinter/"), "%s", r.Kind)
	}
	g.Expect(w.cloud.everything(t.Context(), g, neighborID)).To(Equal(neighbor), "the neighbor was touched")
	summarize(t, fmt.Sprintf("hibernate %s, resume(machines) %s, authentications %d",
		hibernation, resumption, all.authentications()))
}

// figures are what a transition took.
type figures struct {
	took     time.Duration
	requests int
}

func (f figures) String() string {
	return fmt.Sprintf("%.1fs %d requests", f.took.Seconds(), f.requests)
}

func (w *world) hibernate(c *cluster) figures {
	w.t.Helper()
	began := c.patch(hivev1.ClusterPowerStateHibernating)
	end := c.await(began, hibernateTimeout, "asleep", asleep)
	return w.figures("hibernate", began, end, "20 s, 50 requests")
}

// resume returns what it took until the machines ran, and waits until the cluster is ready.
func (w *world) resume(c *cluster) figures {
	w.t.Helper()
	began := c.patch(hivev1.ClusterPowerStateRunning)
	up := c.await(began, resumeTimeout, "up", machinesUp)
	f := w.figures("resume (machines)", began, up, "12 s, 25 requests")
	ready := c.await(began, resumeTimeout, "running", running)
	w.t.Logf("resume (ready): %.1f s", ready.Sub(began).Seconds())
	return f
}

func (w *world) figures(what string, began, end time.Time, aim string) figures {
	rs := w.recorder.between(began, end)
	f := figures{took: end.Sub(began), requests: len(rs)}
	w.t.Logf("%s: %s (aim: %s)\n%s", what, f, aim, rs.table())
	return f
}

// expectAdorned makes sure that the comparison before and after compares something.
func expectAdorned(g Gomega, all map[string]server) {
	g.Expect(all).To(HaveLen(6))
	seen := map[string]int{}
	for _, s := range all {
		g.Expect(s.Status).To(Equal("ACTIVE"), s.Name)
		g.Expect(s.Groups).To(HaveLen(1), s.Name)
		for what, there := range map[string]bool{
			"key":            s.Key != "",
			"description":    s.Description != "",
			"host name":      s.Hostname != s.Name,
			"config drive":   s.ConfigDrive != "",
			"no drive":       s.ConfigDrive == "",
			"metadata":       len(s.Metadata) > 2,
			"tags":           len(s.Tags) > 2,
			"ports":          len(s.Ports) > 1,
			"zone " + s.Zone: true,
		} {
			if there {
				seen[what]++
			}
		}
		if len(s.Ports) == 2 && s.Ports[0].Network == s.Ports[1].Network {
			g.Expect(s.Ports[0].ID > s.Ports[1].ID).To(BeTrue(), "ports in an order of their own")
			seen["order"]++
		}
		if len(s.Ports) == 2 && s.Ports[0].Network != s.Ports[1].Network {
			seen["networks"]++
		}
	}
	for _, what := range []string{"key", "description", "host name", "config drive", "no drive", "metadata", "tags", "ports", "order", "networks"} {
		g.Expect(seen).To(HaveKey(what))
	}
}

func sum(all map[string]server) usage {
	var u usage
	for _, s := range all {
		u.Instances++
		u.Cores += s.Cores
		u.RAM += s.RAM
	}
	return u
}

// expectAsleep checks that no server is left and everything else is.
func (w *world) expectAsleep(g Gomega, c *cluster, before map[string]server, without usage) {
	w.t.Helper()
	ctx := w.t.Context()
	g.Expect(w.cloud.serverIDs(ctx, g, c.infraID)).To(BeEmpty())
	g.Expect(w.cloud.usage(ctx, g)).To(Equal(without), "the project's usage")
	snapshots := w.cloud.snapshots(ctx, g, c.infraID)
	g.Expect(snapshots).To(HaveLen(len(before)))
	for _, image := range snapshots {
		name, _, _ := strings.Cut(image.Name, "-hibernation-")
		g.Expect(before).To(HaveKey(name))
		g.Expect(string(image.Status)).To(Equal("active"), image.Name)
		g.Expect(image.Tags).To(ContainElement("openshiftClusterID="+c.infraID), image.Name)
	}
	for _, s := range before {
		for _, p := range s.Ports {
			kept := w.cloud.ports(ctx, g, ports.ListOpts{ID: p.ID})
			g.Expect(kept).To(HaveLen(1), p.Name)
			g.Expect(kept[0].deviceID).To(BeEmpty(), p.Name)
			g.Expect(kept[0].FixedIPs).To(Equal(p.FixedIPs), p.Name)
		}
	}
	r, err := c.record(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r).NotTo(BeNil(), "the record")
}

// expectAwake checks that every server is what it was, and that nothing of the hibernation is left after the clean-up.
func (w *world) expectAwake(g Gomega, c *cluster, before map[string]server, with usage) {
	w.t.Helper()
	ctx := w.t.Context()
	w.expectSame(g, c, before)
	g.Expect(w.cloud.usage(ctx, g)).To(Equal(with), "the project's usage")
	g.Eventually(func(g Gomega) {
		g.Expect(slices.Collect(maps.Keys(w.cloud.snapshots(ctx, g, c.infraID)))).To(BeEmpty())
		c.recordGone(ctx, g)
	}).WithTimeout(cleanupTimeout).WithPolling(time.Second).Should(Succeed())
	w.expectSame(g, c, before)
	g.Expect(running(c.last())).To(BeTrue(), "%s", c.last())
}

// expectSame compares all that can be seen of the servers with what was before.
func (w *world) expectSame(g Gomega, c *cluster, before map[string]server) {
	w.t.Helper()
	after := w.cloud.servers(w.t.Context(), g, c.infraID)
	difference := cmp.Diff(before, after,
		cmpopts.IgnoreUnexported(server{}, port{}),
		cmpopts.EquateEmpty(),
		// Sets: only the ports have an order.
		cmpopts.SortSlices(func(a, b string) bool { return a < b }))
	if difference != "" {
		w.t.Fatalf("the servers before (-) and after (+):\n%s", difference)
	}
}

// stop switches one worker off and waits until it is.
func (w *world) stop(g Gomega, before map[string]server) {
	names := slices.Sorted(maps.Keys(before))
	name := names[len(names)-1]
	ctx := w.t.Context()
	id := w.cloud.servers(ctx, g, infraID)[name].id
	g.Expect(servers.Stop(ctx, w.cloud.compute, id).ExtractErr()).To(Succeed())
	g.Eventually(func(g Gomega) {
		g.Expect(w.cloud.servers(ctx, g, infraID)[name].Status).To(Equal("SHUTOFF"))
	}).WithTimeout(time.Minute).WithPolling(time.Second).Should(Succeed())
}

// remove removes a cluster of an earlier run.
func remove(t *testing.T, infraID string) { seed(t, infraID, "--remove") }

// summarize keeps a line with figures for the end of run.sh's output.
func summarize(t *testing.T, line string) {
	t.Log("e2e: " + line)
	if path := os.Getenv("OW_E2E_SUMMARY"); path != "" {
		file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		defer file.Close()
		_, err = fmt.Fprintln(file, "e2e: "+line)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
	}
}
