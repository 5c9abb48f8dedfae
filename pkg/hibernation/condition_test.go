package hibernation

import (
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/instanceactions"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

func serverIn(status, task string, power openstackclient.Power) *openstackclient.Server {
	srv := &openstackclient.Server{Power: power}
	srv.Status, srv.TaskState = status, task
	return srv
}

var allPowers = []openstackclient.Power{
	openstackclient.PowerUnknown, openstackclient.PowerNone, openstackclient.PowerRunning, openstackclient.PowerPaused,
	openstackclient.PowerOff, openstackclient.PowerCrashed, openstackclient.PowerSuspended,
}

// A server is taken for running, paused or off only where status and hypervisor agree. Nothing but 404 and Nova's own word
// says that one is gone.
func TestConditions(t *testing.T) {
	fitting := map[string][]openstackclient.Power{
		statusActive:  {openstackclient.PowerRunning},
		statusPaused:  {openstackclient.PowerPaused},
		statusShutoff: {openstackclient.PowerNone, openstackclient.PowerOff, openstackclient.PowerCrashed},
	}
	statuses := []string{"", "active", "NEW_IN_A_LATER_NOVA"}
	for status := range conditions {
		statuses = append(statuses, status)
	}
	for _, status := range statuses {
		for _, power := range allPowers {
			g := NewWithT(t)
			is := conditionOf(serverIn(status, "", power))
			powers, judged := fitting[status]
			switch {
			case judged && contains(powers, power):
				g.Expect(is).To(Equal(conditions[status]), "%s, %s", status, power)
				g.Expect(healthy(serverIn(status, "", power))).To(BeTrue(), "%s, %s", status, power)
			case judged:
				g.Expect(is).To(Equal(unknown), "%s, %s", status, power)
			default:
				g.Expect(is).To(Equal(conditions[status]), "%s, %s", status, power)
				g.Expect(healthy(serverIn(status, "", power))).To(BeFalse(), "%s, %s", status, power)
			}
			g.Expect(present(serverIn(status, "", power))).To(Equal(status != statusDeleted && status != statusSoftDeleted), status)
		}
	}
	g := NewWithT(t)
	g.Expect(conditionOf(nil)).To(Equal(gone))
	g.Expect(present(nil)).To(BeFalse())
	g.Expect(conditionOf(serverIn(statusPaused, "image_uploading", openstackclient.PowerOff))).To(Equal(paused), "Nova saves one after the other")
	g.Expect(conditions).To(HaveLen(20), "Nova's list (nova/api/openstack/common.py) and UNKNOWN")
}

func contains[T comparable](list []T, item T) bool {
	for _, other := range list {
		if other == item {
			return true
		}
	}
	return false
}

// What is not on the list may have replaced the disk.
func TestEffects(t *testing.T) {
	g := NewWithT(t)
	of := func(name string) effect { return effectOf(instanceactions.InstanceAction{Action: name}) }
	g.Expect(of("new_in_a_later_nova")).To(Equal(replaces))
	g.Expect(of("")).To(Equal(replaces))
	for _, name := range []string{"live-migration", "lock", "unlock", "attach_interface", "detach_interface", "createImage", "createBackup", "delete"} {
		g.Expect(of(name)).To(Equal(keeps), name)
	}
	for _, name := range []string{"start", "unpause", "reboot", "pause", "resume"} {
		g.Expect(of(name)).To(Equal(runs), name)
	}
	for _, name := range []string{"rebuild", "evacuate", "rescue", "restore", "resize", "migrate", "unshelve", "revertResize"} {
		g.Expect(of(name)).To(Equal(replaces), name)
	}
}

func TestImageConditions(t *testing.T) {
	whole := images.Image{Status: images.ImageStatusActive, SizeBytes: 1, DiskFormat: "qcow2", ContainerFormat: "bare", MinDiskGigabytes: 40}
	change := func(edit func(*images.Image)) *images.Image {
		img := whole
		edit(&img)
		return &img
	}
	g := NewWithT(t)
	g.Expect(imageConditionOf(&whole)).To(Equal(imageWhole))
	g.Expect(imageConditionOf(change(func(i *images.Image) { i.SizeBytes = 0 }))).To(Equal(imageBroken))
	g.Expect(imageConditionOf(change(func(i *images.Image) { i.DiskFormat = "" }))).To(Equal(imageBroken))
	g.Expect(imageConditionOf(change(func(i *images.Image) { i.Status = "new_in_a_later_glance" }))).To(Equal(imageUnknown))
	for status, want := range imageConditions {
		img := change(func(i *images.Image) { i.Status = status })
		g.Expect(imageConditionOf(img)).To(Equal(want), string(status))
		g.Expect(finished(img)).To(Equal(status == images.ImageStatusActive), string(status))
		if want == imageBroken {
			g.Expect(brokenBecause(img)).To(ContainSubstring(string(status)))
		}
	}
	disk := func(gib int) *Machine { return &Machine{Spec: ServerSpec{DiskGiB: &gib}} }
	g.Expect(disk(40).wholeFor(&whole)).To(BeTrue())
	g.Expect(disk(39).wholeFor(&whole)).To(BeFalse())
	g.Expect((&Machine{}).wholeFor(&whole)).To(BeTrue(), "a record of an older version does not hold the disk's size")
}

// Actions that leave the disk alone end no cut; any other does.
func TestActionsInACut(t *testing.T) {
	for name := range effects {
		if name == actionPause || name == actionCreateImage || name == actionDelete {
			continue
		}
		for _, text := range []string{"pause@10 " + name + "@15 createImage@20", "pause@10 createImage@20 " + name + "@25"} {
			g := NewWithT(t)
			m := &Machine{Name: "m-0", ServerID: "0", Before: statusActive}
			err := checkHistories([]*Machine{m}, map[string]history{"0": historyOf(t, text)})
			if effects[name] == keeps {
				g.Expect(err).NotTo(HaveOccurred(), text)
			} else {
				g.Expect(err).To(BeAssignableToTypeOf(&abandonment{}), text)
			}
		}
	}
}

// What was done since the seal decides whether a server may go, is snapshotted anew, or is left to a person.
func TestMovedSince(t *testing.T) {
	still := func(second time.Duration) *Action {
		return &Action{Name: actionPause, At: someday.Add(second * time.Second)}
	}
	for text, want := range map[string]doubt{
		"pause@10 createImage@20":                                     noDoubt,
		"pause@10 createImage@20 lock@21 unlock@22 live-migration@23": noDoubt,
		"pause@10 createImage@20 delete@25":                           noDoubt,
		"pause@10 createImage@20 unpause@21 pause@22":                 mayHaveRun,
		"pause@10 createImage@20 reboot@21":                           mayHaveRun,
		"pause@10 createImage@20 rebuild@21 pause@22":                 mayBeReplaced,
		"pause@10 createImage@20 unpause@21 rescue@22 unrescue@23":    mayBeReplaced,
		"pause@10 createImage@20 new_in_a_later_nova@21":              mayBeReplaced,
		"createImage@20": mayHaveRun,
	} {
		m := &Machine{Name: "m-0", Still: still(10)}
		NewWithT(t).Expect(m.movedSince(historyOf(t, text)).doubt).To(Equal(want), text)
	}
	g := NewWithT(t)
	g.Expect((&Machine{Name: "m-0", Still: still(10)}).movedSince(history{}).doubt).To(Equal(notTold), "a 404 is no history")
	g.Expect((&Machine{Name: "m-0"}).movedSince(historyOf(t, "pause@10")).doubt).To(Equal(mayHaveRun))
}
