package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/test/cloud"
)

const (
	namespace      = "demo"
	credentialsKey = "clouds.yaml"
)

// world is everything that takes part in one run.
type world struct {
	shape shape
	seed  uint64
	rng   *rand.Rand
	trace *trace

	cloud  *cloud.Cloud
	hub    *hub
	guests []*guest
	seeds  []*cloud.Cluster

	processes []*process
	started   int
	running   sync.WaitGroup
	// baton is with the one goroutine that runs; the others of this world wait for a time, for each other, or for it. Without it
	// two of them would run at the same instant of the virtual time, in any order and on the same data.
	baton baton
	turns chan *process
	over  chan struct{}
	held  []*process

	// disturbers are asked at each call, before it (done is false) and after it.
	disturbers []func(c *call, done bool) *fault
	open       map[int]*call
	calls      int
	// requests are those to OpenStack.
	requests int
	counting bool
	counted  int
	recorded []call
	passes   int
	lastCall time.Time

	violations []string
	// checked is the version of the cloud that was looked at last.
	checked uint64
	// initial is what there was in the beginning.
	initial inventory
	// lost are the machines whose disk somebody else has destroyed, or had gone back on purpose.
	lost map[string]bool
	// dropped are the clusters whose ClusterDeployment was deleted without keeping anything.
	dropped map[string]bool
	// twins says that the cloud was made to carry requests out twice or late, so that two servers of a name may be there for a while.
	twins bool
	// foreign are images that somebody else has made.
	foreign map[string]bool
	// pending counts what is still to happen.
	pending atomic.Int64
	// meddled says that somebody has changed a record, so that what it says and what was done need not agree.
	meddled bool
	// remedy is what a person does where a condition asks for it.
	remedy func()
	// kept is what a record may not lose, by the Secret's name.
	kept map[string]string
	// skewed is by how many nanoseconds the processes' clocks are wrong.
	skewed atomic.Int64
	// renamed are the names that machines had in the beginning, by those that somebody has given them.
	renamed map[string]string
	// others says that somebody else is at work on the cloud.
	others bool
	// gentle says that nothing happens but that processes are killed and orders change, so that no Node is to be lost meanwhile.
	gentle bool
	// records says that records were meddled with in rows that look for clusters of which half is taken for all; strays are the
	// images that there were then.
	records bool
	// meddledIn is the visit in which a record was meddled with last; insideForgotten says that one was lost which alone knew how
	// the cluster was inside.
	meddledIn       int
	insideForgotten bool
	// darkened says that a cell has been down.
	darkened bool
	strays   map[string]bool
	// advised is the message by which a person acted last.
	advised string
	// claimants are ClusterDeployments beside those of the clusters.
	claimants []types.NamespacedName
	// raced are the machines that somebody has started right before they were snapshotted, when nobody looked any more.
	raced map[string]bool
}

// baton is a lock. Unlike a mutex it lets the virtual time go on while its holder waits for a time and others for the lock.
type baton chan struct{}

// Lock takes the baton.
func (b baton) Lock() { b <- struct{}{} }

// Unlock hands it on.
func (b baton) Unlock() { <-b }

// newWorld makes a cloud with the shape's clusters, which run, and one manager. It has to be called in a bubble of synctest.
func newWorld(s shape, seed uint64) *world {
	w := &world{
		shape: s, seed: seed, rng: rand.New(rand.NewPCG(seed, 0)),
		trace: &trace{begun: time.Now(), secrets: []string{cloud.DefaultPassword}},
		baton: make(baton, 1), turns: make(chan *process), over: make(chan struct{}),
		open: map[int]*call{}, lost: map[string]bool{}, dropped: map[string]bool{}, foreign: map[string]bool{}, kept: map[string]string{}, renamed: map[string]string{}, strays: map[string]bool{}, raced: map[string]bool{},
	}
	w.baton.Lock()
	options := cloud.Options{
		ImagesInUse: s.inUse, Seed: seed + 1, URL: "http://cloud.test", Latencies: cloud.TestBedLatencies(), Sleep: w.pause,
	}
	if s.cloud != nil {
		s.cloud(&options)
	}
	w.cloud = cloud.New(options)
	w.hub = newHub(w)
	if len(s.clusters) == 0 {
		w.shape.clusters = []string{infraID}
	}
	for _, id := range w.shape.clusters {
		w.seeds = append(w.seeds, w.cloud.SeedClusterWith(cloud.ClusterOptions{InfraID: id, Masters: s.masters, Workers: s.workers, KeyName: s.keyName}))
	}
	// Others' servers, with a name that begins with the infraID, in the same project.
	w.cloud.SeedClusterWith(cloud.ClusterOptions{InfraID: infraID + "-east", Masters: 1})
	w.wait(time.Minute)
	w.cloud.Settle()
	if s.seeded != nil {
		s.seeded(w)
	}
	w.cloud.SetHooks(cloud.Hooks{Before: w.hookBefore, After: w.hookAfter})
	w.initial = w.takeInventory()
	for _, id := range w.shape.clusters {
		w.guests = append(w.guests, newGuest(id, s, w.serversOf(id)))
		w.introduce(id)
	}
	w.watchGuests()
	w.startProcess()
	return w
}

// introduce makes the ClusterDeployment of a cluster, and the Secret with its credentials.
func (w *world) introduce(id string) {
	w.credentials(id, w.cloud.CloudsYAML(cloud.DefaultUser, cloud.DefaultProject))
	cd := &hivev1.ClusterDeployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: id, CreationTimestamp: metav1.NewTime(time.Now().Add(-48 * time.Hour))},
		Spec: hivev1.ClusterDeploymentSpec{
			ClusterName: id, BaseDomain: "example.com", Installed: true,
			ClusterMetadata: &hivev1.ClusterMetadata{InfraID: id},
			Platform: hivev1.Platform{OpenStack: &hivev1.OpenStackPlatform{
				Cloud: cloud.CloudName, CredentialsSecretRef: corev1.LocalObjectReference{Name: "credentials-" + id},
			}},
			PowerState: hivev1.ClusterPowerStateRunning,
		},
	}
	installed := metav1.NewTime(time.Now().Add(-24 * time.Hour))
	cd.Status.InstalledTimestamp = &installed
	w.hub.newUID(cd)
	must(w.hub.shelf.Create(context.Background(), cd))
	w.hub.changed(key(id))
}

// credentials puts a clouds.yaml into the Secret of a cluster.
func (w *world) credentials(id, cloudsYAML string) {
	name := types.NamespacedName{Namespace: namespace, Name: "credentials-" + id}
	data := map[string][]byte{credentialsKey: []byte(cloudsYAML)}
	if old := w.hub.secret(name); old != nil {
		old.Data = data
		must(w.hub.shelf.Update(context.Background(), old))
		return
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}, Data: data}
	w.hub.newUID(secret)
	must(w.hub.shelf.Create(context.Background(), secret))
}

func key(id string) types.NamespacedName { return types.NamespacedName{Namespace: namespace, Name: id} }

// keys returns the ClusterDeployments that there ever were, in order.
func (w *world) keys() []types.NamespacedName {
	out := make([]types.NamespacedName, len(w.shape.clusters))
	for i, id := range w.shape.clusters {
		out[i] = key(id)
	}
	return out
}

// watched returns all ClusterDeployments that there ever were, others' as well.
func (w *world) watched() []types.NamespacedName { return append(w.keys(), w.claimants...) }

// beside runs something beside what runs, whenever it has the baton.
func (w *world) beside(run func()) {
	w.running.Go(func() {
		w.baton.Lock()
		defer w.baton.Unlock()
		run()
	})
}

// standing waits for something without the baton.
func (w *world) standing(wait func()) {
	w.baton.Unlock()
	defer w.baton.Lock()
	wait()
}

// pause waits, unless the context ends first.
func (w *world) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	var err error
	w.standing(func() {
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-timer.C:
		}
	})
	return err
}

// turn lets the run look at the world after a pass, while the process stands still. It returns false when the run is over.
func (w *world) turn(p *process) bool {
	w.standing(func() {
		select {
		case w.turns <- p:
			select {
			case <-p.acked:
			case <-w.over:
			}
		case <-w.over:
		case <-p.ctx.Done():
		}
	})
	return p.ctx.Err() == nil
}

// release lets the processes go on that wait for it.
func (w *world) release() {
	for _, p := range w.held {
		p.acked <- struct{}{}
	}
	w.held = nil
}

// until runs the world until something is so, which is looked at after each pass, or for so long. It tells whether it is so.
func (w *world) until(limit time.Duration, so func() bool) bool {
	w.release()
	if so() {
		return true
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		var p *process
		w.standing(func() {
			select {
			case p = <-w.turns:
			case <-timer.C:
			}
		})
		if p == nil {
			return so()
		}
		w.held = append(w.held, p)
		w.check("the pass")
		if so() {
			return true
		}
		w.release()
	}
}

// wait runs the world for so long.
func (w *world) wait(d time.Duration) { w.until(d, func() bool { return false }) }

// close ends all processes.
func (w *world) close() {
	close(w.over)
	for _, p := range w.processes {
		p.cancel()
	}
	w.standing(w.running.Wait)
}

// live returns the processes that were not killed.
func (w *world) live() []*process {
	return slices.DeleteFunc(slices.Clone(w.processes), func(p *process) bool { return p.dead.Load() })
}

// order sets the power state of a cluster.
func (w *world) order(id string, state hivev1.ClusterPowerState) {
	w.trace.add("order: %s is to be %s", id, state)
	w.hub.edit(key(id), func(cd *hivev1.ClusterDeployment) { cd.Spec.PowerState = state })
}

// orderAll sets the power state of all clusters.
func (w *world) orderAll(state hivev1.ClusterPowerState) {
	for _, id := range w.shape.clusters {
		w.order(id, state)
	}
}

// shows tells whether the status of a cluster says a power state, and both conditions agree.
func (w *world) shows(id string, state hivev1.ClusterPowerState) bool {
	cd := w.hub.cd(key(id))
	return cd != nil && cd.Status.PowerState == state
}

// allShow is shows for all clusters that are still there.
func (w *world) allShow(state hivev1.ClusterPowerState) bool {
	for _, id := range w.shape.clusters {
		if w.hub.cd(key(id)) != nil && !w.shows(id, state) {
			return false
		}
	}
	return true
}

// idle tells whether nothing is left of the hibernation of any cluster: no record, no finalizer.
func (w *world) idle() bool {
	for _, id := range w.shape.clusters {
		cd := w.hub.cd(key(id))
		if w.hub.secret(recordKey(key(id))) != nil || cd != nil && len(cd.Finalizers) > 0 {
			return false
		}
	}
	return true
}

// condition returns what the status of a cluster says, for messages.
func (w *world) condition(id string) string {
	cd := w.hub.cd(key(id))
	if cd == nil {
		return "there is no ClusterDeployment"
	}
	var out []string
	for _, c := range cd.Status.Conditions {
		out = append(out, fmt.Sprintf("%s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message))
	}
	return fmt.Sprintf("%s; %s", cd.Status.PowerState, strings.Join(out, "; "))
}

// serversOf returns the servers that bear a cluster's mark and are not deleted.
func (w *world) serversOf(id string) []cloud.Server {
	return slices.DeleteFunc(w.cloud.Servers(), func(s cloud.Server) bool {
		return s.Project != cloud.DefaultProject || s.Metadata["openshiftClusterID"] != id || s.Status == "DELETED"
	})
}
