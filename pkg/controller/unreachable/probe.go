package unreachable

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/remoteclient"
)

// probe asks a cluster whether it answers, for remoteclient.Timeout at most, at both of its addresses together. An error is
// the hub's, or says that ctx is done: nothing is then known of the cluster.
func (r *Reconciler) probe(ctx context.Context, cd *hivev1.ClusterDeployment, secondary bool) (findings, error) {
	whole, cancel := context.WithTimeout(ctx, remoteclient.Timeout)
	defer cancel()
	first, cancelFirst := whole, context.CancelFunc(func() {})
	if secondary {
		first, cancelFirst = context.WithTimeout(whole, remoteclient.Timeout/2)
	}
	defer cancelFirst()
	var found findings
	var err error
	if found.primary, err = r.ask(first, cd, remoteclient.Primary); err == nil && found.primary != "" && secondary {
		found.askedSecondary = true
		found.secondary, err = r.ask(whole, cd, remoteclient.Secondary)
	}
	if ctx.Err() != nil {
		return findings{}, fmt.Errorf("ask the cluster's API: %w", ctx.Err())
	}
	return found, err
}

// ask sends one small request and returns why it was not answered; empty if it was. Every cluster has the Namespace default,
// and to read it etcd has to have a quorum, and the credentials have to be good.
func (r *Reconciler) ask(ctx context.Context, cd *hivev1.ClusterDeployment, address remoteclient.Address) (string, error) {
	remote, err := r.Remote.ClientAt(ctx, cd, address)
	var refusal *remoteclient.Refusal
	if errors.As(err, &refusal) {
		return refusal.Message, nil
	}
	if err != nil {
		return "", err
	}
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err = remote.Get(ctx, client.ObjectKey{Name: metav1.NamespaceDefault}, namespace)
	if err == nil {
		return "", nil
	}
	r.loggerFor(cd).WithError(err).Debug("the cluster's API did not answer")
	return failure(err), nil
}

// failure says in a condition why the cluster's API did not answer; the log has it all.
func failure(err error) string {
	switch why := remoteclient.Explain(err); {
	case why != "":
		return why
	case apierrors.IsForbidden(err):
		return "The cluster's API does not let the user of the admin kubeconfig read the Namespace default"
	case apierrors.IsNotFound(err):
		return "What answers is not the API of a cluster: it knows no Namespace default"
	}
	return "The cluster's API does not answer"
}
