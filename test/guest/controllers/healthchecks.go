package controllers

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/overwinter/overwinter/test/guest"
)

// HealthChecks is the controller of MachineHealthChecks, by the rules of machine-api-operator
// (pkg/controller/machinehealthcheck): unless it is paused, a check has a Machine replaced at once that is Failed, or that
// had a Node which is gone; to have it replaced is to delete it. Conditions that have to last for minutes are left out.
type HealthChecks struct {
	mu       sync.Mutex
	replaced []string
}

// Controller returns it as it begins to work after a delay.
func (h *HealthChecks) Controller(delay time.Duration) guest.Controller {
	return guest.Controller{Name: "machine health checks", Delay: delay, Run: every(openshiftPeriod, h.check)}
}

// Replaced returns the names of the Machines that it had replaced, with the reasons.
func (h *HealthChecks) Replaced() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.replaced)
}

func (h *HealthChecks) check(ctx context.Context, c client.Client) error {
	checks, err := guest.HealthChecks(ctx, c)
	if err != nil {
		return err
	}
	machines, err := guest.Machines(ctx, c)
	if err != nil {
		return err
	}
	for _, check := range checks {
		if _, paused := check.GetAnnotations()[guest.PausedAnnotation]; paused {
			continue
		}
		selector, _, _ := unstructured.NestedStringMap(check.Object, "spec", "selector", "matchLabels")
		for i := range machines {
			if !labels.SelectorFromSet(selector).Matches(labels.Set(machines[i].GetLabels())) {
				continue
			}
			if err := h.remediate(ctx, c, &machines[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// remediate deletes a Machine that is not healthy.
func (h *HealthChecks) remediate(ctx context.Context, c client.Client, machine *unstructured.Unstructured) error {
	reason, err := unhealthy(ctx, c, machine)
	if err != nil || reason == "" {
		return err
	}
	uid := machine.GetUID()
	err = c.Delete(ctx, machine, client.Preconditions{UID: &uid})
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.replaced = append(h.replaced, fmt.Sprintf("%s: %s", machine.GetName(), reason))
	return nil
}

func unhealthy(ctx context.Context, c client.Client, machine *unstructured.Unstructured) (string, error) {
	name := guest.Field(*machine, "status", "nodeRef", "name")
	switch {
	case machine.GetDeletionTimestamp() != nil:
		return "", nil
	case guest.Field(*machine, "status", "phase") == "Failed":
		return "Failed", nil
	case name == "":
		return "", nil
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	err := c.Get(ctx, client.ObjectKeyFromObject(node), node)
	if apierrors.IsNotFound(err) {
		return "its Node is gone", nil
	}
	return "", err
}
