package hibernation_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

// A server with state that dies with it is refused, whether its flavor or its image gives it that.
func TestS10StateThatDiesWithTheServer(t *testing.T) {
	for key, words := range map[string]string{
		"hw:tpm_version": "virtual TPM", "hw:tpm_model": "virtual TPM", "hw:pmem": "persistent memory", "hw:ephemeral_encryption": "encrypted",
	} {
		t.Run(key, func(t *testing.T) {
			r := newRig(t, 1, 1)
			r.cloud.AddFlavor(cloud.FlavorSpec{Name: "special", VCPUs: 1, RAM: 1, Disk: 100, ExtraSpecs: map[string]string{"hw:cpu_policy": "shared", key: "true"}})
			r.cloud.ResizeServer(r.seeded.Workers[0].ID, "special")
			r.remember()
			r.cloud.Ledger().Reset()
			r.expectRefused(hibernate, r.seeded.Workers[0].Name, "flavor special", words, key)
			r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
			r.expectUndone()
		})
	}
	for _, key := range []string{"hw_tpm_version", "hw_tpm_model", "hw_ephemeral_encryption"} {
		t.Run(key, func(t *testing.T) {
			r := newRig(t, 1, 1)
			r.cloud.SetImageProperty(r.seeded.ImageID, key, "2.0")
			r.cloud.Ledger().Reset()
			r.expectRefused(hibernate, master0, r.seeded.ImageID, key)
			r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
			r.expectUndone()
		})
	}
}

// Settings that give a server nothing of the kind are no reason to refuse.
func TestS10OtherSettings(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cloud.AddFlavor(cloud.FlavorSpec{Name: "plain", VCPUs: 1, RAM: 1, Disk: 100, ExtraSpecs: map[string]string{"hw:ephemeral_encryption": "False", "hw:mem_page_size": "large"}})
	r.cloud.ResizeServer(r.seeded.Workers[0].ID, "plain")
	r.cloud.SetImageProperty(r.seeded.ImageID, "hw_ephemeral_encryption", "no")
	r.remember()
	r.hibernate()
	r.expectAsleep()
}

// The image of a server is gone when it is to be hibernated. Its snapshot has inherited the properties and shows what it was:
// before anything is deleted the hibernation is undone.
func TestS10ImageIsGone(t *testing.T) {
	r := newRig(t, 1, 1)
	tpm := r.cloud.SeedClusterWith(cloud.ClusterOptions{InfraID: "other-abcde", Masters: 1})
	r.cloud.SetImageProperty(tpm.ImageID, "hw_tpm_version", "2.0")
	opts := r.like(r.seeded.Workers[0], infraID+"-worker-0-tpm", r.addPort("port-tpm"))
	opts.ImageRef = tpm.ImageID
	worker := r.addServer(opts)
	r.cloud.DeleteImage(tpm.ImageID)
	r.clock.Step(time.Minute)
	r.remember()
	r.expectRefused(hibernate, worker.Name, "virtual TPM", "hw_tpm_version")
	r.g.Expect(r.cloud.Ledger().Count("nova.server.delete")).To(BeZero())
	r.expectUndone()
}

// A cloud that does not show the extra specs of flavors says nothing of vTPMs: that is refused.
func TestS10ExtraSpecsAreHidden(t *testing.T) {
	r := newRig(t, 1, 1, func(s *setup) { s.cloud.HideExtraSpecs = true })
	r.cloud.Ledger().Reset()
	r.expectRefused(hibernate, "does not show the extra specs", "os-flavor-extra-specs:index")
	r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
}

// Nova deletes the ports that it made itself, however they are called and tagged by then.
func TestS15PortsOfNovaThatSomebodyTagged(t *testing.T) {
	r := newRig(t, 1, 1, func(s *setup) { s.cluster.NovaPorts = true })
	for _, p := range r.cloud.Ports() {
		r.cloud.TagPort(p.ID, "a name", "openshiftClusterID="+infraID)
	}
	r.cloud.Ledger().Reset()
	r.expectRefused(hibernate, "was made by Nova")
	r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
	r.expectUndone()
}

// A port that was there before its server outlives it, though it bears nothing.
func TestS15PortsWithoutAMark(t *testing.T) {
	r := newRig(t, 1, 0)
	port := r.addPort("")
	r.clock.Step(2 * time.Second)
	r.addServer(r.like(r.seeded.Masters[0], infraID+"-worker-0-plain", port))
	r.clock.Step(time.Minute)
	r.remember()
	r.hibernate()
	r.expectAsleep()
	r.resume()
	r.expectClean()
}
