package hibernation_test

import (
	"context"
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	log "github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/openstackclient"
	"github.com/overwinter/overwinter/test/cloud"
)

const (
	infraID = "demo-x7k2p"
	project = cloud.DefaultProject
)

var start = time.Date(2026, 11, 23, 15, 4, 5, 0, time.UTC)

// rig is an engine, a simulated cloud with one cluster in it and a Kubernetes client, all on one virtual clock.
type rig struct {
	t      *testing.T
	g      *WithT
	clock  *clocktesting.FakeClock
	cloud  *cloud.Cloud
	seeded *cloud.Cluster
	kube   client.WithWatch
	engine *hibernation.Engine
	api    openstackclient.Client
	// cluster is what the engine is told.
	cluster hibernation.Cluster
	events  []string
	logger  log.FieldLogger
}

type rigOption func(*cloud.Options, *hibernation.Options)

func newRig(t *testing.T, masters, workers int, opts ...rigOption) *rig {
	t.Helper()
	r := &rig{t: t, g: NewWithT(t), clock: clocktesting.NewFakeClock(start)}
	cloudOpts := cloud.Options{
		Clock: r.clock, Seed: 1, URL: "http://cloud.test", Latencies: cloud.TestBedLatencies(),
		Sleep: func(_ context.Context, d time.Duration) error { r.clock.Step(d); return nil },
	}
	engineOpts := hibernation.Options{
		Clock: r.clock, Holder: "manager-1", Jitter: func(d time.Duration) time.Duration { return d },
	}
	for _, o := range opts {
		o(&cloudOpts, &engineOpts)
	}
	r.cloud = cloud.New(cloudOpts)
	r.seeded = r.cloud.SeedCluster(infraID, masters, workers)
	r.clock.Step(time.Minute)

	scheme := runtime.NewScheme()
	r.g.Expect(corev1.AddToScheme(scheme)).To(Succeed())
	r.kube = fake.NewClientBuilder().WithScheme(scheme).Build()
	r.engine = hibernation.New(hibernation.NewStore(r.kube, r.kube), engineOpts)

	logger := log.New()
	logger.SetLevel(log.DebugLevel)
	logger.SetOutput(testWriter{t})
	r.logger = logger
	factory := openstackclient.NewFactory(openstackclient.FactoryOptions{Clock: r.clock, Transport: r.cloud.RoundTripper()})
	api, err := factory.ClientFor(t.Context(), openstackclient.Credentials{
		SecretUID: "creds", SecretVersion: "1", CloudsYAML: []byte(r.cloud.CloudsYAML(cloud.DefaultUser, project)),
	})
	r.g.Expect(err).NotTo(HaveOccurred())
	r.api = api
	r.cluster = hibernation.Cluster{
		Namespace: "demo", Name: "demo", InfraID: infraID,
		Event: func(eventType, reason, message string) {
			r.events = append(r.events, eventType+" "+reason+" "+message)
		},
	}
	return r
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(string(p))
	return len(p), nil
}

func (r *rig) session() *hibernation.Session {
	return r.engine.Session(r.cluster, r.api, r.logger)
}

type verb func(*hibernation.Session, context.Context) (hibernation.Progress, error)

// once runs one pass of a verb.
func (r *rig) once(do verb) (hibernation.Progress, error) {
	return do(r.session(), r.t.Context())
}

// until repeats a verb, each time when it asked for it, until it is done or fails with something else than a passing
// trouble of the cloud or a conflict in Kubernetes.
func (r *rig) until(do verb) error {
	r.t.Helper()
	for range 400 {
		p, err := r.once(do)
		var cloudErr *openstackclient.Error
		switch {
		case errors.As(err, &cloudErr) && (cloudErr.Kind == openstackclient.KindTransient || cloudErr.Kind == openstackclient.KindConflict):
			r.clock.Step(5 * time.Second)
		case err != nil:
			return err
		case p.Done:
			return nil
		default:
			r.g.Expect(p.After).To(BeNumerically(">", 0), "waiting for %v", p.Waiting)
			r.clock.Step(p.After)
		}
	}
	r.t.Fatal("not done after 400 passes")
	return nil
}

func (r *rig) hibernate() {
	r.t.Helper()
	r.g.Expect(r.until((*hibernation.Session).Hibernate)).To(Succeed())
}
func (r *rig) resume() {
	r.t.Helper()
	r.g.Expect(r.until((*hibernation.Session).Resume)).To(Succeed())
}
func (r *rig) cleanup() {
	r.t.Helper()
	r.g.Expect(r.until((*hibernation.Session).Cleanup)).To(Succeed())
}

// secret returns the record's Secret, nil if there is none.
func (r *rig) secret() *corev1.Secret {
	s := &corev1.Secret{}
	key := types.NamespacedName{Namespace: r.cluster.Namespace, Name: hibernation.RecordName(r.cluster.Name)}
	if err := r.kube.Get(r.t.Context(), key, s); err != nil {
		r.g.Expect(client.IgnoreNotFound(err)).To(Succeed())
		return nil
	}
	return s
}
