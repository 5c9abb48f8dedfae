package hibernation

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// maxRecord is the largest record in bytes: a Secret holds 1 MiB in all.
const maxRecord = 900 << 10

// unknownFields are what a newer manager wrote and this one does not know; a save keeps them.
type unknownFields map[string]json.RawMessage

// encode returns the record as JSON that a person can read. It fails if a Secret could not hold it.
func encode(r *Record) ([]byte, error) {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot write the hibernation record: %w", err)
	}
	if len(data) > maxRecord {
		return nil, fmt.Errorf("the hibernation record needs %d bytes, and a Secret holds no more than %d", len(data), maxRecord)
	}
	return data, nil
}

// decode reads a record; it fails if the text is malformed or of a version that this code does not know.
func decode(data []byte) (*Record, error) {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	if head.Version != recordVersion {
		return nil, fmt.Errorf("its version is %d and this manager knows version %d only", head.Version, recordVersion)
	}
	r := &Record{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("it is malformed: %w", err)
	}
	return r, r.validate()
}

// validate finds what would make a record dangerous to act upon.
func (r *Record) validate() error {
	if r.InfraID == "" || r.Cloud.ProjectID == "" || r.Cloud.AuthURL == "" {
		return fmt.Errorf("its infraID or its cloud is missing")
	}
	if r.Opened != nil && r.Sealed == nil {
		return fmt.Errorf("it is opened and not sealed")
	}
	seen := map[string]bool{}
	for i, m := range r.Machines {
		if m == nil || m.Name == "" || m.ServerID == "" {
			return fmt.Errorf("its machine number %d has no name or no server ID", i)
		}
		if seen[m.Name] {
			return fmt.Errorf("it holds machine %s twice", m.Name)
		}
		seen[m.Name] = true
		if err := r.validateMachine(m); err != nil {
			return err
		}
	}
	return nil
}

// validateMachine finds a machine that has lost what it would be made of.
func (r *Record) validateMachine(m *Machine) error {
	switch {
	case m.InCut && (r.Cut == nil || m.Shot == nil || m.Shot.Name == ""):
		return fmt.Errorf("machine %s takes part in a cut and the snapshot's name is missing", m.Name)
	case r.Sealed != nil && !m.InCut && (m.Snapshot == nil || m.Snapshot.ID == ""):
		return fmt.Errorf("it is sealed and machine %s has no snapshot", m.Name)
	}
	return nil
}

// The types below each have one line of marshalling, so that fields that this code doesn't know survive at every level
// that a later version may add to.
type (
	plainRecord   Record
	plainMachine  Machine
	plainSpec     ServerSpec
	plainCreation Creation
)

// MarshalJSON writes the record with the fields it was read with and does not know.
func (r *Record) MarshalJSON() ([]byte, error) { return marshalKeeping((*plainRecord)(r), r.unknown) }

// UnmarshalJSON reads the record and remembers the fields that it does not know.
func (r *Record) UnmarshalJSON(data []byte) (err error) {
	r.unknown, err = unmarshalKeeping(data, (*plainRecord)(r))
	return err
}

// MarshalJSON writes the machine with the fields it was read with and does not know.
func (m *Machine) MarshalJSON() ([]byte, error) {
	return marshalKeeping((*plainMachine)(m), m.unknown)
}

// UnmarshalJSON reads the machine and remembers the fields that it does not know.
func (m *Machine) UnmarshalJSON(data []byte) (err error) {
	m.unknown, err = unmarshalKeeping(data, (*plainMachine)(m))
	return err
}

// MarshalJSON writes the spec with the fields it was read with and does not know.
func (s ServerSpec) MarshalJSON() ([]byte, error) { return marshalKeeping(plainSpec(s), s.unknown) }

// UnmarshalJSON reads the spec and remembers the fields that it does not know.
func (s *ServerSpec) UnmarshalJSON(data []byte) (err error) {
	s.unknown, err = unmarshalKeeping(data, (*plainSpec)(s))
	return err
}

// MarshalJSON writes the creation with the fields it was read with and does not know.
func (c *Creation) MarshalJSON() ([]byte, error) {
	return marshalKeeping((*plainCreation)(c), c.unknown)
}

// UnmarshalJSON reads the creation and remembers the fields that it does not know.
func (c *Creation) UnmarshalJSON(data []byte) (err error) {
	c.unknown, err = unmarshalKeeping(data, (*plainCreation)(c))
	return err
}

func marshalKeeping(known any, unknown unknownFields) ([]byte, error) {
	data, err := json.Marshal(known)
	if err != nil || len(unknown) == 0 {
		return data, err
	}
	all := unknownFields{}
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	for k, v := range unknown {
		all[k] = v
	}
	return json.Marshal(all)
}

func unmarshalKeeping(data []byte, known any) (unknownFields, error) {
	if err := json.Unmarshal(data, known); err != nil {
		return nil, err
	}
	var all unknownFields
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	forgetKnown(all, reflect.TypeOf(known).Elem())
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}

func forgetKnown(all unknownFields, t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			forgetKnown(all, f.Type)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		delete(all, name)
	}
}
