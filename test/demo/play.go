package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/test/cloud"
	"github.com/overwinter/overwinter/test/guest"
)

const (
	namespace = "demo"
	name      = "demo"

	pollInterval = 100 * time.Millisecond
	// patience is how long one act may take at scale 1 and below.
	patience = 4 * time.Minute
)

// play is what the demo does on its stage.
type play struct {
	*stage
	timeline *timeline
	key      types.NamespacedName
}

// result is how long both directions took, and how much of the cluster's inside came back.
type result struct {
	hibernate, resume time.Duration
	before            guest.Census
	inside            guest.Comparison
}

func newPlay(s *stage) *play {
	return &play{
		stage:    s,
		timeline: &timeline{out: os.Stdout},
		key:      types.NamespacedName{Namespace: namespace, Name: name},
	}
}

// install makes what there is on a hub once a cluster is installed, and waits until the cluster is seen to run.
func (p *play) install(ctx context.Context) error {
	kubeconfig, err := p.guest.Kubeconfig()
	if err != nil {
		return err
	}
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		&corev1.Secret{ObjectMeta: meta("demo-openstack-credentials"), StringData: map[string]string{
			hivev1.CloudsSecretKey: p.cloud.CloudsYAML(cloud.DefaultUser, cloud.DefaultProject),
		}},
		&corev1.Secret{ObjectMeta: meta("demo-admin-kubeconfig"), Data: map[string][]byte{
			hivev1.KubeconfigSecretKey: kubeconfig,
		}},
		clusterDeployment(meta(name)),
	} {
		if err := p.client.Create(ctx, object); err != nil {
			return fmt.Errorf("make %T %s: %w", object, object.GetName(), err)
		}
	}
	p.timeline.begin("The cluster's ClusterDeployment is made, with Secrets for OpenStack and for the cluster")
	_, err = p.until(ctx, hivev1.ClusterPowerStateRunning)
	return err
}

func clusterDeployment(meta metav1.ObjectMeta) *hivev1.ClusterDeployment {
	meta.Labels = map[string]string{hivev1.LabelClusterPlatform: "openstack"}
	return &hivev1.ClusterDeployment{
		ObjectMeta: meta,
		Spec: hivev1.ClusterDeploymentSpec{
			ClusterName: name,
			BaseDomain:  "example.com",
			Installed:   true,
			ClusterMetadata: &hivev1.ClusterMetadata{
				ClusterID:                "7c8a3f0e-52e6-4f1e-9a53-2f1d2f7f6f10",
				InfraID:                  infraID,
				AdminKubeconfigSecretRef: corev1.LocalObjectReference{Name: "demo-admin-kubeconfig"},
			},
			Platform: hivev1.Platform{OpenStack: &hivev1.OpenStackPlatform{
				Cloud:                cloud.CloudName,
				CredentialsSecretRef: corev1.LocalObjectReference{Name: "demo-openstack-credentials"},
			}},
			PowerState: hivev1.ClusterPowerStateRunning,
		},
	}
}

// cycle puts the cluster to sleep, wakes it, and checks what came of it.
func (p *play) cycle(ctx context.Context) (result, error) {
	var r result
	var err error
	if r.before, err = p.installed(ctx); err != nil {
		return r, err
	}
	before := p.inventory()
	before.print("Before")
	printInside(r.before)
	p.cloud.Ledger().Reset()

	if r.hibernate, err = p.order(ctx, hivev1.ClusterPowerStateHibernating); err != nil {
		return r, err
	}
	asleep := p.inventory()
	asleep.print("Asleep")
	fmt.Printf("  %d requests to OpenStack\n", p.cloud.Ledger().Count())
	if err := errors.Join(p.printRemembered(ctx, r.before), before.checkAsleep(asleep)); err != nil {
		return r, err
	}
	fmt.Println("  checked: the quota is free, each server has its snapshot, all ports are kept with their addresses")
	p.cloud.Ledger().Reset()

	if r.resume, err = p.order(ctx, hivev1.ClusterPowerStateRunning); err != nil {
		return r, err
	}
	if err := p.checkAwake(ctx, before); err != nil {
		return r, err
	}
	p.timeline.begin(fmt.Sprintf("Once the cluster has been well for a while (here %s), its snapshots and its record go",
		cleanupAfter))
	if err := p.wait(ctx, "the clean-up", p.cleanedUp); err != nil {
		return r, err
	}
	// By now whatever deletes Nodes of servers that are gone has looked at them.
	r.inside, err = p.compare(ctx, r.before)
	return r, err
}

// checkAwake shows a cluster that is to be what it was.
func (p *play) checkAwake(ctx context.Context, before inventory) error {
	after := p.inventory()
	after.print("Awake")
	fmt.Printf("  %d requests to OpenStack\n", p.cloud.Ledger().Count())
	census, err := p.guest.Census(ctx)
	if err != nil {
		return err
	}
	printInside(census)
	if err := before.checkAwake(after, p.cloud.Regressions()); err != nil {
		return err
	}
	fmt.Println("  checked: all servers have their names, flavors, tags, ports and addresses; no disk went back in time")
	return nil
}

// order does what `oc patch` does, and returns how long it took until the cluster was there.
func (p *play) order(ctx context.Context, state hivev1.ClusterPowerState) (time.Duration, error) {
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"powerState": state}})
	if err != nil {
		return 0, err
	}
	p.timeline.begin("$ " + patchCommand("oc", state))
	cd := &hivev1.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := p.client.Patch(ctx, cd, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return 0, fmt.Errorf("patch the ClusterDeployment: %w", err)
	}
	return p.until(ctx, state)
}

func patchCommand(program string, state hivev1.ClusterPowerState) string {
	return fmt.Sprintf(`%s patch cd %s -n %s --type merge -p '{"spec":{"powerState":"%s"}}'`, program, name, namespace, state)
}

// until waits for a power state.
func (p *play) until(ctx context.Context, state hivev1.ClusterPowerState) (time.Duration, error) {
	err := p.wait(ctx, "powerState "+string(state), func(_ context.Context, now look) (bool, error) {
		return now.powerState == string(state), nil
	})
	return time.Since(p.timeline.start), err
}

// wait shows what happens until done says so.
func (p *play) wait(ctx context.Context, what string, done func(context.Context, look) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, max(patience, time.Duration(float64(patience)*p.options.scale)),
		fmt.Errorf("%s did not come in time", what))
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		now, err := p.look(ctx)
		if err != nil {
			return cause(ctx, err)
		}
		p.timeline.show(now)
		ok, err := done(ctx, now)
		if ok || err != nil {
			return cause(ctx, err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// cause returns why the context ended, if it did, in place of what came of that.
func cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// cleanedUp tells whether nothing of the hibernation is left.
func (p *play) cleanedUp(ctx context.Context, now look) (bool, error) {
	if len(now.snapshots)+len(now.record) > 0 {
		return false, nil
	}
	cd := &hivev1.ClusterDeployment{}
	if err := p.client.Get(ctx, p.key, cd); err != nil {
		return false, err
	}
	return len(cd.Finalizers) == 0, nil
}

// improvise leaves the stage to the audience.
func (p *play) improvise(ctx context.Context) error {
	clouds, err := p.write("clouds.yaml", p.cloud.CloudsYAML(cloud.DefaultUser, cloud.DefaultProject))
	if err != nil {
		return err
	}
	kubeconfig, err := p.guest.Kubeconfig()
	if err != nil {
		return err
	}
	inside, err := p.write("cluster.kubeconfig", string(kubeconfig))
	if err != nil {
		return err
	}
	fmt.Printf(`
In another terminal:
  export KUBECONFIG=%s
  kubectl get cd -A
  %s
  %s
  kubectl get cd %s -n %s -w
  kubectl describe cd %s -n %s
  kubectl get secret %s-hibernation -n %s -o yaml
  kubectl --kubeconfig %s get nodes,machines -A     # of the cluster itself

The simulated OpenStack speaks to OpenStack's own client, too:
  OS_CLIENT_CONFIG_FILE=%s openstack --os-cloud %s server list

Here is what happens. Ctrl-C ends it.
`, p.hub.Kubeconfig, patchCommand("kubectl", hivev1.ClusterPowerStateHibernating),
		patchCommand("kubectl", hivev1.ClusterPowerStateRunning), name, namespace, name, namespace, name, namespace,
		inside, clouds, cloud.CloudName)
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		now, err := p.look(ctx)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if err == nil {
			p.timeline.show(now)
		}
	}
}
