package faults

import (
	"time"

	"github.com/overwinter/overwinter/test/cloud"
)

// shape is a kind of cluster on a kind of cloud. What the engine learns later becomes one more row.
type shape struct {
	name             string
	masters, workers int
	// clusters are the infraIDs of those that are managed; one if empty.
	clusters []string
	cloud    func(*cloud.Options)
	// keyName is the servers' key pair, none if empty.
	keyName string
	// seeded changes what the cloud has been seeded with.
	seeded func(*world)
	// inFlight is how many snapshots are made at once.
	inFlight int
	// refused says that the cloud does not let the cluster hibernate until mend is called.
	refused bool
	// lateWorkers says that the workers' kubelets take minutes to start.
	lateWorkers bool
	// expired says that the kubelets' certificates expire in each sleep.
	expired bool
	// cramped says that others have taken the quota of the workers when the cluster is to wake, for a while.
	cramped bool
	// inUse says that images can't be deleted of which servers were made.
	inUse bool
	// nodeBytes is how many bytes of annotations each Node has.
	nodeBytes int
	// repeats says that managers repeat reads that fail, as they do by default.
	repeats bool
	// deadline is the managers' hibernation deadline, their default if it is 0.
	deadline time.Duration
	mend     func(*world)
}

// patient tells whether a shape waits for so long that what it asks for again and again is most of its calls.
func (s shape) patient() bool { return s.lateWorkers || s.cramped }

// readAttempts is how often a read is tried within a visit; 0 is the default. Where single calls go wrong, a second try would hide
// most of what is tried.
func (s shape) readAttempts() int {
	if s.repeats {
		return 0
	}
	return 1
}

const infraID = "demo-x7k2p"

func uneven(s cloud.Server) time.Duration {
	return time.Duration(500+len(s.Name)*37%900+int(s.Name[len(s.Name)-1])*40) * time.Millisecond
}

func shapes() []shape {
	return []shape{
		{name: "one", masters: 1},
		{name: "six", masters: 3, workers: 3},
		{name: "thirty", masters: 3, workers: 27},
		{name: "in-use", masters: 1, workers: 1, inUse: true},
		{name: "soft-delete", masters: 1, workers: 1, cloud: func(o *cloud.Options) { o.ReclaimInterval = time.Hour }},
		{
			name: "image-quota", masters: 1, workers: 1, refused: true,
			cloud: func(o *cloud.Options) {
				q := cloud.DefaultQuota()
				q.Images = 3
				o.Quotas = &q
			},
			mend: func(w *world) { w.cloud.SetQuota(cloud.DefaultProject, cloud.DefaultQuota()) },
		},
		{name: "prefixes", masters: 1, clusters: []string{infraID, infraID + "-b", infraID + "-b-c"}},
		{
			name: "uneven", masters: 1, workers: 3, inFlight: 2,
			cloud:  func(o *cloud.Options) { o.Latencies.SnapshotUploadOf = uneven },
			seeded: func(w *world) { w.cloud.SetServerState(w.seeds[0].Workers[0].ID, "SHUTOFF") },
		},
		{name: "late-workers", masters: 1, workers: 2, lateWorkers: true},
		{name: "expired", masters: 1, workers: 1, expired: true},
		{name: "cramped", masters: 1, workers: 2, cramped: true},
		{name: "old-nova", masters: 1, workers: 1, cloud: func(o *cloud.Options) { o.MaxMicroversion = "2.60" }},
	}
}
