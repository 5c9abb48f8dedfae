package hibernation

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/hibernation"
)

// A cluster that shows as running is looked at again if its record says otherwise.
func TestDisturbed(t *testing.T) {
	made := []hibernation.MachineState{{Name: "a", ServerID: "1", Running: true}, {Name: "b", ServerID: "2", Running: true}}
	notMade := []hibernation.MachineState{{Name: "a", ServerID: "1", Running: true}, {Name: "b"}}
	for name, c := range map[string]struct {
		record hibernation.Summary
		want   bool
	}{
		"no record":                  {hibernation.Summary{}, false},
		"leftovers":                  {hibernation.Summary{Exists: true, Leftovers: 1}, false},
		"being hibernated":           {hibernation.Summary{Exists: true, Cutting: true}, true},
		"asleep":                     {hibernation.Summary{Exists: true, Sealed: true, Machines: made}, true},
		"awake":                      {hibernation.Summary{Exists: true, Sealed: true, Opened: true, Machines: made}, false},
		"awake, by an older record":  {hibernation.Summary{Exists: true, Sealed: true, Opened: true, Machines: notMade}, true},
		"awake, and hibernated anew": {hibernation.Summary{Exists: true, Sealed: true, Opened: true, Cutting: true, Machines: made}, true},
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(disturbed(c.record)).To(Equal(c.want))
		})
	}
}
