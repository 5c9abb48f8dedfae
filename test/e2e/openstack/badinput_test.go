//go:build e2e

package openstack

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// TestBadInput asks for the hibernation of clusters that cannot be hibernated: a condition says why, nothing is touched,
// and nothing is tried again and again.
func TestBadInput(t *testing.T) {
	skipInCI(t, "it waits for storms of requests; test/integration tries bad input on the simulated cloud")
	g := NewWithT(t)
	w := newWorld(t)
	ctx := t.Context()
	const volumes = "vol-r5t9x"
	seed(t, neighborID, "1", "1")
	seed(t, volumes, "1", "0", "--from-volume")
	neighbor, fromVolume := w.cloud.everything(ctx, g, neighborID), w.cloud.everything(ctx, g, volumes)

	w.hub.credentials(ctx, g, "wrong-password", w.recorder.authURL, func(cloud map[string]any) {
		cloud["auth"].(map[string]any)["password"] = "not-the-password"
	})
	w.hub.credentials(ctx, g, "unreachable", "http://127.0.0.1:1/v3", nil)
	w.hub.secret(ctx, g, "no-clouds", "cloud.yml", []byte("clouds: {}"))
	w.hub.secret(ctx, g, "another-cloud", hivev1.CloudsSecretKey, []byte(
		"clouds:\n  elsewhere:\n    auth:\n      auth_url: "+w.recorder.authURL+"\n"))

	for _, input := range []badInput{
		{"wrong-password", neighborID, "wrong-password", []string{"credentials"}},
		{"cloud-missing", "lost-00001", "another-cloud", []string{"another-cloud", "openstack"}},
		{"no-clouds-yaml", "lost-00002", "no-clouds", []string{"no-clouds", "clouds.yaml"}},
		{"keystone-unreachable", "lost-00003", "unreachable", []string{"127.0.0.1:1"}},
		{"no-server", "nobody-00000", "openstack-credentials", []string{"nobody-00000"}},
		{"from-volume", volumes, "openstack-credentials", []string{volumes + "-master-0", "volume"}},
	} {
		t.Run(input.name, func(t *testing.T) { w.refuses(t, input) })
	}
	t.Run("two-of-one-cluster", w.refusesTwins)
	g.Expect(w.cloud.everything(ctx, g, neighborID)).To(Equal(neighbor), "a cluster was touched")
	g.Expect(w.cloud.everything(ctx, g, volumes)).To(Equal(fromVolume), "a cluster was touched")
	g.Expect(strings.Count(w.hub.log(), "not-the-password")).To(BeZero(), "a password in the log")
	remove(t, volumes)
}

// badInput is a ClusterDeployment that cannot be hibernated, and what its condition must say.
type badInput struct {
	name, infraID, credentials string
	says                       []string
}

// refuses checks that the hibernation is refused, without a change in the cloud and without a storm of requests.
func (w *world) refuses(t *testing.T, input badInput) {
	g := NewWithT(t)
	began := time.Now()
	c := w.hub.deploy(t, input.name, input.infraID, input.credentials)
	// It goes although the cloud can't be asked: there is nothing to give back.
	defer w.hub.remove(t, c)
	c.patch(hivev1.ClusterPowerStateHibernating)
	c.await(began, 3*time.Minute, "refused", failedToStop)
	message := c.last().Hibernating.Message
	for _, part := range input.says {
		g.Expect(message).To(ContainSubstring(part))
	}
	g.Expect(message).NotTo(ContainSubstring("not-the-password"))
	// Time for a storm of retries, if there is one.
	time.Sleep(10 * time.Second)
	rs := w.recorder.between(began, time.Time{})
	t.Logf("%d requests\n%s", len(rs), rs.table())
	g.Expect(rs.writes()).To(BeEmpty())
	g.Expect(len(rs)).To(BeNumerically("<=", 12), "a storm of requests")
	g.Expect(rs.authentications()).To(BeNumerically("<=", 3), "a storm of authentications")
}

// refusesTwins checks that a cluster with two ClusterDeployments is not touched.
func (w *world) refusesTwins(t *testing.T) {
	g := NewWithT(t)
	began := time.Now()
	one := w.hub.deploy(t, "one", neighborID, "openstack-credentials")
	other := w.hub.deploy(t, "other", neighborID, "openstack-credentials")
	defer w.hub.remove(t, one)
	defer w.hub.remove(t, other)
	other.patch(hivev1.ClusterPowerStateHibernating)
	other.await(began, time.Minute, "refused", failedToStop)
	g.Expect(other.last().Hibernating.Message).To(ContainSubstring(namespace + "/one"))
	g.Expect(w.recorder.between(began, time.Time{}).writes()).To(BeEmpty())
}
