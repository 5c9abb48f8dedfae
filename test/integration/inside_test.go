package integration

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/test/guest"
	"github.com/overwinter/overwinter/test/guest/controllers"
)

// kubeletGrace is how long a Lease may be overdue before kube-controller-manager calls its Node Unknown.
const kubeletGrace = 8 * time.Second

// inside is a world whose cluster has controllers in it that do harm to Nodes and Machines of servers that are gone.
type inside struct {
	*world

	controller *controllers.Cloud
	checks     *controllers.HealthChecks
	before     guest.Census
}

// moments say when something happens to a cluster that wakes.
type moments struct {
	// api and notReady are the guest's.
	api, notReady time.Duration
	// cloud, machines and checks are how long after the API is back these controllers begin to work.
	cloud, machines, checks time.Duration
}

func newInside(t *testing.T, name string, m moments, changes ...func(*setup)) *inside {
	i := &inside{checks: &controllers.HealthChecks{}}
	with := func(s *setup) {
		s.guest = true
		s.alterGuest = func(w *world, o *guest.Options) {
			i.controller = &controllers.Cloud{Source: o.Source, Period: time.Second}
			o.API, o.NotReady = m.api, m.notReady
			o.Controllers = []guest.Controller{
				controllers.Kubernetes(w.env, 0, kubeletGrace), i.controller.Controller(m.cloud),
				controllers.Machines(o.Source, m.machines), i.checks.Controller(m.checks),
			}
		}
	}
	i.world = newWorld(t, name, append([]func(*setup){with}, changes...)...)
	i.reaches(running)
	i.eventually(func(g Gomega) {
		i.before = i.census(g)
		g.Expect(i.before.Compare(i.before)).To(Equal(guest.Comparison{Nodes: 4, Machines: 4, Drivers: 4, Pods: 2}))
	}).Should(Succeed())
	return i
}

func (i *inside) census(g Gomega) guest.Census {
	census, err := i.guest.Census(context.Background())
	g.Expect(err).NotTo(HaveOccurred())
	return census
}

// healthChecks returns the annotations of the MachineHealthChecks.
func (i *inside) healthChecks() map[string]map[string]string {
	checks, err := guest.HealthChecks(context.Background(), i.guest.Client())
	i.Expect(err).NotTo(HaveOccurred())
	annotations := map[string]map[string]string{}
	for _, check := range checks {
		annotations[check.GetName()] = check.GetAnnotations()
	}
	return annotations
}

// TestNodesAreLostWithoutRepair is the proof that the tests of survival can fail.
func TestNodesAreLostWithoutRepair(t *testing.T) {
	t.Parallel()
	i := newInside(t, "no-repair", moments{cloud: 3 * time.Second, notReady: time.Hour}, func(s *setup) {
		s.alter = func(cd *hivev1.ClusterDeployment) {
			cd.Labels = map[string]string{hivev1.LabelResumeSkipsNodeRepair: "true"}
		}
	})
	i.order(hibernating)
	i.reaches(hibernating)
	i.Expect(i.healthChecks()[guest.HealthCheck]).NotTo(HaveKey(guest.PausedAnnotation))
	i.order(running)
	i.eventually(func(g Gomega) {
		after := i.census(g)
		for name, node := range after.Nodes {
			// A kubelet that boots only after its Node is gone makes one, with nothing of what the old one had.
			g.Expect(node.UID).NotTo(Equal(i.before.Nodes[name].UID))
			g.Expect(node.Spec.ProviderID).To(BeEmpty())
			g.Expect(node.Annotations).NotTo(HaveKey("example.com/only-the-original"))
		}
		g.Expect(i.before.Compare(after)).To(HaveField("Machines", 0))
		g.Expect(after.Machines).To(HaveLen(2))
		for _, machine := range after.Machines {
			g.Expect(guest.Field(machine, "status", "phase")).To(Equal("Failed"))
		}
		g.Expect(i.checks.Replaced()).To(HaveLen(2))
	}).Should(Succeed(), i.story())
	i.Consistently(i.powerState).WithTimeout(calm).ShouldNot(Equal(running))
}
