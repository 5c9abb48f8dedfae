package openstackclient

import "container/list"

// lru is a map that forgets the entry used longest ago when it is full. It is not safe for concurrent use.
type lru[K comparable, V any] struct {
	size    int
	order   *list.List
	entries map[K]*list.Element
}

type lruEntry[K comparable, V any] struct {
	key   K
	value V
}

func newLRU[K comparable, V any](size int) *lru[K, V] {
	return &lru[K, V]{size: size, order: list.New(), entries: map[K]*list.Element{}}
}

// get returns the value of a key and marks it as used.
func (l *lru[K, V]) get(key K) (V, bool) {
	element, ok := l.entries[key]
	if !ok {
		var none V
		return none, false
	}
	l.order.MoveToFront(element)
	return element.Value.(*lruEntry[K, V]).value, true
}

// put adds a key that is not there yet and returns what was forgotten for it.
func (l *lru[K, V]) put(key K, value V) []V {
	l.entries[key] = l.order.PushFront(&lruEntry[K, V]{key: key, value: value})
	var forgotten []V
	for len(l.entries) > l.size {
		oldest := l.order.Back().Value.(*lruEntry[K, V])
		forgotten = append(forgotten, l.removeIf(func(key K) bool { return key == oldest.key })...)
	}
	return forgotten
}

// removeIf forgets the entries whose key matches and returns their values.
func (l *lru[K, V]) removeIf(match func(K) bool) []V {
	var removed []V
	for key, element := range l.entries {
		if match(key) {
			removed = append(removed, element.Value.(*lruEntry[K, V]).value)
			l.order.Remove(element)
			delete(l.entries, key)
		}
	}
	return removed
}
