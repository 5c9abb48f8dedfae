//go:build e2e

package openstack

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/test/env"
)

const (
	root      = "../../.."
	namespace = "clusters"
	// Long enough for a look at what is there before the clean-up.
	cleanupAfter = 15 * time.Second
)

// hub is the cluster on which the manager runs.
type hub struct {
	client.WithWatch

	env *env.Env
	// program is the manager, kubeconfig lets it in with its own role, flags are its flags besides those of every test.
	program, kubeconfig string
	flags               []string

	mu      sync.Mutex
	manager *env.Process
	starts  int
}

// startHub starts an API server with the project's CRDs, and the manager.
func startHub(t *testing.T, flags ...string) *hub {
	g := NewWithT(t)
	e, err := env.Start(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	h := &hub{env: e, flags: flags}
	t.Cleanup(func() {
		if t.Failed() && h.manager != nil {
			t.Logf("the end of the manager's log:\n%s", h.manager.Tail(80))
		}
		h.keepLogs(t)
		NewWithT(t).Expect(e.Stop()).To(Succeed())
	})
	h.program, err = env.BuildManager(t.Context(), e.Dir)
	g.Expect(err).NotTo(HaveOccurred())
	api, err := e.StartAPI(t.Context(), "hub", root+"/config/crds")
	g.Expect(err).NotTo(HaveOccurred())
	h.kubeconfig, err = api.GrantManager(t.Context(), root+"/config/rbac/role.yaml")
	g.Expect(err).NotTo(HaveOccurred())
	scheme := runtime.NewScheme()
	g.Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	g.Expect(hivev1.AddToScheme(scheme)).To(Succeed())
	h.WithWatch, err = client.NewWithWatch(api.Config, client.Options{Scheme: scheme})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(h.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
	g.Expect(h.startManager(t.Context())).To(Succeed())
	return h
}

// startManager starts the manager, once more if it was killed.
func (h *hub) startManager(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.starts++
	var err error
	flags := append([]string{
		"--log-level=debug",
		"--cleanup-after=" + cleanupAfter.String(),
		"--operators-settle=1s",
	}, h.flags...)
	h.manager, err = h.env.StartManager(ctx, fmt.Sprintf("manager-%d", h.starts), h.program, h.kubeconfig, flags...)
	return err
}

// keepLogs puts the logs of all managers beside those of the cloud.
func (h *hub) keepLogs(t *testing.T) {
	logs, err := filepath.Glob(filepath.Join(h.env.Dir, "manager-*.log"))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, log := range logs {
		content, err := os.ReadFile(log)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		kept := filepath.Join(os.Getenv("OW_RIG_STATE"), "log", t.Name()+"-"+filepath.Base(log))
		NewWithT(t).Expect(os.WriteFile(kept, content, 0o600)).To(Succeed())
	}
}

// killManager ends the manager as a power failure would.
func (h *hub) killManager() {
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = h.manager.Stop(0)
}

// credentials puts a clouds.yaml with one cloud into a Secret.
func (h *hub) credentials(ctx context.Context, g Gomega, name, authURL string, change func(cloud map[string]any)) {
	content, err := os.ReadFile(os.Getenv("OS_CLIENT_CONFIG_FILE"))
	g.Expect(err).NotTo(HaveOccurred())
	var file struct {
		Clouds map[string]map[string]any `json:"clouds"`
	}
	g.Expect(yaml.Unmarshal(content, &file)).To(Succeed())
	cloud := file.Clouds[os.Getenv("OS_CLOUD")]
	cloud["auth"].(map[string]any)["auth_url"] = authURL
	if change != nil {
		change(cloud)
	}
	content, err = yaml.Marshal(map[string]any{"clouds": map[string]any{"openstack": cloud}})
	g.Expect(err).NotTo(HaveOccurred())
	h.secret(ctx, g, name, hivev1.CloudsSecretKey, content)
}

func (h *hub) secret(ctx context.Context, g Gomega, name, key string, content []byte) {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Data:       map[string][]byte{key: content},
	}
	err := h.Create(ctx, secret)
	if apierrors.IsAlreadyExists(err) {
		err = h.Update(ctx, secret)
	}
	g.Expect(err).NotTo(HaveOccurred())
}

// deploy makes the ClusterDeployment of an installed cluster and returns what is seen of it from then on.
func (h *hub) deploy(t *testing.T, name, infraID, credentials string) *cluster {
	g := NewWithT(t)
	cd := &hivev1.ClusterDeployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: hivev1.ClusterDeploymentSpec{
			ClusterName: name, BaseDomain: "example.com", Installed: true,
			Platform: hivev1.Platform{OpenStack: &hivev1.OpenStackPlatform{
				CredentialsSecretRef: corev1.LocalObjectReference{Name: credentials}, Cloud: "openstack",
			}},
			ClusterMetadata: &hivev1.ClusterMetadata{
				ClusterID: "6f1c0b60-6a46-4a8c-9b1b-8f1d3f0e0a11", InfraID: infraID,
				AdminKubeconfigSecretRef: corev1.LocalObjectReference{Name: name + "-admin-kubeconfig"},
			},
		},
	}
	g.Expect(h.Create(t.Context(), cd)).To(Succeed())
	c := &cluster{hub: h, t: t, name: name, infraID: infraID, began: time.Now()}
	watch, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.follow(watch)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return c
}

// remove deletes a ClusterDeployment and waits until it is gone.
func (h *hub) remove(t *testing.T, c *cluster) {
	g := NewWithT(t)
	cd := c.get(t.Context(), g)
	g.Expect(h.Delete(t.Context(), cd)).To(Succeed())
	g.Eventually(func() bool {
		return apierrors.IsNotFound(h.Get(t.Context(), c.key(), cd))
	}).WithTimeout(time.Minute).Should(BeTrue(), "%s is deleted", c.name)
}

// log is all that the manager has written.
func (h *hub) log() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.manager.Tail(math.MaxInt32)
}

// cluster is a ClusterDeployment and the history of its status.
type cluster struct {
	hub           *hub
	t             *testing.T
	name, infraID string
	began         time.Time

	mu      sync.Mutex
	history []state
}

// state is what a ClusterDeployment's status said from a time on.
type state struct {
	Since              time.Time
	PowerState         hivev1.ClusterPowerState
	Hibernating, Ready hivev1.ClusterDeploymentCondition
}

func (s state) String() string {
	return fmt.Sprintf("%s: Hibernating=%s (%s: %s) Ready=%s (%s: %s)", s.PowerState,
		s.Hibernating.Status, s.Hibernating.Reason, s.Hibernating.Message,
		s.Ready.Status, s.Ready.Reason, s.Ready.Message)
}

// follow writes the history until the context ends.
func (c *cluster) follow(ctx context.Context) {
	for ctx.Err() == nil {
		list := &hivev1.ClusterDeploymentList{}
		w, err := c.hub.Watch(ctx, list, client.InNamespace(namespace), client.MatchingFields{"metadata.name": c.name})
		if err != nil {
			continue
		}
		for event := range w.ResultChan() {
			if cd, ok := event.Object.(*hivev1.ClusterDeployment); ok {
				c.note(cd)
			}
		}
	}
}

func (c *cluster) note(cd *hivev1.ClusterDeployment) {
	next := state{Since: time.Now(), PowerState: cd.Status.PowerState}
	for _, condition := range cd.Status.Conditions {
		switch condition.Type {
		case hivev1.ClusterHibernatingCondition:
			next.Hibernating = condition
		case hivev1.ClusterReadyCondition:
			next.Ready = condition
		default:
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.history) == 0 || c.history[len(c.history)-1].String() != next.String() {
		c.history = append(c.history, next)
		c.t.Logf("%7.1f s  %s %s", time.Since(c.began).Seconds(), c.name, next)
	}
}

func (c *cluster) key() types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: c.name}
}

func (c *cluster) get(ctx context.Context, g Gomega) *hivev1.ClusterDeployment {
	cd := &hivev1.ClusterDeployment{}
	g.Expect(c.hub.Get(ctx, c.key(), cd)).To(Succeed())
	return cd
}

// patch asks for a power state in the way of `oc patch --type merge` and returns when.
func (c *cluster) patch(power hivev1.ClusterPowerState) time.Time {
	g := NewWithT(c.t)
	cd := &hivev1.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: c.name}}
	began := time.Now()
	c.t.Logf("%7.1f s  %s patch: spec.powerState: %s", time.Since(c.began).Seconds(), c.name, power)
	body := fmt.Appendf(nil, `{"spec":{"powerState":%q}}`, power)
	g.Expect(c.hub.Patch(c.t.Context(), cd, client.RawPatch(types.MergePatchType, body))).To(Succeed())
	return began
}

// await waits for a state that began after a time and returns when it did.
func (c *cluster) await(after time.Time, timeout time.Duration, what string, is func(state) bool) time.Time {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), timeout)
	defer cancel()
	for {
		if s, found := c.find(after, is); found {
			return s.Since
		}
		select {
		case <-ctx.Done():
			c.t.Fatalf("%s is not %s after %s: %s", c.name, what, timeout, c.last())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (c *cluster) find(after time.Time, is func(state) bool) (state, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.history {
		if s.Since.After(after) && is(s) {
			return s, true
		}
	}
	return state{}, false
}

func (c *cluster) last() state {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.history) == 0 {
		return state{}
	}
	return c.history[len(c.history)-1]
}

// The states that tests wait for.
func asleep(s state) bool {
	return s.PowerState == hivev1.ClusterPowerStateHibernating && s.Hibernating.Status == corev1.ConditionTrue
}

func running(s state) bool {
	return s.PowerState == hivev1.ClusterPowerStateRunning && s.Ready.Status == corev1.ConditionTrue
}

func failedToStop(s state) bool {
	return s.Hibernating.Reason == hivev1.HibernatingReasonFailedToStop
}

// machinesUp: the cluster's machines are active, and what is left is the cluster's own affair.
func machinesUp(s state) bool {
	switch s.Ready.Reason {
	case hivev1.ReadyReasonWaitingForNodes, hivev1.ReadyReasonPausingForClusterOperatorsToSettle,
		hivev1.ReadyReasonWaitingForClusterOperators, hivev1.ReadyReasonRunning:
		return true
	}
	return false
}
