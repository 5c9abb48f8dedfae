package hibernation_test

import (
	"testing"

	. "github.com/onsi/gomega"
)

func TestCycle(t *testing.T) {
	r := newRig(t, 3, 3)
	before := r.cloud.Usage(project)
	r.hibernate()
	r.expectAsleep()
	r.g.Expect(r.cloud.Usage(project).Instances).To(BeZero())
	r.resume()
	r.g.Expect(r.cloud.Usage(project)).To(Equal(before))
	r.expectClean()
}
