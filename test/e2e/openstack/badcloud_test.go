//go:build e2e

package openstack

import (
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/test/faultproxy"
)

// badDeadline is the manager's --hibernation-deadline while two of five requests fail. The rollback may take as long again.
const badDeadline = 5 * time.Minute

// TestS17BadCloud puts a cluster to sleep and wakes it while a share of all requests to the cloud fails: it comes back
// whole, and the ratio to the time without faults is printed. With 40 % the hibernation ends or is undone.
func TestS17BadCloud(t *testing.T) {
	w := newWorld(t)
	b := w.newBadCloud()
	plain := b.cycle(0)
	lines := []string{fmt.Sprintf("0 %% %s", plain)}
	shares := []int{3, 15}
	if inCI() {
		shares = shares[1:]
	}
	for _, percent := range shares {
		spent := b.cycle(percent)
		lines = append(lines, fmt.Sprintf("%d %% %s (x%.1f, x%.1f)", percent, spent,
			spent.hibernate.Seconds()/plain.hibernate.Seconds(), spent.resume.Seconds()/plain.resume.Seconds()))
	}
	if !inCI() {
		w.hub.killManager()
		w.hub.flags = append(w.hub.flags, "--hibernation-deadline="+badDeadline.String())
		NewWithT(t).Expect(w.hub.startManager(t.Context())).To(Succeed())
		lines = append(lines, fmt.Sprintf("40 %% %s", b.cycle(40)))
	}
	summarize(t, "bad cloud, hibernate+resume: "+strings.Join(lines, ", "))
}

// badCloud is a cluster whose manager reaches the cloud through a proxy that fails requests.
type badCloud struct {
	*trial
	proxy *faultproxy.Proxy
}

// spent is what a cycle took.
type spent struct {
	hibernate, resume time.Duration
	undone            bool
}

func (s spent) String() string {
	if s.undone {
		return fmt.Sprintf("undone after %.1fs", s.hibernate.Seconds())
	}
	return fmt.Sprintf("%.1fs+%.1fs", s.hibernate.Seconds(), s.resume.Seconds())
}

// newBadCloud puts a proxy in front of the recorder, which writes down what reaches the cloud.
func (w *world) newBadCloud() *badCloud {
	t, g := w.t, NewWithT(w.t)
	seed := number(t, "OW_SEED", int(time.Now().UnixNano()%1e9))
	t.Logf("OW_SEED=%d", seed)
	proxy, err := faultproxy.Start(t.Context(), w.recorder.listeners, faultproxy.Options{Seed: uint64(seed)})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(proxy.Close)
	w.hub.credentials(t.Context(), g, "bad-cloud", proxy.URL(w.recorder.authURL), nil)
	return &badCloud{trial: w.newTrial("bad-cloud", infraID, "3", "3", "--adorned"), proxy: proxy}
}

// cycle hibernates and wakes the cluster while a share of all requests fails, the clean-up's too.
func (b *badCloud) cycle(percent int) (s spent) {
	b.t.Helper()
	b.proxy.SetPercent(percent)
	var slept bool
	s.hibernate, slept = b.settle(b.c.patch(hivev1.ClusterPowerStateHibernating), patience)
	s.undone = !slept
	if slept {
		b.asleep()
		s.resume = b.wake()
	}
	counts := b.proxy.Counts()
	b.t.Logf("%d %%: %s; %s", percent, s, counts)
	NewWithT(b.t).Expect(counts.Total() > 0).To(Equal(percent > 0), "requests failed")
	if slept {
		b.whole()
	} else {
		b.standing()
	}
	return s
}
