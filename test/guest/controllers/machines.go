package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/overwinter/overwinter/test/env"
	"github.com/overwinter/overwinter/test/guest"
)

// openshiftPeriod is how often OpenShift's controllers look at everything here; the real ones are told of changes.
const openshiftPeriod = 500 * time.Millisecond

// failedMessage is what a Machine says whose instance has gone.
const failedMessage = "Can't find created instance."

// Machines is the machine controller with the link between Machines and Nodes, by the rules of machine-api-operator
// (pkg/controller/machine, pkg/controller/nodelink) and machine-api-provider-openstack: a Machine's instance is looked up
// by spec.providerID; one that is not found makes the Machine Failed, and that is never looked at again; the providerID
// is never written anew; the Node of a deleted Machine is deleted by its name.
func Machines(source guest.ServerSource, delay time.Duration) guest.Controller {
	return guest.Controller{Name: "machines", Delay: delay, Run: every(openshiftPeriod, func(ctx context.Context, c client.Client) error {
		machines, err := guest.Machines(ctx, c)
		if err != nil {
			return err
		}
		nodes := &corev1.NodeList{}
		if err := c.List(ctx, nodes); err != nil {
			return err
		}
		servers, err := source.Servers(ctx)
		if err != nil {
			return err
		}
		exists := map[string]bool{}
		for _, server := range servers {
			exists[guest.ProviderID(server.ID)] = true
		}
		for i := range machines {
			if err := reconcileMachine(ctx, c, &machines[i], nodes.Items, exists); err != nil {
				return fmt.Errorf("machine %s: %w", machines[i].GetName(), err)
			}
		}
		return nil
	})}
}

func reconcileMachine(
	ctx context.Context, c client.Client, machine *unstructured.Unstructured, nodes []corev1.Node, exists map[string]bool,
) error {
	if machine.GetDeletionTimestamp() != nil {
		return finishMachine(ctx, c, machine)
	}
	if guest.Field(*machine, "status", "phase") == "Failed" {
		return nil
	}
	before := machine.DeepCopy()
	id := guest.Field(*machine, "spec", "providerID")
	status, _, _ := unstructured.NestedMap(machine.Object, "status")
	if status == nil {
		status = map[string]any{}
	}
	for i := range nodes {
		if id != "" && nodes[i].Spec.ProviderID == id {
			status["nodeRef"] = guest.NodeReference(&nodes[i])
		}
	}
	switch {
	case !exists[id]:
		status["phase"], status["errorMessage"] = "Failed", failedMessage
	case status["nodeRef"] != nil:
		status["phase"] = "Running"
	default:
		status["phase"] = "Provisioned"
	}
	machine.Object["status"] = status
	return client.IgnoreNotFound(c.Status().Patch(ctx, machine, client.MergeFrom(before)))
}

// finishMachine does what there is to do for a Machine that is deleted, and lets go of it.
func finishMachine(ctx context.Context, c client.Client, machine *unstructured.Unstructured) error {
	if name := guest.Field(*machine, "status", "nodeRef", "name"); name != "" {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := c.Delete(ctx, node); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	before := machine.DeepCopy()
	machine.SetFinalizers(nil)
	return client.IgnoreNotFound(c.Patch(ctx, machine, client.MergeFrom(before)))
}

// every returns what runs work again and again. What fails is tried again the next time, as a controller does.
func every(period time.Duration, work func(context.Context, client.Client) error) func(context.Context, *env.API) error {
	return func(ctx context.Context, api *env.API) error {
		c, err := client.New(api.Config, client.Options{})
		if err != nil {
			return fmt.Errorf("make a client: %w", err)
		}
		for {
			last := work(ctx, c)
			if err := pause(ctx, period); err != nil {
				return last
			}
		}
	}
}
