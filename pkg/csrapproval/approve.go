package csrapproval

import (
	"context"
	"errors"
	"fmt"
	"time"

	log "github.com/sirupsen/logrus"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// Reason is the reason of the condition that Approve puts on a request.
	Reason = "OverwinterHibernationResume"

	// MaxApproved is how many requests one call of Approve approves at most. A cluster of 25 machines is done in one pass,
	// one of 250 in ten.
	MaxApproved = 50
	// MaxListed is how many requests one call of Approve looks at, at most.
	MaxListed = 2000

	pageSize = 100
)

// ErrNoMachines says that a cluster does not serve Machines: nobody can tell there which Nodes are its own.
var ErrNoMachines = errors.New("the cluster serves no Machines (machine.openshift.io/v1beta1): its CertificateSigningRequests have to be approved by a person")

// Approve approves the requests of a cluster that its Nodes need to become ready, by the rules of Decide, and returns their
// names. It reads the cluster's requests, and only if some of them might be approved its Nodes, their Leases and its
// Machines, each once. Of several requests of one kind for one Node the newest is approved, and the older ones, if they are
// still pending, in later calls, one at a time. At most MaxApproved are approved in one call, client certificates first.
//
// ErrNoMachines comes from a cluster without the Machine API. Any other error is one of reading, with nothing approved, or
// the first of the approvals that failed, which keeps none of the others from being made. A request that is gone or was
// changed meanwhile is no error.
func Approve(ctx context.Context, remote client.Client, logger log.FieldLogger, now time.Time) ([]string, error) {
	sight := &sight{remote: remote, now: now}
	picked, err := sight.pick(ctx)
	if err != nil {
		return nil, err
	}
	sight.report(logger)
	return apply(ctx, remote, logger, now, picked.ordered())
}

func apply(ctx context.Context, remote client.Client, logger log.FieldLogger, now time.Time, ordered []candidate) ([]string, error) {
	var approved []string
	var first error
	failed := 0
	for _, c := range ordered {
		entry := logger.WithFields(log.Fields{"csr": c.csr.Name, "node": c.verdict.Node, "rule": c.verdict.Rule})
		err := approveOne(ctx, remote, c, now)
		switch {
		case err == nil:
			approved = append(approved, c.csr.Name)
			entry.Info("approved a CertificateSigningRequest")
		case apierrors.IsNotFound(err) || apierrors.IsConflict(err):
			entry.Info("a CertificateSigningRequest was changed meanwhile, it is left alone this time")
		default:
			if failed++; failed == 1 {
				first = fmt.Errorf("approve the CertificateSigningRequest %s: %w", c.csr.Name, err)
			}
		}
		if ctx.Err() != nil {
			break
		}
	}
	if failed > 1 {
		first = fmt.Errorf("%w (and %d more of %d failed)", first, failed-1, len(ordered))
	}
	return approved, first
}

// approveOne says in the condition by which rule it was approved. The update holds the version that was judged: a request
// that was made again under the same name conflicts.
func approveOne(ctx context.Context, remote client.Client, c candidate, now time.Time) error {
	csr := c.csr.DeepCopy()
	csr.Status.Conditions = append(csr.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type:               certificatesv1.CertificateApproved,
		Status:             corev1.ConditionTrue,
		Reason:             Reason,
		Message:            "Approved by Overwinter while the cluster resumes from hibernation: " + c.verdict.Why,
		LastUpdateTime:     metav1.NewTime(now),
		LastTransitionTime: metav1.NewTime(now),
	})
	return remote.SubResource("approval").Update(ctx, csr)
}
