package faults

import (
	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
)

// What the status of a cluster says is so at the moment when it begins to say it.

// checkStatus looks at the servers of a cluster whose status has come to say that it hibernates, or runs again.
func (w *world) checkStatus(before, now *hivev1.ClusterDeployment) {
	if before == nil || now == nil || before.Status.PowerState == now.Status.PowerState {
		return
	}
	if w.records {
		w.checkWhole(now)
	}
	if w.others || w.meddled || w.twins {
		return
	}
	if now.Status.PowerState == hibernating {
		w.checkAsleep(now.Name)
	}
	if now.Status.PowerState == runningNow {
		w.checkRunning(now.Name, w.hub.record(key(now.Name)))
	}
}

// checkAsleep: a cluster that is said to hibernate has no servers.
func (w *world) checkAsleep(id string) {
	for _, s := range w.serversOf(id) {
		if w.darkened && s.Status == "SOFT_DELETED" {
			// Of a server that is to be deleted Nova answers 404 as soon as its cell is down.
			continue
		}
		w.violate("asleep", "%s is said to hibernate, and server %s (%s) is %s", id, s.Name, s.ID, s.Status)
	}
}

// checkRunning: of a cluster that has slept, every machine runs.
func (w *world) checkRunning(id string, record *hibernation.Record) {
	if record == nil || record.Opened == nil || record.Cut != nil {
		return
	}
	status := map[string]string{}
	for _, s := range w.serversOf(id) {
		status[s.Name] = s.Status
	}
	for _, m := range record.Machines {
		// A server that is moved live runs.
		if is := status[m.Name]; !m.Removed && is != "ACTIVE" && is != "MIGRATING" {
			w.violate("awake", "%s is said to run, and server %s is %q", id, m.Name, status[m.Name])
		}
	}
}
