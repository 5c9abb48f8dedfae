package hibernation_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// everyVerb is all that may be asked of an engine.
var everyVerb = map[string]verb{
	"hibernate": hibernate, "resume": resume, "cleanup": cleanup, "asleep": asleep, "awake": awake, "release": release,
}

// stages are states of a cluster in which its record says something about the cloud.
var stages = map[string]func(*rig){
	"being paused":      func(r *rig) { r.passes(1, hibernate) },
	"being snapshotted": func(r *rig) { r.passes(2, hibernate) },
	"being deleted": func(r *rig) {
		r.passesUntil(func() bool { return r.record() != nil && r.record().Sealed != nil }, hibernate)
	},
	"asleep":      func(r *rig) { r.hibernate() },
	"being woken": func(r *rig) { r.hibernate(); r.passes(1, resume) },
	"awake":       func(r *rig) { r.hibernate(); r.resume() },
}

// Credentials that lead to another project make every 404 a lie: nothing is concluded, nothing is touched, whatever is asked
// for and however far things are. With the right ones it goes on.
func TestAnotherCloud(t *testing.T) {
	t.Parallel()
	for stage, reach := range stages {
		for name, do := range everyVerb {
			t.Run(stage+", "+name, func(t *testing.T) {
				r := newRig(t, 1, 1)
				reach(r)
				right, before := r.api, string(r.recordData())
				r.api = r.clientOf("stranger", "other")
				for range 3 {
					r.cloud.Ledger().Reset()
					p, err := r.once(do)
					r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
					if err == nil { // then it did not even look
						r.g.Expect(p.Done && name != "cleanup").To(BeFalse())
						r.g.Expect(r.cloud.Ledger().Count()).To(Equal(r.cloud.Ledger().Count("keystone.*")))
					} else {
						r.g.Expect(err).To(BeAssignableToTypeOf(&hibernation.Blocked{}), "%v", err)
						r.g.Expect(err).To(MatchError(And(ContainSubstring("credentials lead to project "+r.cloud.ProjectID("other")), ContainSubstring(r.cloud.ProjectID(project)))))
					}
					r.clock.Step(time.Minute)
				}
				r.g.Expect(string(r.recordData())).To(Equal(before))
				r.api = right
				r.hibernate()
				r.expectAsleep()
				r.resume()
				r.expectClean()
			})
		}
	}
}

// turncoat is a client that leads to another project after some requests, as when its credentials are replaced and the token
// is renewed in the middle of a pass.
type turncoat struct {
	openstackclient.Client
	other openstackclient.Client
	left  *int
}

func (c turncoat) pick() openstackclient.Client {
	*c.left--
	if *c.left < 0 {
		return c.other
	}
	return c.Client
}

// Scope implements openstackclient.Client; it is no request.
func (c turncoat) Scope(ctx context.Context) (openstackclient.Scope, error) {
	if *c.left < 0 {
		return c.other.Scope(ctx)
	}
	return c.Client.Scope(ctx)
}

// ListServers implements openstackclient.Client.
func (c turncoat) ListServers(ctx context.Context, view openstackclient.View, opts servers.ListOpts) ([]openstackclient.Server, error) {
	return c.pick().ListServers(ctx, view, opts)
}

// GetServer implements openstackclient.Client.
func (c turncoat) GetServer(ctx context.Context, view openstackclient.View, id string) (*openstackclient.Server, error) {
	return c.pick().GetServer(ctx, view, id)
}

// ListImages implements openstackclient.Client.
func (c turncoat) ListImages(ctx context.Context, opts openstackclient.ListImagesOpts) ([]images.Image, error) {
	return c.pick().ListImages(ctx, opts)
}

// GetImage implements openstackclient.Client.
func (c turncoat) GetImage(ctx context.Context, id string) (*images.Image, error) {
	return c.pick().GetImage(ctx, id)
}

// ListPorts implements openstackclient.Client.
func (c turncoat) ListPorts(ctx context.Context, opts openstackclient.ListPortsOpts) ([]ports.Port, error) {
	return c.pick().ListPorts(ctx, opts)
}

// What such a client does not find is not gone.
func TestAnotherCloudInTheMiddleOfAPass(t *testing.T) {
	t.Parallel()
	for stage, reach := range stages {
		for _, name := range []string{"hibernate", "resume"} {
			for _, n := range []int{0, 1, 3, 5} {
				t.Run(fmt.Sprintf("%s, %s after %d reads", stage, name, n), func(t *testing.T) {
					r := newRig(t, 1, 1)
					reach(r)
					right, left := r.api, n
					r.api = turncoat{right, r.clientOf("stranger", "other"), &left}
					for range 4 {
						p, err := r.once(everyVerb[name])
						if left < 0 {
							r.g.Expect(err == nil && p.Done).To(BeFalse(), "it is done where nothing is to be seen")
						}
						r.wait(p)
					}
					r.api = right
					r.hibernate()
					r.expectAsleep()
					r.resume()
					r.expectClean()
				})
			}
		}
	}
}
