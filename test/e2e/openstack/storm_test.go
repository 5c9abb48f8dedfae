//go:build e2e

package openstack

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

const (
	// faultCosts is the longest that a kill or an outage delays a transition: the claim of the manager that is gone has to
	// run out, a service starts slowly on a busy machine.
	faultCosts = 100 * time.Second
	// A state that holds for so long is not about to change.
	calm = 3 * time.Second
)

// size says how much goes wrong in a storm.
type size struct {
	// cycles is how many times the clusters fall asleep and wake up; kills and outages are for all of them together.
	cycles, kills, outages int
	// reversals is how many of a hundred kills somebody takes for a reason to turn round, and back.
	reversals int
}

// storm puts clusters to sleep and wakes them while things go wrong, at moments that it draws: the same ones for the same
// seed.
type storm struct {
	*world
	size
	dice     *rand.Rand
	clusters []*subject
	// with is the project's usage while all clusters run, without while they sleep.
	with, without usage
	guard         *guard
	saboteur      *saboteur
	// ends is when the transition that is under way must be over.
	ends time.Time

	killed, turned, refused int
}

// subject is a cluster in a storm.
type subject struct {
	*cluster
	// before is how its servers were when the storm began, and running the IDs that they have had since it last woke up.
	before  map[string]server
	running map[string]string
}

// newStorm returns a storm of the given size, or of the one that the environment asks for, about the named clusters.
func newStorm(w *world, otherwise size, names ...string) *storm {
	seed := number(w.t, "OW_SEED", int(time.Now().UnixNano()%1e9))
	s := &storm{
		world: w,
		size: size{
			cycles:    number(w.t, "OW_CYCLES", otherwise.cycles),
			kills:     number(w.t, "OW_KILLS", otherwise.kills),
			outages:   number(w.t, "OW_OUTAGES", otherwise.outages),
			reversals: number(w.t, "OW_REVERSALS", otherwise.reversals),
		},
		dice:     rand.New(rand.NewPCG(uint64(seed), 0)),
		saboteur: w.newSaboteur(),
	}
	s.settle(names)
	w.t.Logf("%d cycles, %d kills, %d outages, OW_SEED=%d", s.cycles, s.kills, s.outages, seed)
	return s
}

// settle makes the named clusters, or what is missing of them, and their ClusterDeployments.
func (s *storm) settle(names []string) {
	t, g := s.t, NewWithT(s.t)
	seed(t, infraID, "3", "3", "--adorned")
	seed(t, neighborID, "1", "1")
	s.with = s.cloud.usage(t.Context(), g)
	s.without = s.with
	infraIDs := map[string]string{"demo": infraID, "neighbor": neighborID}
	var clusters []*cluster
	for _, name := range names {
		before := s.cloud.servers(t.Context(), g, infraIDs[name])
		s.without = s.without.minus(sum(before))
		s.startGuest(name, infraIDs[name])
		c := s.hub.deploy(t, name, infraIDs[name], "openstack-credentials")
		c.await(time.Time{}, time.Minute, "running", running)
		s.clusters = append(s.clusters, &subject{cluster: c, before: before, running: ids(before)})
		clusters = append(clusters, c)
	}
	s.guard = s.guardDeletions(clusters...)
}

// ids returns the servers' IDs by their names.
func ids(all map[string]server) map[string]string {
	found := map[string]string{}
	for name, s := range all {
		found[name] = s.id
	}
	return found
}

// blow goes through the cycles, with the given outages in the first transitions, and checks after each transition what
// TestCycle checks, and that no data was lost.
func (s *storm) blow(outages ...[]outage) {
	s.t.Helper()
	g := NewWithT(s.t)
	for i := range 2 * s.cycles {
		began := time.Now()
		power := hivev1.ClusterPowerStateHibernating
		if i%2 == 1 {
			power = hivev1.ClusterPowerStateRunning
		}
		s.ends = began.Add(hibernateTimeout)
		s.weather(power, i, outages)
		// What an earlier transition was too short for comes now.
		s.through(power, s.kills*(i+1)/(2*s.cycles)-s.killed)
		s.recorder.disarm()
		s.saboteur.over()
		for _, c := range s.clusters {
			s.check(g, power, c)
		}
		s.t.Logf("transition %d, to %s, took %.0f s; so far %d kills, %d outages, %d hibernations undone, %d deletions looked at", i+1,
			power, time.Since(began).Seconds(), s.killed, s.saboteur.count(), s.refused, s.guard.expectNothing(g))
	}
}

// weather sets the outages of a transition: the given ones, and those that it draws.
func (s *storm) weather(power hivev1.ClusterPowerState, transition int, given [][]outage) {
	if transition < len(given) {
		for _, o := range given[transition] {
			s.sabotage(o)
		}
	}
	for range s.outages*(transition+1)/(2*s.cycles) - s.outages*transition/(2*s.cycles) {
		s.sabotage(s.drawOutage(power))
	}
}

func (s *storm) sabotage(o outage) {
	s.ends = s.ends.Add(faultCosts)
	s.saboteur.set(o)
}

func (s *storm) check(g Gomega, power hivev1.ClusterPowerState, c *subject) {
	s.t.Helper()
	if power == hivev1.ClusterPowerStateHibernating {
		s.expectAsleep(g, c.cluster, c.before, s.without)
		return
	}
	s.expectAwake(g, c.cluster, c.before, s.with)
	s.expectData(g, c.cluster, c.before)
	c.running = ids(s.cloud.servers(s.t.Context(), g, c.infraID))
}

// number reads a number that the environment may set.
func number(t *testing.T, name string, otherwise int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	NewWithT(t).Expect(err).NotTo(HaveOccurred(), name)
	return n
}

// upTo draws a duration.
func (s *storm) upTo(longest time.Duration) time.Duration {
	return time.Duration(s.dice.Int64N(int64(longest))).Round(time.Millisecond)
}

// kill is one end of the manager.
type kill struct {
	// request is which of the requests of the manager's life ends it.
	request int
	// before: the cloud does not get to know of that request. after: it and its answer pass, and the end comes a while later;
	// it may fall on a save. Else the answer is lost.
	before bool
	after  time.Duration
	// turn is for how long the clusters are told to turn round after that; 0: they are not.
	turn time.Duration
}

// draw draws a kill: in a third of a transition's requests, so that the next life finds something to do.
func (s *storm) draw() kill {
	k := kill{request: 1 + s.dice.IntN(30)}
	switch s.dice.IntN(3) {
	case 0:
		k.before = true
	case 1:
		k.after = time.Millisecond + s.upTo(4*time.Second)
	default:
	}
	if s.dice.IntN(100) < s.reversals {
		k.turn = time.Second + s.upTo(30*time.Second)
	}
	return k
}

func (k kill) String() string {
	how := "whose answer is lost"
	switch {
	case k.before:
		how = "which is not sent"
	case k.after > 0:
		how = fmt.Sprintf("and %s", k.after)
	}
	return fmt.Sprintf("at request %d of its life, %s", k.request, how)
}

// set sets the trap that kills the manager. The channel is closed when it is dead.
func (s *storm) set(k kill) (sprung, dead <-chan struct{}) {
	over := make(chan struct{})
	end := func() {
		s.hub.killManager()
		close(over)
	}
	spring := end
	if k.after > 0 {
		spring = func() { time.AfterFunc(k.after, end) }
	}
	return s.recorder.set(&trap{
		is:     func(request) bool { return true },
		nth:    k.request,
		before: k.before,
		lose:   k.after == 0,
		spring: spring,
	}), over
}

// through brings the clusters to a power state while the manager is killed n times.
func (s *storm) through(power hivev1.ClusterPowerState, n int) {
	s.t.Helper()
	s.ends = s.ends.Add(time.Duration(n) * faultCosts)
	for i, c := range s.clusters {
		if i > 0 {
			// So that the same moment is a different one for each of them.
			time.Sleep(s.upTo(8 * time.Second))
		}
		c.patch(power)
	}
	for range n {
		k := s.draw()
		sprung, dead := s.set(k)
		if s.reach(power, dead) && !s.cancel(sprung, dead) {
			break
		}
		s.killed++
		s.t.Logf("killed the manager %s", k)
		NewWithT(s.t).Expect(s.hub.startManager(s.t.Context())).To(Succeed())
		if k.turn > 0 {
			s.turn(power, k.turn)
			s.ends = s.ends.Add(hibernateTimeout)
		}
	}
	s.reach(power, nil)
}

// cancel takes a kill back, and waits for it and returns true if it is too late for that.
func (s *storm) cancel(sprung, dead <-chan struct{}) bool {
	s.recorder.disarm()
	select {
	case <-sprung:
		<-dead
		return true
	default:
		return false
	}
}

// turn tells the clusters to turn round, and after a while to turn back.
func (s *storm) turn(power hivev1.ClusterPowerState, after time.Duration) {
	other := hivev1.ClusterPowerStateRunning
	if power == other {
		other = hivev1.ClusterPowerStateHibernating
	}
	s.turned++
	for _, c := range s.clusters {
		c.patch(other)
	}
	time.Sleep(after)
	for _, c := range s.clusters {
		c.patch(power)
	}
}

// reach waits until all clusters are in a power state for good, and returns false if something else comes first.
func (s *storm) reach(power hivev1.ClusterPowerState, first <-chan struct{}) bool {
	s.t.Helper()
	var since time.Time
	for time.Now().Before(s.ends) {
		select {
		case <-first:
			return false
		case <-time.After(200 * time.Millisecond):
		}
		switch {
		case !s.settled(power):
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) > calm:
			return true
		}
	}
	for _, c := range s.clusters {
		r, err := c.record(s.t.Context())
		s.t.Logf("%s is not %s: %s, record %+v, %v", c.name, power, c.last(), r, err)
	}
	s.t.FailNow()
	return false
}

// settled tells whether all clusters are in a power state, and have nothing left to do.
func (s *storm) settled(power hivev1.ClusterPowerState) bool {
	for _, c := range s.clusters {
		r, err := c.record(s.t.Context())
		NewWithT(s.t).Expect(err).NotTo(HaveOccurred())
		if power == hivev1.ClusterPowerStateHibernating && undone(c, r) {
			s.again(c)
			return false
		}
		if !c.is(power, r) {
			return false
		}
	}
	return true
}

// is tells whether the cluster is in a power state by its status and its record.
func (c *subject) is(power hivev1.ClusterPowerState, r *record) bool {
	if power == hivev1.ClusterPowerStateRunning {
		return r == nil && running(c.last())
	}
	return r != nil && r.Sealed != nil && r.Opened == nil && asleep(c.last())
}

// undone tells whether the cluster's hibernation was given up, and all that was done for it has been undone.
func undone(c *subject, r *record) bool {
	return r != nil && r.Cut == nil && r.Sealed == nil && r.Tries != nil && failedToStop(c.last())
}

// again checks that a cluster whose hibernation was given up and undone runs on as before, and puts it to sleep once more,
// without waiting for the time of the manager's own next try.
func (s *storm) again(c *subject) {
	why := c.last().Hibernating.Message
	s.t.Logf("the hibernation of %s was undone: %s", c.name, why)
	s.refused++
	s.saboteur.over()
	g := NewWithT(s.t)
	g.Expect(s.refused).To(BeNumerically("<=", s.saboteur.count()*len(s.clusters)), "hibernations undone without a reason in the cloud")
	s.ends = s.ends.Add(hibernateTimeout + resumeTimeout)
	s.expectSame(g, c.cluster, c.before)
	g.Expect(ids(s.cloud.servers(s.t.Context(), g, c.infraID))).To(Equal(c.running))
	c.patch(hivev1.ClusterPowerStateRunning)
	g.Eventually(func(g Gomega) {
		g.Expect(running(c.last())).To(BeTrue(), "%s", c.last())
		g.Expect(s.cloud.snapshots(s.t.Context(), g, c.infraID)).To(BeEmpty())
		c.recordGone(s.t.Context(), g)
	}).WithTimeout(resumeTimeout).WithPolling(time.Second).Should(Succeed())
	c.patch(hivev1.ClusterPowerStateHibernating)
}
