package hibernation

import (
	"context"
	"slices"
	"time"
)

// strayFor is how long after its request a snapshot may still appear that was never answered: a proxy or a queue can carry the
// request out when its sender has long given up.
const strayFor = 10 * time.Minute

// Stray is a snapshot of a hibernation that was rolled back, whose request got no answer and whose image was not seen.
type Stray struct {
	Name     string `json:"name"`
	Cycle    string `json:"cycle"`
	ServerID string `json:"serverID"`
	// Until is when the image is looked for a last time.
	Until time.Time `json:"until"`

	unknown unknownFields
}

// noteStray remembers that a machine's snapshot may still appear. The record holds the latest of each server.
func (s *Session) noteStray(m *Machine, asked time.Time) {
	r := s.record
	r.Strays = slices.DeleteFunc(r.Strays, func(old Stray) bool { return old.ServerID == m.ServerID })
	r.Strays = append(r.Strays, Stray{Name: m.Shot.Name, Cycle: m.Shot.Cycle, ServerID: m.ServerID, Until: asked.Add(strayFor).UTC()})
	s.dirty = true
}

// giveUpStrays gives up the strays that have appeared, once the last of them is due. It returns how long that is away.
func (s *Session) giveUpStrays(ctx context.Context) (time.Duration, error) {
	r := s.record
	if len(r.Strays) == 0 {
		return 0, nil
	}
	last := slices.MaxFunc(r.Strays, func(a, b Stray) int { return a.Until.Compare(b.Until) })
	if left := last.Until.Sub(s.now()); left > 0 {
		return min(left, strayFor), nil
	}
	list, err := s.ourImages(ctx)
	if err != nil {
		return 0, err
	}
	for _, stray := range r.Strays {
		want := &Snapshot{Name: stray.Name, Cycle: stray.Cycle, ServerID: stray.ServerID}
		for i := range list {
			if isShot(&list[i], want) {
				r.giveUp(&Snapshot{ID: list[i].ID, Name: list[i].Name})
			}
		}
	}
	r.Strays = nil
	return 0, s.save(ctx)
}
