package cloud

import "slices"

// table keeps things by ID and in the order in which they came, so that going through them is the same in every run.
type table[T any] struct {
	byID map[string]*T
	list []*T
}

// get returns the thing with an ID, or nil.
func (t *table[T]) get(id string) *T { return t.byID[id] }

// all returns everything, oldest first. It is good until the next put or drop.
func (t *table[T]) all() []*T { return t.list }

// put adds a thing, at the end; the same one keeps its place. Another one with its ID goes.
func (t *table[T]) put(id string, v *T) {
	if t.byID == nil {
		t.byID = map[string]*T{}
	}
	if old := t.byID[id]; old == v {
		return
	}
	t.drop(id)
	t.byID[id] = v
	t.list = append(t.list, v)
}

// drop removes the thing with an ID, if there is one.
func (t *table[T]) drop(id string) {
	if v := t.byID[id]; v != nil {
		delete(t.byID, id)
		i := slices.Index(t.list, v)
		t.list = slices.Delete(t.list, i, i+1)
	}
}

// find returns the oldest thing for which fits is true, or nil.
func (t *table[T]) find(fits func(*T) bool) *T {
	for _, v := range t.list {
		if fits(v) {
			return v
		}
	}
	return nil
}
