package hibernation

import (
	"context"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// scopedCloud is a cloud of which only the scope is asked for.
type scopedCloud struct {
	openstackclient.Client
	scope openstackclient.Scope
	err   error
	asked int
}

func (c *scopedCloud) Scope(context.Context) (openstackclient.Scope, error) {
	c.asked++
	return c.scope, c.err
}

// cloudsOf are clouds by the UIDs of the Secrets that lead to them.
type cloudsOf map[string]*scopedCloud

func (c cloudsOf) ClientFor(_ context.Context, credentials openstackclient.Credentials) (openstackclient.Client, error) {
	return c[credentials.SecretUID], nil
}

const ourKeystone = "https://keystone.example.com:5000/v3"

func credentialsSecret(namespace, authURL string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "creds", UID: types.UID("secret-" + namespace)},
		Data:       map[string][]byte{"clouds.yaml": fmt.Appendf(nil, `clouds: {openstack: {region_name: one, auth: {auth_url: %q, username: u, password: p, project_name: p, user_domain_name: d, project_domain_name: d}}}`, authURL)},
	}
}

// tenant is somebody's ClusterDeployment with our infraID in a namespace of his own.
func tenant(changes ...func(cd *hivev1.ClusterDeployment)) *hivev1.ClusterDeployment {
	return installedCD(append([]func(cd *hivev1.ClusterDeployment){func(cd *hivev1.ClusterDeployment) {
		cd.Namespace, cd.Name, cd.UID = "tenant", "mine", "uid-2"
		cd.CreationTimestamp = metav1.NewTime(startOfTest())
	}}, changes...)...)
}

// TestS07WhoIsATwin: whoever only names the infraID, in whatever namespace, is none, and no Keystone but our own is asked.
func TestS07WhoIsATwin(t *testing.T) {
	ours := openstackclient.Scope{AuthURL: ourKeystone, ProjectID: "p1", Region: "one"}
	refused := &openstackclient.Error{Kind: openstackclient.KindUnauthorized}
	silent := &openstackclient.Error{Kind: openstackclient.KindTransient}
	large := &openstackclient.Error{Kind: openstackclient.KindInvalid, Cause: openstackclient.ErrTooLarge}
	for name, tt := range map[string]struct {
		tenant *hivev1.ClusterDeployment
		secret *corev1.Secret
		cloud  scopedCloud
		twins  int
		known  bool
		asked  int
	}{
		"not installed":               {tenant(func(cd *hivev1.ClusterDeployment) { cd.Spec.Installed = false }), credentialsSecret("tenant", ourKeystone), scopedCloud{scope: ours}, 0, false, 0},
		"no platform":                 {tenant(notOnOpenStack), credentialsSecret("tenant", ourKeystone), scopedCloud{scope: ours}, 0, false, 0},
		"no credentials":              {tenant(), credentialsSecret("elsewhere", ourKeystone), scopedCloud{scope: ours}, 0, false, 0},
		"useless credentials":         {tenant(), credentialsSecret("tenant", "nonsense"), scopedCloud{scope: ours}, 0, false, 0},
		"a Keystone of his own":       {tenant(), credentialsSecret("tenant", "https://evil.example.com/v3"), scopedCloud{scope: ours}, 0, false, 0},
		"refused by our Keystone":     {tenant(), credentialsSecret("tenant", ourKeystone), scopedCloud{err: refused}, 0, false, 1},
		"another project of ours":     {tenant(), credentialsSecret("tenant", ourKeystone), scopedCloud{scope: openstackclient.Scope{AuthURL: ourKeystone, ProjectID: "p2", Region: "one"}}, 0, false, 1},
		"the same project":            {tenant(), credentialsSecret("tenant", "https://KEYSTONE.example.com:5000/"), scopedCloud{scope: ours}, 1, true, 1},
		"our Keystone does not say":   {tenant(), credentialsSecret("tenant", ourKeystone), scopedCloud{err: silent}, 1, false, 1},
		"an answer that is too large": {tenant(), credentialsSecret("tenant", ourKeystone), scopedCloud{err: large}, 1, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, credentialsSecret(testNamespace, ourKeystone), tt.secret)
			r.session.holds = true
			mine := &scopedCloud{scope: ours}
			r.actuator.clouds = cloudsOf{"secret-" + testNamespace: mine, "secret-tenant": &tt.cloud}
			for range 3 {
				claim, err := r.actuator.Contend(WithPass(t.Context()), r.cd, []*hivev1.ClusterDeployment{tt.tenant}, r.hub, startOfTest(), r.log)
				r.Expect(err).NotTo(HaveOccurred())
				r.Expect(claim.Twins).To(HaveLen(tt.twins))
				if tt.twins > 0 {
					r.Expect(claim.Twins[0].Known).To(Equal(tt.known))
					r.Expect(claim.Holds).To(BeTrue())
				}
			}
			r.Expect(tt.cloud.asked).To(Equal(tt.asked), "once for each version of a Secret")
		})
	}
}

// TestS07CrowdOfNamesakes: many ClusterDeployments of one infraID cost few requests, and those that were made later hold up
// nobody.
func TestS07CrowdOfNamesakes(t *testing.T) {
	ours := openstackclient.Scope{AuthURL: ourKeystone, ProjectID: "p1", Region: "one"}
	objects := []client.Object{credentialsSecret(testNamespace, ourKeystone)}
	crowd := &scopedCloud{err: &openstackclient.Error{Kind: openstackclient.KindTransient}}
	clouds := cloudsOf{"secret-" + testNamespace: {scope: ours}}
	var others []*hivev1.ClusterDeployment
	for i := range 200 {
		namespace := fmt.Sprintf("tenant-%d", i)
		objects = append(objects, credentialsSecret(namespace, ourKeystone))
		clouds["secret-"+namespace] = crowd
		others = append(others, tenant(func(cd *hivev1.ClusterDeployment) { cd.Namespace, cd.UID = namespace, types.UID(namespace) }))
	}
	r := newRig(t, objects...)
	r.actuator.clouds = clouds
	claim, err := r.actuator.Contend(WithPass(t.Context()), r.cd, others, r.hub, startOfTest(), r.log)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(crowd.asked).To(Equal(twinsAsked))
	r.Expect(claim.Twins).To(HaveLen(200))
	r.Expect(standingOf(r.cd, claim).free()).To(BeTrue())
}

// TestS07WhoGoesOn walks all ways in which two ClusterDeployments can stand to each other, from both sides: never do both go on,
// and one that holds the record alone always does.
func TestS07WhoGoesOn(t *testing.T) {
	g := NewWithT(t)
	first, second := installedCD(), tenant()
	for _, known := range []bool{true, false} {
		for _, a := range []bool{true, false} {
			for _, b := range []bool{true, false} {
				name := fmt.Sprintf("known %v, holds %v and %v", known, a, b)
				one := standingOf(first, Claim{Holds: a, Twins: []Twin{{Cluster: second, Known: known, Holds: b}}}).free()
				other := standingOf(second, Claim{Holds: b, Twins: []Twin{{Cluster: first, Known: known, Holds: a}}}).free()
				if known || a != b {
					g.Expect(one && other).To(BeFalse(), name)
				}
				if a && !b {
					g.Expect(one).To(BeTrue(), name)
				}
				if !known && !a && !b {
					g.Expect(one).To(BeTrue(), name+": the older one")
				}
			}
		}
	}
}

// TestS07NamesakeHoldsUpNothing: a ClusterDeployment that is no twin keeps the real one from nothing: it wakes, cleans up and
// goes.
func TestS07NamesakeHoldsUpNothing(t *testing.T) {
	namesake := func() *hivev1.ClusterDeployment {
		return tenant(func(cd *hivev1.ClusterDeployment) { cd.Spec.Installed, cd.Spec.Platform = false, hivev1.Platform{} })
	}
	b := newBench(t, installedCD(showing(StateHibernating, time.Hour), withFinalizer), namesake())
	b.actuator.summary = opened()
	b.visit()
	b.Expect(b.calls()).To(ContainElement("Start"))

	b = newBench(t, installedCD(append(ready(time.Hour), skipsOperators)...), namesake())
	b.actuator.summary = opened()
	b.actuator.cleanup = hibernation.Progress{Done: true}
	b.visit()
	b.Expect(b.calls()).To(Equal([]string{"Cleanup"}))

	b = newBench(t, deleting(withFinalizer), namesake())
	b.actuator.released = hibernation.Progress{Done: true}
	b.visit()
	b.Expect(b.actuator.kept).To(BeFalse())
	b.Expect(b.cd().Finalizers).To(ConsistOf(hivev1.FinalizerDeprovision))
}
