package remoteclient

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// insecure is for the certificate of a test server.
const insecure = ", insecure-skip-tls-verify: true"

const token = "sha256~not-for-anyone"

func clusterDeployment() *hivev1.ClusterDeployment {
	return &hivev1.ClusterDeployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "cluster"},
		Spec: hivev1.ClusterDeploymentSpec{ClusterMetadata: &hivev1.ClusterMetadata{
			AdminKubeconfigSecretRef: corev1.LocalObjectReference{Name: "admin"},
		}},
	}
}

func kubeconfigSecret(kubeconfig string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "admin", UID: "uid"},
		Data:       map[string][]byte{"kubeconfig": []byte(kubeconfig)},
	}
}

func kubeconfig(server, user, cluster string) string {
	return `apiVersion: v1
kind: Config
current-context: admin
contexts: [{name: admin, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "` + server + `"` + cluster + `}}]
users: [{name: u, user: {token: "` + token + `"` + user + `}}]
`
}

// TestRefusedKubeconfigs: what would run a command or read a file here, and what is none.
func TestRefusedKubeconfigs(t *testing.T) {
	const server = "https://api.example.com:6443"
	const otherUser = "- {name: other, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sh}}}\n"
	tests := map[string]struct{ content, says string }{
		"exec":              {kubeconfig(server, ", exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, interactiveMode: Never}", ""), "a command (exec)"},
		"exec of another":   {strings.Replace(kubeconfig(server, "", ""), "users: [{name: u, user: {token: \""+token+"\"}}]", "users:\n- {name: u, user: {token: t}}\n"+otherUser, 1), "a command (exec)"},
		"auth-provider":     {kubeconfig(server, ", auth-provider: {name: oidc}", ""), "an auth-provider"},
		"certificate file":  {kubeconfig(server, ", client-certificate: /etc/passwd", ""), "a client-certificate file"},
		"key file":          {kubeconfig(server, ", client-key: /etc/passwd", ""), "a client-key file"},
		"token file":        {kubeconfig(server, ", tokenFile: /var/run/secrets/token", ""), "a token file"},
		"CA file":           {kubeconfig(server, "", ", certificate-authority: ca.crt"), "a certificate-authority file"},
		"not YAML":          {"\t" + token, "not a kubeconfig"},
		"something else":    {"apiVersion: v1\nkind: Secret\ndata: {token: " + token + "}", "kubeconfig"},
		"no context":        {strings.Replace(kubeconfig(server, "", ""), "current-context: admin", "current-context: none", 1), "current-context"},
		"empty":             {"", "no such key"},
		"proxy of a kind":   {kubeconfig(server, "", `, proxy-url: "file:///etc/passwd"`), "proxy-url begins with http"},
		"groups, no user":   {kubeconfig(server, ", as-groups: [system:masters]", ""), "not a complete kubeconfig"},
		"broken CA content": {kubeconfig(server, "", `, certificate-authority-data: "bm90IFBFTQ=="`), "not usable"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			secrets := fake.NewClientBuilder().WithObjects(kubeconfigSecret(tt.content)).Build()
			_, err := New(secrets, "test").ClientFor(t.Context(), clusterDeployment())
			var refusal *Refusal
			g.Expect(err).To(BeAssignableToTypeOf(refusal))
			g.Expect(err).To(MatchError(And(ContainSubstring(tt.says), ContainSubstring("ns/admin"))))
			g.Expect(err.Error()).NotTo(ContainSubstring(token))
		})
	}
}

// TestAcceptedKubeconfigs: what only says how the cluster is to be spoken to is its owner's business.
func TestAcceptedKubeconfigs(t *testing.T) {
	server, asked := cluster(t)
	for name, content := range map[string]string{
		"no verification":     kubeconfig(server.URL, "", insecure),
		"impersonation":       kubeconfig(server.URL, ", as: someone, as-groups: [some]", insecure),
		"a name for TLS":      kubeconfig(server.URL, "", insecure+", tls-server-name: api.example.com"),
		"another unused user": strings.Replace(kubeconfig(server.URL, "", insecure), "users: [", "users: [{name: other, user: {token: t}}, ", 1),
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			c, err := New(fake.NewClientBuilder().WithObjects(kubeconfigSecret(content)).Build(), "test").ClientFor(t.Context(), clusterDeployment())
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(c.List(t.Context(), &corev1.NodeList{})).To(Succeed())
			impersonates := (*asked)[len(*asked)-1].Header.Get("Impersonate-User")
			g.Expect(impersonates == "someone").To(Equal(name == "impersonation"))
		})
	}
}

func TestNoKubeconfig(t *testing.T) {
	g := NewWithT(t)
	clients := New(fake.NewClientBuilder().Build(), "test")
	_, err := clients.ClientFor(t.Context(), clusterDeployment())
	g.Expect(err).To(MatchError(And(ContainSubstring("ns/admin"), ContainSubstring("does not exist"))))

	nameless := clusterDeployment()
	nameless.Spec.ClusterMetadata.AdminKubeconfigSecretRef.Name = ""
	_, err = clients.ClientFor(t.Context(), nameless)
	g.Expect(err).To(MatchError(ContainSubstring("adminKubeconfigSecretRef")))
}

// cluster is an API that answers with an object of each kind and keeps what it was asked.
func cluster(t *testing.T) (*httptest.Server, *[]*http.Request) {
	var asked []*http.Request
	answers := map[string]client.ObjectList{
		"/api/v1/nodes": &corev1.NodeList{Items: []corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "n"}}}},
		"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases": &coordinationv1.LeaseList{Items: []coordinationv1.Lease{{ObjectMeta: metav1.ObjectMeta{Name: "n"}}}},
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r)
		w.Header().Set("Content-Type", "application/json")
		if list, ok := answers[r.URL.Path]; ok {
			_ = json.NewEncoder(w).Encode(list)
			return
		}
		if r.URL.Path == "/apis/config.openshift.io/v1/clusteroperators" {
			_, _ = w.Write([]byte(`{"apiVersion":"config.openshift.io/v1","kind":"ClusterOperatorList","items":[{"apiVersion":"config.openshift.io/v1","kind":"ClusterOperator","metadata":{"name":"etcd"}}]}`))
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(server.Close)
	return server, &asked
}

// TestClient: the three things that are read, without asking the cluster which APIs it serves.
func TestClient(t *testing.T) {
	g := NewWithT(t)
	server, asked := cluster(t)
	secrets := fake.NewClientBuilder().WithObjects(kubeconfigSecret(kubeconfig(server.URL, "", insecure))).Build()
	c, err := New(secrets, "overwinter/test").ClientFor(t.Context(), clusterDeployment())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(*asked).To(BeEmpty())

	nodes, leases, operators := &corev1.NodeList{}, &coordinationv1.LeaseList{}, &unstructured.UnstructuredList{}
	operators.SetGroupVersionKind(schema.GroupVersionKind{Group: "config.openshift.io", Version: "v1", Kind: "ClusterOperatorList"})
	g.Expect(c.List(t.Context(), nodes)).To(Succeed())
	g.Expect(c.List(t.Context(), leases, client.InNamespace("kube-node-lease"))).To(Succeed())
	g.Expect(c.List(t.Context(), operators)).To(Succeed())
	g.Expect(nodes.Items).To(HaveLen(1))
	g.Expect(leases.Items).To(HaveLen(1))
	g.Expect(operators.Items[0].GetName()).To(Equal("etcd"))
	g.Expect(*asked).To(HaveLen(3))
	g.Expect((*asked)[0].Header.Get("Authorization")).To(Equal("Bearer " + token))
	g.Expect((*asked)[0].UserAgent()).To(Equal("overwinter/test"))
}

func TestOverrides(t *testing.T) {
	g := NewWithT(t)
	server, asked := cluster(t)
	host, port, err := net.SplitHostPort(strings.TrimPrefix(server.URL, "https://"))
	g.Expect(err).NotTo(HaveOccurred())
	secrets := fake.NewClientBuilder().WithObjects(kubeconfigSecret(kubeconfig("https://example.com:"+port, "", trusting(server)))).Build()
	clients := New(secrets, "test")

	cd := clusterDeployment()
	cd.Spec.ControlPlaneConfig = &hivev1.ControlPlaneConfigSpec{APIURLOverride: server.URL}
	c, err := clients.ClientFor(t.Context(), cd)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.List(t.Context(), &corev1.NodeList{})).To(Succeed())

	cd.Spec.ControlPlaneConfig = &hivev1.ControlPlaneConfigSpec{APIServerIPOverride: host}
	c, err = clients.ClientFor(t.Context(), cd)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.List(t.Context(), &corev1.NodeList{})).To(Succeed())
	g.Expect((*asked)[1].Host).To(Equal("example.com:" + port))
}

// TestKept: a client serves until its Secret, or where it leads, changes.
func TestKept(t *testing.T) {
	g := NewWithT(t)
	secret := kubeconfigSecret(kubeconfig("https://api.example.com:6443", "", trustingAnother(t)))
	secrets := fake.NewClientBuilder().WithObjects(secret).Build()
	clients := New(secrets, "test")
	get := func(cd *hivev1.ClusterDeployment) client.Client {
		c, err := clients.ClientFor(t.Context(), cd)
		g.Expect(err).NotTo(HaveOccurred())
		return c
	}
	first := get(clusterDeployment())
	g.Expect(get(clusterDeployment())).To(BeIdenticalTo(first))

	g.Expect(secrets.Get(t.Context(), client.ObjectKeyFromObject(secret), secret)).To(Succeed())
	secret.Labels = map[string]string{"a": "b"}
	g.Expect(secrets.Update(t.Context(), secret)).To(Succeed())
	second := get(clusterDeployment())
	g.Expect(second).NotTo(BeIdenticalTo(first))

	elsewhere := clusterDeployment()
	elsewhere.Spec.ControlPlaneConfig = &hivev1.ControlPlaneConfigSpec{APIURLOverride: "https://other.example.com"}
	third := get(elsewhere)
	g.Expect(third).NotTo(BeIdenticalTo(second))

	clients.Forget(types.NamespacedName{Namespace: "ns", Name: "cluster"})
	g.Expect(get(elsewhere)).NotTo(BeIdenticalTo(third))
}

// TestSecretThatCannotBeRead is not a refusal: it may be read the next time.
func TestSecretThatCannotBeRead(t *testing.T) {
	g := NewWithT(t)
	secrets := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return context.DeadlineExceeded
		},
	}).Build()
	_, err := New(secrets, "test").ClientFor(t.Context(), clusterDeployment())
	g.Expect(err).To(MatchError(context.DeadlineExceeded))
}
