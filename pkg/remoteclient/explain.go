package remoteclient

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/overwinter/overwinter/pkg/dialguard"
)

// Explain says in a sentence for a condition what a person has to mend so that a cluster's API can be asked: its kubeconfig, a
// certificate, a host name. It returns an empty string for any other error, as of an API that does not answer: what the network
// and an API that starts have to say alternates, and holds addresses, ports and times. Nothing that the other side wrote is
// passed on.
func Explain(err error) string {
	var (
		refusal  *Refusal
		large    *TooLarge
		dns      *net.DNSError
		unknown  x509.UnknownAuthorityError
		invalid  x509.CertificateInvalidError
		hostname x509.HostnameError
		denied   *dialguard.DeniedError
	)
	switch {
	case errors.As(err, &refusal):
		return refusal.Message
	case errors.As(err, &denied):
		return fmt.Sprintf("The URL of the cluster's API is not asked: %s", denied)
	case errors.As(err, &large):
		return "The cluster's API sends more than is read of it: " + large.what
	case errors.Is(err, errNotJSON):
		return "What answers is not the API of a cluster"
	case apierrors.IsUnauthorized(err):
		return "The cluster's API refuses the credentials in the admin kubeconfig"
	case errors.As(err, &unknown):
		return "The certificate of the cluster's API is not signed by an authority in the admin kubeconfig"
	case errors.As(err, &hostname):
		return "The certificate of the cluster's API is not for the host in its URL"
	case errors.As(err, &invalid):
		return invalidCertificate(invalid)
	case errors.As(err, &dns) && dns.IsNotFound:
		return "The host name in the URL of the cluster's API does not exist"
	}
	return ""
}

// invalidCertificate leaves out the time at which it was looked at: a condition would change all the time.
func invalidCertificate(err x509.CertificateInvalidError) string {
	if err.Reason == x509.Expired && err.Cert != nil {
		return fmt.Sprintf("A certificate of the cluster's API is valid from %s to %s only",
			err.Cert.NotBefore.UTC().Format(time.RFC3339), err.Cert.NotAfter.UTC().Format(time.RFC3339))
	}
	return "A certificate of the cluster's API is not valid"
}
