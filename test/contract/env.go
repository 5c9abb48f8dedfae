package contract

import (
	"errors"
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// Env is a cloud to run the suite against.
type Env struct {
	// Mine are the credentials of a plain project member. The suite makes and removes all it needs in that project.
	Mine openstackclient.Credentials
	// Other are the credentials of another project; without them the case that needs two projects is skipped.
	Other *openstackclient.Credentials
	// WithoutInstances sets the instance quota of Mine's project to zero until the test ends; if nil, the case that needs
	// it is skipped.
	WithoutInstances func(t *testing.T)
	// Pass lets some time go by between two looks, a quarter of a second or so of the cloud's time.
	Pass func()
	// Options are those of the clients, as far as the cloud needs them.
	Options openstackclient.FactoryOptions
}

// looks is how often a change is looked for before it counts as not coming.
const looks = 480

// suite is what all cases share.
type suite struct {
	env    Env
	client openstackclient.Client
	seed   *seed
	prefix string
}

// Run runs the suite.
func Run(t *testing.T, env Env) {
	s := &suite{env: env, client: newClient(t, env, env.Mine), prefix: "contract-" + suffix()}
	s.seed = newSeed(t, s)
	for _, c := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"Requests", requests},
		{"RefusedCredentials", refusedCredentials},
		{"NotFound", notFound},
		{"Invalid", invalid},
		{"Attributes", attributes},
		{"LeastAttributes", leastAttributes},
		{"Filters", filters},
		{"Pages", pages},
		{"PauseAndStop", pauseAndStop},
		{"PowerStates", powerStates},
		{"CreateEvents", createEvents},
		{"MemberStates", memberStates},
		{"Shelved", shelved},
		{"Locks", locks},
		{"NotForMembers", notForMembers},
		{"ImageContent", imageContent},
		{"AgesOfPorts", agesOfPorts},
		{"AttachPort", attachPort},
		{"ReleasePort", releasePort},
		{"TwoServersOnePort", twoServersOnePort},
		{"SnapshotAndReplace", snapshotAndReplace},
		{"DeleteDuringSnapshot", deleteDuringSnapshot},
		{"DeleteUnfinishedImage", deleteUnfinishedImage},
		{"ForceDelete", forceDelete},
		{"Images", imagesCase},
		{"AnotherProject", anotherProject},
		{"Quota", quota},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, s) })
	}
}

func newClient(t *testing.T, env Env, credentials openstackclient.Credentials) openstackclient.Client {
	t.Helper()
	client, err := openstackclient.NewFactory(env.Options).ClientFor(t.Context(), credentials)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return client
}

// await looks until done says yes.
func (s *suite) await(t *testing.T, what string, done func(g Gomega) bool) {
	t.Helper()
	g := NewWithT(t)
	for range looks {
		if done(g) {
			return
		}
		s.env.Pass()
	}
	t.Fatalf("waited in vain for: %s", what)
}

// kind checks an error's classification, and that it can stand in a condition.
func kind(g Gomega, err error, want openstackclient.Kind) {
	g.ExpectWithOffset(1, err).To(HaveOccurred())
	g.ExpectWithOffset(1, openstackclient.KindOf(err)).To(Equal(want), err.Error())
	failure := new(openstackclient.Error)
	g.ExpectWithOffset(1, err).To(BeAssignableToTypeOf(failure))
	g.ExpectWithOffset(1, errors.As(err, &failure)).To(BeTrue())
	g.ExpectWithOffset(1, failure.Op).NotTo(BeEmpty())
	g.ExpectWithOffset(1, failure.Message).NotTo(BeEmpty())
	g.ExpectWithOffset(1, failure.Ambiguous).To(BeFalse())
	g.ExpectWithOffset(1, failure.Error()).NotTo(MatchRegexp(`req-[0-9a-f]{8}|<|\n`))
	if failure.Status != 0 {
		g.ExpectWithOffset(1, failure.RequestID).To(HavePrefix("req-"))
	}
}

// recording returns options whose clients log into the hook.
func recording(env Env) (openstackclient.FactoryOptions, *test.Hook) {
	logger, hook := test.NewNullLogger()
	logger.SetLevel(logrus.DebugLevel)
	options := env.Options
	options.Logger = logger
	return options, hook
}

// sent returns the methods and statuses of the requests that were logged.
func sent(hook *test.Hook) []string {
	var lines []string
	for _, entry := range hook.AllEntries() {
		lines = append(lines, fmt.Sprintf("%v %v", entry.Data["method"], entry.Data["status"]))
	}
	return lines
}
