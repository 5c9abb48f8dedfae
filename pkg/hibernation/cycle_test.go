package hibernation_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

func TestCycle(t *testing.T) {
	r := newRig(t, 3, 3)
	g := r.g
	before := r.cloud.Usage(project)
	g.Expect(before.Instances).To(Equal(6))

	r.cloud.Ledger().Reset()
	r.hibernate()
	t.Log("hibernate:", r.cloud.Ledger().Counts())
	g.Expect(r.cloud.Usage(project).Instances).To(BeZero())
	g.Expect(r.secret()).NotTo(BeNil())

	r.cloud.Ledger().Reset()
	r.resume()
	t.Log("resume:", r.cloud.Ledger().Counts())
	g.Expect(r.cloud.Usage(project)).To(Equal(before))
	g.Expect(r.cloud.Regressions()).To(BeEmpty())

	r.cleanup()
	g.Expect(r.secret()).To(BeNil())
	_ = cloud.DefaultProject
}
