package remoteclient

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/bounds"
)

// manyClusters returns clients to clusters whose kubeconfig Secrets are all the same but for their UIDs.
func manyClusters(kubeconfig string) *Clients {
	secrets := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		Get: func(_ context.Context, _ client.WithWatch, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
			secret, ok := obj.(*corev1.Secret)
			if !ok {
				return fmt.Errorf("it was asked for a %T", obj)
			}
			*secret = *kubeconfigSecret(kubeconfig)
			secret.Namespace, secret.UID = key.Namespace, types.UID(key.Namespace)
			return nil
		},
	}).Build()
	return New(secrets, "test")
}

func clusterNumber(i int) *hivev1.ClusterDeployment {
	cd := controlled(hivev1.ControlPlaneConfigSpec{})
	cd.Namespace = "cluster-" + strconv.Itoa(i)
	return cd
}

// TestS05ClientsThatComeAndGo: after ten thousand clusters came, were asked, and went, nothing is left of them.
func TestS05ClientsThatComeAndGo(t *testing.T) {
	g := NewWithT(t)
	api := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"kind":"NodeList","apiVersion":"v1","items":[]}`))
	}))
	t.Cleanup(api.Close)
	clients := manyClusters(kubeconfig(api.URL, "", trusting(api)))
	// What starts with the first of them stays.
	come := func(i int) {
		cd := clusterNumber(i)
		c, err := clients.ClientFor(t.Context(), cd)
		g.Expect(err).NotTo(HaveOccurred())
		if i%100 == 0 {
			g.Expect(askedWith(t, c)).To(Succeed())
		}
		clients.Forget(client.ObjectKeyFromObject(cd))
	}
	come(0)
	before := runtime.NumGoroutine()
	for i := range 10_000 {
		come(i)
	}
	g.Expect(clients.kept.Len()).To(BeZero())
	// Connections are closed in the background.
	g.Eventually(runtime.NumGoroutine).Should(BeNumerically("<=", before+5))
}

// TestS05ClientsAreWeighed: those that are kept take no more memory than they are reckoned with, however many clusters there are.
func TestS05ClientsAreWeighed(t *testing.T) {
	g := NewWithT(t)
	const large = 400 << 10
	for _, padding := range []int{0, large} {
		clients := manyClusters(kubeconfig("https://127.0.0.1:1", "", "") + "# " + strings.Repeat("x", padding) + "\n")
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range 200 {
			_, err := clients.ClientFor(t.Context(), clusterNumber(i))
			g.Expect(err).NotTo(HaveOccurred())
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		kept := clients.kept.Len()
		if padding == 0 {
			g.Expect(kept).To(Equal(200))
			g.Expect(after.HeapAlloc - before.HeapAlloc).To(BeNumerically("<", 200*clientWeight))
		} else {
			g.Expect(kept).To(And(BeNumerically(">", 100), BeNumerically("<=", keptWeight/large)))
		}
		runtime.KeepAlive(clients)
	}
}

// TestS05AnswersOfOneVisit: all lists of one visit have one budget.
func TestS05AnswersOfOneVisit(t *testing.T) {
	g := NewWithT(t)
	body := hostileAnswers()["Nodes at the bound"]
	c := clientTo(t, hostileAPI(t, func() (string, string) { return "application/json", body }))
	visit, answered := bounds.WithBudget(t.Context(), 1<<20), 0
	var err error
	for err == nil && answered < 100 {
		if err = c.List(visit, &corev1.NodeList{}); err == nil {
			answered++
		}
	}
	g.Expect(answered).To(And(BeNumerically(">", 0), BeNumerically("<", 20)))
	g.Expect(err).To(Satisfy(isTooLarge))
	g.Expect(Explain(err)).To(ContainSubstring("all answers of one visit together take more than 1024 KiB"))
	g.Expect(c.List(bounds.WithBudget(t.Context(), 1<<20), &corev1.NodeList{})).To(Succeed(), "the next visit has its own")
}

// TestS05LargeKubeconfigsAreRefused before anything is made of them.
func TestS05LargeKubeconfigsAreRefused(t *testing.T) {
	for name, kubeconfig := range map[string]string{
		"long":        strings.Repeat("#", 600<<10),
		"many values": "users: [" + strings.Repeat("{},", 100<<10) + "]",
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			_, err := clientsOf(kubeconfig).ClientFor(t.Context(), clusterDeployment())
			g.Expect(err).To(BeAssignableToTypeOf(&Refusal{}))
			g.Expect(err).To(MatchError(ContainSubstring("this is no kubeconfig")))
		})
	}
}
