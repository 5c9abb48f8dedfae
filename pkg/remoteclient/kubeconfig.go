package remoteclient

import (
	"fmt"
	"net"
	"net/url"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/bounds"
)

// restConfig reads the kubeconfig in a Secret. Errors of the parser may hold what they could not parse, so none is passed
// on.
func restConfig(secret *corev1.Secret) (*rest.Config, error) {
	where := fmt.Sprintf("the Secret %s/%s, key %s", secret.Namespace, secret.Name, hivev1.KubeconfigSecretKey)
	data := secret.Data[hivev1.KubeconfigSecretKey]
	if len(data) == 0 {
		return nil, refuse("%s: there is no such key: put the admin kubeconfig there", where)
	}
	if err := bounds.CheckYAML(data); err != nil {
		return nil, refuse("%s: this is no kubeconfig: %v", where, err)
	}
	config, err := clientcmd.Load(data)
	if err != nil {
		return nil, refuse("%s: this is not a kubeconfig", where)
	}
	if field := forbidden(config); field != "" {
		return nil, refuse("%s: a kubeconfig with %s is not accepted: put the certificates, keys and tokens themselves into it", where, field)
	}
	restConfig, err := clientcmd.NewDefaultClientConfig(*config, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, refuse("%s: this is not a complete kubeconfig: current-context has to name a context with a cluster and a user, "+
			"a user has one way to log in, and a proxy-url begins with http, https or socks5", where)
	}
	return restConfig, nil
}

// checkAddress refuses what is not the URL of an API. client-go would do so too, and quote it with the password that may be
// in it.
func checkAddress(config *rest.Config, where string) error {
	address, _, err := rest.DefaultServerUrlFor(config)
	switch {
	case err != nil, address.Host == "", address.Scheme != "https" && address.Scheme != "http":
		return refuse("%s is not the URL of an API: write it like https://api.example.com:6443", where)
	case address.User != nil:
		return refuse("%s holds a user name or a password: leave them out of the URL", where)
	}
	return nil
}

const (
	urlOverrideField = "spec.controlPlaneConfig.apiURLOverride"
	ipOverrideField  = "spec.controlPlaneConfig.apiServerIPOverride"
)

// checkOverrides refuses overrides that would give the credentials in the kubeconfig to a server which does not prove that it
// is the cluster's. Whoever may patch a ClusterDeployment says where the requests go, and need not be allowed to read the
// kubeconfig: so the proof may rest on nothing but the kubeconfig. config is the kubeconfig's own.
func checkOverrides(config *rest.Config, from origin, secret string) error {
	if from.urlOverride != "" {
		if err := checkURLOverride(config, from.urlOverride, secret); err != nil {
			return err
		}
	}
	if from.ipOverride == "" {
		return nil
	}
	if net.ParseIP(from.ipOverride) == nil {
		return refuse("%s is not an IP address", ipOverrideField)
	}
	if config.Insecure {
		return refuse("%s: it is not used together with insecure-skip-tls-verify, since anybody at that address would get the credentials: take insecure-skip-tls-verify out of %s and put the CA of the cluster's API into its certificate-authority-data", ipOverrideField, secret)
	}
	if from.urlOverride == "" && !usesTLS(config) {
		return refuse("%s: it is not used with a server that is not asked by https, since anybody at that address would get the credentials: correct the server in %s", ipOverrideField, secret)
	}
	return nil
}

// checkURLOverride demands that the server at the override proves itself by the CA in the kubeconfig. The system's authorities
// do not count: they certify any host of anybody.
func checkURLOverride(config *rest.Config, override, secret string) error {
	address, err := url.Parse(override)
	switch {
	case err != nil, address.Scheme != "https", address.Hostname() == "", address.Opaque != "":
		return refuse("%s is not an https URL: write it like https://api.example.com:6443", urlOverrideField)
	case address.User != nil:
		return refuse("%s holds a user name or a password: leave them out of the URL", urlOverrideField)
	case address.RawQuery != "" || address.ForceQuery || address.Fragment != "":
		return refuse("%s holds a query or a fragment: write it like https://api.example.com:6443", urlOverrideField)
	case config.Insecure:
		return refuse("%s: it is not used together with insecure-skip-tls-verify, since any server would get the credentials: take insecure-skip-tls-verify out of %s and put the CA that signs the certificate at the override into its certificate-authority-data", urlOverrideField, secret)
	case len(config.CAData) == 0:
		return refuse("%s: it is used only where the kubeconfig says by which CA the server proves itself: put the CA that signs the certificate at the override into the certificate-authority-data of %s", urlOverrideField, secret)
	}
	return nil
}

// usesTLS reports whether the kubeconfig's own server is asked by https.
func usesTLS(config *rest.Config) bool {
	address, _, err := rest.DefaultServerUrlFor(config)
	return err == nil && address.Scheme == "https"
}

// forbidden names the first field, in a stable order, that would run a command or read a file on this machine.
func forbidden(config *clientcmdapi.Config) string {
	var found []string
	for _, user := range config.AuthInfos {
		found = append(found, forbiddenInUser(user)...)
	}
	for _, cluster := range config.Clusters {
		if cluster.CertificateAuthority != "" {
			found = append(found, "a certificate-authority file")
		}
	}
	if len(found) == 0 {
		return ""
	}
	return slices.Min(found)
}

func forbiddenInUser(user *clientcmdapi.AuthInfo) []string {
	var found []string
	if user.Exec != nil {
		found = append(found, "a command (exec)")
	}
	if user.AuthProvider != nil {
		found = append(found, "an auth-provider")
	}
	if user.ClientCertificate != "" {
		found = append(found, "a client-certificate file")
	}
	if user.ClientKey != "" {
		found = append(found, "a client-key file")
	}
	if user.TokenFile != "" {
		found = append(found, "a token file (tokenFile)")
	}
	return found
}
