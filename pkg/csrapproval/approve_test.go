package csrapproval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	log "github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// guest is a cluster's API that pages, and can be told to fail.
type guest struct {
	client.Client
	lists     map[string]int
	updates   int
	listError map[string]error
	updateErr func(name string) error
	// whole: it knows no pages.
	whole bool
}

func newGuest(t *testing.T, csrs ...*csr) *guest {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, coordinationv1.AddToScheme, certificatesv1.AddToScheme} {
		NewWithT(t).Expect(add(scheme)).To(Succeed())
	}
	nodes, leases, machines := cluster()
	var objects []client.Object
	for i := range nodes {
		if nodes[i].DeletionTimestamp != nil {
			nodes[i].Finalizers = []string{"example.com/keep"}
		}
		objects = append(objects, &nodes[i])
	}
	for i := range leases {
		leases[i].Namespace = corev1.NamespaceNodeLease
		objects = append(objects, &leases[i])
	}
	for i := range machines {
		if machines[i].GetDeletionTimestamp() != nil {
			machines[i].SetFinalizers([]string{"example.com/keep"})
		}
		objects = append(objects, &machines[i])
	}
	for _, csr := range csrs {
		objects = append(objects, csr)
	}
	out := &guest{lists: map[string]int{}, listError: map[string]error{}}
	out.Client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&csr{}).
		WithInterceptorFuncs(interceptor.Funcs{List: out.list, SubResourceUpdate: out.update}).Build()
	return out
}

// list pages CertificateSigningRequests, which the fake client doesn't.
func (g *guest) list(ctx context.Context, inner client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
	kind := strings.TrimPrefix(fmt.Sprintf("%T", list), "*")
	g.lists[kind]++
	if err := g.listError[kind]; err != nil {
		return err
	}
	var asked client.ListOptions
	asked.ApplyOptions(options)
	from := 0
	if asked.Continue != "" {
		if _, err := fmt.Sscan(asked.Continue, &from); err != nil {
			return err
		}
	}
	asked.Continue = ""
	if err := inner.List(ctx, list, &asked); err != nil {
		return err
	}
	csrs, ok := list.(*certificatesv1.CertificateSigningRequestList)
	if !ok || asked.Limit == 0 || g.whole {
		return nil
	}
	to := min(from+int(asked.Limit), len(csrs.Items))
	if to < len(csrs.Items) {
		csrs.Continue = fmt.Sprint(to)
	}
	csrs.Items = csrs.Items[from:to]
	return nil
}

func (g *guest) update(ctx context.Context, inner client.Client, sub string, object client.Object, options ...client.SubResourceUpdateOption) error {
	g.updates++
	if sub != "approval" {
		return fmt.Errorf("%s is updated", sub)
	}
	if g.updateErr != nil {
		if err := g.updateErr(object.GetName()); err != nil {
			return err
		}
	}
	return inner.SubResource(sub).Update(ctx, object, options...)
}

// approvedIn returns what is approved in the cluster, whoever did it.
func (g *guest) approvedIn(t *testing.T) []string {
	t.Helper()
	var list certificatesv1.CertificateSigningRequestList
	NewWithT(t).Expect(g.Client.List(t.Context(), &list)).To(Succeed())
	var out []string
	for _, item := range list.Items {
		for _, condition := range item.Status.Conditions {
			if condition.Type == certificatesv1.CertificateApproved {
				out = append(out, item.Name)
			}
		}
	}
	return out
}

func quiet() log.FieldLogger {
	logger, _ := test.NewNullLogger()
	return logger
}

func aged(c *csr, age time.Duration) *csr {
	c.CreationTimestamp = metav1.NewTime(noon().Add(-age))
	return c
}

func TestApprove(t *testing.T) {
	g := NewWithT(t)
	foreign := changed(clientCSR(t, "foreign", clientAsk("worker-0")), func(c *csr) { c.Spec.Username = "mallory" })
	denied := changed(clientCSR(t, "denied", clientAsk("worker-1")), func(c *csr) {
		c.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateDenied, Status: "True"}}
	})
	remote := newGuest(t, clientCSR(t, "client", clientAsk("worker-0")), servingCSR(t, "serving", "worker-1", servingAsk("worker-1", "10.0.0.11")), foreign, denied)
	logger, hook := test.NewNullLogger()

	approved, err := Approve(t.Context(), remote, logger, noon())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(approved).To(Equal([]string{"client", "serving"}))
	g.Expect(remote.lists).To(Equal(map[string]int{
		"v1.CertificateSigningRequestList": 1, "v1.NodeList": 1, "v1.LeaseList": 1, "unstructured.UnstructuredList": 1,
	}))
	g.Expect(remote.approvedIn(t)).To(ConsistOf("client", "serving"))

	var got csr
	g.Expect(remote.Get(t.Context(), client.ObjectKey{Name: "client"}, &got)).To(Succeed())
	g.Expect(got.Status.Conditions).To(HaveLen(1))
	condition := got.Status.Conditions[0]
	g.Expect(condition.Type).To(Equal(certificatesv1.CertificateApproved))
	g.Expect(condition.Status).To(Equal(corev1.ConditionTrue))
	g.Expect(condition.Reason).To(Equal("OverwinterHibernationResume"))
	g.Expect(condition.Message).To(ContainSubstring("a client certificate for a Node that exists"))
	g.Expect(condition.LastUpdateTime.Time).To(BeTemporally("==", noon()))

	lines := 0
	for _, entry := range hook.AllEntries() {
		if entry.Message == "left CertificateSigningRequests alone" {
			lines++
			g.Expect(entry.Data).To(And(HaveKeyWithValue("rule", RuleRequestor), HaveKeyWithValue("example", `"foreign"`), HaveKeyWithValue("count", 1)))
		}
	}
	g.Expect(lines).To(Equal(1))

	// Once more: nothing is left to do.
	approved, err = Approve(t.Context(), remote, quiet(), noon().Add(30*time.Second))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(approved).To(BeEmpty())
	g.Expect(remote.updates).To(Equal(2))
}

// Without a request that might be approved, nothing but the requests is read.
func TestApproveReadsNoMoreThanItNeeds(t *testing.T) {
	g := NewWithT(t)
	remote := newGuest(t, changed(clientCSR(t, "x", clientAsk("worker-0")), func(c *csr) { c.Spec.SignerName = "example.com/x" }))
	approved, err := Approve(t.Context(), remote, quiet(), noon())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(approved).To(BeEmpty())
	g.Expect(remote.lists).To(Equal(map[string]int{"v1.CertificateSigningRequestList": 1}))
}

// Of duplicates the newest is approved; the older ones one by one, in later passes.
func TestApproveDuplicates(t *testing.T) {
	g := NewWithT(t)
	remote := newGuest(t,
		aged(clientCSR(t, "old", clientAsk("worker-0")), time.Hour),
		aged(clientCSR(t, "new", clientAsk("worker-0")), time.Minute),
		aged(clientCSR(t, "middle", clientAsk("worker-0")), 30*time.Minute),
		aged(servingCSR(t, "serving-a", "worker-0", servingAsk("worker-0", "10.0.0.10")), time.Minute),
		aged(servingCSR(t, "serving-b", "worker-0", servingAsk("worker-0", "10.0.0.10")), time.Minute),
		// Newer, and worth nothing: it hides no other.
		aged(servingCSR(t, "serving-z", "worker-0", servingAsk("worker-0", "10.0.0.11")), time.Second),
	)
	for _, expected := range [][]string{{"new", "serving-b"}, {"middle", "serving-a"}, {"old"}, nil} {
		approved, err := Approve(t.Context(), remote, quiet(), noon())
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(approved).To(Equal(expected))
	}
}

// A thousand requests for two Nodes, and one honest one among them that nobody can hide.
func TestApproveAThousand(t *testing.T) {
	g := NewWithT(t)
	var csrs []*csr
	for i := range 1000 {
		csr := clientCSR(t, fmt.Sprintf("csr-%04d", i), clientAsk("worker-0"))
		csrs = append(csrs, aged(csr, time.Duration(2000-i)*time.Second))
	}
	csrs = append(csrs, servingCSR(t, "zzz", "worker-1", servingAsk("worker-1", "10.0.0.11")))
	remote := newGuest(t, csrs...)
	approved, err := Approve(t.Context(), remote, quiet(), noon())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(approved).To(Equal([]string{"csr-0999", "zzz"}))
	g.Expect(remote.updates).To(Equal(2))
	g.Expect(remote.lists["v1.CertificateSigningRequestList"]).To(Equal(11), "they are read page by page")
}

// Many Nodes at once: a bounded number in each pass, client certificates first, and all of them in the end.
func TestApproveManyNodes(t *testing.T) {
	g := NewWithT(t)
	var csrs []*csr
	const count = MaxApproved + 7
	for i := range count {
		name := fmt.Sprintf("many-%d", i)
		csrs = append(csrs, servingCSR(t, fmt.Sprintf("a-serving-%d", i), name, servingAsk(name, "10.1.0.1")), clientCSR(t, fmt.Sprintf("b-client-%d", i), clientAsk(name)))
	}
	remote := newGuest(t, csrs...)
	for i := range count {
		name := fmt.Sprintf("many-%d", i)
		node := testNode(name)
		machine := testMachine("m-"+name, name, usual(name, "10.1.0.1")...)
		g.Expect(remote.Create(t.Context(), &node)).To(Succeed())
		g.Expect(remote.Create(t.Context(), &machine)).To(Succeed())
	}
	var all []string
	for _, expected := range []int{MaxApproved, MaxApproved, 14} {
		approved, err := Approve(t.Context(), remote, quiet(), noon())
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(approved).To(HaveLen(expected))
		all = append(all, approved...)
	}
	isServing := func(name string) bool { return strings.HasPrefix(name, "a-serving-") }
	g.Expect(slices.IndexFunc(all, isServing)).To(Equal(count), "client certificates come first")
	g.Expect(remote.approvedIn(t)).To(ConsistOf(all))
}

// No more requests are looked at than the bound says.
func TestApproveLooksAtNoMore(t *testing.T) {
	g := NewWithT(t)
	var csrs []*csr
	content := clientCSR(t, "x", clientAsk("worker-0"))
	for i := range MaxListed + 1 {
		csr := content.DeepCopy()
		csr.Name = fmt.Sprintf("csr-%05d", i)
		csr.Spec.Username = "mallory"
		csrs = append(csrs, csr)
	}
	csrs = append(csrs, changed(content.DeepCopy(), func(c *csr) { c.Name = "zzz" }))
	remote := newGuest(t, csrs...)
	logger, hook := test.NewNullLogger()
	approved, err := Approve(t.Context(), remote, logger, noon())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(approved).To(BeEmpty())
	g.Expect(remote.lists["v1.CertificateSigningRequestList"]).To(Equal(MaxListed / pageSize))
	g.Expect(hook.LastEntry().Level).To(Equal(log.WarnLevel))
	g.Expect(hook.AllEntries()).To(HaveLen(2), "one line for each rule, and not for each request")

	remote.whole = true
	approved, err = Approve(t.Context(), remote, quiet(), noon())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(approved).To(BeEmpty())
	remote.whole = false

	g.Expect(remote.Delete(t.Context(), csrs[0])).To(Succeed())
	g.Expect(remote.Delete(t.Context(), csrs[1])).To(Succeed())
	approved, err = Approve(t.Context(), remote, quiet(), noon())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(approved).To(Equal([]string{"zzz"}), "exactly as many are looked at")
}

// One approval that fails keeps no other from being made.
func TestApproveErrors(t *testing.T) {
	resource := schema.GroupResource{Group: "certificates.k8s.io", Resource: "certificatesigningrequests"}
	boom := errors.New("boom")
	for name, tt := range map[string]struct {
		fail    map[string]error
		message string
	}{
		"gone":         {map[string]error{"a": apierrors.NewNotFound(resource, "a")}, ""},
		"changed":      {map[string]error{"a": apierrors.NewConflict(resource, "a", boom)}, ""},
		"failed":       {map[string]error{"a": boom}, "approve the CertificateSigningRequest a: boom"},
		"failed twice": {map[string]error{"a": boom, "b": errors.New("other")}, "approve the CertificateSigningRequest a: boom (and 1 more of 3 failed)"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			remote := newGuest(t, clientCSR(t, "a", clientAsk("worker-0")), clientCSR(t, "b", clientAsk("worker-1")),
				servingCSR(t, "c", "worker-1", servingAsk("worker-1", "10.0.0.11")))
			remote.updateErr = func(name string) error { return tt.fail[name] }
			approved, err := Approve(t.Context(), remote, quiet(), noon())
			g.Expect(remote.updates).To(Equal(3))
			g.Expect(approved).To(HaveLen(3 - len(tt.fail)))
			g.Expect(approved).To(ConsistOf(remote.approvedIn(t)))
			if tt.message == "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(err).To(MatchError(boom))
			g.Expect(err).To(MatchError(tt.message))
		})
	}
}

// What was judged is what is approved: a request that was made again meanwhile is not.
func TestApproveChangedMeanwhile(t *testing.T) {
	g := NewWithT(t)
	remote := newGuest(t, clientCSR(t, "a", clientAsk("worker-0")))
	remote.updateErr = func(name string) error {
		var current csr
		if err := remote.Get(t.Context(), client.ObjectKey{Name: name}, &current); err != nil {
			return err
		}
		if err := remote.Delete(t.Context(), &current); err != nil {
			return err
		}
		return remote.Create(t.Context(), clientCSR(t, name, clientAsk("unknown")))
	}
	approved, err := Approve(t.Context(), remote, quiet(), noon())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(approved).To(BeEmpty())
	g.Expect(remote.approvedIn(t)).To(BeEmpty())
}

func TestApproveCannotRead(t *testing.T) {
	machines := schema.GroupKind{Group: "machine.openshift.io", Kind: "Machine"}
	boom := errors.New("boom")
	for name, tt := range map[string]struct {
		list string
		err  error
		is   error
	}{
		"no kind of Machines":   {"unstructured.UnstructuredList", &meta.NoKindMatchError{GroupKind: machines}, ErrNoMachines},
		"no path for Machines":  {"unstructured.UnstructuredList", apierrors.NewNotFound(schema.GroupResource{}, ""), ErrNoMachines},
		"Machines fail":         {"unstructured.UnstructuredList", boom, boom},
		"Nodes fail":            {"v1.NodeList", boom, boom},
		"Leases fail":           {"v1.LeaseList", boom, boom},
		"the requests fail":     {"v1.CertificateSigningRequestList", boom, boom},
		"the requests time out": {"v1.CertificateSigningRequestList", context.DeadlineExceeded, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			remote := newGuest(t, clientCSR(t, "a", clientAsk("worker-0")))
			remote.listError[tt.list] = tt.err
			approved, err := Approve(t.Context(), remote, quiet(), noon())
			g.Expect(err).To(MatchError(tt.is))
			g.Expect(approved).To(BeEmpty())
			g.Expect(remote.updates).To(BeZero())
		})
	}
}

// Machines of other namespaces, which others may be allowed to write, vouch for nobody.
func TestApproveForeignMachines(t *testing.T) {
	g := NewWithT(t)
	remote := newGuest(t, clientCSR(t, "a", clientAsk("orphan")), clientCSR(t, "b", clientAsk("worker-0")))
	foreign := testMachine("m-orphan", "orphan", usual("orphan", "10.0.0.30")...)
	foreign.SetNamespace("default")
	g.Expect(remote.Create(t.Context(), &foreign)).To(Succeed())
	approved, err := Approve(t.Context(), remote, quiet(), noon())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(approved).To(Equal([]string{"b"}))
}

// When the time of a visit is over, it stops: with what was read, or what was approved until then.
func TestApproveTimeIsOver(t *testing.T) {
	g := NewWithT(t)
	ctx, cancel := context.WithCancel(t.Context())
	remote := newGuest(t, clientCSR(t, "a", clientAsk("worker-0")), clientCSR(t, "b", clientAsk("worker-1")))
	remote.updateErr = func(string) error { cancel(); return nil }
	approved, err := Approve(ctx, remote, quiet(), noon())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(approved).To(Equal([]string{"a"}))
	g.Expect(remote.updates).To(Equal(1))

	approved, err = Approve(ctx, remote, quiet(), noon())
	g.Expect(err).To(MatchError(context.Canceled))
	g.Expect(approved).To(BeEmpty())
	g.Expect(remote.updates).To(Equal(1))
}
