package hibernation

import (
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	. "github.com/onsi/gomega"
)

// What a port bears counts only where the times do not tell.
func TestS15WhoMadeAPort(t *testing.T) {
	at := time.Date(2026, 11, 23, 15, 4, 5, 0, time.UTC)
	named, described, tagged := ports.Port{Name: "n"}, ports.Port{Description: "d"}, ports.Port{Tags: []string{"t"}}
	bare, all := ports.Port{}, ports.Port{Name: "n", Description: "d", Tags: []string{"t"}}
	for name, test := range map[string]struct {
		port          ports.Port
		after         time.Duration
		noTime, dooms bool
	}{
		"earlier, bare":       {bare, -time.Second, false, false},
		"earlier, all":        {all, -time.Second, false, false},
		"later, all":          {all, time.Second, false, true},
		"later, bare":         {bare, time.Second, false, true},
		"same second, bare":   {bare, 0, false, true},
		"same second, tagged": {tagged, 0, false, true},
		"same second, named":  {named, 0, false, false},
		"same second, words":  {described, 0, false, false},
		"no time, bare":       {bare, 0, true, true},
		"no time, tagged":     {tagged, 0, true, false},
		"no time, named":      {named, 0, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			srv := fitServer()
			srv.Created = at
			if !test.noTime {
				test.port.CreatedAt = at.Add(test.after)
			}
			NewWithT(t).Expect(doomed(test.port, srv) != "").To(Equal(test.dooms))
		})
	}
}
