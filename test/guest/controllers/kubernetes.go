package controllers

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/overwinter/overwinter/test/env"
	"github.com/overwinter/overwinter/test/guest"
)

// Kubernetes is kube-controller-manager, as a process of its own, with the controllers that follow what Nodes do: one
// marks those Unknown whose Leases are not renewed, one evicts pods, one collects pods of Nodes that are gone, one
// collects what is owned by objects that are gone. A Node's Lease may be overdue by the given time.
func Kubernetes(e *env.Env, delay, grace time.Duration) guest.Controller {
	started := 0
	return guest.Controller{Name: "kube-controller-manager", Delay: delay, Run: func(ctx context.Context, api *env.API) error {
		started++
		names := []string{
			"node-lifecycle-controller", "taint-eviction-controller", "pod-garbage-collector-controller",
			"garbage-collector-controller",
		}
		p, err := e.StartControllerManager(api, fmt.Sprintf("%s-controllers-%d", api.Name, started), names,
			"--node-monitor-period=1s",
			fmt.Sprintf("--node-monitor-grace-period=%s", grace),
			fmt.Sprintf("--node-startup-grace-period=%s", grace))
		if err != nil {
			return err
		}
		select {
		case <-p.Done():
			return p.Failure()
		case <-ctx.Done():
			// It ends as its machine does; how says nothing.
			_ = p.Stop(0)
			return nil
		}
	}}
}

// Collector stands in for the garbage collector of kube-controller-manager where there is none: it deletes Leases and
// CSINodes whose Node is gone.
func Collector(delay time.Duration) guest.Controller {
	return guest.Controller{Name: "garbage collector", Delay: delay, Run: every(openshiftPeriod, collect)}
}

func collect(ctx context.Context, c client.Client) error {
	leases, csiNodes, nodes := &coordinationv1.LeaseList{}, &storagev1.CSINodeList{}, &corev1.NodeList{}
	for _, list := range []client.ObjectList{leases, csiNodes, nodes} {
		if err := c.List(ctx, list); err != nil {
			return err
		}
	}
	exists := map[types.UID]bool{}
	for _, node := range nodes.Items {
		exists[node.UID] = true
	}
	var objects []client.Object
	for i := range leases.Items {
		objects = append(objects, &leases.Items[i])
	}
	for i := range csiNodes.Items {
		objects = append(objects, &csiNodes.Items[i])
	}
	for _, object := range objects {
		for _, owner := range object.GetOwnerReferences() {
			if owner.Kind != "Node" || exists[owner.UID] {
				continue
			}
			uid := object.GetUID()
			if err := c.Delete(ctx, object, client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
				return err
			}
		}
	}
	return nil
}
