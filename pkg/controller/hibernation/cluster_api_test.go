package hibernation

import (
	"crypto/x509"
	"errors"
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What a condition says of an API that can't be asked stays the same while nothing changes.
func TestRemoteWords(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no route":      {errors.New("dial tcp 10.0.0.5:6443: connect: no route to host"), "does not answer yet"},
		"another port":  {errors.New("read tcp 10.0.0.7:51234->10.0.0.5:6443: connection reset by peer"), "does not answer yet"},
		"expired":       {fmt.Errorf("get: %w", x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired, Detail: "current time 12:00:01"}), "is valid from 0001-01-01T00:00:00Z to "},
		"another host":  {x509.HostnameError{Certificate: &x509.Certificate{}, Host: "api.example.com"}, "is not for the host in its URL"},
		"unauthorized":  {apierrors.NewUnauthorized("no"), "refuses the credentials"},
		"not permitted": {apierrors.NewForbidden(schema.GroupResource{Resource: "nodes"}, "", errors.New("no")), "cannot be used"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(remoteWords(c.err)).To(ContainSubstring(c.want))
			g.Expect(remoteWords(c.err)).NotTo(Or(ContainSubstring("12:00:01"), ContainSubstring("51234")))
		})
	}
}
