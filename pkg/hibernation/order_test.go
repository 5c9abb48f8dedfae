package hibernation_test

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/hibernation"
)

func oneRequestAtATime(s *setup) { s.engine.RequestsAtOnce = 1 }

// wholeCycle hibernates and wakes a cluster whose key pairs are lost, and returns all requests with their times, and events.
func wholeCycle(t *testing.T) (told []string) {
	t.Helper()
	r := newRig(t, 3, 5, oneRequestAtATime)
	for _, s := range r.seeded.Servers() {
		r.cloud.SetServerTags(s.ID) // so that each is asked for in the other view
	}
	r.remember()
	r.hibernate()
	r.edit(func(record *hibernation.Record) {
		for _, m := range record.Machines {
			m.Spec.KeyName = "key-of-" + m.Name
		}
	})
	r.resume()
	r.expectClean()
	for _, e := range r.cloud.Ledger().Entries() {
		told = append(told, fmt.Sprint(e.At, e.Op, e.Path, e.Name))
	}
	return append(told, r.events...)
}

// With one request at a time a cycle is a pure function of the cloud: a simulation of it can be repeated.
func TestOneRequestAtATimeIsDeterministic(t *testing.T) {
	first := wholeCycle(t)
	NewWithT(t).Expect(len(first)).To(BeNumerically(">", 80))
	for range 3 {
		NewWithT(t).Expect(wholeCycle(t)).To(Equal(first))
	}
}
