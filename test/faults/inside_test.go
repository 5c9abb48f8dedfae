package faults

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What there is inside a cluster, and the controllers that live there. They act by the rules that OpenShift's do, at moments
// that follow from the servers' and the API's times alone; whoever looks has them catch up first.

const (
	machineAPI = "openshift-machine-api"
	drivers    = "openshift-cluster-csi-drivers"
	// leads is from the API's being back to its controllers' leading: the leases of those that ran before have to pass.
	leads = 137 * time.Second
	// staleReady is for how long the API shows what Nodes were before the sleep.
	staleReady = time.Minute
	// collectedAfter is how long a Node may be missing before its pods are collected.
	collectedAfter = 40 * time.Second
	restarts       = 5 * time.Second
	ticks          = 5 * time.Second
)

// inside is the content of a cluster's API.
type inside struct {
	*shelf
	guest *guest
	made  int
	// first are the Nodes and Machines as they were installed, by name.
	first map[string]client.Object
	// serving is since when the API answers; zero while it does not.
	serving time.Time
	// caughtUp is until when the controllers have acted.
	caughtUp time.Time
	// missing is since when a Node is.
	missing map[string]time.Time
}

func providerID(serverID string) string { return "openstack:///" + serverID }

func newInside(g *guest) *inside {
	i := &inside{shelf: newShelf(), guest: g, first: map[string]client.Object{}, caughtUp: time.Now(), missing: map[string]time.Time{}}
	i.serving = time.Now().Add(-time.Hour)
	for n, name := range g.names() {
		i.join(n, name)
	}
	i.installStranger()
	i.installCheck("workers", nil)
	i.installCheck("held-by-its-owner", map[string]string{pausedAnnotation: "true"})
	return i
}

// join adds a machine, with its Node and its CSI driver.
func (i *inside) join(n int, name string) {
	i.installNode(n, name)
	i.installMachine(name)
	i.register(name)
}

// install writes an object as the API does, with a UID.
func (i *inside) install(obj client.Object) {
	i.made++
	obj.SetUID(types.UID(fmt.Sprintf("%s-%d", i.guest.infraID, i.made)))
	must(i.Create(nil, obj)) //nolint:staticcheck // a shelf waits for nothing
}

func (i *inside) installNode(n int, name string) {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{"owner/zone": fmt.Sprint(n)}, Annotations: map[string]string{"owner/only-here": name},
	}}
	role := "worker"
	if i.guest.controlPlane(name) {
		role = "master"
		node.Spec.Taints = []corev1.Taint{{Key: "node-role.kubernetes.io/master", Effect: corev1.TaintEffectNoSchedule}}
	}
	node.Labels["node-role.kubernetes.io/"+role] = ""
	node.Spec.ProviderID = providerID(i.guest.server[name])
	node.Spec.PodCIDR = fmt.Sprintf("10.128.%d.0/24", n)
	node.Spec.PodCIDRs = []string{node.Spec.PodCIDR}
	node.Spec.Unschedulable = n == 1
	if i.guest.bulk > 0 {
		node.Annotations["owner/bulk"] = strings.Repeat("x", i.guest.bulk)
	}
	i.install(node)
	i.first["Node "+name] = node.DeepCopy()
}

func machineObject(kind, name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "machine.openshift.io/v1beta1", "kind": kind, "metadata": map[string]any{"name": name, "namespace": machineAPI},
	}}
}

func (i *inside) installMachine(name string) {
	m := machineObject("Machine", name)
	m.Object["spec"] = map[string]any{"providerID": providerID(i.guest.server[name])}
	m.Object["status"] = map[string]any{"phase": "Running", "nodeRef": map[string]any{"kind": "Node", "name": name}, "addresses": addresses(name)}
	i.install(m)
	i.first["Machine "+name] = m.DeepCopy()
}

const pausedAnnotation = "cluster.x-k8s.io/paused"

func (i *inside) installCheck(name string, annotations map[string]string) {
	check := machineObject("MachineHealthCheck", name)
	check.SetAnnotations(annotations)
	i.install(check)
	i.first["MachineHealthCheck "+name] = check.DeepCopy()
}

// register starts the CSI driver on a Node.
func (i *inside) register(name string) {
	i.install(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: drivers, Name: fmt.Sprintf("node-%s-%d", name, i.made), Labels: map[string]string{"app": "openstack-cinder-csi-driver-node"}},
		Spec:       corev1.PodSpec{NodeName: name},
	})
	if node := i.node(name); node != nil && i.csiNode(name) == nil {
		i.install(&storagev1.CSINode{
			ObjectMeta: metav1.ObjectMeta{Name: name, OwnerReferences: []metav1.OwnerReference{{Kind: "Node", Name: name, UID: node.UID}}},
			Spec:       storagev1.CSINodeSpec{Drivers: []storagev1.CSINodeDriver{{Name: "cinder.csi.openstack.org", NodeID: i.guest.server[name]}}},
		})
	}
}

func (i *inside) node(name string) *corev1.Node {
	obj, _ := i.objects[place{"Node", types.NamespacedName{Name: name}}].(*corev1.Node)
	return obj
}

func (i *inside) csiNode(name string) *storagev1.CSINode {
	obj, _ := i.objects[place{"CSINode", types.NamespacedName{Name: name}}].(*storagev1.CSINode)
	return obj
}

func (i *inside) machine(name string) *unstructured.Unstructured {
	obj, _ := i.objects[place{"Machine", types.NamespacedName{Namespace: machineAPI, Name: name}}].(*unstructured.Unstructured)
	return obj
}

func text(obj *unstructured.Unstructured, path ...string) string {
	out, _, _ := unstructured.NestedString(obj.Object, path...)
	return out
}

// catchUp has the controllers do what they have done by now.
func (i *inside) catchUp(w *world, now time.Time) {
	for at := i.caughtUp.Add(ticks); i.unsettled() && !at.After(now); at = at.Add(ticks) {
		i.tick(w, at)
	}
	i.caughtUp = now
	i.serve(now)
}

// serve notes when the API came and went.
func (i *inside) serve(now time.Time) {
	switch answers := i.guest.answers(now); {
	case !answers:
		i.serving = time.Time{}
		clear(i.missing)
	case i.serving.IsZero():
		i.serving = now
	}
}

// unsettled tells whether there is anything for the controllers to do.
func (i *inside) unsettled() bool {
	if i.serving.IsZero() {
		return len(i.guest.up) > 0
	}
	for _, name := range i.guest.names() {
		id, node := i.guest.server[name], i.node(name)
		if node == nil || node.Spec.ProviderID != providerID(id) || i.machine(name) == nil ||
			text(i.machine(name), "spec", "providerID") != providerID(id) || !i.registered(name) {
			return true
		}
		if _, up := i.guest.up[name]; !up || !i.guest.certified(name) {
			return true
		}
	}
	return false
}

// registered tells whether the CSI driver has a pod on a Node, and is known for that Node.
func (i *inside) registered(name string) bool {
	node, csi := i.node(name), i.csiNode(name)
	return node != nil && csi != nil && csi.OwnerReferences[0].UID == node.UID && i.pod(name) != nil
}

func (i *inside) pod(name string) *corev1.Pod {
	for at, obj := range i.objects {
		if pod, ok := obj.(*corev1.Pod); ok && at.kind == "Pod" && pod.Spec.NodeName == name {
			return pod
		}
	}
	return nil
}

// tick is one moment of the controllers.
func (i *inside) tick(w *world, now time.Time) {
	i.serve(now)
	if i.serving.IsZero() {
		return
	}
	led := now.Sub(i.serving) >= leads
	for _, name := range i.guest.names() {
		i.kubelet(name, now)
		i.ask(name, now)
		i.watchMissing(w, name, now)
		i.daemon(name, now)
		if led {
			i.nodeLifecycle(w, name, now)
			i.machineController(w, name)
			i.healthCheck(w, name)
		}
	}
}

// kubelet registers its Node when it boots, and only then.
func (i *inside) kubelet(name string, now time.Time) {
	since, up := i.guest.up[name]
	boots := since.Add(i.guest.starts(name))
	if !up || i.node(name) != nil || now.Before(boots) || now.Sub(boots) >= ticks {
		return
	}
	i.install(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})
}

// watchMissing sees to it that no Node that we have deleted ourselves is missing for long.
func (i *inside) watchMissing(w *world, name string, now time.Time) {
	if i.node(name) != nil {
		delete(i.missing, name)
		return
	}
	since, ok := i.missing[name]
	if !ok {
		i.missing[name] = now
		return
	}
	if now.Sub(since) > collectedAfter && w.gentle {
		w.violate("pods-collected", "Node %s has been missing for %s", name, now.Sub(since))
		delete(i.missing, name)
	}
}

// nodeLifecycle is the cloud controller manager's: a Node that is not ready goes when its server is not found. One without a
// providerID is looked up by name, and not to find it is an error then.
func (i *inside) nodeLifecycle(w *world, name string, now time.Time) {
	node := i.node(name)
	if node == nil || node.Spec.ProviderID == "" || i.guest.shownReady(i, name, now) || w.serverExists(node.Spec.ProviderID) {
		return
	}
	w.trace.add("   the cloud controller manager deletes Node %s", name)
	must(i.Delete(nil, node)) //nolint:staticcheck // a shelf waits for nothing
	if w.gentle {
		w.violate("node-lost", "Node %s was deleted by the cloud controller manager", name)
	}
}

// machineController finds out that a Machine's server is gone, which is final.
func (i *inside) machineController(w *world, name string) {
	m := i.machine(name)
	if m == nil || text(m, "status", "phase") == "Failed" || w.serverExists(text(m, "spec", "providerID")) {
		return
	}
	w.trace.add("   Machine %s has failed", name)
	failed := m.DeepCopy()
	must(unstructured.SetNestedField(failed.Object, "Failed", "status", "phase"))
	must(unstructured.SetNestedField(failed.Object, "Can't find created instance.", "status", "errorMessage"))
	must(i.Status().Update(nil, failed)) //nolint:staticcheck // a shelf waits for nothing
}

// healthCheck replaces Machines that failed, or whose Node is missing, unless it is paused.
func (i *inside) healthCheck(w *world, name string) {
	check, ok := i.objects[place{"MachineHealthCheck", types.NamespacedName{Namespace: machineAPI, Name: "workers"}}]
	if !ok || !w.gentle || i.guest.controlPlane(name) {
		return
	}
	if _, paused := check.GetAnnotations()[pausedAnnotation]; paused {
		return
	}
	if m := i.machine(name); m != nil && (text(m, "status", "phase") == "Failed" || i.node(name) == nil) {
		w.violate("remediated", "Machine %s is replaced by a MachineHealthCheck", name)
	}
}

// daemon collects what belonged to a Node that is gone, and starts a pod of the CSI driver that was deleted.
func (i *inside) daemon(name string, now time.Time) {
	node, csi := i.node(name), i.csiNode(name)
	if csi != nil && (node == nil || csi.OwnerReferences[0].UID != node.UID) && now.Sub(i.serving) >= leads {
		delete(i.objects, placeOf(csi))
	}
	if node != nil && i.pod(name) == nil && i.guest.ready(name, now) {
		i.register(name)
	}
}

// serverExists tells whether Nova knows the server of a providerID.
func (w *world) serverExists(id string) bool {
	s, ok := w.cloud.Server(id[len(providerID("")):])
	return ok && s.Status != "DELETED" && s.Status != "SOFT_DELETED"
}

// checkInside: the cluster has taken its servers for its own, and is otherwise as it was.
func (w *world) checkInside() {
	now := time.Now()
	for _, g := range w.guests {
		g.inside.catchUp(w, now)
		if w.dropped[g.infraID] || !g.answers(now) {
			continue
		}
		for _, name := range g.names() {
			if !w.lost[name] && g.ready(name, now) && !w.insideForgotten {
				g.inside.checkNode(w, name)
				g.inside.checkMachine(w, name)
			}
		}
		g.inside.checkApproved(w)
		for _, name := range []string{"workers", "held-by-its-owner"} {
			obj := g.inside.objects[place{"MachineHealthCheck", types.NamespacedName{Namespace: machineAPI, Name: name}}]
			if was := g.inside.first["MachineHealthCheck "+name]; !maps.Equal(was.GetAnnotations(), obj.GetAnnotations()) {
				w.violate("health-checks", "MachineHealthCheck %s has the annotations %v, and had %v", name, obj.GetAnnotations(), was.GetAnnotations())
			}
		}
	}
}

func (i *inside) checkNode(w *world, name string) {
	node, was := i.node(name), i.first["Node "+name].(*corev1.Node)
	if node == nil {
		w.violate("node-lost", "Node %s does not exist", name)
		return
	}
	if node.Spec.ProviderID != providerID(i.guest.server[name]) {
		w.violate("node-lost", "Node %s has the providerID %s, and its server is %s", name, node.Spec.ProviderID, i.guest.server[name])
	}
	if !includes(node.Labels, was.Labels) || !includes(node.Annotations, was.Annotations) || node.Spec.Unschedulable != was.Spec.Unschedulable ||
		!slices.Equal(node.Spec.PodCIDRs, was.Spec.PodCIDRs) || len(node.Spec.Taints) != len(was.Spec.Taints) {
		w.violate("node-lost", "Node %s is not as it was: %v %v %+v", name, node.Labels, node.Annotations, node.Spec)
	}
	if !i.registered(name) {
		w.violate("csi", "the CSI driver is not registered for Node %s", name)
	}
}

func includes(all, some map[string]string) bool {
	for k, v := range some {
		if has, ok := all[k]; !ok || has != v {
			return false
		}
	}
	return true
}

func (i *inside) checkMachine(w *world, name string) {
	m := i.machine(name)
	switch {
	case m == nil:
		w.violate("machine-lost", "Machine %s does not exist", name)
	case text(m, "spec", "providerID") != providerID(i.guest.server[name]):
		w.violate("machine-lost", "Machine %s has the providerID %s, and its server is %s", name, text(m, "spec", "providerID"), i.guest.server[name])
	case text(m, "status", "phase") != "Running" || text(m, "status", "errorMessage") != "":
		w.violate("machine-lost", "Machine %s is %s: %s", name, text(m, "status", "phase"), text(m, "status", "errorMessage"))
	}
}
