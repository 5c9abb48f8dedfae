//go:build e2e

package openstack

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	. "github.com/onsi/gomega"
)

// disk is what the hypervisor has written down about a guest's disk: rig/py/nova_virt/rigdisk.py says how.
type disk struct {
	server, machine string
	// cycle and at say of which hibernation the snapshot is that the disk was made from, and when it was taken.
	cycle string
	at    float64
	// runs are the times in which a guest wrote to it, as they stand there; those of earlier servers come first.
	runs []string
	gone bool
}

// disks returns the disks that a cluster's guests ever had, by machine, in the order in which they ran. A guest that never
// ran wrote nothing.
func disks(g Gomega, infraID string) map[string][]disk {
	dir := filepath.Join(os.Getenv("OW_RIG_STATE"), "disks")
	files, err := os.ReadDir(dir)
	g.Expect(err).NotTo(HaveOccurred())
	found := map[string][]disk{}
	for _, file := range files {
		if strings.HasSuffix(file.Name(), ".new") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, file.Name()))
		g.Expect(err).NotTo(HaveOccurred())
		d := parseDisk(g, file.Name(), string(content))
		role, _, _ := strings.Cut(strings.TrimPrefix(d.machine, infraID+"-"), "-")
		if (role == "master" || role == "worker") && len(d.own()) > 0 {
			found[d.machine] = append(found[d.machine], d)
		}
	}
	for _, all := range found {
		slices.SortFunc(all, func(a, b disk) int { return strings.Compare(a.began(), b.began()) })
	}
	return found
}

func parseDisk(g Gomega, server, content string) disk {
	d := disk{server: server}
	for line := range strings.Lines(content) {
		words := strings.Fields(line)
		switch words[0] {
		case "machine":
			d.machine = words[1]
		case "cut":
			_, d.cycle, _ = strings.Cut(words[1], "-hibernation-")
			d.at = seconds(g, words[3])
		case "run":
			d.runs = append(d.runs, strings.TrimSpace(line))
		case "gone":
			d.gone = true
		}
	}
	return d
}

// own returns the runs of the disk's own server.
func (d disk) own() []string {
	return slices.DeleteFunc(slices.Clone(d.runs), func(run string) bool { return !strings.HasPrefix(run, "run "+d.server) })
}

// inherited returns the runs that were on the disk when it was made.
func (d disk) inherited() []string { return d.runs[:len(d.runs)-len(d.own())] }

// began returns when its server first ran: seconds with as many digits for all.
func (d disk) began() string { return strings.Fields(d.own()[0])[2] }

func seconds(g Gomega, text string) float64 {
	s, err := strconv.ParseFloat(text, 64)
	g.Expect(err).NotTo(HaveOccurred(), "%s", text)
	return s
}

// expectData checks that every machine has all that it ever wrote since the test began with the servers of before: each
// disk begins with all that is on the one before it. And that machines which fell asleep together were cut at one instant:
// none wrote anything after the first snapshot was taken.
func (w *world) expectData(g Gomega, c *cluster, before map[string]server) {
	w.t.Helper()
	live := w.cloud.servers(w.t.Context(), g, c.infraID)
	all := disks(g, c.infraID)
	g.Expect(slices.Sorted(maps.Keys(live))).To(Equal(slices.Sorted(maps.Keys(before))))
	lastWrite, firstShot := map[string]float64{}, map[string]float64{}
	for name, now := range live {
		history := all[name]
		first := slices.IndexFunc(history, func(d disk) bool { return d.server == before[name].id })
		g.Expect(first).NotTo(Equal(-1), "the disk of %s (%s)", name, before[name].id)
		history = history[first:]
		for i, d := range history[1:] {
			g.Expect(d.inherited()).To(Equal(history[i].runs), "what %s has kept of the disk of %s", d.server, name)
			last := strings.Fields(d.inherited()[len(d.inherited())-1])
			lastWrite[d.cycle] = max(lastWrite[d.cycle], seconds(g, last[3]))
			if shot, ok := firstShot[d.cycle]; !ok || d.at < shot {
				firstShot[d.cycle] = d.at
			}
		}
		latest := history[len(history)-1]
		g.Expect(latest.server).To(Equal(now.id), "the last server of %s that ran", name)
		g.Expect(latest.gone).To(BeFalse(), "the disk of %s", name)
	}
	for cycle := range firstShot {
		g.Expect(lastWrite[cycle]).To(BeNumerically("<", firstShot[cycle]), "a machine ran when the first snapshot of cycle %s was taken", cycle)
	}
}
