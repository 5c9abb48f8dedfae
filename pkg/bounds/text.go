package bounds

import (
	"errors"
	"fmt"

	"gopkg.in/yaml.v3"
)

const (
	// HeapPerObject and heapPerValue are what decoding JSON costs besides the bytes: a map of one entry or a small struct, and an
	// element of a list or a member.
	HeapPerObject = 384
	heapPerValue  = 64

	// maxYAML and maxYAMLValues bound a clouds.yaml and a kubeconfig. Decoding takes some 200 bytes a value.
	maxYAML       = 512 << 10
	maxYAMLValues = 10_000
)

// HeapOf returns about how much memory a JSON text takes at most when it is decoded.
func HeapOf(raw []byte) int {
	heap, quoted, escaped := len(raw), false, false
	for _, c := range raw {
		switch {
		case escaped:
			escaped = false
		case quoted:
			quoted, escaped = c != '"', c == '\\'
		case c == '"':
			quoted = true
		case c == '{':
			heap += HeapPerObject
		case c == '[' || c == ',':
			heap += heapPerValue
		}
	}
	return heap
}

// CheckYAML fails if a YAML text takes too much memory to be decoded: it is too long, or holds too many values, with those
// behind its aliases. It does not fail on a text that is no YAML: decoding finds that out.
func CheckYAML(content []byte) error {
	if len(content) > maxYAML {
		return fmt.Errorf("it is longer than %d KiB", maxYAML>>10)
	}
	if marks(content) > maxYAMLValues {
		return errTooManyValues()
	}
	var document yaml.Node
	// What is no YAML has no node.
	_ = yaml.Unmarshal(content, &document)
	if countValues(&document, map[*yaml.Node]int{}) > maxYAMLValues {
		return errTooManyValues()
	}
	return nil
}

func errTooManyValues() error {
	return errors.New("it holds too many values")
}

// marks counts what stands between the values of a YAML text.
func marks(content []byte) int {
	count := 0
	for _, c := range content {
		switch c {
		case ',', ':', '[', '{', '-', '?', '\n':
			count++
		}
	}
	return count
}

// countValues returns how many values a node has once its aliases are replaced; just above the bound if there are more. An
// alias of what it is a part of has more than any bound.
func countValues(node *yaml.Node, counted map[*yaml.Node]int) int {
	if count, ok := counted[node]; ok {
		return count
	}
	counted[node] = maxYAMLValues + 1
	count := 1
	if node.Alias != nil {
		count += countValues(node.Alias, counted)
	}
	for _, child := range node.Content {
		if count += countValues(child, counted); count > maxYAMLValues {
			break
		}
	}
	count = min(count, maxYAMLValues+1)
	counted[node] = count
	return count
}
