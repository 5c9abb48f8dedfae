//go:build e2e

package openstack

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	. "github.com/onsi/gomega"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// deed is what an operator does to a server of a cluster that goes to sleep, and what a person does about it when the
// condition says so.
type deed struct {
	name string
	// at is the kind of the request with which the deed coincides: it is done when the manager asks for that about the
	// server, before Nova gets the request. With lose Nova never gets it.
	at   string
	lose bool
	do   []action
	// says is the part of the condition that asks for mend; empty if nobody has to do anything.
	says string
	mend []action
	// sleeps says that the hibernation goes on to its end; else it is undone.
	sleeps bool
}

// action is a request of an operator about a server, and the state that it leads to.
type action struct {
	body  string
	until func(operated) bool
}

// operated is a server as operators see it.
type operated struct {
	Status string `json:"status"`
	Task   string `json:"OS-EXT-STS:task_state"`
	Host   string `json:"OS-EXT-SRV-ATTR:host"`
	Locked bool   `json:"locked"`
}

// becomes returns the action that ends with a status.
func becomes(status, body string) action {
	return action{body: body, until: func(s operated) bool { return s.Status == status && s.Task == "" }}
}

var (
	lock   = action{body: `{"lock": {"locked_reason": "maintenance"}}`, until: func(s operated) bool { return s.Locked }}
	unlock = action{body: `{"unlock": null}`, until: func(s operated) bool { return !s.Locked }}
	// The host is filled in: the other one.
	liveMigrate = `{"os-migrateLive": {"host": %q, "block_migration": "auto", "force": true}}`
)

// deeds are in an order in which the cold migration finds a server that is not pinned to a zone, as it is after a resume.
func deeds() []deed {
	bring := "bring it to ACTIVE"
	return []deed{
		{name: "migrate", at: pauses, do: []action{becomes("VERIFY_RESIZE", `{"migrate": null}`)}, says: bring,
			mend: []action{becomes("ACTIVE", `{"confirmResize": null}`)}},
		{name: "suspend", at: pauses, do: []action{becomes("SUSPENDED", `{"suspend": null}`)}, says: bring,
			mend: []action{becomes("ACTIVE", `{"resume": null}`)}},
		{name: "rescue", at: pauses, do: []action{becomes("RESCUE", `{"rescue": null}`)}, says: bring,
			mend: []action{becomes("ACTIVE", `{"unrescue": null}`)}},
		{name: "lock before the pause", at: pauses, do: []action{lock}, says: "unlock it", mend: []action{unlock}},
		{name: "shelve while paused", at: shots, do: []action{becomes("SHELVED_OFFLOADED", `{"shelve": null}`)}, says: bring,
			mend: []action{becomes("ACTIVE", `{"unshelve": null}`)}},
		{name: "reset-state while paused", at: shots, do: []action{becomes("ERROR", `{"os-resetState": {"state": "error"}}`)},
			says: "ERROR", mend: []action{
				becomes("ACTIVE", `{"os-resetState": {"state": "active"}}`), becomes("ACTIVE", `{"reboot": {"type": "HARD"}}`)}},
		{name: "live migration while paused", at: shots, do: []action{{body: liveMigrate}}, sleeps: true},
		{name: "lock and unlock while paused", at: shots, do: []action{lock, unlock}, sleeps: true},
		{name: "lock behind the seal", at: deletions, lose: true, do: []action{lock}, says: "unlock it", mend: []action{unlock}, sleeps: true},
		{name: "live migration behind the seal", at: deletions, lose: true, do: []action{{body: liveMigrate}}, sleeps: true},
	}
}

// TestOperators does to a server of a cluster that goes to sleep what operators do. The cluster ends whole: asleep and
// woken, or undone, or undone once a person has done what the condition says.
func TestOperators(t *testing.T) {
	skipInCI(t, "each deed takes a cycle of its own")
	w := newWorld(t, schedulingDeadline)
	o := &operators{
		trial: w.newTrial("openstack-credentials", "hands-m4r8t", "1", "2"),
		admin: openAdmin(t.Context(), NewWithT(t)),
	}
	for _, d := range deeds() {
		if strings.Contains(d.name, os.Getenv("OW_DEEDS")) {
			o.try(d)
		}
	}
}

// operators act on the servers of a cluster behind the manager's back.
type operators struct {
	*trial
	admin *cloud
}

func (o *operators) try(d deed) {
	o.t.Helper()
	o.t.Logf("=== %s", d.name)
	names := slices.Sorted(maps.Keys(o.before))
	name := names[len(names)-1] // a worker
	id := o.cloud.servers(o.t.Context(), NewWithT(o.t), o.c.infraID)[name].id
	sprung := o.recorder.set(&trap{
		is:     func(r request) bool { return r.Kind == d.at && strings.Contains(r.URL, id) },
		nth:    1,
		before: true,
		lose:   d.lose,
		spring: func() { o.act(id, d.do) },
	})
	began := o.c.patch(hivev1.ClusterPowerStateHibernating)
	slept := o.settleObeying(began, d, id)
	NewWithT(o.t).Expect(sprung).To(BeClosed(), "the deed was done")
	NewWithT(o.t).Expect(slept).To(Equal(d.sleeps), "asleep: %s", o.c.last())
	if slept {
		o.asleep()
		o.wake()
		o.whole()
		return
	}
	o.settled(name)
	o.standing()
}

// settleObeying waits until the cluster sleeps or its hibernation is undone, and does what the condition says.
func (o *operators) settleObeying(began time.Time, d deed, id string) (slept bool) {
	o.t.Helper()
	mended := d.says == ""
	for time.Since(began) < patience {
		last := o.c.last()
		switch {
		case !mended && strings.Contains(last.Hibernating.Message+last.Ready.Message, d.says):
			mended = true
			o.t.Logf("a person obeys: %s", last)
			o.act(id, d.mend)
		case mended && o.undone():
			return false
		}
		if _, ok := o.c.find(began, asleep); ok {
			NewWithT(o.t).Expect(mended).To(BeTrue(), "asleep before anybody did what has to be done")
			return true
		}
		time.Sleep(100 * time.Millisecond)
	}
	o.t.Fatalf("neither asleep nor undone after %s: %s", patience, o.c.last())
	return false
}

// settled takes the zone for granted in which a server is now: a migration may have changed it.
func (o *operators) settled(name string) {
	o.t.Helper()
	s := o.before[name]
	s.Zone = o.cloud.servers(o.t.Context(), NewWithT(o.t), o.c.infraID)[name].Zone
	s.Ports = slices.Clone(s.Ports)
	for i := range s.Ports {
		s.Ports[i].DeviceOwner = "compute:" + s.Zone
	}
	o.before[name] = s
}

// act makes an operator's requests, one after the other.
func (o *operators) act(id string, actions []action) {
	for _, a := range actions {
		if err := o.one(id, a); err != nil {
			o.t.Errorf("%s: %v", a.body, err)
		}
	}
}

// actionTime is the longest that an action may take.
const actionTime = time.Minute

func (o *operators) one(id string, a action) error {
	ctx, cancel := context.WithTimeout(o.t.Context(), actionTime)
	defer cancel()
	now, err := o.look(ctx, id)
	if err != nil {
		return err
	}
	body, until := a.body, a.until
	if body == liveMigrate {
		other := map[string]string{"rig-compute-0": "rig-compute-1", "rig-compute-1": "rig-compute-0"}[now.Host]
		body, until = fmt.Sprintf(body, other), func(s operated) bool { return s.Host == other && s.Status == "PAUSED" && s.Task == "" }
	}
	began := time.Now()
	nova := o.admin.at("2.67") // the last in which a migration can be forced past the scheduler
	if strings.Contains(body, "locked_reason") {
		nova = o.admin.at("2.73")
	}
	options := &gophercloud.RequestOpts{OkCodes: []int{200, 202, 204}}
	//nolint:bodyclose // gophercloud closes it
	if _, err := nova.Post(ctx, nova.ServiceURL("servers", id, "action"), json.RawMessage(body), nil, options); err != nil {
		return err
	}
	for now, err = o.look(ctx, id); err == nil; now, err = o.look(ctx, id) {
		if until(now) {
			o.t.Logf("an operator: %s, after %.1f s %+v", body, time.Since(began).Seconds(), now)
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("%+v: %w", now, err)
}

func (o *operators) look(ctx context.Context, id string) (operated, error) {
	var answer struct{ Server operated }
	nova := o.admin.at("2.67")
	//nolint:bodyclose // gophercloud closes it
	_, err := nova.Get(ctx, nova.ServiceURL("servers", id), &answer, nil)
	return answer.Server, err
}
