package faults

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"sync"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The certificates of a cluster that has slept for longer than they live: a kubelet that boots asks for one as a client, and with
// that for one to serve with, before its Node is ready.

const (
	asClient  = "client"
	toServe   = "serving"
	addressOf = "192.0.2.7"
)

// requests are the requests themselves, by name and kind. A key costs more than all else in a run, and is never used.
var requests sync.Map //nolint:gochecknoglobals // a cache

func requestFor(name, kind string) []byte {
	if known, ok := requests.Load(name + kind); ok {
		return known.([]byte)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "system:node:" + name, Organization: []string{"system:nodes"}}}
	if kind == toServe {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	must(err)
	out := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	requests.Store(name+kind, out)
	return out
}

// signingRequest is what a kubelet asks for.
func signingRequest(object, name, kind string) *certificatesv1.CertificateSigningRequest {
	csr := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: object},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:    requestFor(name, kind),
			SignerName: certificatesv1.KubeAPIServerClientKubeletSignerName,
			Usages:     []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
			Username:   "system:serviceaccount:openshift-machine-config-operator:node-bootstrapper",
			Groups:     []string{"system:serviceaccounts:openshift-machine-config-operator", "system:serviceaccounts", "system:authenticated"},
		},
	}
	if kind == toServe {
		csr.Spec.SignerName = certificatesv1.KubeletServingSignerName
		csr.Spec.Usages[1] = certificatesv1.UsageServerAuth
		csr.Spec.Username, csr.Spec.Groups = "system:node:"+name, []string{"system:nodes", "system:authenticated"}
	}
	return csr
}

// csrName is what a kubelet's request is called since its machine's last start.
func (i *inside) csrName(name, kind string) string {
	return fmt.Sprintf("csr-%s-%s-%d", kind, name, i.guest.up[name].Unix())
}

func (i *inside) approved(name, kind string) bool {
	csr, ok := i.objects[place{"CertificateSigningRequest", types.NamespacedName{Name: i.csrName(name, kind)}}].(*certificatesv1.CertificateSigningRequest)
	return ok && len(csr.Status.Conditions) > 0 && csr.Status.Conditions[0].Type == certificatesv1.CertificateApproved
}

// certified tells whether a kubelet has its certificates.
func (g *guest) certified(name string) bool {
	return !g.expired || !g.slept(name) || g.inside.approved(name, toServe)
}

// slept tells whether a machine has been started since the beginning.
func (g *guest) slept(name string) bool { return g.up[name].After(g.begun) }

// ask has a kubelet ask for what it lacks.
func (i *inside) ask(name string, now time.Time) {
	if !i.guest.expired || !i.guest.boots(name, now) || !i.guest.slept(name) || i.guest.certified(name) {
		return
	}
	kind := asClient
	if i.approved(name, asClient) {
		kind = toServe
	}
	object := i.csrName(name, kind)
	if i.objects[place{"CertificateSigningRequest", types.NamespacedName{Name: object}}] == nil {
		i.install(signingRequest(object, name, kind))
	}
}

// SubResource returns the writer that approves.
func (c *guestClient) SubResource(name string) client.SubResourceClient {
	return &approval{client: c, name: name}
}

type approval struct {
	client.SubResourceClient
	client *guestClient
	name   string
}

// Update approves a request.
func (a *approval) Update(ctx context.Context, obj client.Object, _ ...client.SubResourceUpdateOption) error {
	return a.client.call(ctx, "update."+a.name, kindOf(obj)+" "+obj.GetName(), func(time.Time) error {
		return a.client.guest.inside.Update(ctx, obj)
	})
}

// checkApproved: nothing was approved but what the kubelets of this cluster asked for.
func (i *inside) checkApproved(w *world) {
	for _, csr := range stored[certificatesv1.CertificateSigningRequest](i) {
		if csr.Name == strangersRequest && len(csr.Status.Conditions) > 0 {
			w.violate("approved", "the request of a stranger is approved: %s", csr.Status.Conditions[0].Message)
		}
	}
}

// strangersRequest is for a Node of the cluster, by somebody who is none.
const strangersRequest = "csr-of-a-stranger"

func (i *inside) installStranger() {
	csr := signingRequest(strangersRequest, i.guest.names()[0], asClient)
	csr.Spec.Username = "system:serviceaccount:default:default"
	i.install(csr)
}

// addresses are those that a Machine has.
func addresses(name string) []any {
	return []any{
		map[string]any{"type": string(corev1.NodeInternalIP), "address": addressOf},
		map[string]any{"type": string(corev1.NodeHostName), "address": name},
		map[string]any{"type": string(corev1.NodeInternalDNS), "address": name},
	}
}
