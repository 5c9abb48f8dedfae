package hibernation

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apitypes "k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
)

// oneAtATime is a hub that has the ClusterDeployment that is given, or none, and takes all that is written.
func oneAtATime(has func() *hivev1.ClusterDeployment) client.Client {
	return fake.NewClientBuilder().WithScheme(hubScheme()).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(_ context.Context, _ client.WithWatch, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
			cd, ok := obj.(*hivev1.ClusterDeployment)
			if !ok || has() == nil {
				return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
			}
			has().DeepCopyInto(cd)
			return nil
		},
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return nil },
		Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
			return nil
		},
		SubResourcePatch: func(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
			return nil
		},
	}).Build()
}

// TestS05NothingIsKeptOfClustersThatAreGone: after ten thousand came and went, nothing is left of them in this process.
func TestS05NothingIsKeptOfClustersThatAreGone(t *testing.T) {
	const clusters = 10_000
	b := newBench(t)
	b.actuator.running = true
	var cd *hivev1.ClusterDeployment
	b.reconciler.Client = oneAtATime(func() *hivev1.ClusterDeployment { return cd })
	before := runtime.NumGoroutine()
	for i := range clusters {
		cd = installedCD()
		cd.Name, cd.UID, cd.Spec.ClusterMetadata.InfraID = fmt.Sprintf("c-%d", i), apitypes.UID(fmt.Sprint(i)), fmt.Sprintf("c-%d", i)
		at := reconcile.Request{NamespacedName: apitypes.NamespacedName{Namespace: cd.Namespace, Name: cd.Name}}
		_, err := b.reconciler.Reconcile(t.Context(), at)
		b.Expect(err).NotTo(HaveOccurred())
		b.reconciler.memory.keepSlept(at.NamespacedName, &hibernation.Summary{})
		b.Expect(b.reconciler.memory.memos).To(HaveLen(1))
		cd = nil
		_, err = b.reconciler.Reconcile(t.Context(), at)
		b.Expect(err).NotTo(HaveOccurred())
		b.Expect(len(b.events())+len(b.calls())).To(BeNumerically(">", 0), "it was visited in earnest")
	}
	b.Expect(b.reconciler.memory.memos).To(BeEmpty())
	b.Expect(b.reconciler.memory.slept.Len()).To(BeZero())
	b.Expect(b.actuator.forgotten).To(HaveLen(clusters))
	b.Expect(b.remote.forgotten).To(HaveLen(clusters))
	b.Expect(runtime.NumGoroutine()).To(BeNumerically("<=", before))
}
