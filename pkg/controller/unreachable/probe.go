package unreachable

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

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

// failure says in a condition why the cluster's API did not answer. What the network and an API that starts have to say
// alternates, and holds addresses, ports and times, so that much of it reads the same; the log has it all. Nothing that the
// other side wrote is passed on.
func failure(err error) string {
	var (
		dns      *net.DNSError
		unknown  x509.UnknownAuthorityError
		invalid  x509.CertificateInvalidError
		hostname x509.HostnameError
	)
	switch {
	case apierrors.IsUnauthorized(err):
		return "The cluster's API refuses the credentials in the admin kubeconfig"
	case apierrors.IsForbidden(err):
		return "The cluster's API does not let the user of the admin kubeconfig read the Namespace default"
	case apierrors.IsNotFound(err):
		return "What answers is not the API of a cluster: it knows no Namespace default"
	case errors.As(err, &unknown):
		return "The certificate of the cluster's API is not signed by an authority in the admin kubeconfig"
	case errors.As(err, &hostname):
		return "The certificate of the cluster's API is not for the host in its URL"
	case errors.As(err, &invalid):
		return invalidCertificate(invalid)
	case errors.As(err, &dns) && dns.IsNotFound:
		return "The host name in the URL of the cluster's API does not exist"
	}
	return "The cluster's API does not answer"
}

// invalidCertificate leaves out the time at which it was looked at.
func invalidCertificate(err x509.CertificateInvalidError) string {
	if err.Reason == x509.Expired && err.Cert != nil {
		return fmt.Sprintf("A certificate of the cluster's API is valid from %s to %s only",
			err.Cert.NotBefore.UTC().Format(time.RFC3339), err.Cert.NotAfter.UTC().Format(time.RFC3339))
	}
	return "A certificate of the cluster's API is not valid"
}
