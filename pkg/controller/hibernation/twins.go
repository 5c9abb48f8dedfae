package hibernation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// Twin is another ClusterDeployment of the same infraID that is, or may be, of the same cluster.
type Twin struct {
	// Cluster is the other ClusterDeployment.
	Cluster *hivev1.ClusterDeployment
	// Known tells that it is of the same cluster; otherwise that could not be found out.
	Known bool
	// Holds tells that it has a valid record of the cluster.
	Holds bool
}

// Claim is how a ClusterDeployment stands with the cluster that its infraID names.
type Claim struct {
	// Holds tells that it has a valid record of the cluster. It is found out only where there are twins.
	Holds bool
	Twins []Twin
}

// standing is what follows from a claim.
type standing struct {
	// rivals are of the same cluster, and this one does not come before them.
	rivals []Twin
	// unclear may be of the same cluster, and would come before this one.
	unclear []Twin
	// same are all that are of the same cluster.
	same []Twin
}

// free reports whether the cluster may be acted upon.
func (s standing) free() bool { return len(s.rivals) == 0 && len(s.unclear) == 0 }

// standingOf decides who goes on. Of those that are known to be of one cluster the one that alone holds its record does, and
// else none. Where it is not known, the one that holds the record goes on, and otherwise the older one: both sides come to the
// same answer, so that never both act, and nobody can be held up by a ClusterDeployment that was made after his own.
func standingOf(cd *hivev1.ClusterDeployment, claim Claim) standing {
	var is standing
	for _, twin := range claim.Twins {
		first := claim.Holds && !twin.Holds
		switch {
		case twin.Known:
			is.same = append(is.same, twin)
			if !first {
				is.rivals = append(is.rivals, twin)
			}
		case claim.Holds:
		case twin.Holds || older(twin.Cluster, cd):
			is.unclear = append(is.unclear, twin)
		}
	}
	return is
}

func older(a, b *hivev1.ClusterDeployment) bool {
	if c := a.CreationTimestamp.Time.Compare(b.CreationTimestamp.Time); c != 0 {
		return c < 0
	}
	return a.UID < b.UID
}

// standing finds out who else lays claim to the cluster. An error is one of the hub, or of the cloud that the credentials lead
// to.
func (v *visit) standing(ctx context.Context) (standing, error) {
	contender, ok := v.actuator.(Contender)
	if !ok {
		return standing{}, nil
	}
	others, err := v.namesakes(ctx)
	if err != nil || len(others) == 0 {
		return standing{}, err
	}
	claim, err := contender.Contend(ctx, v.cd, others, v.Client, v.now, v.logger)
	if err != nil {
		return standing{}, err
	}
	return standingOf(v.cd, claim), nil
}

// namesakes returns the other ClusterDeployments that name the infraID, the oldest first. That says nothing yet: anybody may
// name it.
func (v *visit) namesakes(ctx context.Context) ([]*hivev1.ClusterDeployment, error) {
	list := &hivev1.ClusterDeploymentList{}
	err := v.Client.List(ctx, list, client.MatchingFields{InfraIDIndex: v.cd.Spec.ClusterMetadata.InfraID})
	if err != nil {
		return nil, fmt.Errorf("list the ClusterDeployments of one infraID: %w", err)
	}
	var others []*hivev1.ClusterDeployment
	for i := range list.Items {
		if other := &list.Items[i]; other.UID != v.cd.UID {
			others = append(others, other)
		}
	}
	slices.SortFunc(others, func(a, b *hivev1.ClusterDeployment) int {
		if older(a, b) {
			return -1
		}
		return 1
	})
	return others, nil
}

// duplicated refuses a cluster that two ClusterDeployments lay claim to.
func duplicated(ctx context.Context, v *visit) (*Outcome, error) {
	if shows(v.cd, v.desired()) || v.memo.holds(v.cd, v.now) > 0 {
		return nil, nil
	}
	is, err := v.standing(ctx)
	if err != nil {
		outcome := v.failed(ctx, v.failedState(), err)
		return &outcome, nil
	}
	infraID := v.cd.Spec.ClusterMetadata.InfraID
	switch {
	case len(is.rivals) > 0:
		return v.refused(lagging(fmt.Sprintf("the infraID %s is also that of", infraID), named(is.rivals)) +
			"; one cluster may have one ClusterDeployment only, and " + whoActs(is.rivals)), nil
	case len(is.unclear) > 0:
		return v.refused(lagging(fmt.Sprintf("the infraID %s is also that of", infraID), named(is.unclear)) +
			"; whether its credentials lead to the same project is not known, since Keystone does not say; it is asked again"), nil
	}
	return nil, nil
}

func whoActs(rivals []Twin) string {
	if slices.ContainsFunc(rivals, func(t Twin) bool { return t.Holds }) {
		return "a record of the cluster's hibernation is not with this one alone: it is not acted upon"
	}
	return "none of these is acted upon"
}

// named returns twins as namespace/name, sorted.
func named(twins []Twin) []string {
	var names []string
	for _, twin := range twins {
		names = append(names, "ClusterDeployment "+twin.Cluster.Namespace+"/"+twin.Cluster.Name)
	}
	return sorted(names)
}

// keeps reports whether the cluster outlives the ClusterDeployment: it is to be preserved, or belongs to another one too. An
// error means that this is not known, and nothing may be given up.
func (v *visit) keeps(ctx context.Context) (bool, error) {
	if v.cd.Spec.PreserveOnDelete {
		return true, nil
	}
	is, err := v.standing(ctx)
	if err != nil {
		return false, err
	}
	if len(is.same) == 0 && len(is.unclear) > 0 {
		return false, misconfigured("%s has the same infraID, and whether it is of the same cluster is not known, since Keystone does not say: to go on at once set spec.preserveOnDelete, which keeps what is left of the hibernation",
			strings.Join(named(is.unclear), ", "))
	}
	return len(is.same) > 0, nil
}
