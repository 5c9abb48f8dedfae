package unreachable

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/dialguard"
	"github.com/overwinter/overwinter/pkg/remoteclient"
)

// TestS05MessagesAreBounded: what a tenant writes into a kubeconfig may come back in a message, and has a bound there. A message
// that was cut off is not written again and again.
func TestS05MessagesAreBounded(t *testing.T) {
	b := newBench(t, clusterDeployment())
	b.remote.errs[remoteclient.Primary] = &dialguard.DeniedError{Host: strings.Repeat("ü", 1<<19), Class: "loopback"}
	_, err := b.visit(t.Context())
	b.g.Expect(err).NotTo(HaveOccurred())
	first := b.cd(t)
	message := statusOf(first).unreachable.Message
	b.g.Expect(len(message)).To(And(BeNumerically(">", 1000), BeNumerically("<=", maxMessage)))
	// The recorder writes the type and the reason before the text.
	b.g.Expect(len(<-b.recorder.Events)).To(BeNumerically("<=", maxNote+64))

	b.clock.SetTime(b.clock.Now().Add(lastRetry))
	_, err = b.visit(t.Context())
	b.g.Expect(err).NotTo(HaveOccurred())
	b.g.Expect(b.remote.asked).To(HaveLen(2))
	b.g.Expect(b.cd(t).ResourceVersion).To(Equal(first.ResourceVersion))
}

// TestS05NothingIsKeptOfClustersThatAreGone: after ten thousand came and went, nothing is left of them in this process.
func TestS05NothingIsKeptOfClustersThatAreGone(t *testing.T) {
	const clusters = 10_000
	b := newBench(t)
	b.remote.makeErr = &remoteclient.Refusal{Message: "there is no kubeconfig"}
	var cd *hivev1.ClusterDeployment
	b.Client = fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		Get: func(_ context.Context, _ client.WithWatch, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
			into, ok := obj.(*hivev1.ClusterDeployment)
			if !ok || cd == nil {
				return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
			}
			cd.DeepCopyInto(into)
			return nil
		},
		SubResourcePatch: func(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
			return nil
		},
	}).Build()
	before := runtime.NumGoroutine()
	for i := range clusters {
		cd = clusterDeployment()
		cd.Name, cd.UID = fmt.Sprintf("c-%d", i), types.UID(fmt.Sprint(i))
		at := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(cd)}
		_, err := b.Reconcile(t.Context(), at)
		b.g.Expect(err).NotTo(HaveOccurred())
		b.g.Expect(b.memory.memos).To(HaveLen(1))
		b.g.Expect(<-b.recorder.Events).To(ContainSubstring("there is no kubeconfig"))
		cd = nil
		_, err = b.Reconcile(t.Context(), at)
		b.g.Expect(err).NotTo(HaveOccurred())
	}
	b.g.Expect(b.memory.memos).To(BeEmpty())
	b.g.Expect(b.remote.forgotten).To(HaveLen(clusters))
	b.g.Expect(runtime.NumGoroutine()).To(BeNumerically("<=", before))
}
