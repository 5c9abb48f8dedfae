package env

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// API is a Kubernetes API server.
type API struct {
	// Name is what it was started as.
	Name string
	// Address is where it listens, as host:port.
	Address string
	// Config lets in its administrator.
	Config *rest.Config
	// Kubeconfig is a file that lets in its administrator.
	Kubeconfig string

	*Process
}

// StartAPI starts a Kubernetes API server with the CRDs in the given files or directories. Several may run in one Env;
// each keeps what it holds to itself.
func (e *Env) StartAPI(ctx context.Context, name string, crds ...string) (*API, error) {
	address, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(e.Dir, name)
	token, err := prepareAPI(dir)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", name, err)
	}
	p, err := e.StartProcess(name, filepath.Join(e.assets, "kube-apiserver"), e.apiFlags(name, dir, address)...)
	if err != nil {
		return nil, err
	}
	api := &API{Name: name, Address: address, Kubeconfig: filepath.Join(e.Dir, name+".kubeconfig"), Process: p}
	if err := api.waitReady(ctx, dir, token); err != nil {
		return nil, err
	}
	content, err := api.KubeconfigFor(address)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(api.Kubeconfig, content, 0o600); err != nil {
		return nil, fmt.Errorf("write the kubeconfig: %w", err)
	}
	options := envtest.CRDInstallOptions{Paths: crds, ErrorIfPathMissing: true}
	if len(crds) > 0 {
		if _, err := envtest.InstallCRDs(api.Config, options); err != nil {
			return nil, fmt.Errorf("install CRDs in %s: %w", name, err)
		}
	}
	return api, nil
}

// KubeconfigFor returns a kubeconfig for the administrator that leads to the given host:port, where something passes
// connections on to the API server.
func (a *API) KubeconfigFor(address string) ([]byte, error) {
	config := clientcmdapi.NewConfig()
	config.Clusters[a.Name] = &clientcmdapi.Cluster{
		Server:                   "https://" + address,
		CertificateAuthorityData: a.Config.CAData,
	}
	config.AuthInfos["admin"] = &clientcmdapi.AuthInfo{Token: a.Config.BearerToken}
	config.Contexts[a.Name] = &clientcmdapi.Context{Cluster: a.Name, AuthInfo: "admin"}
	config.CurrentContext = a.Name
	content, err := clientcmd.Write(*config)
	if err != nil {
		return nil, fmt.Errorf("write a kubeconfig: %w", err)
	}
	return content, nil
}

// prepareAPI makes the files that an API server needs in its directory and returns the administrator's token.
func prepareAPI(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", err
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	if err := os.WriteFile(filepath.Join(dir, "sa.key"), pem.EncodeToMemory(block), 0o600); err != nil {
		return "", err
	}
	secret := make([]byte, 16)
	if _, err := rand.Read(secret); err != nil {
		return "", err
	}
	token := hex.EncodeToString(secret)
	line := token + ",admin,admin,system:masters\n"
	return token, os.WriteFile(filepath.Join(dir, "tokens.csv"), []byte(line), 0o600)
}

func (e *Env) apiFlags(name, dir, address string) []string {
	_, port, _ := net.SplitHostPort(address)
	return []string{
		"--etcd-servers=" + e.etcdURL,
		"--etcd-prefix=/" + name,
		"--bind-address=127.0.0.1",
		"--secure-port=" + port,
		"--cert-dir=" + dir,
		"--token-auth-file=" + filepath.Join(dir, "tokens.csv"),
		"--authorization-mode=RBAC",
		"--service-cluster-ip-range=10.0.0.0/24",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + filepath.Join(dir, "sa.key"),
		"--service-account-signing-key-file=" + filepath.Join(dir, "sa.key"),
		// No controller makes the service accounts' tokens that this would wait for.
		"--disable-admission-plugins=ServiceAccount",
		"--endpoint-reconciler-type=none",
		"--profiling=false",
	}
}

// waitReady waits until the API server is ready and sets Config. The certificate that it makes for itself is its own
// authority.
func (a *API) waitReady(ctx context.Context, dir, token string) error {
	a.Config = &rest.Config{
		Host:            "https://" + a.Address,
		BearerToken:     token,
		TLSClientConfig: rest.TLSClientConfig{CAFile: filepath.Join(dir, "apiserver.crt")},
		QPS:             -1,
	}
	transport := &apiTransport{config: a.Config}
	if err := a.WaitReady(ctx, &http.Client{Transport: transport}, a.Config.Host+"/readyz"); err != nil {
		return err
	}
	authority, err := os.ReadFile(a.Config.CAFile)
	if err != nil {
		return fmt.Errorf("read the certificate of %s: %w", a.Name, err)
	}
	a.Config.TLSClientConfig = rest.TLSClientConfig{CAData: authority}
	return nil
}

// apiTransport makes its transport at each request until there is a certificate to make it with.
type apiTransport struct {
	config    *rest.Config
	transport http.RoundTripper
}

func (t *apiTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if t.transport == nil {
		transport, err := rest.TransportFor(t.config)
		if err != nil {
			return nil, err
		}
		t.transport = transport
	}
	return t.transport.RoundTrip(request)
}
