package bounds

import "container/list"

// Cache is a map that drops the entries used longest ago when there are too many, or when they weigh too much together. It
// is not safe for concurrent use.
type Cache[K comparable, V any] struct {
	size    int
	most    int64
	weight  int64
	order   *list.List
	entries map[K]*list.Element
}

type entry[K comparable, V any] struct {
	key    K
	value  V
	weight int64
}

// NewCache returns a cache of at most size entries, whose weights add up to at most weight.
func NewCache[K comparable, V any](size int, weight int64) *Cache[K, V] {
	return &Cache[K, V]{size: size, most: weight, order: list.New(), entries: map[K]*list.Element{}}
}

// Len returns the number of entries.
func (c *Cache[K, V]) Len() int { return len(c.entries) }

// Get returns the value of a key and marks it as used.
func (c *Cache[K, V]) Get(key K) (V, bool) {
	element, ok := c.entries[key]
	if !ok {
		var none V
		return none, false
	}
	c.order.MoveToFront(element)
	return element.Value.(*entry[K, V]).value, true
}

// Put adds an entry, in place of one with the same key, and returns the values that were dropped for it. An entry that alone
// weighs too much is kept until the next one comes.
func (c *Cache[K, V]) Put(key K, value V, weight int64) []V {
	dropped := c.Remove(key)
	c.entries[key] = c.order.PushFront(&entry[K, V]{key: key, value: value, weight: weight})
	c.weight += weight
	for c.order.Len() > 1 && (c.order.Len() > c.size || c.weight > c.most) {
		dropped = append(dropped, c.drop(c.order.Back()))
	}
	return dropped
}

// Remove drops an entry and returns its value; nothing if there is none.
func (c *Cache[K, V]) Remove(key K) []V {
	element, ok := c.entries[key]
	if !ok {
		return nil
	}
	return []V{c.drop(element)}
}

// RemoveIf drops the entries whose keys match and returns their values.
func (c *Cache[K, V]) RemoveIf(match func(K) bool) []V {
	var dropped []V
	for key, element := range c.entries {
		if match(key) {
			dropped = append(dropped, c.drop(element))
		}
	}
	return dropped
}

func (c *Cache[K, V]) drop(element *list.Element) V {
	it := c.order.Remove(element).(*entry[K, V])
	delete(c.entries, it.key)
	c.weight -= it.weight
	return it.value
}
