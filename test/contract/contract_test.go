package contract_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/quotasets"
	. "github.com/onsi/gomega"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/overwinter/overwinter/pkg/openstackclient"
	"github.com/overwinter/overwinter/test/cloud"
	"github.com/overwinter/overwinter/test/contract"
)

// TestSimulated runs the suite against the simulated cloud, in whose time no one waits.
func TestSimulated(t *testing.T) {
	clock := testingclock.NewFakeClock(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
	simulated := cloud.New(cloud.Options{
		Clock: clock,
		Sleep: func(_ context.Context, d time.Duration) error {
			clock.Step(d)
			return nil
		},
		Seed: 1, Latencies: cloud.TestBedLatencies(), GlancePageSize: 2, MaxMicroversion: "2.93",
	})
	credentials := func(user, project string) openstackclient.Credentials {
		return openstackclient.Credentials{SecretUID: user, CloudsYAML: []byte(simulated.CloudsYAML(user, project)), Cloud: cloud.CloudName}
	}
	other := credentials("stranger", "other")
	contract.Run(t, contract.Env{
		Mine:  credentials(cloud.DefaultUser, cloud.DefaultProject),
		Other: &other,
		WithoutInstances: func(t *testing.T) {
			none := cloud.DefaultQuota()
			none.Instances = 0
			simulated.SetQuota(cloud.DefaultProject, none)
			t.Cleanup(func() { simulated.SetQuota(cloud.DefaultProject, cloud.DefaultQuota()) })
		},
		Pass:    func() { clock.Step(250 * time.Millisecond) },
		Options: openstackclient.FactoryOptions{Transport: simulated.RoundTripper(), Clock: clock},
	})
}

// TestReal runs the suite against the cloud OS_CLOUD of the clouds.yaml at OS_CLIENT_CONFIG_FILE, if both are set. Two
// more clouds in that file may be named: CONTRACT_OTHER_CLOUD, another project, and CONTRACT_ADMIN_CLOUD, which may set
// that project's quotas.
func TestReal(t *testing.T) {
	file, name := os.Getenv("OS_CLIENT_CONFIG_FILE"), os.Getenv("OS_CLOUD")
	if file == "" || name == "" {
		t.Skip("OS_CLOUD and OS_CLIENT_CONFIG_FILE are not set")
	}
	g := NewWithT(t)
	content, err := os.ReadFile(file)
	g.Expect(err).NotTo(HaveOccurred())
	credentials := func(name string) openstackclient.Credentials {
		return openstackclient.Credentials{SecretUID: name, CloudsYAML: content, Cloud: name}
	}
	env := contract.Env{Mine: credentials(name), Pass: func() { time.Sleep(250 * time.Millisecond) }}
	if other := os.Getenv("CONTRACT_OTHER_CLOUD"); other != "" {
		c := credentials(other)
		env.Other = &c
	}
	if admin := os.Getenv("CONTRACT_ADMIN_CLOUD"); admin != "" {
		env.WithoutInstances = func(t *testing.T) { withoutInstances(t, credentials(name), credentials(admin)) }
	}
	contract.Run(t, env)
}

// withoutInstances sets the instance quota of a project to zero until the test ends.
func withoutInstances(t *testing.T, mine, admin openstackclient.Credentials) {
	t.Helper()
	g := NewWithT(t)
	client, err := openstackclient.NewFactory(openstackclient.FactoryOptions{}).ClientFor(t.Context(), mine)
	g.Expect(err).NotTo(HaveOccurred())
	scope, err := client.Scope(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	compute, _, _ := contract.Login(t, admin, nil)
	before, err := quotasets.Get(t.Context(), compute, scope.ProjectID).Extract()
	g.Expect(err).NotTo(HaveOccurred())
	set := func(ctx context.Context, instances int) error {
		_, err := quotasets.Update(ctx, compute, scope.ProjectID, quotasets.UpdateOpts{Instances: &instances}).Extract()
		return err
	}
	t.Cleanup(func() { g.Expect(set(context.WithoutCancel(t.Context()), before.Instances)).To(Succeed()) })
	g.Expect(set(t.Context(), 0)).To(Succeed())
}
