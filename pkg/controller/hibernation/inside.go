package hibernation

import (
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/noderepair"
	"github.com/overwinter/overwinter/pkg/remoteclient"
)

// unanswered is why a cluster could not be asked, in words that stay the same while that lasts.
type unanswered struct{ cause error }

func (u *unanswered) Error() string { return remoteWords(u.cause) }

func (u *unanswered) Unwrap() error { return u.cause }

// inside does something inside of a cluster.
func inside(ctx context.Context, factory remoteclient.Factory, cd *hivev1.ClusterDeployment, do func(context.Context, client.Client) error) error {
	remote, err := factory.ClientFor(ctx, cd)
	if err != nil {
		return err
	}
	ctx, done := toRemote(ctx)
	defer done()
	if err := do(ctx, remote); err != nil {
		return &unanswered{cause: err}
	}
	return nil
}

// observe asks a cluster about itself before it is put to sleep. One whose kubeconfig is refused is not: it could not be
// repaired when it wakes, and would then lose Nodes. The owner may want that all the same.
func observe(ctx context.Context, factory remoteclient.Factory, cd *hivev1.ClusterDeployment) (hibernation.Observation, error) {
	var seen hibernation.Observation
	err := inside(ctx, factory, cd, func(ctx context.Context, remote client.Client) (err error) {
		seen, err = noderepair.Observe(ctx, remote)
		return err
	})
	var refusal *remoteclient.Refusal
	if errors.As(err, &refusal) && !skipsRepair(cd) {
		return seen, &hibernation.Refusal{Message: fmt.Sprintf("%s; without it the cluster's Nodes cannot be repaired when it wakes. To hibernate it all the same, set the label %s to true",
			refusal.Message, hivev1.LabelResumeSkipsNodeRepair)}
	}
	return seen, err
}
