package hibernation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// deepest is far more than the levels of a record. Indented, a text grows by the square of its depth.
const deepest = 64

// scope is an object or a list that is being read.
type scope struct {
	object bool
	// wantsKey says that a key or the end of the object comes next.
	wantsKey bool
	keys     map[string]bool
}

// checkStrictly refuses JSON that a person or a program may read in two ways, an object with the same key twice, and what is
// nested too deeply to be written again.
func checkStrictly(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	open := []*scope{{}}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		in := open[len(open)-1]
		key, ok := token.(string)
		if ok && in.wantsKey {
			if in.keys[key] {
				return fmt.Errorf("it has the field %.100q twice in one object", key)
			}
			in.keys[key], in.wantsKey = true, false
			continue
		}
		in.wantsKey = in.object
		if open = nest(open, token); len(open) > deepest {
			return fmt.Errorf("it is nested more than %d levels deep", deepest)
		}
	}
}

// nest returns what is open behind a token.
func nest(open []*scope, token json.Token) []*scope {
	switch token {
	case json.Delim('{'):
		return append(open, &scope{object: true, wantsKey: true, keys: map[string]bool{}})
	case json.Delim('['):
		return append(open, &scope{})
	case json.Delim('}'), json.Delim(']'):
		return open[:len(open)-1]
	}
	return open
}
