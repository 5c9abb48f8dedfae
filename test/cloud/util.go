package cloud

import (
	"cmp"
	"maps"
	"slices"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// remove returns s without v, in place.
func remove[T comparable](s []T, v T) []T {
	return slices.DeleteFunc(s, func(x T) bool { return x == v })
}

// list returns s for JSON, where an empty list is not null.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// sorted returns s in order, for JSON as list does.
func sorted(s []string) []string { return list(slices.Sorted(slices.Values(s))) }

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
