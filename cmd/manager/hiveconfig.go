package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	log "github.com/sirupsen/logrus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/overwinter/overwinter/pkg/controller/hibernation"
)

// +kubebuilder:rbac:groups=hive.openshift.io,resources=hiveconfigs,resourceNames=hive,verbs=get

// hiveConfigName is the one HiveConfig that Hive's operator reads.
const hiveConfigName = "hive"

// errHiveHibernates says that Hive's own controller would work on the same ClusterDeployments.
var errHiveHibernates = errors.New("Hive's own hibernation controller is on, and two must not work on one cluster: " + //nolint:staticcheck // Hive is a name.
	"put " + hibernation.ControllerName + " into spec.disabledControllers of the HiveConfig hive, or pass --ignore-hive")

// checkHive fails where Hive runs a hibernation controller of its own.
func checkHive(ctx context.Context, hub client.Reader, opts *options, logger log.FieldLogger) error {
	if !slices.Contains(opts.controllers, hibernation.ControllerName) {
		return nil
	}
	on, err := hiveHibernates(ctx, hub)
	switch {
	case err != nil:
		return err
	case on && opts.ignoreHive:
		logger.Warn("Hive's own hibernation controller is on; running all the same because of --ignore-hive")
	case on:
		return errHiveHibernates
	}
	return nil
}

// hiveHibernates tells whether Hive is there and its hibernation controller is not disabled.
func hiveHibernates(ctx context.Context, hub client.Reader) (bool, error) {
	hiveConfig := &unstructured.Unstructured{}
	hiveConfig.SetGroupVersionKind(schema.GroupVersionKind{Group: "hive.openshift.io", Version: "v1", Kind: "HiveConfig"})
	err := hub.Get(ctx, types.NamespacedName{Name: hiveConfigName}, hiveConfig)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the HiveConfig %s: %w", hiveConfigName, err)
	}
	disabled, _, err := unstructured.NestedStringSlice(hiveConfig.Object, "spec", "disabledControllers")
	if err != nil {
		return false, fmt.Errorf("read the HiveConfig %s: %w", hiveConfigName, err)
	}
	return !slices.Contains(disabled, hibernation.ControllerName), nil
}
