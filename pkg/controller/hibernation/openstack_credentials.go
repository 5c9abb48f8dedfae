package hibernation

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// ConfigurationError says that what the ClusterDeployment refers to is missing or useless; a person has to act. It holds
// no credential.
type ConfigurationError struct {
	// Message says what is wrong, where, and what to do.
	Message string
}

// Error returns the message.
func (e *ConfigurationError) Error() string { return e.Message }

func misconfigured(format string, args ...any) error {
	return &ConfigurationError{Message: fmt.Sprintf(format, args...)}
}

// openstackCredentials reads the Secrets that the ClusterDeployment names, in its own namespace. A *ConfigurationError
// says what is missing.
func openstackCredentials(ctx context.Context, c client.Reader, cd *hivev1.ClusterDeployment) (openstackclient.Credentials, error) {
	none := openstackclient.Credentials{}
	platform := cd.Spec.Platform.OpenStack
	secret, err := referredSecret(ctx, c, cd.Namespace, platform.CredentialsSecretRef.Name, "spec.platform.openstack.credentialsSecretRef")
	if err != nil {
		return none, err
	}
	cloudsYAML := secret.Data[openstackclient.CloudsYAMLKey]
	if len(cloudsYAML) == 0 {
		return none, misconfigured("the Secret %s/%s has no key %s: put the cluster's credentials there",
			secret.Namespace, secret.Name, openstackclient.CloudsYAMLKey)
	}
	credentials := openstackclient.Credentials{
		SecretUID:     string(secret.UID),
		SecretVersion: secret.ResourceVersion,
		CloudsYAML:    cloudsYAML,
		Cloud:         platform.Cloud,
	}
	if platform.CertificatesSecretRef == nil || platform.CertificatesSecretRef.Name == "" {
		return credentials, nil
	}
	return withCertificates(ctx, c, cd, credentials)
}

// withCertificates adds the CA certificates, and makes the Secret that they are in a part of the identity.
func withCertificates(ctx context.Context, c client.Reader, cd *hivev1.ClusterDeployment, credentials openstackclient.Credentials) (openstackclient.Credentials, error) {
	secret, err := referredSecret(ctx, c, cd.Namespace, cd.Spec.Platform.OpenStack.CertificatesSecretRef.Name, "spec.platform.openstack.certificatesSecretRef")
	if err != nil {
		return credentials, err
	}
	credentials.CABundle, err = openstackclient.CABundle(secret.Data)
	if err != nil {
		return credentials, fmt.Errorf("the Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	credentials.SecretUID += "/" + string(secret.UID)
	credentials.SecretVersion += "/" + secret.ResourceVersion
	return credentials, nil
}

// referredSecret returns the Secret that a field of the ClusterDeployment names.
func referredSecret(ctx context.Context, c client.Reader, namespace, name, field string) (*corev1.Secret, error) {
	if name == "" {
		return nil, misconfigured("%s names no Secret", field)
	}
	secret := &corev1.Secret{}
	err := c.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, secret)
	if apierrors.IsNotFound(err) {
		return nil, misconfigured("the Secret %s/%s, which %s names, does not exist: create it", namespace, name, field)
	}
	if err != nil {
		return nil, fmt.Errorf("read the Secret %s/%s: %w", namespace, name, err)
	}
	return secret, nil
}
