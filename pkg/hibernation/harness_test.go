package hibernation_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	log "github.com/sirupsen/logrus"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/openstackclient"
	"github.com/overwinter/overwinter/test/cloud"
)

const (
	infraID = "demo-x7k2p"
	project = cloud.DefaultProject
	master0 = infraID + "-master-0"

	// maxPasses covers an hour at twelve seconds each.
	maxPasses = 400
)

var start = time.Date(2026, 11, 23, 15, 4, 5, 0, time.UTC)

// rig is an engine, a simulated cloud with one cluster in it and a Kubernetes client, all on one virtual clock.
type rig struct {
	t      *testing.T
	g      *WithT
	clock  *clocktesting.FakeClock
	cloud  *cloud.Cloud
	seeded *cloud.Cluster
	kube   *kube
	// options are what the engine was made with, for a test that needs another manager.
	options hibernation.Options
	engine  *hibernation.Engine
	api     openstackclient.Client
	logger  log.FieldLogger
	// cluster is what the engine is told.
	cluster hibernation.Cluster
	// servers and images are what there was before the engine did anything.
	servers []cloud.Server
	images  []cloud.Image

	mu sync.Mutex
	// events are what the engine told the cluster's owner, as "type reason message".
	events []string
	// violations are what the guard saw.
	violations []string
	byHand     atomic.Bool
	// dead says that the manager is: nothing that it asks for is done any more.
	dead   atomic.Bool
	before []func(*cloud.Call) *cloud.Effect
	after  []func(*cloud.Call, int) *cloud.Effect
	// destroyed says that a test has the cluster destroyed, and the last copies with it.
	destroyed bool
}

// setup is what a test may choose.
type setup struct {
	cloud   cloud.Options
	engine  hibernation.Options
	cluster cloud.ClusterOptions
}

func newRig(t *testing.T, masters, workers int, choose ...func(*setup)) *rig {
	t.Helper()
	r := &rig{t: t, g: NewWithT(t), clock: clocktesting.NewFakeClock(start), kube: newKube(t)}
	s := setup{
		cloud: cloud.Options{
			Clock: r.clock, Seed: 1, URL: "http://cloud.test", Latencies: cloud.TestBedLatencies(),
			Sleep: func(_ context.Context, d time.Duration) error { r.clock.Step(d); return nil },
		},
		engine: hibernation.Options{
			Clock: r.clock, Holder: "manager-1", Jitter: func(d time.Duration) time.Duration { return d },
		},
		cluster: cloud.ClusterOptions{InfraID: infraID, Masters: masters, Workers: workers},
	}
	for _, c := range choose {
		c(&s)
	}
	r.cloud = cloud.New(s.cloud)
	r.seeded = r.cloud.SeedClusterWith(s.cluster)
	r.clock.Step(time.Minute)
	r.options, r.engine = s.engine, r.manager(s.engine)

	logger := log.New()
	logger.SetLevel(log.DebugLevel)
	logger.SetOutput(&testWriter{t: t})
	logger.SetFormatter(&log.TextFormatter{DisableTimestamp: true})
	r.logger = logger
	r.api = r.clientOf(cloud.DefaultUser, project)
	r.cluster = hibernation.Cluster{Namespace: "demo", Name: "demo", InfraID: infraID, Event: r.event}
	r.remember()
	r.cloud.SetHooks(cloud.Hooks{Before: r.hookBefore, After: r.hookAfter})
	t.Cleanup(func() { r.g.Expect(r.violations).To(BeEmpty(), "invariants were broken") })
	return r
}

// manager returns the engine of a manager that works on the same Kubernetes.
func (r *rig) manager(opts hibernation.Options) *hibernation.Engine {
	return hibernation.New(hibernation.NewStore(r.kube, r.kube), opts)
}

func (r *rig) clientOf(user, project string) openstackclient.Client {
	r.t.Helper()
	factory := openstackclient.NewFactory(openstackclient.FactoryOptions{Clock: r.clock, Transport: r.cloud.RoundTripper(), BreakerFailures: 1 << 20, ReadAttempts: 1})
	api, err := factory.ClientFor(r.t.Context(), openstackclient.Credentials{
		SecretUID: "creds", SecretVersion: "1", CloudsYAML: []byte(r.cloud.CloudsYAML(user, project)),
	})
	r.g.Expect(err).NotTo(HaveOccurred())
	return api
}

func (r *rig) event(eventType, reason, message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, eventType+" "+reason+" "+message)
}

// testWriter shows the engine's log with a test that fails, and what it repeats once.
type testWriter struct {
	t    *testing.T
	last string
}

// Write implements io.Writer.
func (w *testWriter) Write(p []byte) (int, error) {
	if line := string(bytes.TrimSpace(p)); line != w.last {
		w.last = line
		w.t.Log(line)
	}
	return len(p), nil
}

// skewed is the clock of a machine that is wrong by a fixed time.
type skewed struct {
	clock.PassiveClock
	by time.Duration
}

// Now implements clock.PassiveClock.
func (c *skewed) Now() time.Time { return c.PassiveClock.Now().Add(c.by) }

// session begins a reconcile.
func (r *rig) session() *hibernation.Session {
	return r.engine.Session(r.cluster, r.api, r.logger)
}

type verb func(*hibernation.Session, context.Context) (hibernation.Progress, error)

var (
	hibernate verb = (*hibernation.Session).Hibernate
	resume    verb = (*hibernation.Session).Resume
	cleanup   verb = (*hibernation.Session).Cleanup
	asleep    verb = (*hibernation.Session).Asleep
	awake     verb = (*hibernation.Session).Awake
	release   verb = func(s *hibernation.Session, ctx context.Context) (hibernation.Progress, error) {
		return s.Release(ctx, false)
	}
	releaseKeeping verb = func(s *hibernation.Session, ctx context.Context) (hibernation.Progress, error) {
		return s.Release(ctx, true)
	}
)

// once runs one pass of a verb.
func (r *rig) once(do verb) (hibernation.Progress, error) {
	return do(r.session(), r.t.Context())
}

// passes runs a verb n times, each time when it asked for it, and tells whether it was done or refused before that.
func (r *rig) passes(n int, do verb) (over bool) {
	r.t.Helper()
	for range n {
		p, err := r.once(do)
		if p.Done || !passing(err) {
			return true
		}
		r.wait(p)
	}
	return false
}

// passesUntil runs a verb until something is so, or it is over.
func (r *rig) passesUntil(so func() bool, do verb) {
	r.t.Helper()
	for range maxPasses {
		if so() || r.passes(1, do) {
			return
		}
	}
	r.t.Fatal("it has not come so far")
}

func (r *rig) wait(p hibernation.Progress) {
	if p.After == 0 {
		p.After = 5 * time.Second
	}
	r.clock.Step(p.After)
}

// until repeats a verb, each time when it asked for it, until it is done, or fails with what will not pass by itself.
func (r *rig) until(do verb) error {
	r.t.Helper()
	var last error
	for range maxPasses {
		p, err := r.once(do)
		switch {
		case !passing(err):
			return err
		case err != nil:
			r.t.Log("tried again:", err)
			last = err
		case p.Done:
			return nil
		default:
			r.g.Expect(p.After).To(BeNumerically(">", 0), "waiting for %v", p.Waiting)
		}
		r.wait(p)
	}
	r.t.Fatalf("not done after %d passes; the last error was: %v", maxPasses, last)
	return nil
}

// passing tells whether an error, or none, is one that a controller tries again soon.
func passing(err error) bool {
	var refusal *hibernation.Refusal
	var blocked *hibernation.Blocked
	if errors.As(err, &refusal) || errors.As(err, &blocked) {
		return false
	}
	var failure *openstackclient.Error
	if !errors.As(err, &failure) {
		return true
	}
	return failure.Kind == openstackclient.KindTransient || failure.Kind == openstackclient.KindConflict || failure.Kind == openstackclient.KindThrottled
}

func (r *rig) hibernate() {
	r.t.Helper()
	r.g.Expect(r.until(hibernate)).To(Succeed())
}

func (r *rig) resume() {
	r.t.Helper()
	r.g.Expect(r.until(resume)).To(Succeed())
}

func (r *rig) cleanup() {
	r.t.Helper()
	r.g.Expect(r.until(cleanup)).To(Succeed())
}
