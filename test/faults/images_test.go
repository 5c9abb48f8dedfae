package faults

import "testing"

// Images that lose their data.

// emptied is a snapshot that Glance shows as active, and whose data are lost.
func emptied(role string) otherDeed {
	return otherDeed{
		name: "empty-snapshot-" + role, role: role, advice: []string{"holds no data", "bring that image back", "look for a copy", "tried again"},
		do: func(m *meddling) bool {
			img, ok := m.newestShot()
			if !ok || img.Status != "active" || m.createsUnseen() {
				return false
			}
			m.image = img.ID
			m.destroys(m.name)
			_, stands := m.server()
			m.missable = stands && m.imagesAreSeen()
			return m.cloud.EmptyImage(img.ID)
		},
	}
}

// createsUnseen tells whether servers are made before the images are looked at again.
func (m *meddling) createsUnseen() bool {
	for _, c := range m.coming {
		switch c.op {
		case "nova.server.create":
			return true
		case "glance.image.list", "glance.image.get":
			return false
		}
	}
	return false
}

// At every call of both directions the newest snapshot of a machine loses its data, and Glance shows it as active all the same.
func TestS13EmptyImage(t *testing.T) {
	for _, s := range othersShapes() {
		for _, f := range deedFlows(s) {
			t.Run(s.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				for i, role := range []string{"master", "worker"}[:1+min(1, s.workers)] {
					tryOtherDeeds(t, s, f, []otherDeed{emptied(role)}, i, 13)
				}
			})
		}
	}
}
