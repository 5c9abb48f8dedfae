package env

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
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

	dir    string
	tokens tokens
}

// tokens are the secrets of the users that an API server knows.
type tokens struct{ admin, manager string }

// StartAPI starts a Kubernetes API server with the CRDs in the given files or directories. Several may run in one Env;
// each keeps what it holds to itself.
func (e *Env) StartAPI(ctx context.Context, name string, crds ...string) (*API, error) {
	address, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(e.Dir, name)
	tokens, err := prepareAPI(dir)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", name, err)
	}
	p, err := e.StartProcess(name, filepath.Join(e.assets, "kube-apiserver"), e.apiFlags(name, dir, address)...)
	if err != nil {
		return nil, err
	}
	api := &API{Name: name, Address: address, Process: p, dir: dir, tokens: tokens}
	if err := api.waitReady(ctx); err != nil {
		return nil, err
	}
	if api.Kubeconfig, err = api.writeKubeconfig("admin", tokens.admin); err != nil {
		return nil, err
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
	return a.kubeconfig(address, "admin", a.tokens.admin)
}

func (a *API) kubeconfig(address, user, token string) ([]byte, error) {
	config := clientcmdapi.NewConfig()
	config.Clusters[a.Name] = &clientcmdapi.Cluster{
		Server:                   "https://" + address,
		CertificateAuthorityData: a.Config.CAData,
	}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts[a.Name] = &clientcmdapi.Context{Cluster: a.Name, AuthInfo: user}
	config.CurrentContext = a.Name
	content, err := clientcmd.Write(*config)
	if err != nil {
		return nil, fmt.Errorf("write a kubeconfig: %w", err)
	}
	return content, nil
}

// writeKubeconfig writes a user's kubeconfig beside the API server's other files.
func (a *API) writeKubeconfig(user, token string) (string, error) {
	content, err := a.kubeconfig(a.Address, user, token)
	if err != nil {
		return "", err
	}
	path := filepath.Join(a.dir, user+".kubeconfig")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return "", fmt.Errorf("write a kubeconfig: %w", err)
	}
	return path, nil
}

// prepareAPI makes the files that an API server needs in its directory.
func prepareAPI(dir string) (tokens, error) {
	none := tokens{}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return none, err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return none, err
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	if err := os.WriteFile(filepath.Join(dir, "sa.key"), pem.EncodeToMemory(block), 0o600); err != nil {
		return none, err
	}
	t := tokens{admin: rand.Text(), manager: rand.Text()}
	lines := fmt.Sprintf("%s,admin,admin,system:masters\n%s,%s,%s\n", t.admin, t.manager, managerUser, managerUser)
	return t, os.WriteFile(filepath.Join(dir, "tokens.csv"), []byte(lines), 0o600)
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
func (a *API) waitReady(ctx context.Context) error {
	a.Config = &rest.Config{Host: "https://" + a.Address, BearerToken: a.tokens.admin, QPS: -1}
	transport := &apiTransport{config: a.Config, certificate: filepath.Join(a.dir, "apiserver.crt")}
	c := &http.Client{Transport: transport, Timeout: requestTimeout}
	return a.WaitReady(ctx, c, a.Config.Host+"/readyz")
}

// apiTransport trusts the certificate of the configuration; as long as that has none, it takes it from the file that the API
// server writes.
type apiTransport struct {
	config      *rest.Config
	certificate string
}

func (t *apiTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if len(t.config.CAData) == 0 {
		content, err := os.ReadFile(t.certificate)
		if err != nil {
			return nil, err
		}
		// The file is made empty and written then. An empty one would make client-go trust the machine's authorities for good.
		if !x509.NewCertPool().AppendCertsFromPEM(content) {
			return nil, fmt.Errorf("%s: no certificate yet", t.certificate)
		}
		t.config.CAData = content
	}
	transport, err := rest.TransportFor(t.config)
	if err != nil {
		return nil, err
	}
	return transport.RoundTrip(request)
}
