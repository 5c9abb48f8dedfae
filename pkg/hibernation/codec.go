package hibernation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/overwinter/overwinter/pkg/bounds"
)

// maxRecord is the largest record in bytes: a Secret holds 1 MiB in all.
const maxRecord = 900 << 10

// maxRecordHeap is how much memory a record may take once it is decoded. Who may write Secrets in a namespace can put anything
// there. The largest that is written takes half of it: we indent, so that each value has a line.
const maxRecordHeap = 12 << 20

// encode returns the record as JSON that a person can read. It fails if a Secret could not hold it.
func encode(r *Record) ([]byte, error) {
	data, err := marshalRecord(r)
	if err != nil {
		return nil, err
	}
	if len(data) > maxRecord {
		return nil, fmt.Errorf("the hibernation record needs %d bytes, and a Secret holds no more than %d", len(data), maxRecord)
	}
	return data, nil
}

func marshalRecord(r *Record) ([]byte, error) {
	if !r.keepsAny() {
		return marshalPlain(r)
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot write the hibernation record: %w", err)
	}
	return data, nil
}

// marshalPlain is marshalRecord for a record that knows all of its fields.
func marshalPlain(r *Record) ([]byte, error) {
	data, err := json.MarshalIndent((*plainRecord)(r), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot write the hibernation record: %w", err)
	}
	return data, nil
}

// decode reads a record; it fails if the text is malformed or of a version that this code does not know.
func decode(data []byte) (*Record, error) {
	if bounds.HeapOf(data) > maxRecordHeap {
		return nil, errors.New("it holds more than a record can")
	}
	if r := decodeOwn(data); r != nil {
		return r, r.validate()
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	if head.Version != recordVersion {
		return nil, fmt.Errorf("its version is %d and this manager knows version %d only", head.Version, recordVersion)
	}
	if err := checkStrictly(data); err != nil {
		return nil, err
	}
	r := &Record{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("it is malformed: %w", err)
	}
	return r, r.validate()
}

// decodeOwn reads a record that is just as this code would write it, nil for any other. Such a one need not be looked through:
// records are read in every pass, and are large.
func decodeOwn(data []byte) *Record {
	r := &Record{}
	if json.Unmarshal(data, (*plainRecord)(r)) != nil || r.Version != recordVersion || !r.wroteAs(data) {
		return nil
	}
	return r
}

// wroteAs tells whether a record, as it was read, would be written as the very text that it was read from. Then that holds
// nothing that is not known, and nothing twice.
func (r *Record) wroteAs(data []byte) bool {
	again, err := marshalPlain(r)
	return err == nil && bytes.Equal(again, data)
}

// validate finds what would make a record dangerous to act upon.
func (r *Record) validate() error {
	if r.InfraID == "" || r.Cloud.ProjectID == "" || r.Cloud.AuthURL == "" {
		return fmt.Errorf("its infraID or its cloud is missing")
	}
	if r.Opened != nil && r.Sealed == nil {
		return fmt.Errorf("it is opened and not sealed")
	}
	if r.Sealed != nil && len(r.Machines) == 0 {
		return fmt.Errorf("it is sealed and has no machines")
	}
	for i, l := range r.Leftovers {
		if l.ID == "" {
			return fmt.Errorf("its leftover number %d has no ID", i)
		}
	}
	return r.validateMachines()
}

func (r *Record) validateMachines() error {
	named, withServer, withPort := map[string]bool{}, map[string]string{}, map[string]string{}
	for i, m := range r.Machines {
		if m == nil || m.Name == "" || m.ServerID == "" {
			return fmt.Errorf("its machine number %d has no name or no server ID", i)
		}
		if named[m.Name] {
			return fmt.Errorf("it holds machine %s twice", m.Name)
		}
		if other, ok := withServer[m.ServerID]; ok {
			return fmt.Errorf("machines %s and %s have one server, %s", other, m.Name, m.ServerID)
		}
		named[m.Name], withServer[m.ServerID] = true, m.Name
		if err := r.validateMachine(m); err != nil {
			return err
		}
		for _, p := range m.Spec.Ports {
			if other, ok := withPort[p.ID]; ok || p.ID == "" {
				return fmt.Errorf("machine %s has a port %q, which is missing or that of %s too", m.Name, p.ID, other)
			}
			withPort[p.ID] = m.Name
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
