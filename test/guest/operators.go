package guest

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// operatorNames are a few of the ClusterOperators of an OpenShift cluster.
func operatorNames() []string {
	return []string{"authentication", "console", "etcd", "ingress", "kube-apiserver", "storage"}
}

// installOperators makes the ClusterOperators, all in a good state.
func installOperators(ctx context.Context, c client.Client) error {
	for _, name := range operatorNames() {
		if err := c.Create(ctx, newObject(OperatorKind(), "", name)); err != nil {
			return fmt.Errorf("make ClusterOperator %s: %w", name, err)
		}
	}
	return reportOperators(ctx, c, true, time.Now())
}

// reportOperators has each ClusterOperator say whether it is good or still at work.
func reportOperators(ctx context.Context, c client.Client, good bool, now time.Time) error {
	progressing, reason := "False", "AsExpected"
	if !good {
		progressing, reason = "True", "RollingOut"
	}
	condition := func(kind, status, reason string) any {
		return map[string]any{
			"type": kind, "status": status, "reason": reason,
			"lastTransitionTime": now.UTC().Format(time.RFC3339),
		}
	}
	for _, name := range operatorNames() {
		operator := newObject(OperatorKind(), "", name)
		if err := c.Get(ctx, client.ObjectKey{Name: name}, operator); err != nil {
			return fmt.Errorf("get ClusterOperator %s: %w", name, err)
		}
		operator.Object["status"] = map[string]any{"conditions": []any{
			condition("Available", "True", "AsExpected"),
			condition("Progressing", progressing, reason),
			condition("Degraded", "False", "AsExpected"),
		}}
		if err := c.Status().Update(ctx, operator); err != nil {
			return fmt.Errorf("report of ClusterOperator %s: %w", name, err)
		}
	}
	return nil
}
