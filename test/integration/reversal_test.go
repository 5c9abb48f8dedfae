package integration

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/overwinter/overwinter/test/cloud"
)

func TestRunningIsAskedForWhileSnapshotsAreSaved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "back-to-running", withGuest, func(s *setup) {
		// A server can't be unpaused before its upload is over.
		s.cloud.Latencies.SnapshotUpload = 6 * time.Second
	})
	w.reaches(running)
	before := w.servers()
	w.order(hibernating)
	w.eventually(w.snapshots).Should(HaveLen(len(before)))
	w.Expect(w.states()).To(Equal([]string{"PAUSED"}))

	w.order(running)
	w.eventually(w.states).Should(Equal([]string{"ACTIVE"}), w.story())
	w.reaches(running)
	w.Expect(ids(w.servers())).To(Equal(ids(before)))
	w.eventually(w.snapshots).Should(BeEmpty())
	w.eventually(func() bool { return apierrors.IsNotFound(w.record()) }).Should(BeTrue())
	w.eventually(w.finalizers).Should(BeEmpty())
	w.Expect(w.cloud.Ledger().Count("nova.server.delete", "nova.server.create")).To(BeZero())
}

func TestRunningIsAskedForWhileServersAreDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "turn-round", asleepFromTheStart, func(s *setup) { s.cloud.Latencies.Delete = 4 * time.Second })
	before := w.servers()
	w.eventually(deletes(w.cloud)).Should(BeNumerically(">", 0), w.story())

	w.order(running)
	w.eventually(w.states).Should(Equal([]string{"ACTIVE"}), w.story())
	w.eventually(w.servers).Should(HaveLen(len(before)))
	w.expectSame(before)
	w.Expect(deletes(w.cloud)()).To(Equal(len(before)))
	w.Expect(w.cloud.Regressions()).To(BeEmpty())
}

func TestHibernatingIsAskedForWhileServersStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "back-to-sleep", asleepFromTheStart, func(s *setup) { s.cloud.Latencies.Spawn = 3 * time.Second })
	before := w.servers()
	w.reaches(hibernating)

	w.order(running)
	w.eventually(w.servers).Should(HaveLen(len(before)))
	w.order(hibernating)
	w.eventually(w.powerState).ShouldNot(Equal(hibernating))
	w.reaches(hibernating)
	w.Expect(w.servers()).To(BeEmpty())

	w.order(running)
	w.eventually(w.states).Should(Equal([]string{"ACTIVE"}), w.story())
	w.eventually(w.servers).Should(HaveLen(len(before)))
	w.expectSame(before)
	w.Expect(w.cloud.Regressions()).To(BeEmpty())
}

func deletes(c *cloud.Cloud) func() int {
	return func() int { return c.Ledger().Count("nova.server.delete") }
}
