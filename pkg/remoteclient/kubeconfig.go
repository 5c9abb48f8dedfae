package remoteclient

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// restConfig reads the kubeconfig in a Secret. Errors of the parser may hold what they could not parse, so none is passed
// on.
func restConfig(secret *corev1.Secret) (*rest.Config, error) {
	where := fmt.Sprintf("the Secret %s/%s, key %s", secret.Namespace, secret.Name, hivev1.KubeconfigSecretKey)
	data := secret.Data[hivev1.KubeconfigSecretKey]
	if len(data) == 0 {
		return nil, refuse("%s: there is no such key: put the admin kubeconfig there", where)
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
