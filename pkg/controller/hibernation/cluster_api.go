package hibernation

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/overwinter/overwinter/pkg/noderepair"
	"github.com/overwinter/overwinter/pkg/remoteclient"
)

// What is read from the API of a cluster itself.

// nodes are the Nodes of a cluster and the Leases by which their kubelets show that they live.
type nodes struct {
	items  []corev1.Node
	leases map[string]time.Time
}

// readNodes reads them. There are as many Leases as Nodes.
func readNodes(ctx context.Context, remote client.Reader) (nodes, error) {
	nodeList, leaseList := &corev1.NodeList{}, &coordinationv1.LeaseList{}
	if err := remote.List(ctx, nodeList); err != nil {
		return nodes{}, fmt.Errorf("list Nodes: %w", err)
	}
	if err := remote.List(ctx, leaseList, client.InNamespace(corev1.NamespaceNodeLease)); err != nil {
		return nodes{}, fmt.Errorf("list the Leases of Nodes: %w", err)
	}
	return nodes{items: nodeList.Items, leases: renewTimes(leaseList.Items)}, nil
}

const (
	// maxLeases is how many Leases are looked at: there are more of them than a record has machines. They are remembered while
	// a cluster wakes.
	maxLeases = 1000
	// maxName is how long a name can be in Kubernetes.
	maxName = 253
)

// renewTimes returns when the Leases were last renewed, by their names, which are those of the Nodes.
func renewTimes(list []coordinationv1.Lease) map[string]time.Time {
	leases := map[string]time.Time{}
	for i := range list {
		name, renewed := list[i].Name, list[i].Spec.RenewTime
		if renewed != nil && len(name) <= maxName && len(leases) < maxLeases {
			leases[name] = renewed.Time
		}
	}
	return leases
}

// renewed tells whether a Node's Lease was renewed since first contact. The two times are both the Node's own, so no two
// clocks are compared.
func (n nodes) renewed(name string, atFirst map[string]time.Time) bool {
	now, ok := n.leases[name]
	return ok && now.After(atFirst[name])
}

// readyControlPlane returns how many of the control plane's Nodes are Ready.
func (n nodes) readyControlPlane() int {
	ready := 0
	for i := range n.items {
		if isControlPlane(&n.items[i]) && noderepair.IsReady(&n.items[i]) {
			ready++
		}
	}
	return ready
}

// isControlPlane knows the role's label of OpenShift before and since 4.12.
func isControlPlane(node *corev1.Node) bool {
	_, master := node.Labels["node-role.kubernetes.io/master"]
	_, controlPlane := node.Labels["node-role.kubernetes.io/control-plane"]
	return master || controlPlane
}

// operatorsNotGood returns the ClusterOperators that are not good, each with what is wrong, sorted. A cluster that has
// none at all has not said anything yet.
func operatorsNotGood(ctx context.Context, remote client.Reader) ([]string, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: "config.openshift.io", Version: "v1", Kind: "ClusterOperatorList"})
	if err := remote.List(ctx, list); err != nil {
		return nil, fmt.Errorf("list ClusterOperators: %w", err)
	}
	if len(list.Items) == 0 {
		return []string{"none exists yet"}, nil
	}
	var bad []string
	for i := range list.Items {
		if wrong := operatorFaults(&list.Items[i]); len(wrong) > 0 {
			bad = append(bad, list.Items[i].GetName()+": "+strings.Join(wrong, ", "))
		}
	}
	return sorted(bad), nil
}

// operatorFaults returns in what a ClusterOperator differs from Available=True, Progressing=False, Degraded=False.
func operatorFaults(operator *unstructured.Unstructured) []string {
	wanted := [][2]string{{"Available", "True"}, {"Progressing", "False"}, {"Degraded", "False"}}
	is := map[string]string{}
	conditions, _, _ := unstructured.NestedSlice(operator.Object, "status", "conditions")
	for _, item := range conditions {
		condition, _ := item.(map[string]any)
		kind, _ := condition["type"].(string)
		is[kind], _ = condition["status"].(string)
	}
	var wrong []string
	for _, want := range wanted {
		if status := is[want[0]]; status == "" {
			wrong = append(wrong, want[0]+" not reported")
		} else if status != want[1] {
			wrong = append(wrong, want[0]+"="+status)
		}
	}
	return wrong
}

// remoteMessage says in a condition why the cluster's API could not be asked. The log has the error itself.
func remoteMessage(v *visit, err error) string {
	v.logger.WithError(err).Debug("the cluster's API could not be asked")
	return remoteWords(err)
}

// remoteWords says it. Errors of the network come in many forms that alternate while a cluster boots, so they all read the same.
func remoteWords(err error) string {
	switch why := remoteclient.Explain(err); {
	case why != "":
		return why
	// What the other side wrote is not passed on: it may be anything that the manager can reach.
	case apierrors.IsForbidden(err):
		return "The cluster's API cannot be used: it does not let the user of the admin kubeconfig do what an administrator may"
	case apierrors.IsNotFound(err):
		return "The cluster's API cannot be used: it does not know what a cluster's API knows"
	}
	return "The cluster's API does not answer yet"
}

// sorted returns the strings sorted.
func sorted(texts []string) []string {
	sort.Strings(texts)
	return slices.Clip(texts)
}
