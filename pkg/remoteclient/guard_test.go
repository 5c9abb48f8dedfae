package remoteclient

import (
	"errors"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"

	"github.com/overwinter/overwinter/pkg/dialguard"
)

// A kubeconfig may name any address; the address that overrides the host's is guarded as well.
func TestS12DeniedClusters(t *testing.T) {
	for _, override := range []string{"", "127.0.0.1"} {
		g := NewWithT(t)
		config := &rest.Config{Host: "https://localhost:1"}
		if override != "" {
			config.Host = "https://api.example.com:1"
		}
		httpClient, err := httpClientFor(config, override, defaultLimits(), dialguard.New(dialguard.DefaultDenied()))
		g.Expect(err).NotTo(HaveOccurred())
		_, err = httpClient.Get(config.Host) //nolint:bodyclose,noctx // there is no answer.
		var denied *dialguard.DeniedError
		g.Expect(errors.As(err, &denied)).To(BeTrue())
		g.Expect(Explain(err)).To(HaveSuffix("leads to a loopback address, which --deny-cidrs does not allow"))
	}
}
