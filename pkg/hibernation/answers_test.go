package hibernation_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/imagedata"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// What is lost on the way: the request itself, or the answer to a request that was carried out.
var losses = map[string]func() cloud.Effect{
	"the answer is lost":        cloud.ResetAfter,
	"a proxy gives up":          func() cloud.Effect { return cloud.AnswerAfter(504, "") },
	"the answer is cut off":     cloud.Truncated,
	"the answer is no answer":   cloud.Malformed,
	"the request is lost":       cloud.ResetBefore,
	"the service is down":       func() cloud.Effect { return cloud.Answer(503, "") },
	"the answer comes too late": func() cloud.Effect { return cloud.HangAfter(time.Second) },
}

// Whatever request, or answer, is lost: the cycle comes to its end, and nothing is made twice.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, op := range []string{
		"nova.server.pause", "nova.server.createImage", "nova.server.delete", "nova.server.create", "nova.server.list", "nova.server.get",
		"glance.image.list", "glance.image.delete", "glance.tag.add", "neutron.port.list", "nova.instanceaction.list", "nova.servergroup.list",
	} {
		for name, loss := range losses {
			t.Run(op+", "+name, func(t *testing.T) {
				r := newRig(t, 1, 1)
				rule := r.cloud.AddRule(cloud.Rule{Op: op, Times: 2, Effect: loss()})
				r.hibernate()
				r.expectAsleep()
				r.resume()
				r.expectClean()
				r.g.Expect(rule.Hits()).To(Equal(2))
			})
		}
	}
}

// A request whose answer was lost had its effect: what it made is adopted, and not asked for again.
func TestWhatWasMadeIsAdopted(t *testing.T) {
	for _, op := range []string{"nova.server.createImage", "nova.server.create"} {
		t.Run(op, func(t *testing.T) {
			r := newRig(t, 1, 1)
			r.cloud.AddRule(cloud.Rule{Op: op, Times: 2, Effect: cloud.ResetAfter()})
			r.hibernate()
			r.resume()
			r.g.Expect(r.cloud.Ledger().Count(op)).To(Equal(2))
			r.expectClean()
		})
	}
}

// A request that was lost is not repeated within a minute, nor before two lists did not show what it should have made.
func TestLostRequestsAreNotRepeatedAtOnce(t *testing.T) {
	for op, list := range map[string]string{
		"nova.server.createImage": "glance.image.list", "nova.server.create": "nova.server.list",
	} {
		t.Run(op, func(t *testing.T) {
			r := newRig(t, 1, 0)
			r.cloud.AddRule(cloud.Rule{Op: op, Times: 2, Effect: cloud.ResetBefore()})
			r.hibernate()
			r.resume()
			asked := r.cloud.Ledger().Entries(op)
			r.g.Expect(asked).To(HaveLen(3))
			for i, e := range asked[1:] {
				r.g.Expect(e.At.Sub(asked[i].At)).To(BeNumerically(">=", time.Minute))
				lists := 0
				for _, l := range r.cloud.Ledger().Entries(list) {
					if l.Seq > asked[i].Seq && l.Seq < e.Seq {
						lists++
					}
				}
				r.g.Expect(lists).To(BeNumerically(">=", 2))
			}
			r.expectClean()
		})
	}
}

// An answer that comes only after somebody has lost patience: the image or the server appears later than it was looked for.
func TestWhatAppearsLateIsAdopted(t *testing.T) {
	for op, list := range map[string]string{
		"nova.server.createImage": "glance.image.list", "nova.server.create": "nova.server.list",
	} {
		t.Run(op, func(t *testing.T) {
			r := newRig(t, 1, 0)
			r.cloud.AddRule(cloud.Rule{Op: op, Times: 1, Effect: cloud.ResetAfter()})
			lost := false
			r.onRequest(func(k *cloud.Call) *cloud.Effect {
				if lost = lost || k.Op == op; lost && k.Op == list && r.cloud.Ledger().Count(list) < 8 {
					e := cloud.EmptyList()
					return &e
				}
				return nil
			})
			r.hibernate()
			r.resume()
			r.g.Expect(r.cloud.Ledger().Count(op)).To(Equal(1))
			r.before = nil
			r.expectClean()
		})
	}
}

// Asked to run while it is not known whether a snapshot was asked for: the cluster runs at once, the record stays until that is
// known, and an image that appears does not stay.
func TestRollbackWaitsForLostSnapshot(t *testing.T) {
	for name, loss := range map[string]cloud.Effect{"it was made": cloud.ResetAfter(), "it was not": cloud.ResetBefore()} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 0)
			r.cloud.AddRule(cloud.Rule{Op: "nova.server.createImage", Times: 1, Effect: loss})
			for r.cloud.Ledger().Count("nova.server.createImage") == 0 {
				_, _ = r.once(hibernate) // the error is the lost answer
				r.clock.Step(2 * time.Second)
			}
			asked := r.clock.Now()
			r.resume()
			r.expectUndone()
			if name == "it was not" {
				r.g.Expect(r.record().Strays).To(HaveLen(1))
				r.clock.Step(10 * time.Minute)
				r.cleanup()
				unpaused := r.cloud.Ledger().Entries("nova.server.unpause")
				r.g.Expect(unpaused[0].At.Sub(asked)).To(BeNumerically("<", 10*time.Second))
				r.g.Expect(r.clock.Now().Sub(asked)).To(BeNumerically(">=", 50*time.Second))
			}
			r.g.Expect(r.secret()).To(BeNil())
		})
	}
}

// twin makes an image that looks like a machine's snapshot, finished or not.
func (r *rig) twin(of cloud.Image, finished bool) {
	r.t.Helper()
	client, err := openstack.NewImageV2(r.provider(), gophercloud.EndpointOpts{Region: "RegionOne"})
	r.g.Expect(err).NotTo(HaveOccurred())
	props := map[string]string{}
	for _, key := range []string{"overwinter_infra_id", "overwinter_cycle", "instance_uuid", "image_type"} {
		props[key] = of.Properties[key]
	}
	r.hand(func() {
		img, err := images.Create(r.t.Context(), client, images.CreateOpts{Name: of.Name, Properties: props, ContainerFormat: "bare", DiskFormat: "qcow2"}).Extract()
		r.g.Expect(err).NotTo(HaveOccurred())
		if finished {
			r.g.Expect(imagedata.Upload(r.t.Context(), client, img.ID, strings.NewReader("data")).ExtractErr()).To(Succeed())
		}
	})
}

// Four truly simultaneous snapshots leave images that stay queued for ever: such twins are removed.
func TestUnfinishedTwinOfASnapshotIsRemoved(t *testing.T) {
	t.Parallel()
	for _, knowing := range []bool{true, false} {
		t.Run(fmt.Sprint("its ID is known: ", knowing), func(t *testing.T) {
			r := newRig(t, 1, 1, slowSnapshots)
			if !knowing {
				r.cloud.AddRule(cloud.Rule{Op: "nova.server.createImage", Times: 2, Effect: cloud.ResetAfter()})
			}
			r.onceUploading(func() {
				img, _ := r.cloud.Image(r.shotOf(master0))
				r.twin(img, false)
			})
			r.hibernate()
			r.expectAsleep()
			r.resume()
			r.expectClean()
		})
	}
}

// Which of two complete snapshots is the machine's own nobody can tell: neither is adopted.
func TestFinishedTwinOfASnapshotEndsTheCut(t *testing.T) {
	r := newRig(t, 1, 1, slowSnapshots)
	r.onceUploading(func() {
		img, _ := r.cloud.Image(r.shotOf(master0))
		r.twin(img, true)
	})
	r.expectRefused(hibernate, "are both complete snapshots called "+master0)
	r.expectUndone()
}

// A server whose making failed beside one that was made is removed; two that were made are left to a person.
func TestTwinsOfAServer(t *testing.T) {
	prepare := func(t *testing.T) (r *rig, twin func() string) {
		t.Helper()
		r = newRig(t, 1, 0)
		r.hibernate()
		r.cloud.AddRule(cloud.Rule{Op: "nova.server.create", Times: 1, Effect: cloud.ResetAfter()})
		_, err := r.once(resume)
		r.g.Expect(err).To(HaveOccurred())
		opts := r.like(r.seeded.Masters[0], master0)
		opts.ImageRef = r.shotOf(master0)
		return r, func() string {
			var id string
			r.hand(func() {
				made, err := r.api.CreateServer(t.Context(), opts)
				r.g.Expect(err).NotTo(HaveOccurred())
				id = made
			})
			return id
		}
	}
	t.Run("one failed", func(t *testing.T) {
		r, twin := prepare(t)
		r.clock.Step(10 * time.Second)
		r.cloud.Advance()
		r.cloud.FailNextSchedule("", noHost)
		failed := twin()
		r.clock.Step(10 * time.Second)
		r.resume()
		r.clock.Step(10 * time.Second)
		_, there := r.cloud.Server(failed)
		r.g.Expect(there).To(BeFalse())
		r.expectClean()
	})
	t.Run("both were made", func(t *testing.T) {
		r, twin := prepare(t)
		second := twin()
		r.clock.Step(time.Minute)
		first := ""
		for _, s := range r.clusterServers() {
			if s.ID != second {
				first = s.ID
			}
		}
		r.expectBlocked(resume, master0, first, second)
		r.cloud.DeleteServer(second)
		r.clock.Step(time.Minute)
		r.resume()
		r.cleanup()
		r.g.Expect(r.now(master0).ID).To(Equal(first))
		r.g.Expect(r.snapshots()).To(BeEmpty())
	})
}

// An expired token is renewed by the way, once.
func TestTokenExpiresInTheMiddle(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cloud.AddRule(cloud.Rule{Op: "nova.server.createImage", Times: 1, Effect: cloud.ExpireToken()})
	r.hibernate()
	r.g.Expect(r.cloud.Ledger().Count("keystone.token.create")).To(Equal(2))
	r.resume()
	r.expectClean()
}

// A pause that got no answer is carried out when the hibernation has been rolled back: nobody else would unpause the server.
func TestPauseThatIsCarriedOutLate(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cloud.AddRule(cloud.Rule{Op: "nova.server.pause", Times: 1, Effect: cloud.ResetBefore()})
	_, err := r.once(hibernate)
	r.g.Expect(err).To(HaveOccurred())
	r.resume()
	r.g.Expect(r.record().Strays).To(HaveLen(2), "the second request was not sent")
	r.g.Expect(r.record().Strays[0].Pause).To(BeTrue())

	r.cloud.PauseServer(r.now(master0).ID)
	r.clock.Step(time.Minute)
	r.cloud.Settle()
	r.resume()
	r.cloud.Settle()
	r.expectAwake()

	// So late that the cluster counts as running already.
	r.cloud.PauseServer(r.now(master0).ID)
	r.cloud.Settle()
	r.cleanup()
	r.cloud.Settle()
	r.expectAwake()
	r.clock.Step(10 * time.Minute)
	r.expectClean()
}

// The cluster is put to sleep again when the late pause has been carried out: the server counts as one that ran.
func TestLatePauseBeforeAnotherHibernation(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cloud.AddRule(cloud.Rule{Op: "nova.server.pause", Times: 1, Effect: cloud.ResetBefore()})
	_, err := r.once(hibernate)
	r.g.Expect(err).To(HaveOccurred())
	r.resume()
	r.cloud.PauseServer(r.now(master0).ID)
	r.cloud.Settle()
	r.hibernate()
	r.expectAsleep()
	r.g.Expect(r.record().Machines[0].Before).To(Equal("ACTIVE"))
}

// A pause that cannot be the late one is somebody's own, and so is a locked server.
func TestPausesThatAreNotLate(t *testing.T) {
	for name, test := range map[string]struct {
		waits  time.Duration
		locked bool
	}{"long after": {waits: time.Hour}, "locked": {locked: true}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 1)
			r.cloud.AddRule(cloud.Rule{Op: "nova.server.pause", Times: 1, Effect: cloud.ResetBefore()})
			_, err := r.once(hibernate)
			r.g.Expect(err).To(HaveOccurred())
			r.resume()
			r.clock.Step(test.waits)
			id := r.now(master0).ID
			r.cloud.PauseServer(id)
			r.cloud.Settle()
			if test.locked {
				r.g.Expect(r.cloud.LockByHand(id, false, "mine")).To(BeTrue())
			}
			_, _ = r.once(cleanup) // what it says is not the question
			r.cloud.Settle()
			r.g.Expect(r.now(master0).Status).To(Equal("PAUSED"))
			r.g.Expect(r.cloud.Ledger().Entries("nova.server.unpause")).To(BeEmpty())
		})
	}
}

// Behind the seal a pause is the hibernation's own, whatever is left of an earlier one.
func TestLatePauseBehindTheSeal(t *testing.T) {
	r, rule := halfDeletedRig(t, leftMaster)
	left := r.now(master0)
	r.edit(func(record *hibernation.Record) {
		record.Strays = append(record.Strays, hibernation.Stray{ServerID: left.ID, Pause: true, Until: r.clock.Now().Add(time.Minute)})
	})
	_, err := r.once(cleanup)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.cloud.Settle()
	r.g.Expect(r.now(master0).Status).To(Equal("PAUSED"))
	rule.Remove()
}

// A create that got no answer is carried out when the cluster has been put back to sleep: the server is the machine, and no proof
// that the record is an old copy.
func TestServerThatIsMadeLate(t *testing.T) {
	r := newRig(t, 1, 1)
	r.hibernate()
	r.cloud.AddRule(cloud.Rule{Op: "nova.server.create", Times: 2, Effect: cloud.ResetBefore()})
	for r.cloud.Ledger().Count("nova.server.create") < 2 {
		_, _ = r.once(resume) // the error is the lost answer
		r.clock.Step(2 * time.Second)
	}
	r.hibernate()
	r.expectAsleep()
	r.g.Expect(r.record().Machines[0].LateServer).To(BeTrue())
	opts := r.like(r.seeded.Masters[0], master0)
	opts.ImageRef = r.shotOf(master0)
	r.addServer(opts)
	r.resume()
	r.expectRunning()
}
