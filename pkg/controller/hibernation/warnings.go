package hibernation

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
)

const (
	// youngFor is for how long after its installation a cluster's first certificates have not been rotated yet
	// (openshift-docs, hibernating-cluster).
	youngFor = 24 * time.Hour
	// longestSleep and longestSleepOnce are for how long a cluster may sleep by the same documentation, since OpenShift 4.18
	// and before. Where its signers are known these say it better.
	longestSleep     = 90 * 24 * time.Hour
	longestSleepOnce = 30 * 24 * time.Hour
	// tellsLate is for how long after a time an event that is due then is still worth it.
	tellsLate = time.Hour
)

// warnYoung tells the owner of a cluster whose hibernation begins what it means that it is young.
func (v *visit) warnYoung() {
	age := v.now.Sub(installedAt(v.cd))
	if age >= youngFor || stopBegun(v.cd) || v.memo.toldYoung {
		return
	}
	v.memo.toldYoung = true
	v.event(corev1.EventTypeWarning, "ClusterYoung", fmt.Sprintf("The cluster was installed %s ago. Its first certificates live for a day and are rotated only while it runs: if it sleeps for longer than they live, its Nodes ask for new ones when it wakes, and may need help. Hibernate it once it is a day old",
		age.Round(time.Minute)))
}

// certificatesEnd returns until when the cluster can sleep and wake without trouble, and why; zero if it does not sleep.
func certificatesEnd(cd *hivev1.ClusterDeployment, record hibernation.Summary) (time.Time, string) {
	if record.SealedAt.IsZero() {
		return time.Time{}, ""
	}
	if first := record.Observation.FirstExpiry(); !first.IsZero() {
		return first, "the first of the certificates that sign its others expired then"
	}
	limit := longestSleepOnce
	if since418(cd.Labels[hivev1.LabelClusterVersion]) {
		limit = longestSleep
	}
	return record.SealedAt.Add(limit), fmt.Sprintf("its certificates are not known, and a cluster of its version may sleep for %d days", limit/(24*time.Hour))
}

// since418 tells whether a version of OpenShift is 4.18 or later; false for one that can't be read.
func since418(version string) bool {
	parts := regexp.MustCompile(`^v?(\d+)\.(\d+)`).FindStringSubmatch(version)
	if parts == nil {
		return false
	}
	major, _ := strconv.Atoi(parts[1])
	minor, _ := strconv.Atoi(parts[2])
	return major > 4 || major == 4 && minor >= 18
}

// warnExpired tells, as a cluster is woken, that it has slept for too long.
func (v *visit) warnExpired(record hibernation.Summary) {
	end, why := certificatesEnd(v.cd, record)
	if end.IsZero() || v.now.Before(end) {
		return
	}
	v.event(corev1.EventTypeWarning, "SleptTooLong", fmt.Sprintf("The cluster should have been woken by %s: %s. It may need help until its Nodes are ready: see OpenShift's documentation on recovering from expired control plane certificates",
		end.UTC().Format(time.RFC3339), why))
}

// asleep is the outcome for a cluster that hibernates: nothing, but for an event when its certificates expire. That time is
// read once.
func (v *visit) asleep(ctx context.Context) Outcome {
	if v.memo.wakeBy == nil {
		record, err := v.record(ctx)
		if err != nil {
			return v.quietly(ctx, err)
		}
		v.planWarning(record)
	}
	end := *v.memo.wakeBy
	if end.IsZero() {
		return Outcome{}
	}
	left := end.Sub(v.now)
	if left > 0 {
		return Outcome{After: left}
	}
	if -left < tellsLate && !v.memo.toldLate {
		v.memo.toldLate = true
		v.event(corev1.EventTypeWarning, "SleepsTooLong", "The cluster sleeps for longer than its certificates live, or should by OpenShift's documentation: wake it soon, it may need help then")
	}
	return Outcome{}
}

func (v *visit) planWarning(record hibernation.Summary) {
	end, _ := certificatesEnd(v.cd, record)
	v.memo.wakeBy = &end
}

// notes says what a person should know of how the cluster was put to sleep, as the end of a message.
func (v *visit) notes() string {
	record := v.slept()
	switch {
	case record == nil:
		return ""
	case record.Unobserved != "":
		return "; its Nodes could not be asked for: " + record.Unobserved + ", they are repaired at the resume from what its API then holds"
	case record.HealthChecksFailed != "":
		return "; its MachineHealthChecks could not all be paused: " + record.HealthChecksFailed
	}
	return ""
}
