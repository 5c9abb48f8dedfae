package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// inventory is what there is of the cluster in the cloud.
type inventory struct {
	usage     cloud.Usage
	servers   []cloud.Server
	ports     map[string]cloud.Port
	snapshots []cloud.Image
}

func (p *play) inventory() inventory {
	i := inventory{usage: p.cloud.Usage(cloud.DefaultProject), servers: p.cloud.Servers(), ports: map[string]cloud.Port{}}
	for _, port := range p.cloud.Ports() {
		i.ports[port.ID] = port
	}
	i.snapshots = p.snapshots()
	return i
}

// snapshots are the images that were made of servers.
func (p *play) snapshots() []cloud.Image {
	snapshots := slices.DeleteFunc(p.cloud.Images(), func(image cloud.Image) bool { return image.Machine == "" })
	slices.SortFunc(snapshots, func(a, b cloud.Image) int { return strings.Compare(a.Machine, b.Machine) })
	return snapshots
}

// look takes down what the timeline shows.
func (p *play) look(ctx context.Context) (look, error) {
	if err := p.manager.Failure(); err != nil {
		return look{}, err
	}
	now := look{
		record: map[string]string{}, servers: map[string]string{}, snapshots: map[string]string{},
		nodes: map[string]string{}, machines: map[string]string{}, lifecycle: map[string]string{},
	}
	for _, server := range p.cloud.Servers() {
		if server.Status != "DELETED" {
			now.servers[short(server.Name)] = server.Status
		}
	}
	for _, image := range p.snapshots() {
		now.snapshots[short(image.Machine)] = image.Status
	}
	if err := p.lookAtRecord(ctx, now.record); err != nil {
		return look{}, err
	}
	if err := p.lookInside(ctx, now); err != nil {
		return look{}, err
	}
	cd := &hivev1.ClusterDeployment{}
	if err := p.client.Get(ctx, p.key, cd); client.IgnoreNotFound(err) != nil {
		return look{}, fmt.Errorf("read the ClusterDeployment: %w", err)
	}
	now.powerState = string(cd.Status.PowerState)
	now.message = strings.ReplaceAll(message(cd), infraID+"-", "")
	return now, nil
}

// lookAtRecord takes down whether the cluster's configuration is saved, and how far the hibernation is by that.
func (p *play) lookAtRecord(ctx context.Context, states map[string]string) error {
	key := types.NamespacedName{Namespace: namespace, Name: hibernation.RecordName(name)}
	secret := &corev1.Secret{}
	if err := p.client.Get(ctx, key, secret); err != nil {
		return client.IgnoreNotFound(err)
	}
	record := &hibernation.Record{}
	if err := json.Unmarshal(secret.Data[hibernation.RecordKey], record); err != nil {
		return fmt.Errorf("read the hibernation record: %w", err)
	}
	state := "saved"
	switch {
	case record.Done != nil:
		state = "done"
	case record.Opened != nil:
		state = "opened"
	case record.Sealed != nil:
		state = "sealed"
	}
	states[secret.Name] = state
	return nil
}

// message returns what the condition says that explains the power state.
func message(cd *hivev1.ClusterDeployment) string {
	for _, c := range cd.Status.Conditions {
		stable := c.Status == corev1.ConditionTrue
		if c.Reason == string(cd.Status.PowerState) && !stable {
			return c.Message
		}
	}
	return ""
}

// short leaves out what all names have in common.
func short(name string) string { return strings.TrimPrefix(name, infraID+"-") }

// print shows the inventory.
func (i inventory) print(title string) {
	u := i.usage
	fmt.Printf("\n%s: %d instances, %d cores, %d MiB of RAM in use; %d ports, %d snapshots\n",
		title, u.Instances, u.Cores, u.RAM, len(i.ports), len(i.snapshots))
	for _, server := range i.servers {
		for _, id := range server.Ports {
			port := i.ports[id]
			fmt.Printf("  %-15s  server %s…  %-9s  %s  disk written to %d times\n",
				short(server.Name), server.ID[:8], strings.Join(port.IPs, " "), port.MAC, server.Writes)
		}
	}
	if len(i.servers) > 0 {
		return
	}
	for _, image := range i.snapshots {
		fmt.Printf("  %-15s  snapshot %s… of a disk written to %d times\n", short(image.Machine), image.ID[:8], image.Writes)
	}
}

// checkAsleep returns what is wrong with a cluster that sleeps.
func (i inventory) checkAsleep(asleep inventory) error {
	var errs []error
	if (asleep.usage != cloud.Usage{}) {
		errs = append(errs, fmt.Errorf("the quota is not free: %+v", asleep.usage))
	}
	if len(asleep.servers) > 0 {
		errs = append(errs, fmt.Errorf("%d servers are left", len(asleep.servers)))
	}
	if len(asleep.snapshots) != len(i.servers) {
		errs = append(errs, fmt.Errorf("%d snapshots of %d servers", len(asleep.snapshots), len(i.servers)))
	}
	for id, port := range i.ports {
		kept, ok := asleep.ports[id]
		if !ok || kept.MAC != port.MAC || !slices.Equal(kept.IPs, port.IPs) {
			errs = append(errs, fmt.Errorf("port %s was not kept", port.Name))
		}
	}
	return errors.Join(errs...)
}

// checkAwake returns what is wrong with a cluster that is to be what it was.
func (i inventory) checkAwake(awake inventory, regressions []cloud.Regression) error {
	var errs []error
	if awake.usage != i.usage {
		errs = append(errs, fmt.Errorf("the quota in use is %+v and was %+v", awake.usage, i.usage))
	}
	if len(awake.servers) != len(i.servers) {
		return errors.Join(append(errs, fmt.Errorf("%d servers, not %d", len(awake.servers), len(i.servers)))...)
	}
	for n, was := range i.servers {
		errs = append(errs, compareServers(was, awake.servers[n])...)
	}
	for id, port := range i.ports {
		is := awake.ports[id]
		if is.MAC != port.MAC || !slices.Equal(is.IPs, port.IPs) || (is.DeviceID == "") != (port.DeviceID == "") {
			errs = append(errs, fmt.Errorf("port %s is not what it was", port.Name))
		}
	}
	for _, r := range regressions {
		errs = append(errs, fmt.Errorf("the disk of %s went back from %d to %d writes", r.Name, r.Highest, r.Started))
	}
	return errors.Join(errs...)
}

// compareServers returns what of a server is not what it was.
func compareServers(was, is cloud.Server) []error {
	var errs []error
	if is.Name != was.Name || is.Status != was.Status || is.FlavorID != was.FlavorID || is.Group != was.Group ||
		!slices.Equal(is.Tags, was.Tags) {
		errs = append(errs, fmt.Errorf("server %s is not what it was", was.Name))
	}
	if !slices.Equal(is.Ports, was.Ports) {
		errs = append(errs, fmt.Errorf("server %s has not got its ports back", was.Name))
	}
	if is.Writes < was.Writes {
		errs = append(errs, fmt.Errorf("the disk of %s went back from %d to %d writes", was.Name, was.Writes, is.Writes))
	}
	return errs
}
