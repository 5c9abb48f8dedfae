package csrapproval

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	log "github.com/sirupsen/logrus"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const machineNamespace = "openshift-machine-api"

// sight is what one call of Approve sees of a cluster.
type sight struct {
	remote client.Client
	now    time.Time

	// world is nil until a request is found that has to be judged against it.
	world *World
	// left counts what is left alone, with one example for each rule.
	left map[Rule]leftAlone
	// unseen says that there are more requests than are looked at.
	unseen bool
}

type leftAlone struct {
	count        int
	example, why string
}

type candidate struct {
	csr     *certificatesv1.CertificateSigningRequest
	verdict Verdict
}

type purpose struct {
	rule Rule
	node string
}

// picked holds the newest request of each kind for each Node: however many there are, it grows with the Nodes alone.
type picked map[purpose]candidate

func (s *sight) pick(ctx context.Context) (picked, error) {
	s.left = map[Rule]leftAlone{}
	found := picked{}
	var page certificatesv1.CertificateSigningRequestList
	for seen := 0; ; {
		options := []client.ListOption{client.Limit(pageSize), client.Continue(page.Continue)}
		page = certificatesv1.CertificateSigningRequestList{}
		if err := s.remote.List(ctx, &page, options...); err != nil {
			return nil, fmt.Errorf("list the cluster's CertificateSigningRequests: %w", err)
		}
		fits := min(len(page.Items), MaxListed-seen)
		for i := range page.Items[:fits] {
			if err := s.take(ctx, &page.Items[i], found); err != nil {
				return nil, err
			}
		}
		seen += fits
		if fits < len(page.Items) || (page.Continue != "" && seen >= MaxListed) {
			s.unseen = true
			return found, nil
		}
		if page.Continue == "" {
			return found, nil
		}
	}
}

// take judges one request and keeps it if it is the newest of its purpose.
func (s *sight) take(ctx context.Context, csr *certificatesv1.CertificateSigningRequest, found picked) error {
	if err := screen(csr); err != nil {
		s.leave(csr, refused(err))
		return nil
	}
	if s.world == nil {
		world, err := look(ctx, s.remote, s.now)
		if err != nil {
			return err
		}
		s.world = &world
	}
	if ctx.Err() != nil {
		return fmt.Errorf("judge the cluster's CertificateSigningRequests: %w", ctx.Err())
	}
	verdict := Decide(csr, *s.world)
	if !verdict.Approve {
		s.leave(csr, verdict)
		return nil
	}
	key := purpose{rule: verdict.Rule, node: verdict.Node}
	if other, ok := found[key]; !ok || newer(csr, other.csr) {
		found[key] = candidate{csr: csr.DeepCopy(), verdict: verdict}
	}
	return nil
}

// newer goes by the second; of two that are of the same one, the name decides, so that it is always the same.
func newer(a, b *certificatesv1.CertificateSigningRequest) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return b.CreationTimestamp.Before(&a.CreationTimestamp)
	}
	return a.Name > b.Name
}

// ordered returns what to approve, no more than may be at once: client certificates first, since a Node needs one before it
// can ask for a serving certificate, and the oldest first, so that nobody is overtaken for ever.
func (p picked) ordered() []candidate {
	out := make([]candidate, 0, len(p))
	for _, c := range p {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b candidate) int {
		return cmp.Or(
			cmp.Compare(orderOf(a), orderOf(b)),
			a.csr.CreationTimestamp.Compare(b.csr.CreationTimestamp.Time),
			cmp.Compare(a.csr.Name, b.csr.Name),
		)
	})
	return out[:min(len(out), MaxApproved)]
}

func orderOf(c candidate) int {
	if c.verdict.Rule == RuleClient {
		return 0
	}
	return 1
}

func (s *sight) leave(csr *certificatesv1.CertificateSigningRequest, verdict Verdict) {
	entry := s.left[verdict.Rule]
	if entry.count == 0 {
		entry.example, entry.why = csr.Name, verdict.Why
	}
	entry.count++
	s.left[verdict.Rule] = entry
}

// report says what was left alone and why, in one line for each rule. What is settled, or somebody else's, is not worth one.
func (s *sight) report(logger log.FieldLogger) {
	for _, rule := range slices.Sorted(maps.Keys(s.left)) {
		if rule == RuleSettled || rule == RuleSigner {
			continue
		}
		entry := s.left[rule]
		logger.WithFields(log.Fields{"rule": rule, "count": entry.count, "example": fmt.Sprintf("%.80q", entry.example), "why": entry.why}).
			Info("left CertificateSigningRequests alone")
	}
	if s.unseen {
		logger.WithField("limit", MaxListed).Warn("the cluster has more CertificateSigningRequests than are looked at")
	}
}

// look reads what requests are judged against.
func look(ctx context.Context, remote client.Client, now time.Time) (World, error) {
	machines := unstructured.UnstructuredList{}
	machines.SetGroupVersionKind(schema.GroupVersionKind{Group: "machine.openshift.io", Version: "v1beta1", Kind: "MachineList"})
	err := remote.List(ctx, &machines, client.InNamespace(machineNamespace))
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return World{}, ErrNoMachines
	}
	if err != nil {
		return World{}, fmt.Errorf("list the cluster's Machines: %w", err)
	}
	nodes := corev1.NodeList{}
	if err := remote.List(ctx, &nodes); err != nil {
		return World{}, fmt.Errorf("list the cluster's Nodes: %w", err)
	}
	leases := coordinationv1.LeaseList{}
	if err := remote.List(ctx, &leases, client.InNamespace(corev1.NamespaceNodeLease)); err != nil {
		return World{}, fmt.Errorf("list the Leases of the cluster's Nodes: %w", err)
	}
	return NewWorld(nodes.Items, leases.Items, machines.Items, now), nil
}
