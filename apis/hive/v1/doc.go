// Package v1 contains the part of the hive.openshift.io/v1 API that hibernation works with: the ClusterDeployment,
// its power states, conditions, labels and annotations.
//
// Names, JSON keys and validation are those of Hive's v1 API, so that a manifest written for Hive applies unchanged. A
// field that is not modelled here is kept by the CRD, which preserves unknown fields at every object node. It is lost as
// soon as one of these types is written back whole: write by patches only.
//
// +kubebuilder:object:generate=true
// +groupName=hive.openshift.io
package v1
