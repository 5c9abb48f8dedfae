//go:build e2e

package openstack

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// record is what the tests read of the record of a hibernation; docs/record.md describes it.
type record struct {
	Cut      *struct{ Cycle string }
	Sealed   *struct{ Cycle string }
	Deleting *time.Time
	Opened   *time.Time
	Tries    *struct{ Why string }
	Machines []machine
}

type machine struct {
	Name, ServerID string
	Snapshot       *struct{ ID, Name, ServerID string }
	Creation       *struct{ Discarded string }
}

// record returns the cluster's record, nil if there is none.
func (c *cluster) record(ctx context.Context) (*record, error) {
	secret := &corev1.Secret{}
	err := c.hub.Get(ctx, types.NamespacedName{Namespace: namespace, Name: c.name + "-hibernation"}, secret)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &record{}
	if err := json.Unmarshal(secret.Data["hibernation.json"], r); err != nil {
		return nil, fmt.Errorf("the record of %s: %w", c.name, err)
	}
	return r, nil
}

// recordGone tells whether neither a record nor a finalizer of ours is left.
func (c *cluster) recordGone(ctx context.Context, g Gomega) {
	r, err := c.record(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r).To(BeNil(), "the record")
	g.Expect(c.get(ctx, g).Finalizers).NotTo(ContainElement(hivev1.FinalizerRecord))
}
