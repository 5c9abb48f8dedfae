package faults

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// Somebody else's ClusterDeployment, in a namespace of his own, names the infraID of a cluster that is not his.

const elsewhere = "elsewhere"

// claimant is such a ClusterDeployment.
type claimant struct {
	name string
	// installed says that it claims to be installed, project whose credentials it has, none if empty.
	installed bool
	project   string
	// forged says that it has a copy of the cluster's record.
	forged bool
	// harmless says that the cluster goes on as if it were not there.
	harmless bool
}

func claimants() []claimant {
	return []claimant{
		{name: "not installed, without credentials", harmless: true},
		{name: "not installed, with the same credentials", project: cloud.DefaultProject, harmless: true},
		{name: "installed, with credentials to another project", installed: true, project: "other", harmless: true},
		{name: "installed, with a forged record and credentials to another project", installed: true, project: "other", forged: true, harmless: true},
		{name: "installed, with the same credentials", installed: true, project: cloud.DefaultProject},
		{name: "installed, with a copy of the record and the same credentials", installed: true, project: cloud.DefaultProject, forged: true},
	}
}

// claim makes the ClusterDeployment.
func (w *world) claim(k claimant) {
	id := w.shape.clusters[0]
	at := types.NamespacedName{Namespace: elsewhere, Name: "twin-" + id}
	w.trace.add("SOMEBODY: makes a ClusterDeployment with the infraID %s: %s", id, k.name)
	if k.project != "" {
		user := cloud.DefaultUser
		if k.project != cloud.DefaultProject {
			user = "stranger"
		}
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: at.Namespace, Name: "credentials-" + at.Name}}
		secret.Data = map[string][]byte{credentialsKey: []byte(w.cloud.CloudsYAML(user, k.project))}
		w.hub.newUID(secret)
		must(w.hub.shelf.Create(context.Background(), secret))
	}
	if s := w.hub.secret(recordKey(key(id))); k.forged && s != nil {
		forged := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: at.Namespace, Name: hibernation.RecordName(at.Name)}, Data: s.Data}
		w.hub.newUID(forged)
		must(w.hub.shelf.Create(context.Background(), forged))
	}
	cd := &hivev1.ClusterDeployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: at.Namespace, Name: at.Name, CreationTimestamp: metav1.NewTime(time.Now())},
		Spec: hivev1.ClusterDeploymentSpec{
			ClusterName: at.Name, BaseDomain: "example.org", Installed: k.installed, ClusterMetadata: &hivev1.ClusterMetadata{InfraID: id},
			PowerState: runningNow,
		},
	}
	if k.project != "" {
		cd.Spec.Platform.OpenStack = &hivev1.OpenStackPlatform{
			Cloud: cloud.CloudName, CredentialsSecretRef: corev1.LocalObjectReference{Name: "credentials-" + at.Name},
		}
	}
	w.hub.newUID(cd)
	must(w.hub.shelf.Create(context.Background(), cd))
	w.claimants = append(w.claimants, at)
	w.hub.changed(at)
}

// withdraw deletes the ClusterDeployments of others, as those do who made them.
func (w *world) withdraw() {
	for _, at := range w.claimants {
		w.trace.add("SOMEBODY: deletes ClusterDeployment %s, and what was forged with it", at)
		if forged := w.hub.secret(recordKey(at)); forged != nil && len(forged.Finalizers) == 0 {
			must(w.hub.shelf.Delete(context.Background(), forged))
		}
		w.hub.remove(at)
	}
	gone := func() bool {
		for _, at := range w.claimants {
			if w.hub.cd(at) != nil {
				return false
			}
		}
		return true
	}
	if !w.until(2*time.Hour, gone) {
		w.violate("left-over", "the ClusterDeployments of others do not go")
		for _, at := range w.claimants {
			w.hub.edit(at, func(cd *hivev1.ClusterDeployment) { cd.Finalizers = nil })
		}
	}
}

// Whoever may make a ClusterDeployment can't keep another's cluster from sleeping, waking, being tidied up and being deleted;
// and where both may lay claim to it, none of them loses anything.
func TestS07TwinClusterDeployment(t *testing.T) {
	eachPoint(t, stride{daily: 41, full: 5}, func(s shape, _ flow) bool { return s.name == "one" }, func(t *testing.T, s shape, f flow, n int, _ []call) {
		for i, k := range claimants() {
			if !*every && (n+i)%2 == 0 {
				continue
			}
			t.Run(fmt.Sprintf("%d-%s", n, k.name), func(t *testing.T) {
				tried.faults.Add(1)
				inWorld(t, s, *first, func(w *world) { w.claimed(f, k, n) })
			})
		}
	})
}

// claimed runs a flow in which somebody else claims the cluster right before a call.
func (w *world) claimed(f flow, k claimant, n int) {
	w.start(f, w.at(n, func() { w.claim(k) }))
	over := w.until(flowWithin, func() bool { return f.over(w) })
	w.counting = false
	if !over && k.harmless {
		w.violate("twin-claim", "%s, and %s does not come to its end: %s", k.name, f.name, w.conditions())
	}
	w.withdraw()
	w.finish()
}

// The cluster is deleted while somebody else claims it.
func TestS07DeletionsBesideTwin(t *testing.T) {
	eachPoint(t, stride{daily: 67, full: 11}, func(s shape, _ flow) bool { return s.name == "one" }, func(t *testing.T, s shape, f flow, n int, _ []call) {
		k := claimants()[n%len(claimants())]
		for _, keep := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d-keep-%v-%s", n, keep, k.name), func(t *testing.T) {
				tried.faults.Add(1)
				inWorld(t, s, *first, func(w *world) {
					d := destroyed(f, n, keep)
					if !k.harmless {
						// What is the other's as well is kept for it.
						d.ended = func(w *world) { w.finishDestroyed(infraID, keep || w.hub.record(key(infraID)) != nil) }
					}
					w.start(d, w.at(n, func() { w.claim(k) }))
					over := w.until(flowWithin, func() bool { return d.over(w) })
					w.counting = false
					if !over && k.harmless {
						w.violate("twin-claim", "%s, and the deletion does not come to its end: %s", k.name, w.conditions())
					}
					w.withdraw()
					w.conclude(d)
				})
			})
		}
	})
}
