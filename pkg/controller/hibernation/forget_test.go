package hibernation

import (
	"fmt"
	"runtime"
	"testing"

	. "github.com/onsi/gomega"
	apitypes "k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// TestS05NothingIsKeptOfClustersThatAreGone: after ten thousand came and went, nothing is left of them in this process.
func TestS05NothingIsKeptOfClustersThatAreGone(t *testing.T) {
	const clusters = 10_000
	b := newBench(t)
	b.actuator.running = true
	before := runtime.NumGoroutine()
	for i := range clusters {
		cd := installedCD()
		cd.Name, cd.UID, cd.Spec.ClusterMetadata.InfraID = fmt.Sprintf("c-%d", i), apitypes.UID(fmt.Sprint(i)), fmt.Sprintf("c-%d", i)
		b.Expect(b.hub.Create(t.Context(), cd)).To(Succeed())
		at := reconcile.Request{NamespacedName: apitypes.NamespacedName{Namespace: cd.Namespace, Name: cd.Name}}
		_, err := b.reconciler.Reconcile(t.Context(), at)
		b.Expect(err).NotTo(HaveOccurred())
		b.Expect(b.reconciler.memory.memos).To(HaveLen(1))
		b.Expect(b.hub.Delete(t.Context(), cd)).To(Succeed())
		_, err = b.reconciler.Reconcile(t.Context(), at)
		b.Expect(err).NotTo(HaveOccurred())
		b.events()
		b.calls()
	}
	b.Expect(b.reconciler.memory.memos).To(BeEmpty())
	b.Expect(b.actuator.forgotten).To(HaveLen(clusters))
	b.Expect(b.remote.forgotten).To(HaveLen(clusters))
	b.Expect(runtime.NumGoroutine()).To(BeNumerically("<=", before))
}
