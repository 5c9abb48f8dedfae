package env

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
)

// An API server that is asked while it writes its certificate is reached all the same once the file is whole.
func TestACertificateThatIsBeingWritten(t *testing.T) {
	g := NewWithT(t)
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "apiserver.crt")
	c := &http.Client{Transport: &apiTransport{config: &rest.Config{Host: server.URL}, certificate: file}}
	ask := func() error {
		response, err := c.Get(server.URL + "/readyz")
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	g.Expect(ask()).To(MatchError(os.ErrNotExist))
	g.Expect(os.WriteFile(file, nil, 0o600)).To(Succeed())
	g.Expect(ask()).To(MatchError(ContainSubstring("no certificate yet")))
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	g.Expect(os.WriteFile(file, content, 0o600)).To(Succeed())
	g.Expect(ask()).To(Succeed())
}
