package integration

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/test/cloud"
)

// fewRequests is what one more try may cost while a test watches that no storm comes.
const fewRequests = 4

func TestBadInput(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change   func(*setup)
		messages []string
	}{
		"no-clouds-yaml": {
			change:   func(s *setup) { s.credentials = map[string]string{"clouds.yml": "x"} },
			messages: []string{"Secret no-clouds-yaml/credentials", "clouds.yaml"},
		},
		"malformed-clouds-yaml": {
			change:   func(s *setup) { s.credentials = map[string]string{hivev1.CloudsSecretKey: "clouds: ["} },
			messages: []string{"Secret malformed-clouds-yaml/credentials"},
		},
		"no-such-cloud": {
			change: func(s *setup) {
				s.alter = func(cd *hivev1.ClusterDeployment) { cd.Spec.Platform.OpenStack.Cloud = "elsewhere" }
			},
			messages: []string{"Secret no-such-cloud/credentials", "elsewhere"},
		},
		"no-such-secret": {
			change: func(s *setup) {
				s.alter = func(cd *hivev1.ClusterDeployment) {
					cd.Spec.Platform.OpenStack.CredentialsSecretRef.Name = "nothing"
				}
			},
			messages: []string{"Secret no-such-secret/nothing", "does not exist"},
		},
		"no-server": {
			change:   func(s *setup) { s.seeded = false },
			messages: []string{"no server of cluster no-server"},
		},
		"malformed-record": {
			change:   func(s *setup) { s.record = `{"version":1,` },
			messages: []string{"Secret malformed-record/malformed-record-hibernation", "not JSON"},
		},
		"newer-record": {
			change:   func(s *setup) { s.record = `{"version":999}` },
			messages: []string{"Secret newer-record/newer-record-hibernation", "version is 999"},
		},
		"foreign-record": {
			change: func(s *setup) {
				s.record = `{"version":1,"infraID":"another","cloud":{"authURL":"http://x","projectID":"p","region":"r"}}`
			},
			messages: []string{"Secret foreign-record/foreign-record-hibernation", `"another"`},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, name, test.change)
			w.order(hibernating)
			w.eventually(w.condition(hivev1.ClusterHibernatingCondition)).
				Should(shows(corev1.ConditionFalse, hivev1.HibernatingReasonFailedToStop, test.messages...), w.story())
			w.calm()
			w.Expect(w.cloud.Ledger().Changes()).To(BeEmpty())
		})
	}
}

func TestBadInputIsSaidOfResumesToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "resume-no-clouds-yaml", func(s *setup) { s.credentials = map[string]string{"x": "y"} })
	w.eventually(w.condition(hivev1.ClusterReadyCondition)).Should(shows(corev1.ConditionFalse,
		hivev1.ReadyReasonFailedToStartMachines, "Secret resume-no-clouds-yaml/credentials", "clouds.yaml"), w.story())
}

func TestWrongCredentials(t *testing.T) {
	t.Parallel()
	const password = "what-nobody-may-read"
	w := newWorld(t, "wrong-credentials", asleepFromTheStart, func(s *setup) {
		s.password = password
	})
	w.eventually(w.condition(hivev1.ClusterHibernatingCondition)).Should(shows(corev1.ConditionFalse,
		hivev1.HibernatingReasonFailedToStop, "Secret wrong-credentials/credentials"), w.story())
	w.calm()
	w.Expect(w.cloud.Ledger().Count()).To(Equal(w.cloud.Ledger().Count("keystone.*")))
	cd, err := w.get()
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(cd.Status.Conditions).NotTo(ContainElement(HaveField("Message", ContainSubstring(password))))
	w.Expect(w.events()).NotTo(ContainElement(ContainSubstring(password)))
	w.Expect(w.manager.Tail(1 << 20)).NotTo(ContainSubstring(password))

	// Good ones are taken at once.
	secret := &corev1.Secret{ObjectMeta: w.meta("credentials")}
	good := w.cloud.CloudsYAML(cloud.DefaultUser, cloud.DefaultProject)
	w.Expect(w.look(secret)).To(Succeed())
	secret.StringData = map[string]string{hivev1.CloudsSecretKey: good}
	w.Expect(w.Update(context.Background(), secret)).To(Succeed())
	w.poke()
	w.reaches(hibernating)
}

func TestUnreachableKeystone(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = listener.Close() })
	var connections atomic.Int64
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			_ = conn.Close()
		}
	}()
	w := newWorld(t, "unreachable", asleepFromTheStart, func(s *setup) { s.address = listener.Addr().String() })
	w.eventually(w.condition(hivev1.ClusterHibernatingCondition)).Should(shows(corev1.ConditionFalse,
		hivev1.HibernatingReasonFailedToStop, listener.Addr().String()), w.story())
	before := connections.Load()
	w.Consistently(connections.Load).WithTimeout(calm).Should(BeNumerically("<=", before+fewRequests))
	w.Expect(w.cloud.Ledger().Count()).To(BeZero())
}

func TestThingsAreGone(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		remove func(*world) (messages []string)
	}{
		"flavor-gone": {remove: func(w *world) []string {
			w.cloud.DeleteFlavor("rig.worker")
			return []string{"flavor rig.worker"}
		}},
		"port-gone": {remove: func(w *world) []string {
			w.cloud.DeletePort(w.cluster.Workers[0].Ports[0])
			return []string{"port", w.cluster.Workers[0].Name}
		}},
		"snapshot-gone": {remove: func(w *world) []string {
			w.cloud.DeleteImage(w.snapshots()[0].ID)
			return []string{"snapshot"}
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, name, asleepFromTheStart)
			w.reaches(hibernating)
			messages := test.remove(w)
			w.order(running)
			w.eventually(w.condition(hivev1.ClusterReadyCondition)).
				Should(shows(corev1.ConditionFalse, hivev1.ReadyReasonFailedToStartMachines, messages...), w.story())
			w.calm()
			w.Expect(w.record()).To(Succeed())
		})
	}
}

func TestTwoClusterDeploymentsOfOneCluster(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "twins")
	twin := w.clusterDeployment()
	twin.Name = "twin"
	w.create(twin)
	t.Cleanup(func() { w.abandon(twin) })
	w.eventually(func() (*hivev1.ClusterDeployment, error) { return twin, w.look(twin) }).
		Should(HaveField("Status.Conditions", ContainElement(shows(corev1.ConditionFalse, hivev1.ReadyReasonFailedToStartMachines, "twins/twins"))))

	w.order(hibernating)
	w.eventually(w.condition(hivev1.ClusterHibernatingCondition)).Should(shows(corev1.ConditionFalse,
		hivev1.HibernatingReasonFailedToStop, "ClusterDeployment twins/twin"), w.story())
	w.calm()
	w.Expect(w.cloud.Ledger().Changes()).To(BeEmpty())
}

// calm checks that a cluster that can't be helped is not asked again and again.
func (w *world) calm() {
	w.t.Helper()
	before := w.cloud.Ledger().Count()
	w.Consistently(func() int { return w.cloud.Ledger().Count() }).WithTimeout(calm).
		Should(BeNumerically("<=", before+fewRequests))
}
