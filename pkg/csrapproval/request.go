package csrapproval

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
)

// What a kubelet sends is far smaller: a key of P-256, and a dozen names at most.
const (
	maxObjectBytes  = 32 << 10
	maxRequestBytes = 8 << 10
	maxNames        = 64
	maxRSABits      = 4096
)

const pemType = "CERTIFICATE REQUEST"

// parse returns the PKCS #10 request of a CSR with a subject that can be a Node's, or the rule that it breaks. Its signature
// is not looked at yet.
func parse(csr *certificatesv1.CertificateSigningRequest) (*x509.CertificateRequest, error) {
	der, err := onlyBlock(csr.Spec.Request)
	if err != nil {
		return nil, err
	}
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, refuse(RuleRequest, "it is no PKCS #10 request")
	}
	if err := checkSubject(request); err != nil {
		return nil, err
	}
	return request, checkExtensions(request)
}

// onlyBlock returns the content of the one PEM block that there may be. pem.Decode skips what it can't read, so whoever
// reads the bytes with another decoder might see another request.
func onlyBlock(content []byte) ([]byte, error) {
	if len(content) > maxRequestBytes {
		return nil, refuse(RuleRequest, "it is larger than %d bytes", maxRequestBytes)
	}
	content = bytes.TrimSpace(content)
	block, rest := pem.Decode(content)
	switch {
	case block == nil:
		return nil, refuse(RuleRequest, "it is no PEM block")
	case !bytes.HasPrefix(content, []byte("-----BEGIN ")), bytes.Count(content, []byte("-----BEGIN ")) != 1, len(bytes.TrimSpace(rest)) > 0:
		return nil, refuse(RuleRequest, "it has more in it than one PEM block")
	case block.Type != pemType, len(block.Headers) > 0:
		return nil, refuse(RuleRequest, "its PEM block is not a plain %s", pemType)
	}
	return block.Bytes, nil
}

// checkSubject wants one organization and one common name, and nothing else: of a name that is there twice the parser shows
// the last one, and the signer signs what it shows.
func checkSubject(request *x509.CertificateRequest) error {
	subject := request.Subject
	if len(subject.Organization) != 1 || subject.Organization[0] != nodesGroup {
		return refuse(RuleSubject, "its organization is not just %s", nodesGroup)
	}
	if name, ok := strings.CutPrefix(subject.CommonName, nodeUserPrefix); !ok || name == "" {
		return refuse(RuleSubject, "its common name is not %sNAME", nodeUserPrefix)
	}
	if len(subject.Names) != 2 {
		return refuse(RuleSubject, "its subject has more in it than a common name and an organization")
	}
	return nil
}

// checkExtensions wants subject alternative names that are DNS names and IP addresses, and no other extension. Kinds of
// names that the parser leaves out are counted.
func checkExtensions(request *x509.CertificateRequest) error {
	subjectAltName := asn1.ObjectIdentifier{2, 5, 29, 17}
	for _, extension := range request.Extensions {
		if !extension.Id.Equal(subjectAltName) {
			return refuse(RuleExtensions, "it asks for an extension other than alternative names")
		}
		var names []asn1.RawValue
		if rest, err := asn1.Unmarshal(extension.Value, &names); err != nil || len(rest) > 0 {
			return refuse(RuleExtensions, "its alternative names are malformed")
		}
		if len(names) != len(request.DNSNames)+len(request.IPAddresses) {
			return refuse(RuleNames, "it asks for alternative names other than DNS names and IP addresses")
		}
		if len(names) > maxNames {
			return refuse(RuleNames, "it asks for more than %d names", maxNames)
		}
	}
	return nil
}

// checkSignature proves that whoever asks holds the key. It comes last: it is what costs.
func checkSignature(request *x509.CertificateRequest) error {
	if key, ok := request.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSABits {
		return refuse(RuleSignature, "its RSA key has more than %d bits", maxRSABits)
	}
	if request.CheckSignature() != nil {
		return refuse(RuleSignature, "it is not signed with the key that it is for")
	}
	return nil
}
