package noderepair

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/overwinter/overwinter/pkg/hibernation"
)

// instanceLost is what the machine API says of a Machine whose instance it can't find any more
// (openshift/machine-api-operator, pkg/controller/machine).
const instanceLost = "Can't find created instance"

// machinesOf brings the Machine objects of a machine nearer to what they are to be.
func (r *repair) machinesOf(ctx context.Context, m *hibernation.MachineState) {
	if m.ServerID == "" {
		// Its Machine may be taken for failed until then; that is taken back.
		return
	}
	for i := range r.machines {
		obj := &r.machines[i]
		if r.plan.machineOf(ServerID(text(obj, "spec", "providerID"))) != m {
			continue
		}
		name := obj.GetName()
		err := r.retried(ctx, obj, func() error { return r.readdress(ctx, m, obj) })
		if err == nil {
			err = r.retried(ctx, obj, func() error { return r.takeBack(ctx, obj) })
		}
		if client.IgnoreNotFound(err) != nil {
			r.fail(fmt.Errorf("repair Machine %s: %w", name, err))
			r.wait(name, "its Machine is not repaired yet")
		}
	}
}

// retried repeats a write at once that somebody else's was ahead of.
func (r *repair) retried(ctx context.Context, obj *unstructured.Unstructured, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		if !apierrors.IsConflict(err) || try == tries {
			return err
		}
		if err := r.c.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
			return err
		}
	}
}

// readdress gives a Machine its new server. Also one that is being deleted: its server would outlive it.
func (r *repair) readdress(ctx context.Context, m *hibernation.MachineState, obj *unstructured.Unstructured) error {
	is := text(obj, "spec", "providerID")
	if ServerID(is) == m.ServerID || r.plan.machineOf(ServerID(is)) != m {
		return nil
	}
	return mergePatch(ctx, r.c, obj, map[string]any{"spec": map[string]any{"providerID": withServer(is, m.ServerID)}})
}

// takeBack takes the phase back in which a Machine is for ever because its old server was not found.
func (r *repair) takeBack(ctx context.Context, obj *unstructured.Unstructured) error {
	was := r.phaseBefore(obj.GetName())
	if text(obj, "status", "phase") != phaseFailed || obj.GetDeletionTimestamp() != nil || !lostItsInstance(obj, was) {
		return nil
	}
	phase := was
	if phase == "" || phase == phaseFailed {
		phase = "Provisioned"
		if text(obj, "status", "nodeRef", "name") != "" {
			phase = "Running"
		}
	}
	data, err := pinned(obj, map[string]any{"status": map[string]any{"phase": phase, "errorReason": nil, "errorMessage": nil}})
	if err != nil {
		return err
	}
	return r.c.Status().Patch(ctx, obj, client.RawPatch(types.MergePatchType, data))
}

// lostItsInstance tells whether a Machine failed because its server was not found, and for no other reason. In other words
// than the usual ones that counts only for a Machine that is known not to have failed before.
func lostItsInstance(obj *unstructured.Unstructured, was string) bool {
	message := text(obj, "status", "errorMessage")
	if strings.Contains(message, instanceLost) {
		return true
	}
	if was == "" || was == phaseFailed {
		return false
	}
	message = strings.ToLower(message)
	if !strings.Contains(message, "instance") && !strings.Contains(message, "server") {
		return false
	}
	for _, gone := range []string{"not found", "can't find", "cannot find", "missing", "does not exist", "no longer exists"} {
		if strings.Contains(message, gone) {
			return true
		}
	}
	return false
}

func (r *repair) phaseBefore(name string) string {
	if r.plan.Observation == nil {
		return ""
	}
	for _, was := range r.plan.Observation.Machines {
		if was.Name == name {
			return was.Phase
		}
	}
	return ""
}

// hasMachine tells whether the Machine of a Node exists and is to stay.
func (r *repair) hasMachine(m *hibernation.MachineState, node string) bool {
	for i := range r.machines {
		obj := &r.machines[i]
		its := r.plan.machineOf(ServerID(text(obj, "spec", "providerID"))) == m
		if its || text(obj, "status", "nodeRef", "name") == node {
			return obj.GetDeletionTimestamp() == nil
		}
	}
	return false
}
