package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	gtypes "github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
	"github.com/overwinter/overwinter/test/guest"
)

const (
	// patience is for what has to come, however slow the machine is; calm is for what must not come.
	patience = 4 * time.Minute
	calm     = 4 * time.Second

	running     = hivev1.ClusterPowerStateRunning
	hibernating = hivev1.ClusterPowerStateHibernating
)

// world is one cluster with a cloud and a ClusterDeployment of its own. Names of the cluster, of the ClusterDeployment
// and of its namespace are the same.
type world struct {
	*hub
	Gomega

	t       *testing.T
	name    string
	cloud   *cloud.Cloud
	cluster *cloud.Cluster
	// guest is nil unless asked for.
	guest *guest.Guest
	// pokes counts the changes that were made to have the manager look.
	pokes int
}

// setup says how a world begins.
type setup struct {
	// hub is the one that all tests share unless there is another.
	hub    *hub
	cloud  cloud.Options
	seeded bool
	// workers is how many it has beside two masters.
	workers int
	guest   bool
	// settle is the guest's; alterGuest changes its other options.
	settle     time.Duration
	alterGuest func(*world, *guest.Options)
	// credentials is the content of the Secret with the credentials; nil is a good one, but for an address and a password
	// that are given.
	credentials       map[string]string
	address, password string
	// kubeconfig is that of a cluster which is no guest.
	kubeconfig string
	// record is that of an earlier hibernation, if not empty.
	record string
	// alter changes the ClusterDeployment before it is made; manifest replaces it.
	alter    func(*hivev1.ClusterDeployment)
	manifest client.Object
}

// deadEnd is the kubeconfig of a cluster that nobody reaches.
const deadEnd = `
apiVersion: v1
kind: Config
current-context: admin
contexts: [{name: admin, context: {cluster: nowhere, user: admin}}]
clusters: [{name: nowhere, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: admin, user: {token: none}}]
`

func quick() cloud.Latencies { return cloud.TestBedLatencies().Scaled(0.2) }

// newWorld makes a cluster of two masters and two workers that runs, and unless changed says otherwise, is to run.
func newWorld(t *testing.T, name string, changes ...func(*setup)) *world {
	s := &setup{hub: shared, cloud: cloud.Options{Latencies: quick()}, seeded: true, workers: 2, kubeconfig: deadEnd}
	for _, change := range changes {
		change(s)
	}
	w := &world{hub: s.hub, Gomega: NewWithT(t), t: t, name: name, cloud: cloud.New(s.cloud)}
	_, stop := w.cloud.Start()
	t.Cleanup(stop)
	if s.seeded {
		w.cluster = w.cloud.SeedCluster(name, 2, s.workers)
	}
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	if s.credentials == nil {
		good := w.cloud.CloudsYAML(cloud.DefaultUser, cloud.DefaultProject)
		good = elsewhere(good, cloud.DefaultPassword, s.password)
		good = elsewhere(good, strings.TrimPrefix(w.cloud.URL(), "http://"), s.address)
		s.credentials = map[string]string{hivev1.CloudsSecretKey: good}
	}
	w.create(&corev1.Secret{ObjectMeta: w.meta("credentials"), StringData: s.credentials})
	kubeconfig := s.kubeconfig
	if s.guest {
		kubeconfig = w.startGuest(s)
	}
	w.create(&corev1.Secret{ObjectMeta: w.meta("kubeconfig"), StringData: map[string]string{hivev1.KubeconfigSecretKey: kubeconfig}})
	if s.record != "" {
		w.create(&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.name, Name: w.recordKey().Name},
			StringData: map[string]string{hibernation.RecordKey: s.record},
		})
	}
	cd := w.clusterDeployment()
	if s.alter != nil {
		s.alter(cd)
	}
	if s.manifest != nil {
		w.create(s.manifest)
	} else {
		w.create(cd)
	}
	t.Cleanup(func() { w.abandon(cd) })
	return w
}

func withGuest(s *setup) { s.guest = true }

// elsewhere returns a clouds.yaml with another address or password, if there is another.
func elsewhere(cloudsYAML, from, to string) string {
	if to == "" {
		return cloudsYAML
	}
	return strings.ReplaceAll(cloudsYAML, from, to)
}

func asleepFromTheStart(s *setup) {
	s.alter = func(cd *hivev1.ClusterDeployment) { cd.Spec.PowerState = hibernating }
}

func (w *world) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.name, Name: name}
}

func (w *world) key() types.NamespacedName {
	return types.NamespacedName{Namespace: w.name, Name: w.name}
}

func (w *world) recordKey() types.NamespacedName {
	return types.NamespacedName{Namespace: w.name, Name: w.name + "-hibernation"}
}

func (w *world) create(object client.Object) {
	w.t.Helper()
	w.Expect(w.Create(context.Background(), object)).To(Succeed())
}

func (w *world) clusterDeployment() *hivev1.ClusterDeployment {
	return &hivev1.ClusterDeployment{
		ObjectMeta: w.meta(w.name),
		Spec: hivev1.ClusterDeploymentSpec{
			ClusterName: w.name,
			BaseDomain:  "example.com",
			Installed:   true,
			ClusterMetadata: &hivev1.ClusterMetadata{
				ClusterID:                "7c8a3f0e-52e6-4f1e-9a53-2f1d2f7f6f10",
				InfraID:                  w.name,
				AdminKubeconfigSecretRef: corev1.LocalObjectReference{Name: "kubeconfig"},
			},
			Platform: hivev1.Platform{OpenStack: &hivev1.OpenStackPlatform{
				Cloud:                cloud.CloudName,
				CredentialsSecretRef: corev1.LocalObjectReference{Name: "credentials"},
			}},
			PowerState: running,
		},
	}
}

// startGuest starts the cluster, and returns its kubeconfig.
func (w *world) startGuest(s *setup) string {
	options := guest.Options{
		Name:   "guest-" + w.name,
		Source: guest.CloudServers(w.cloud, w.name),
		Poll:   200 * time.Millisecond,
		Boot:   time.Second,
		Settle: s.settle,
	}
	if s.alterGuest != nil {
		s.alterGuest(w, &options)
	}
	var err error
	w.guest, err = guest.Start(context.Background(), w.env, options)
	w.Expect(err).NotTo(HaveOccurred())
	w.t.Cleanup(func() { _ = w.guest.Stop() })
	kubeconfig, err := w.guest.Kubeconfig()
	w.Expect(err).NotTo(HaveOccurred())
	return string(kubeconfig)
}

// abandon takes a ClusterDeployment out of the manager's hands, whatever state it is in.
func (w *world) abandon(cd *hivev1.ClusterDeployment) {
	ctx := context.Background()
	w.Expect(client.IgnoreNotFound(w.Patch(ctx, cd, mergePatch(`{"metadata":{"finalizers":null}}`)))).To(Succeed())
	w.Expect(client.IgnoreNotFound(w.Delete(ctx, cd))).To(Succeed())
}

func mergePatch(patch string) client.Patch {
	return client.RawPatch(types.MergePatchType, []byte(patch))
}

// order does what a user does with `oc patch`.
func (w *world) order(state hivev1.ClusterPowerState) {
	w.t.Helper()
	w.patch(fmt.Sprintf(`{"spec":{"powerState":%q}}`, state))
}

// poke makes the manager look at the ClusterDeployment.
func (w *world) poke() {
	w.t.Helper()
	w.pokes++
	w.patch(fmt.Sprintf(`{"metadata":{"annotations":{"example.com/poke":"%d"}}}`, w.pokes))
}

func (w *world) patch(patch string) {
	w.t.Helper()
	cd := &hivev1.ClusterDeployment{ObjectMeta: w.meta(w.name)}
	w.Expect(w.Patch(context.Background(), cd, mergePatch(patch))).To(Succeed())
}

// eventually is Eventually with all the time that a slow machine may need.
func (w *world) eventually(actual any) gtypes.AsyncAssertion {
	w.t.Helper()
	return w.Eventually(actual).WithTimeout(patience).WithPolling(50 * time.Millisecond)
}

func (w *world) get() (*hivev1.ClusterDeployment, error) {
	cd := &hivev1.ClusterDeployment{}
	return cd, w.Get(context.Background(), w.key(), cd)
}

func (w *world) powerState() (hivev1.ClusterPowerState, error) {
	cd, err := w.get()
	return cd.Status.PowerState, err
}

// reaches waits for a power state.
func (w *world) reaches(state hivev1.ClusterPowerState) {
	w.t.Helper()
	w.eventually(w.powerState).Should(Equal(state), w.story())
}

// story returns what a failure's reader wants to know.
func (w *world) story() func() string {
	return func() string {
		cd, err := w.get()
		text := fmt.Sprintf("%s: powerState %q, error %v\n", w.name, cd.Status.PowerState, err)
		for _, c := range cd.Status.Conditions {
			text += fmt.Sprintf("  %s=%s %s: %s\n", c.Type, c.Status, c.Reason, c.Message)
		}
		for _, server := range w.cloud.Servers() {
			text += fmt.Sprintf("  server %s %s %s\n", server.Name, server.Status, server.TaskState)
		}
		for _, image := range w.snapshots() {
			text += fmt.Sprintf("  snapshot %s %s\n", image.Name, image.Status)
		}
		return text
	}
}

// condition returns a condition of the ClusterDeployment, an empty one if there is none.
func (w *world) condition(kind hivev1.ClusterDeploymentConditionType) func() (hivev1.ClusterDeploymentCondition, error) {
	return func() (hivev1.ClusterDeploymentCondition, error) {
		cd, err := w.get()
		for _, c := range cd.Status.Conditions {
			if c.Type == kind {
				return c, err
			}
		}
		return hivev1.ClusterDeploymentCondition{}, err
	}
}

// shows matches a condition.
func shows(status corev1.ConditionStatus, reason string, messages ...string) gtypes.GomegaMatcher {
	all := []gtypes.GomegaMatcher{HaveField("Status", status), HaveField("Reason", reason)}
	for _, message := range messages {
		all = append(all, HaveField("Message", ContainSubstring(message)))
	}
	return And(all...)
}

// servers are those of the cluster, by name.
func (w *world) servers() []cloud.Server {
	return slices.DeleteFunc(w.cloud.Servers(), func(s cloud.Server) bool {
		return !slices.Contains(s.Tags, "openshiftClusterID="+w.name)
	})
}

func (w *world) snapshots() []cloud.Image {
	return slices.DeleteFunc(w.cloud.Images(), func(i cloud.Image) bool { return i.Machine == "" })
}

// states returns the distinct statuses of the cluster's servers, sorted.
func (w *world) states() []string {
	var states []string
	for _, s := range w.servers() {
		states = append(states, s.Status)
	}
	slices.Sort(states)
	return slices.Compact(states)
}

func ids(servers []cloud.Server) []string {
	var ids []string
	for _, s := range servers {
		ids = append(ids, s.ID)
	}
	return ids
}

func (w *world) record() error {
	return w.Get(context.Background(), w.recordKey(), &corev1.Secret{})
}

// events are the messages of the events about the ClusterDeployment.
func (w *world) events() ([]string, error) {
	list := &eventsv1.EventList{}
	err := w.List(context.Background(), list, client.InNamespace(w.name))
	var notes []string
	for _, event := range list.Items {
		notes = append(notes, event.Reason+": "+event.Note)
	}
	return notes, err
}

// quiet checks that a cluster in which nothing is to be done makes no request, also when it is looked at.
func (w *world) quiet() {
	w.t.Helper()
	w.cloud.Ledger().Reset()
	w.poke()
	w.Consistently(func() int { return w.cloud.Ledger().Count() }).WithTimeout(calm).Should(BeZero())
}
