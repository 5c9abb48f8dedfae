package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	log "github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	hibernationcontroller "github.com/overwinter/overwinter/pkg/controller/hibernation"
	"github.com/overwinter/overwinter/pkg/csrapproval"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// process is one manager: the real controller with one worker, and the queue and the cache that it would have.
type process struct {
	world  *world
	name   string
	number int
	rng    *rand.Rand
	ctx    context.Context //nolint:containedctx // the process's life
	cancel context.CancelFunc
	dead   atomic.Bool
	// calls is how many calls it has made.
	calls int

	reconciler *hibernationcontroller.Reconciler

	wake, acked chan struct{}
	// due is when a ClusterDeployment is visited next; failures are the visits in a row that ended in an error.
	due      map[types.NamespacedName]time.Time
	failures map[types.NamespacedName]int
	// seen is how many versions of a ClusterDeployment the cache has got.
	seen map[types.NamespacedName]int
	// lag is by how much the cache lags; until thaws it gets nothing at all.
	lag   time.Duration
	thaws time.Time
	// staleSecrets is how old the Secrets may be that it reads; read are those that it has.
	staleSecrets time.Duration
	read         map[types.NamespacedName]reading
	// shown are the Secrets that it has read in the present visit, as they were read last.
	shown map[string]*corev1.Secret
}

// startProcess starts a manager.
func (w *world) startProcess() *process {
	w.started++
	p := &process{
		world: w, name: fmt.Sprintf("manager-%d", w.started), number: w.started, rng: rand.New(rand.NewPCG(w.seed, uint64(w.started))),
		wake: make(chan struct{}, 1), acked: make(chan struct{}),
		due: map[types.NamespacedName]time.Time{}, failures: map[types.NamespacedName]int{}, seen: map[types.NamespacedName]int{},
		read: map[types.NamespacedName]reading{},
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.build()
	w.processes = append(w.processes, p)
	w.trace.add("%s starts", p.name)
	w.beside(p.loop)
	return p
}

// build wires the process as the manager's program does.
func (p *process) build() {
	hub := &hubClient{hub: p.world.hub, process: p}
	logger := log.New()
	logger.SetOutput(p.world.trace)
	logger.SetLevel(log.DebugLevel)
	logger.SetFormatter(&log.TextFormatter{DisableTimestamp: true, DisableColors: true})
	engine := hibernation.New(hibernation.NewStore(hub, hub), hibernation.Options{
		Holder: p.name, Jitter: p.jitter, RequestsAtOnce: 1, SnapshotsInFlight: p.world.shape.inFlight, Clock: &wrongClock{p.world},
		Deadline: p.world.shape.deadline,
	})
	clouds := openstackclient.NewFactory(openstackclient.FactoryOptions{
		Transport: &transport{process: p, next: p.world.cloud.RoundTripper()}, Logger: logger,
		// A read that is repeated would hide the single faults that the rows are made of.
		ReadAttempts: p.world.shape.readAttempts(), Jitter: func(pause time.Duration) time.Duration { return pause },
	})
	remote := &remote{process: p}
	recorder := &recorder{world: p.world}
	p.reconciler = hibernationcontroller.NewReconciler(hibernationcontroller.Options{
		CleanupAfter: 10 * time.Minute, OperatorsSettle: 2 * time.Minute, Jitter: p.jitter, Clock: &wrongClock{p.world},
	})
	p.reconciler.Client, p.reconciler.Remote, p.reconciler.Recorder, p.reconciler.Logger = hub, remote, recorder, logger
	p.reconciler.Approve = csrapproval.Approve
	p.reconciler.Actuators = hibernationcontroller.NewRegistry(
		hibernationcontroller.NewOpenStackActuator(clouds, hibernationcontroller.EngineSessions(engine), remote, recorder))
}

// wrongClock is a machine's clock, which somebody may have set.
type wrongClock struct{ world *world }

// Now implements clock.PassiveClock.
func (c *wrongClock) Now() time.Time { return time.Now().Add(time.Duration(c.world.skewed.Load())) }

// Since implements clock.PassiveClock.
func (c *wrongClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

func (p *process) jitter(d time.Duration) time.Duration {
	return d + time.Duration(p.rng.Int64N(int64(d)/5+1))
}

// latency is d and a little more, different for each process, so that no two do something at the same instant.
func (p *process) latency(d time.Duration) time.Duration {
	return d + time.Duration(p.number)*time.Microsecond
}

// kill ends the process at once: nothing that it does from here on has an effect.
func (p *process) kill() {
	if p.dead.CompareAndSwap(false, true) {
		p.world.trace.add("%s is killed", p.name)
		p.cancel()
	}
}

func (p *process) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// loop visits what is due, until the process ends.
func (p *process) loop() {
	for {
		p.deliver()
		key, wait := p.next()
		if wait > 0 {
			p.rest(wait)
		}
		if p.ctx.Err() != nil {
			return
		}
		if wait > 0 {
			continue
		}
		p.visit(key)
		if !p.world.turn(p) {
			return
		}
	}
}

// rest waits for so long, or until something comes up.
func (p *process) rest(wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	p.world.standing(func() {
		select {
		case <-p.ctx.Done():
		case <-p.wake:
		case <-timer.C:
		}
	})
}

// next returns what is due, or how long nothing is.
func (p *process) next() (types.NamespacedName, time.Duration) {
	now, first, wait := time.Now(), types.NamespacedName{}, 24*time.Hour
	for _, key := range p.world.watched() {
		if due, ok := p.due[key]; ok && due.Sub(now) < wait {
			first, wait = key, due.Sub(now)
		}
	}
	if at, ok := p.nextDelivery(); ok {
		if left := at.Sub(now); left > 0 && left < wait {
			wait = left
		}
	}
	return first, wait
}

// visitTimeout is what controller-runtime allows a visit; see the controller's own.
const visitTimeout = 2 * time.Minute

// visit reconciles, and plans the next visit as a work queue would.
func (p *process) visit(key types.NamespacedName) {
	delete(p.due, key)
	p.world.passes++
	p.shown = map[string]*corev1.Secret{}
	ctx, cancel := context.WithTimeout(p.ctx, visitTimeout)
	defer cancel()
	result, err := p.reconciler.Reconcile(ctx, reconcile.Request{NamespacedName: key})
	if p.dead.Load() {
		return
	}
	switch {
	case err != nil:
		p.world.trace.add("%s  the visit of %s failed: %v", p.name, key.Name, err)
		p.failures[key]++
		p.plan(key, min(5*time.Millisecond<<min(p.failures[key], 18), 1000*time.Second))
		return
	case result.RequeueAfter > 0:
		p.plan(key, result.RequeueAfter)
	}
	p.failures[key] = 0
}

// plan has a ClusterDeployment visited in a while, or sooner if it is planned so already.
func (p *process) plan(key types.NamespacedName, in time.Duration) {
	at := time.Now().Add(in)
	if due, ok := p.due[key]; !ok || at.Before(due) {
		p.due[key] = at
	}
}

// visible returns how many versions the cache may know by now.
func (p *process) visible(key types.NamespacedName) int {
	now, n := time.Now(), 0
	if now.Before(p.thaws) {
		return p.seen[key]
	}
	for _, v := range p.world.hub.versions[key] {
		if !v.at.Add(p.lag).After(now) {
			n++
		}
	}
	return max(n, p.seen[key])
}

// deliver brings the cache up to date and enqueues what the controller wants to hear of. Versions between two deliveries
// are not seen, as after a lost watch.
func (p *process) deliver() {
	for _, key := range p.world.watched() {
		all, had, have := p.world.hub.versions[key], p.seen[key], p.visible(key)
		if have == had {
			continue
		}
		p.seen[key] = have
		var before *hivev1.ClusterDeployment
		if had > 0 {
			before = all[had-1].cd
		}
		if p.interesting(before, all[have-1].cd) {
			p.plan(key, 0)
		}
	}
}

func (p *process) interesting(before, after *hivev1.ClusterDeployment) bool {
	if before == nil || after == nil {
		return true
	}
	return hibernationcontroller.OrdersChanged().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after})
}

// nextDelivery returns when the cache gets something next.
func (p *process) nextDelivery() (time.Time, bool) {
	for _, key := range p.world.watched() {
		all := p.world.hub.versions[key]
		if p.seen[key] < len(all) {
			at := all[p.seen[key]].at.Add(p.lag)
			if at.Before(p.thaws) {
				at = p.thaws
			}
			return at, true
		}
	}
	return time.Time{}, false
}

// cached returns a ClusterDeployment as the cache has it.
func (p *process) cached(key types.NamespacedName) *hivev1.ClusterDeployment {
	p.deliver()
	if n := p.seen[key]; n > 0 {
		return p.world.hub.versions[key][n-1].cd
	}
	return nil
}

// readSecret reads a Secret, perhaps as it was.
func (p *process) readSecret(ctx context.Context, key client.ObjectKey, obj client.Object) error {
	err := p.world.hub.shelf.Get(ctx, key, obj)
	s, ok := obj.(*corev1.Secret)
	if !ok || err != nil {
		return err
	}
	was, seen := p.read[key]
	if seen && time.Since(was.at) < p.staleSecrets {
		was.secret.DeepCopyInto(s)
		return nil
	}
	p.read[key] = reading{at: time.Now(), secret: s.DeepCopy()}
	return nil
}

// hasReadSeal tells whether the last read of a cluster's record in the present visit has shown it sealed.
func (p *process) hasReadSeal(id string) bool {
	s := p.shown[recordKey(key(id)).Name]
	if s == nil {
		return false
	}
	r := p.world.hub.record(key(id))
	if now := p.world.hub.secret(recordKey(key(id))); now == nil || now.ResourceVersion != s.ResourceVersion {
		r = parse(s)
	}
	return r != nil && r.Sealed != nil && r.Cut == nil && r.Opened == nil
}

// reading is a Secret as it was once.
type reading struct {
	at     time.Time
	secret *corev1.Secret
}

// recorder takes events.
type recorder struct{ world *world }

// Eventf implements events.EventRecorder.
func (r *recorder) Eventf(_, _ runtime.Object, eventType, reason, _, note string, args ...any) {
	r.world.trace.add("   event %s %s %s", eventType, reason, fmt.Sprintf(note, args...))
}
