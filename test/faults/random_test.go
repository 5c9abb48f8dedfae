package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/test/cloud"
)

// A schedule is drawn: what clusters there are and how fast the cloud is, who orders what when, and what goes wrong.

// drawn is the shape of a schedule.
func drawn(rng *rand.Rand) shape {
	s := shape{name: "drawn", masters: 1, workers: rng.IntN(3), inFlight: 1 + rng.IntN(4)}
	if rng.IntN(3) == 0 {
		s.masters = 3
	}
	names := []string{infraID, infraID + "-b", infraID + "-b-c"}
	s.clusters = names[:1+rng.IntN(3)]
	scale, soft := 0.2+3*rng.Float64(), rng.IntN(4) == 0
	s.inUse = rng.IntN(4) == 0
	slow := time.Duration(rng.IntN(40)) * time.Second
	s.cloud = func(o *cloud.Options) {
		o.Latencies = o.Latencies.Scaled(scale)
		upload := o.Latencies.SnapshotUpload
		o.Latencies.SnapshotUploadOf = func(srv cloud.Server) time.Duration {
			return upload + slow*time.Duration(len(srv.Name)%5)/4
		}
		if soft {
			o.ReclaimInterval = time.Hour
		}
	}
	if rng.IntN(4) == 0 {
		s.seeded = func(w *world) {
			if workers := w.seeds[0].Workers; len(workers) > 0 {
				w.cloud.SetServerState(workers[0].ID, "SHUTOFF")
			}
		}
	}
	return s
}

// chaos is what disturbs a drawn schedule: from time to time, for a while, calls fail with some probability in one way.
type chaos struct {
	w    *world
	rng  *rand.Rand
	kind kind
	// often is one call in how many goes wrong, until then.
	often int
	until time.Time
	// next is when the next bout begins.
	next time.Time
}

func (w *world) chaos() *chaos {
	return &chaos{w: w, rng: rand.New(rand.NewPCG(w.seed, 77)), next: time.Now().Add(5 * time.Second)}
}

// disturb is asked at each call.
func (x *chaos) disturb(c *call, done bool) *fault {
	now := time.Now()
	if now.After(x.next) {
		all := kinds()
		x.kind, x.often = all[x.rng.IntN(len(all))], 1+x.rng.IntN(6)
		x.until = now.Add(time.Duration(1+x.rng.IntN(120)) * time.Second)
		x.next = x.until.Add(time.Duration(x.rng.IntN(180)) * time.Second)
		x.w.trace.add("bout: one %s call in %d goes wrong: %s", x.kind.service, x.often, x.kind.name)
	}
	if !done && x.rng.IntN(150) == 0 {
		x.strike(c)
		if c.process.dead.Load() {
			return dead(c)
		}
		if c.expired {
			return nil
		}
	}
	if now.Before(x.until) && done == x.kind.late && x.kind.fits(c) && x.rng.IntN(x.often) == 0 {
		return x.kind.make(x.w, c)
	}
	return nil
}

// strike has something happen to the processes.
func (x *chaos) strike(c *call) {
	w := x.w
	switch x.rng.IntN(6) {
	case 0, 1:
		c.process.kill()
		w.later(time.Duration(x.rng.IntN(90))*time.Second, func() { w.startProcess() })
	case 2:
		if len(w.live()) < 3 {
			w.startProcess()
		}
	case 3:
		if len(w.live()) < 3 {
			stall(w, c)
		}
	case 4:
		c.process.lag = time.Duration(x.rng.IntN(60)) * time.Second
	case 5:
		c.process.thaws = time.Now().Add(time.Duration(x.rng.IntN(10)) * time.Minute)
	}
}

// upkeep is what the cloud's people do meanwhile, and needs nobody to put right.
type upkeep struct {
	w   *world
	rng *rand.Rand
}

func (w *world) upkeep() *upkeep {
	return &upkeep{w: w, rng: rand.New(rand.NewPCG(w.seed, 99))}
}

// disturb is asked at each call.
func (u *upkeep) disturb(_ *call, done bool) *fault {
	if !done && u.rng.IntN(60) == 0 {
		u.work()
	}
	return nil
}

// work has somebody do something.
func (u *upkeep) work() {
	lasts := time.Duration(1+u.rng.IntN(300)) * time.Second
	id := u.w.shape.clusters[u.rng.IntN(len(u.w.shape.clusters))]
	deed, servers := u.rng.IntN(5), u.w.serversOf(id)
	switch {
	case deed == 0:
		u.w.trace.add("SOMEBODY: the cell is down for %s", lasts)
		u.w.darkened = true
		u.w.cloud.TakeCellsDown(lasts)
	case len(servers) > 0:
		u.onServer(deed, servers[u.rng.IntN(len(servers))])
	}
}

// onServer has somebody do something to a server.
func (u *upkeep) onServer(deed int, s cloud.Server) {
	switch deed {
	case 1, 2:
		u.w.trace.add("SOMEBODY: live migration of %s: %v", s.Name, u.w.cloud.LiveMigrateServer(s.ID))
	case 3:
		did := u.w.cloud.LockByHand(s.ID, false, "mine") && u.w.cloud.UnlockByHand(s.ID)
		u.w.trace.add("SOMEBODY: lock and unlock of %s: %v", s.Name, did)
	case 4:
		image, did := u.w.cloud.BackupServer(s.ID, "nightly", "daily", 1)
		u.w.foreign[image] = did
		u.w.trace.add("SOMEBODY: backup of %s: %v", s.Name, did)
	}
}

// orders draws who wants what when.
func (w *world) orders(rng *rand.Rand) {
	for range 2 + rng.IntN(6) {
		id := w.shape.clusters[rng.IntN(len(w.shape.clusters))]
		state := []hivev1.ClusterPowerState{hibernating, runningNow}[rng.IntN(2)]
		w.order(id, state)
		switch rng.IntN(3) {
		case 0:
			w.until(time.Hour, func() bool { return w.shows(id, state) })
		case 1:
			w.wait(time.Duration(rng.IntN(60)) * time.Second)
		case 2:
			w.wait(time.Duration(rng.IntN(15)) * time.Minute)
		}
	}
}

// schedule runs one drawn schedule.
func schedule(t *testing.T, seed uint64) {
	tried.schedules.Add(1)
	rng := rand.New(rand.NewPCG(seed, 1))
	inWorld(t, drawn(rng), seed, func(w *world) {
		settle(w)
		w.disturbers = append(w.disturbers, w.chaos().disturb)
		if !slices.Contains(knownSeeds(), seed) && seed%2 == 0 {
			w.disturbers = append(w.disturbers, w.upkeep().disturb)
		}
		w.orders(rng)
		w.finish()
	})
}

// fewSeeds is how many schedules are tried every day.
const fewSeeds = 12

// knownSeeds are those that once found something, unless a first seed is given.
func knownSeeds() []uint64 {
	if *first != 1 {
		return nil
	}
	// 94: a list from before the pause ended a rollback, and the servers stayed paused. 161: a list without images made a
	// rollback forget its snapshots. 187, 550, 1867: of a create that was carried out twice, the one that we were told of failed,
	// and a third was made beside its twin. 1183: a history from before our pause was taken for somebody's work. 270, 1284:
	// after a rollback, the Node of a server that was off all the time was waited for. 7202: a cluster that lacked a port was
	// taken to be awake. 7698: snapshots that Glance denied twice were forgotten. 482: the server of a create without an answer,
	// which appeared while the cluster slept, was taken for proof of an old record. 2317: a pause was carried out after its
	// rollback.
	return []uint64{94, 161, 187, 270, 482, 550, 752, 1183, 1284, 1867, 2317, 7202, 7698}
}

// Everything at once, as it is drawn.
func TestRandomSchedules(t *testing.T) {
	n := *seeds
	if n == 0 {
		n = fewSeeds
	}
	drawn := knownSeeds()
	for i := range n {
		drawn = append(drawn, *first+uint64(i))
	}
	slices.Sort(drawn)
	for _, seed := range slices.Compact(drawn) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			schedule(t, seed)
		})
	}
}
