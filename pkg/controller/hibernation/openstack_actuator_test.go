package hibernation

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"testing"
	"time"

	"github.com/golang/mock/gomock"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	. "github.com/onsi/gomega"
	log "github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/openstackclient"
	"github.com/overwinter/overwinter/pkg/openstackclient/mock"
)

// fakeSession is a session that counts and answers as it is told.
type fakeSession struct {
	calls    []string
	progress hibernation.Progress
	record   hibernation.Summary
	holds    bool
	err      error
}

func (f *fakeSession) answer(call string) (hibernation.Progress, error) {
	f.calls = append(f.calls, call)
	return f.progress, f.err
}

func (f *fakeSession) Hibernate(context.Context) (hibernation.Progress, error) {
	return f.answer("Hibernate")
}
func (f *fakeSession) Resume(context.Context) (hibernation.Progress, error) {
	return f.answer("Resume")
}
func (f *fakeSession) Asleep(context.Context) (hibernation.Progress, error) {
	return f.answer("Asleep")
}
func (f *fakeSession) Awake(context.Context) (hibernation.Progress, error) { return f.answer("Awake") }
func (f *fakeSession) Cleanup(context.Context) (hibernation.Progress, error) {
	return f.answer("Cleanup")
}
func (f *fakeSession) Release(context.Context, bool) (hibernation.Progress, error) {
	return f.answer("Release")
}
func (f *fakeSession) Summary(context.Context) (hibernation.Summary, error) {
	f.calls = append(f.calls, "Summary")
	return f.record, f.err
}

func (f *fakeSession) Remember(_ context.Context, o hibernation.Observation) error {
	f.calls = append(f.calls, "Remember")
	f.record.Observation = &o
	return f.err
}
func (f *fakeSession) ResumeHealthChecks(context.Context) error {
	f.calls = append(f.calls, "ResumeHealthChecks")
	return f.err
}
func (f *fakeSession) ForgetHealthChecks(context.Context) error {
	f.calls = append(f.calls, "ForgetHealthChecks")
	return f.err
}

func (f *fakeSession) Holds(context.Context) (bool, error) {
	f.calls = append(f.calls, "Holds")
	return f.holds, f.err
}
func (f *fakeSession) Forget() { f.calls = append(f.calls, "Forget") }

// fakeClouds keeps what it was asked for.
type fakeClouds struct {
	client openstackclient.Client
	err    error
	asked  []openstackclient.Credentials
}

func (f *fakeClouds) ClientFor(_ context.Context, credentials openstackclient.Credentials) (openstackclient.Client, error) {
	f.asked = append(f.asked, credentials)
	return f.client, f.err
}

// rig is an actuator with everything around it faked.
type rig struct {
	*WithT
	actuator *OpenStackActuator
	clouds   *fakeClouds
	session  *fakeSession
	remote   *fakeRemote
	recorder *events.FakeRecorder
	cluster  hibernation.Cluster
	hub      client.Client
	cd       *hivev1.ClusterDeployment
	log      log.FieldLogger
}

const secretValue = "hunter2-not-for-anyone"

func secret(name string, data map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: testNamespace, Name: name, UID: types.UID("uid-of-" + name)}, Data: map[string][]byte{}}
	for key, value := range data {
		s.Data[key] = []byte(value)
	}
	return s
}

func newRig(t *testing.T, secrets ...client.Object) *rig {
	quiet := log.New()
	quiet.SetOutput(io.Discard)
	r := &rig{
		WithT:    NewWithT(t),
		clouds:   &fakeClouds{},
		session:  &fakeSession{},
		remote:   &fakeRemote{cluster: fake.NewClientBuilder().WithScheme(remoteScheme()).Build()},
		recorder: events.NewFakeRecorder(10),
		hub:      fake.NewClientBuilder().WithScheme(hubScheme()).WithObjects(secrets...).Build(),
		cd:       installedCD(),
		log:      quiet,
	}
	r.actuator = NewOpenStackActuator(r.clouds, func(cluster hibernation.Cluster, _ openstackclient.Client, _ log.FieldLogger) Session {
		r.cluster = cluster
		return r.session
	}, r.remote, r.recorder)
	return r
}

func creds() *corev1.Secret {
	return secret("creds", map[string]string{"clouds.yaml": "clouds: {openstack: {auth: {password: " + secretValue + "}}}"})
}

func TestOneSessionForOnePass(t *testing.T) {
	r := newRig(t, creds())
	r.session.progress = hibernation.Progress{Waiting: []string{"m-0: being paused"}, After: time.Second, Stage: hibernation.StageStopping}
	ctx := WithPass(t.Context())
	_, told := r.actuator.Progress(ctx)
	r.Expect(told).To(BeFalse())

	r.Expect(r.actuator.StopMachines(ctx, r.cd, r.hub, r.log)).To(Succeed())
	stopped, waiting, err := r.actuator.MachinesStopped(ctx, r.cd, r.hub, r.log)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(stopped).To(BeFalse())
	r.Expect(waiting).To(Equal(r.session.progress.Waiting))
	r.Expect(r.session.calls).To(Equal([]string{"Hibernate"}), "asking after acting costs nothing")
	r.Expect(r.clouds.asked).To(HaveLen(1))
	progress, told := r.actuator.Progress(ctx)
	r.Expect(told).To(BeTrue())
	r.Expect(progress).To(Equal(r.session.progress))

	_, _, err = r.actuator.MachinesStopped(WithPass(t.Context()), r.cd, r.hub, r.log)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(r.session.calls).To(Equal([]string{"Hibernate", "Asleep"}), "another pass looks for itself")
	r.Expect(r.clouds.asked).To(HaveLen(2))
}

func TestVerbs(t *testing.T) {
	type verb func(a *OpenStackActuator, ctx context.Context, r *rig) error
	tests := map[string]struct {
		do    verb
		calls []string
	}{
		"stop": {func(a *OpenStackActuator, ctx context.Context, r *rig) error {
			return a.StopMachines(ctx, r.cd, r.hub, r.log)
		}, []string{"Hibernate"}},
		"stopped": {func(a *OpenStackActuator, ctx context.Context, r *rig) error {
			_, _, err := a.MachinesStopped(ctx, r.cd, r.hub, r.log)
			return err
		}, []string{"Asleep"}},
		"start": {func(a *OpenStackActuator, ctx context.Context, r *rig) error {
			return a.StartMachines(ctx, r.cd, r.hub, r.log)
		}, []string{"Resume"}},
		"running": {func(a *OpenStackActuator, ctx context.Context, r *rig) error {
			_, _, err := a.MachinesRunning(ctx, r.cd, r.hub, r.log)
			return err
		}, []string{"Awake"}},
		"cleanup": {func(a *OpenStackActuator, ctx context.Context, r *rig) error {
			_, err := a.Cleanup(ctx, r.cd, r.hub, r.log)
			return err
		}, []string{"Cleanup"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, creds())
			r.Expect(tt.do(r.actuator, t.Context(), r)).To(Succeed())
			r.Expect(r.session.calls).To(Equal(tt.calls))

			refusal := &hibernation.Refusal{Message: "no"}
			r.session.err = refusal
			r.Expect(tt.do(r.actuator, t.Context(), r)).To(MatchError(refusal))

			r = newRig(t)
			r.Expect(tt.do(r.actuator, t.Context(), r)).To(MatchError(ContainSubstring("demo/creds")))
			r.Expect(r.session.calls).To(BeEmpty())
		})
	}
}

// TestRelease: credentials are needed for what is to be done in the cloud, and for nothing else; they may be gone already.
func TestRelease(t *testing.T) {
	sealed := hibernation.Summary{Exists: true, Sealed: true, Deleting: true}
	tests := []struct {
		name   string
		record hibernation.Summary
		keep   bool
		calls  []string
		needed bool
	}{
		{"there is no record", hibernation.Summary{}, false, []string{"Summary"}, false},
		{"it is kept as it is", sealed, true, []string{"Summary", "Release"}, false},
		{"its snapshots go", sealed, false, []string{"Summary", "Release"}, true},
		{"it is rolled back first", hibernation.Summary{Exists: true, Cutting: true}, true, []string{"Summary", "Release"}, true},
		{"nothing was deleted yet", hibernation.Summary{Exists: true, Sealed: true}, true, []string{"Summary", "Release"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, creds())
			r.session.record = tt.record
			_, err := r.actuator.Release(t.Context(), r.cd, r.hub, tt.keep, r.log)
			r.Expect(err).NotTo(HaveOccurred())
			r.Expect(r.session.calls).To(Equal(tt.calls))

			r = newRig(t)
			r.session.record = tt.record
			_, err = r.actuator.Release(t.Context(), r.cd, r.hub, tt.keep, r.log)
			if tt.needed {
				r.Expect(err).To(MatchError(ContainSubstring("demo/creds")))
				return
			}
			r.Expect(err).NotTo(HaveOccurred())
		})
	}
}

// TestSummaryNeedsNoCredentials: what is remembered can be read when they are gone.
func TestSummaryNeedsNoCredentials(t *testing.T) {
	r := newRig(t)
	r.session.record = hibernation.Summary{Exists: true}
	record, err := r.actuator.Summary(t.Context(), r.cd, r.hub, r.log)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(record.Exists).To(BeTrue())
	r.Expect(r.clouds.asked).To(BeEmpty())
}

// TestNothingToStartIsNotYetRunning: a resume has nothing to do for a cluster without a record, whose servers it has not
// looked at.
func TestNothingToStartIsNotYetRunning(t *testing.T) {
	r := newRig(t, creds())
	ctx := WithPass(t.Context())
	r.session.progress = hibernation.Progress{Done: true}
	r.Expect(r.actuator.StartMachines(ctx, r.cd, r.hub, r.log)).To(Succeed())
	r.session.progress = hibernation.Progress{Waiting: []string{"m-0: ERROR"}}
	running, waiting, err := r.actuator.MachinesRunning(ctx, r.cd, r.hub, r.log)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(running).To(BeFalse())
	r.Expect(waiting).To(Equal([]string{"m-0: ERROR"}))
	r.Expect(r.session.calls).To(Equal([]string{"Resume", "Awake"}))
}

func TestCredentials(t *testing.T) {
	withCA := func(cd *hivev1.ClusterDeployment) {
		cd.Spec.Platform.OpenStack.CertificatesSecretRef = &corev1.LocalObjectReference{Name: "ca"}
	}
	tests := []struct {
		name    string
		secrets []client.Object
		change  func(cd *hivev1.ClusterDeployment)
		says    []string
	}{
		{"no Secret", nil, nil, []string{"demo/creds", "does not exist", "credentialsSecretRef"}},
		{"no key", []client.Object{secret("creds", map[string]string{"password": secretValue})}, nil, []string{"demo/creds", "clouds.yaml"}},
		{"not named", nil, func(cd *hivev1.ClusterDeployment) { cd.Spec.Platform.OpenStack.CredentialsSecretRef.Name = "" }, []string{"credentialsSecretRef"}},
		{"no Secret of certificates", []client.Object{creds()}, withCA, []string{"demo/ca", "does not exist", "certificatesSecretRef"}},
		{"no certificate", []client.Object{creds(), secret("ca", map[string]string{"ca.crt": secretValue})}, withCA, []string{"demo/ca"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.secrets...)
			if tt.change != nil {
				tt.change(r.cd)
			}
			err := r.actuator.StopMachines(t.Context(), r.cd, r.hub, r.log)
			for _, text := range tt.says {
				r.Expect(err).To(MatchError(ContainSubstring(text)))
			}
			r.Expect(err.Error()).NotTo(ContainSubstring(secretValue))
			r.Expect((&visit{Reconciler: NewReconciler(Options{})}).failureOf(err, 1).transient).To(BeFalse(), "a person has to act")
			r.Expect(r.clouds.asked).To(BeEmpty())
		})
	}
}

func TestErrorsNameTheSecret(t *testing.T) {
	r := newRig(t, creds())
	r.session.err = &openstackclient.Error{Kind: openstackclient.KindUnauthorized, Op: "authenticate", Message: "refused", Status: 401}
	err := r.actuator.StartMachines(t.Context(), r.cd, r.hub, r.log)
	r.Expect(err).To(MatchError(And(ContainSubstring("refused"), ContainSubstring("demo/creds"), ContainSubstring("clouds.yaml"))))

	r.clouds.err = &openstackclient.Error{Kind: openstackclient.KindInvalid, Message: "there is no cloud openstack in it"}
	err = r.actuator.StartMachines(t.Context(), r.cd, r.hub, r.log)
	r.Expect(err).To(MatchError(And(ContainSubstring("demo/creds"), ContainSubstring("no cloud openstack"))))
	r.Expect(openstackclient.KindOf(err)).To(Equal(openstackclient.KindInvalid))
}

// TestIdentityOfCredentials: another Secret, or another version of it, is another client.
func TestIdentityOfCredentials(t *testing.T) {
	r := newRig(t, creds())
	r.Expect(r.actuator.StopMachines(t.Context(), r.cd, r.hub, r.log)).To(Succeed())
	got := r.clouds.asked[0]
	r.Expect(got.Cloud).To(Equal("openstack"))
	r.Expect(got.SecretUID).To(Equal("uid-of-creds"))
	r.Expect(got.SecretVersion).NotTo(BeEmpty())
	r.Expect(string(got.CloudsYAML)).To(ContainSubstring(secretValue))

	r.Expect(r.hub.Create(t.Context(), secret("ca", map[string]string{"ca.crt": certificate(r.WithT)}))).To(Succeed())
	r.cd.Spec.Platform.OpenStack.CertificatesSecretRef = &corev1.LocalObjectReference{Name: "ca"}
	r.Expect(r.actuator.StopMachines(t.Context(), r.cd, r.hub, r.log)).To(Succeed())
	with := r.clouds.asked[1]
	r.Expect(with.CABundle).NotTo(BeEmpty())
	r.Expect(with.SecretUID).To(Equal("uid-of-creds/uid-of-ca"))
	r.Expect(with.SecretVersion).To(HavePrefix(got.SecretVersion + "/"))

	ca := &corev1.Secret{}
	r.Expect(r.hub.Get(t.Context(), client.ObjectKey{Namespace: testNamespace, Name: "ca"}, ca)).To(Succeed())
	ca.Data["more.crt"] = []byte(certificate(r.WithT))
	r.Expect(r.hub.Update(t.Context(), ca)).To(Succeed())
	r.Expect(r.actuator.StopMachines(t.Context(), r.cd, r.hub, r.log)).To(Succeed())
	r.Expect(r.clouds.asked[2].SecretVersion).NotTo(Equal(with.SecretVersion))
}

// certificate returns a certificate that signs itself.
func certificate(g *WithT) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	g.Expect(err).NotTo(HaveOccurred())
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestWhatTheEngineIsTold(t *testing.T) {
	r := newRig(t, creds())
	r.cd.Annotations = map[string]string{hivev1.AnnotationRemakeServer: " m-0, ,w-1"}
	gu := newGuest(r.WithT)
	gu.node("m-0", true)
	gu.node("w-0", false)
	r.remote.cluster = gu
	r.Expect(r.actuator.StopMachines(t.Context(), r.cd, r.hub, r.log)).To(Succeed())
	r.Expect(r.cluster.InfraID).To(Equal(testInfraID))
	r.Expect(r.cluster.Namespace + "/" + r.cluster.Name).To(Equal("demo/cluster"))
	r.Expect(r.cluster.Remake.UnsortedList()).To(ConsistOf("m-0", "w-1"))

	observed, err := r.cluster.Observe(t.Context())
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(observed.NodesReady).To(Equal(1))
	r.Expect(observed.Nodes).To(HaveLen(2))
	gu.err = context.DeadlineExceeded
	_, err = r.cluster.Observe(t.Context())
	r.Expect(err).To(HaveOccurred())

	r.cluster.Event(corev1.EventTypeWarning, "SnapshotLeft", "100% of it")
	r.Expect(<-r.recorder.Events).To(Equal("Warning SnapshotLeft 100% of it"))
}

// TestWithEngine: the real engine on a mocked cloud, asked about a cluster that was never hibernated.
func TestWithEngine(t *testing.T) {
	r := newRig(t, creds())
	cloud := mock.NewMockClient(gomock.NewController(t))
	cloud.EXPECT().Scope(gomock.Any()).Return(openstackclient.Scope{ProjectID: "p"}, nil).AnyTimes()
	server := openstackclient.Server{Server: servers.Server{
		ID: "s-0", Name: "m-0", Status: "PAUSED", Metadata: map[string]string{"openshiftClusterID": testInfraID},
	}}
	cloud.EXPECT().ListServers(gomock.Any(), gomock.Any(), gomock.Any()).Return([]openstackclient.Server{server}, nil).MaxTimes(2)
	cloud.EXPECT().ListImages(gomock.Any(), gomock.Any()).Return(nil, nil).MaxTimes(1)
	engine := hibernation.New(hibernation.NewStore(r.hub, r.hub), hibernation.Options{Holder: "test"})
	actuator := NewOpenStackActuator(&fakeClouds{client: cloud}, EngineSessions(engine), r.remote, r.recorder)

	ctx := WithPass(t.Context())
	r.Expect(actuator.StartMachines(ctx, r.cd, r.hub, r.log)).To(Succeed())
	for range 2 {
		running, waiting, err := actuator.MachinesRunning(ctx, r.cd, r.hub, r.log)
		r.Expect(err).NotTo(HaveOccurred())
		r.Expect(running).To(BeFalse())
		r.Expect(waiting).To(ConsistOf(ContainSubstring("m-0")))
	}
	summary, err := actuator.Summary(ctx, r.cd, r.hub, r.log)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(summary.Exists).To(BeFalse())
}

func TestRegistry(t *testing.T) {
	g := NewWithT(t)
	first, second := &fakeActuator{}, &fakeActuator{}
	registry := NewRegistry(first, second)
	g.Expect(registry.For(installedCD())).To(BeIdenticalTo(first))
	g.Expect(registry.For(installedCD(notOnOpenStack))).To(BeNil())
}
