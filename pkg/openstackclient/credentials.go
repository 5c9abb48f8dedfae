package openstackclient

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
)

const (
	// CloudsYAMLKey is the key of the credentials Secret under which the clouds.yaml is, as in Hive.
	CloudsYAMLKey = "clouds.yaml"
	// CABundleKey is the usual key of a Secret of CA certificates. CABundle takes any other key as well: Hive hands all
	// keys of that Secret to the installer.
	CABundleKey = "ca.crt"
)

const opReadCredentials = "read the OpenStack credentials"

// Credentials are what one Secret (and perhaps a second one with CA certificates) says about one cloud.
type Credentials struct {
	// SecretUID and SecretVersion identify the content: two Credentials with the same UID, version and cloud are taken
	// to be the same. Where there is a Secret of CA certificates, the caller appends its UID and version to these.
	SecretUID, SecretVersion string
	// CloudsYAML is the content of the key clouds.yaml.
	CloudsYAML []byte
	// Cloud is the name of the cloud in it; it may be empty if there is only one.
	Cloud string
	// CABundle holds PEM certificates that are trusted besides the system's; may be empty.
	CABundle []byte
}

// CABundle returns all certificates in the values of a Secret of CA certificates as one PEM bundle, in the order of the
// keys. KindInvalid if there is none, or if a value holds something of PEM that is no certificate.
func CABundle(data map[string][]byte) ([]byte, error) {
	keys := make([]string, 0, len(data))
	for key := range data {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var bundle []byte
	for _, key := range keys {
		certificates, err := certificatesIn(data[key])
		if err != nil {
			return nil, invalidCredentials("key %q of the Secret in certificatesSecretRef: %v", key, err)
		}
		bundle = append(bundle, certificates...)
	}
	if len(bundle) == 0 {
		return nil, invalidCredentials("the Secret in certificatesSecretRef has no key with a PEM certificate; put the CA of the cloud there, e.g. under %q", CABundleKey)
	}
	return bundle, nil
}

// certificatesIn returns the certificates among the PEM blocks of a value; other blocks (a key kept in the same Secret)
// and values that are not PEM are passed over.
func certificatesIn(value []byte) ([]byte, error) {
	var out bytes.Buffer
	for block, rest := pem.Decode(value); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Errorf("a CERTIFICATE block is not a certificate: %w", err)
		}
		if err := pem.Encode(&out, &pem.Block{Type: block.Type, Bytes: block.Bytes}); err != nil {
			return nil, fmt.Errorf("encode a certificate: %w", err)
		}
	}
	return out.Bytes(), nil
}

func invalidCredentials(format string, args ...any) *Error {
	return &Error{Kind: KindInvalid, Op: opReadCredentials, Message: fmt.Sprintf(format, args...)}
}
