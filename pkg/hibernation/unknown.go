package hibernation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// unknownFields are what a newer manager wrote and this one does not know; a save keeps them, at every level of the record.
type unknownFields map[string]json.RawMessage

// keeper is a part of the record that keeps the fields which it was read with and does not know.
type keeper interface{ kept() *unknownFields }

func (r *Record) kept() *unknownFields          { return &r.unknown }
func (m *Machine) kept() *unknownFields         { return &m.unknown }
func (s *ServerSpec) kept() *unknownFields      { return &s.unknown }
func (p *Port) kept() *unknownFields            { return &p.unknown }
func (s *Snapshot) kept() *unknownFields        { return &s.unknown }
func (c *Creation) kept() *unknownFields        { return &c.unknown }
func (c *Cut) kept() *unknownFields             { return &c.unknown }
func (s *Seal) kept() *unknownFields            { return &s.unknown }
func (c *Claim) kept() *unknownFields           { return &c.unknown }
func (t *Tries) kept() *unknownFields           { return &t.unknown }
func (l *Leftover) kept() *unknownFields        { return &l.unknown }
func (a *Action) kept() *unknownFields          { return &a.unknown }
func (o *Observation) kept() *unknownFields     { return &o.unknown }
func (n *ObservedNode) kept() *unknownFields    { return &n.unknown }
func (m *ObservedMachine) kept() *unknownFields { return &m.unknown }
func (s *Signer) kept() *unknownFields          { return &s.unknown }
func (s *Stray) kept() *unknownFields           { return &s.unknown }
func (k *Kept) kept() *unknownFields            { return &k.unknown }
func (h *HealthChecks) kept() *unknownFields    { return &h.unknown }

// plainRecord has the fields of a record, and is read and written by encoding/json itself.
type plainRecord Record

// MarshalJSON writes the record with the fields it was read with and does not know.
func (r *Record) MarshalJSON() ([]byte, error) {
	data, err := json.Marshal((*plainRecord)(r))
	if err != nil || !r.keepsAny() {
		return data, err
	}
	tree, err := r.tree(data)
	if err != nil {
		return nil, err
	}
	return json.Marshal(tree)
}

// UnmarshalJSON reads the record and remembers the fields that it does not know.
func (r *Record) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, (*plainRecord)(r)); err != nil {
		return err
	}
	if r.wroteAs(data) {
		return nil
	}
	tree, err := parse(data)
	if err != nil {
		return err
	}
	return eachKeeper(reflect.ValueOf(r), tree, remember)
}

// keepsAny tells whether there is anything in the record that it does not know.
func (r *Record) keepsAny() bool {
	keeps := false
	// It fails only where what it calls does.
	_ = eachKeeper(reflect.ValueOf(r), nil, func(k keeper, _ map[string]any) error {
		keeps = keeps || len(*k.kept()) > 0
		return nil
	})
	return keeps
}

// tree returns what the record is as JSON, with all that is in its text and what it keeps besides.
func (r *Record) tree(data []byte) (any, error) {
	tree, err := parse(data)
	if err != nil {
		return nil, err
	}
	return tree, eachKeeper(reflect.ValueOf(r), tree, func(k keeper, object map[string]any) error {
		for name, value := range *k.kept() {
			object[name] = value
		}
		return nil
	})
}

// parse reads JSON as it is; its numbers stay the text that they are.
func parse(data []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var tree any
	return tree, decoder.Decode(&tree)
}

// remember keeps the fields of an object that its type does not know. A field that is spelled in capitals otherwise than
// the type's would be read as that, and written beside it.
func remember(k keeper, object map[string]any) error {
	known := map[string]bool{}
	names(reflect.TypeOf(k).Elem(), known)
	unknown := unknownFields{}
	for name, value := range object {
		if known[name] {
			continue
		}
		for other := range known {
			if strings.EqualFold(other, name) {
				return fmt.Errorf("its field %q has to be spelled %q", name, other)
			}
		}
		data, err := json.Marshal(value)
		if err != nil {
			return err
		}
		unknown[name] = data
	}
	if len(unknown) == 0 {
		unknown = nil
	}
	*k.kept() = unknown
	return nil
}

// names collects how the fields of a type are called in JSON.
func names(t reflect.Type, known map[string]bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			known[name] = true
		} else if f.Anonymous {
			names(f.Type, known)
		}
	}
}

// eachKeeper visits all parts of a value that keep what they don't know, each with its object in the tree; nil where the tree
// has none.
func eachKeeper(v reflect.Value, tree any, visit func(keeper, map[string]any) error) error {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return eachKeeper(v.Elem(), tree, visit)
	case reflect.Slice:
		list, _ := tree.([]any)
		for i := range v.Len() {
			var item any
			if i < len(list) {
				item = list[i]
			}
			if err := eachKeeper(v.Index(i), item, visit); err != nil {
				return err
			}
		}
	case reflect.Struct:
		k, ok := v.Addr().Interface().(keeper)
		if !ok {
			return nil
		}
		object, _ := tree.(map[string]any)
		if err := visit(k, object); err != nil {
			return err
		}
		return eachField(v, object, visit)
	default:
	}
	return nil
}

func eachField(v reflect.Value, object map[string]any, visit func(keeper, map[string]any) error) error {
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name == "" {
			continue
		}
		if err := eachKeeper(v.Field(i), object[name], visit); err != nil {
			return err
		}
	}
	return nil
}
