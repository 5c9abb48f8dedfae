package noderepair

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/overwinter/overwinter/pkg/hibernation"
)

const (
	machineNamespace = "openshift-machine-api"
	// notAfterAnnotation is when the certificate in a Secret expires (openshift/library-go, pkg/operator/certrotation).
	notAfterAnnotation = "auth.openshift.io/certificate-not-after"
	// phaseFailed is a Machine's last phase.
	phaseFailed = "Failed"
)

// signers returns the Secrets of the certificates without which kubelets and the control plane do not know each other, by
// namespace: the ones by which kubelets' certificates are signed, and those of the API server and its clients.
func signers() map[string][]string {
	return map[string][]string{
		"openshift-kube-controller-manager-operator": {"csr-signer", "csr-signer-signer"},
		"openshift-kube-apiserver-operator":          {"kube-apiserver-to-kubelet-signer", "kube-control-plane-signer", "aggregator-client-signer"},
	}
}

func machineKind(kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "machine.openshift.io", Version: "v1beta1", Kind: kind}
}

// Observe returns what the cluster says of itself. An error means that it could not be asked for its Nodes. What else
// can't be read is left out: the cluster can be repaired without it.
func Observe(ctx context.Context, c client.Reader) (hibernation.Observation, error) {
	nodes := &corev1.NodeList{}
	if err := c.List(ctx, nodes); err != nil {
		return hibernation.Observation{}, fmt.Errorf("list Nodes: %w", err)
	}
	machines, err := listMachineAPI(ctx, c, "Machine")
	if err != nil {
		machines = nil
	}
	o := observed(nodes.Items, machines)
	for _, namespace := range slices.Sorted(maps.Keys(signers())) {
		o.Signers = append(o.Signers, readSigners(ctx, c, namespace, signers()[namespace])...)
	}
	return o, nil
}

// observed returns what Nodes and Machines are.
func observed(nodes []corev1.Node, machines []unstructured.Unstructured) hibernation.Observation {
	o := hibernation.Observation{}
	for i := range nodes {
		n := observedNode(&nodes[i])
		if n.Ready {
			o.NodesReady++
		}
		o.Nodes = append(o.Nodes, n)
	}
	for i := range machines {
		o.Machines = append(o.Machines, hibernation.ObservedMachine{
			Name:       machines[i].GetName(),
			ProviderID: text(&machines[i], "spec", "providerID"),
			Phase:      text(&machines[i], "status", "phase"),
			NodeName:   text(&machines[i], "status", "nodeRef", "name"),
		})
	}
	slices.SortFunc(o.Nodes, func(a, b hibernation.ObservedNode) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(o.Machines, func(a, b hibernation.ObservedMachine) int { return strings.Compare(a.Name, b.Name) })
	return o
}

func observedNode(node *corev1.Node) hibernation.ObservedNode {
	cidrs := slices.Clone(node.Spec.PodCIDRs)
	if len(cidrs) == 0 && node.Spec.PodCIDR != "" {
		cidrs = []string{node.Spec.PodCIDR}
	}
	return hibernation.ObservedNode{
		Name:          node.Name,
		UID:           string(node.UID),
		ProviderID:    node.Spec.ProviderID,
		Ready:         IsReady(node),
		Unschedulable: node.Spec.Unschedulable,
		Labels:        maps.Clone(node.Labels),
		Annotations:   maps.Clone(node.Annotations),
		Taints:        slices.Clone(node.Spec.Taints),
		PodCIDRs:      cidrs,
		Finalizers:    slices.Clone(node.Finalizers),
	}
}

// IsReady tells whether a Node shows as ready.
func IsReady(node *corev1.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// readSigners reads when signers expire, without reading the Secrets themselves.
func readSigners(ctx context.Context, c client.Reader, namespace string, names []string) []hibernation.Signer {
	secrets := &metav1.PartialObjectMetadataList{}
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	if err := c.List(ctx, secrets, client.InNamespace(namespace)); err != nil {
		return nil
	}
	var out []hibernation.Signer
	for i := range secrets.Items {
		secret := &secrets.Items[i]
		notAfter, err := time.Parse(time.RFC3339, secret.Annotations[notAfterAnnotation])
		if err != nil || !slices.Contains(names, secret.Name) {
			continue
		}
		out = append(out, hibernation.Signer{Name: namespace + "/" + secret.Name, NotAfter: notAfter.UTC()})
	}
	return out
}

// listMachineAPI lists objects of the machine API. A cluster without it has none.
func listMachineAPI(ctx context.Context, c client.Reader, kind string) ([]unstructured.Unstructured, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(machineKind(kind + "List"))
	err := c.List(ctx, list, client.InNamespace(machineNamespace))
	switch {
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("list %ss: %w", kind, err)
	}
	slices.SortFunc(list.Items, func(a, b unstructured.Unstructured) int { return strings.Compare(a.GetName(), b.GetName()) })
	return list.Items, nil
}

// text returns a field, empty if it is missing or no text.
func text(obj *unstructured.Unstructured, path ...string) string {
	value, _, err := unstructured.NestedString(obj.Object, path...)
	if err != nil {
		return ""
	}
	return value
}
