package hibernation

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	cycleLayout = "20060102-150405"
	snapshotMid = "-hibernation-"
	// Glance, Nova and Kubernetes Secrets take names of up to 255, 255 and 253 characters.
	maxImageName  = 255
	maxSecretName = 253
	hashLen       = 8

	// clusterKey is how OpenShift's installer and machine API mark what belongs to a cluster.
	clusterKey = "openshiftClusterID"
	// Properties of our snapshots. Glance allows letters, digits and "-_:. " in Nova's createImage.
	propInfraID = "overwinter_infra_id"
	propCycle   = "overwinter_cycle"
)

// SnapshotName returns the name of a machine's snapshot in a cycle: <machine>-hibernation-<cycle>. A machine's name that
// would make it too long is shortened, and a hash of the whole keeps it unique. ParseSnapshotName is its inverse.
func SnapshotName(machine, cycle string) string {
	return shorten(machine, maxImageName-len(snapshotMid)-len(cycle)) + snapshotMid + cycle
}

// ParseSnapshotName returns the machine, as SnapshotName wrote it (long names are shortened there), and the cycle of a
// snapshot's name; ok is false for any other name.
func ParseSnapshotName(name string) (machine, cycle string, ok bool) {
	at := strings.LastIndex(name, snapshotMid)
	if at <= 0 {
		return "", "", false
	}
	machine, cycle = name[:at], name[at+len(snapshotMid):]
	if _, err := time.Parse(cycleLayout, cycle); err != nil || len(cycle) != len(cycleLayout) {
		return "", "", false
	}
	return machine, cycle, true
}

// RecordName returns the name of the Secret that holds a cluster's record: <cluster>-hibernation.
func RecordName(cluster string) string {
	return shorten(cluster, maxSecretName-len("-hibernation")) + "-hibernation"
}

func shorten(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	cut := limit - hashLen - 1
	for cut > 0 && !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut] + "-" + hex.EncodeToString(sum[:])[:hashLen]
}

func clusterTag(infraID string) string { return clusterKey + "=" + infraID }

// nextCycle returns a cycle for now that is later than all of the given ones, even if the clock was set back.
func nextCycle(now time.Time, earlier ...string) string {
	at := now.UTC().Truncate(time.Second)
	for _, c := range earlier {
		t, err := time.Parse(cycleLayout, c)
		if err != nil || at.After(t) {
			continue
		}
		// What has no successor that could be written as a cycle is none of ours.
		if next := t.Add(time.Second); next.Year() <= 9999 {
			at = next
		}
	}
	return at.Format(cycleLayout)
}
