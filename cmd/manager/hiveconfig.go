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

var (
	// errHiveHibernates says that Hive's own controller would work on the same ClusterDeployments.
	errHiveHibernates = errors.New("Hive's own hibernation controller is on, and two must not work on one cluster: " + //nolint:staticcheck // Hive is a name.
		"put " + hibernation.ControllerName + " into spec.disabledControllers of the HiveConfig hive, or pass --ignore-hive")
	// errHiveDoesAll says that no controller is left to run.
	errHiveDoesAll = errors.New("Hive's own controllers are on, and none is left to run: put ours into " + //nolint:staticcheck // Hive is a name.
		"spec.disabledControllers of the HiveConfig hive, or pass --ignore-hive")
)

// besideHive returns those of the controllers in opts that may run. It fails where Hive runs a hibernation controller of its
// own. Two unreachable controllers would do no harm, but ask each cluster twice: where Hive has one, ours stays off.
func besideHive(ctx context.Context, hub client.Reader, opts *options, logger log.FieldLogger) ([]string, error) {
	off, err := disabledInHive(ctx, hub)
	if err != nil {
		return nil, err
	}
	var ours []string
	for _, name := range opts.controllers {
		switch {
		case off == nil || slices.Contains(off, name):
		case opts.ignoreHive:
			logger.Warnf("Hive's own %s controller is on; running ours all the same because of --ignore-hive", name)
		case name == hibernation.ControllerName:
			return nil, errHiveHibernates
		default:
			logger.Infof("Hive's own %s controller is on; ours stays off", name)
			continue
		}
		ours = append(ours, name)
	}
	if len(ours) == 0 {
		return nil, errHiveDoesAll
	}
	return ours, nil
}

// disabledInHive returns which of its controllers Hive leaves off, never nil; nil where there is no Hive.
func disabledInHive(ctx context.Context, hub client.Reader) ([]string, error) {
	hiveConfig := &unstructured.Unstructured{}
	hiveConfig.SetGroupVersionKind(schema.GroupVersionKind{Group: "hive.openshift.io", Version: "v1", Kind: "HiveConfig"})
	err := hub.Get(ctx, types.NamespacedName{Name: hiveConfigName}, hiveConfig)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the HiveConfig %s: %w", hiveConfigName, err)
	}
	disabled, _, err := unstructured.NestedStringSlice(hiveConfig.Object, "spec", "disabledControllers")
	if err != nil {
		return nil, fmt.Errorf("read the HiveConfig %s: %w", hiveConfigName, err)
	}
	return append([]string{}, disabled...), nil
}
