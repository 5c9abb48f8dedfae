package hibernation

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// unknownFields are what a newer manager wrote and this one does not know; a save keeps them, at every level of the record.
type unknownFields map[string]json.RawMessage

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
	if err := forgetKnown(all, reflect.TypeOf(known).Elem()); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}

// forgetKnown leaves what the type does not know. A field that is spelled in capitals otherwise than the type's would be read
// as that, and written beside it.
func forgetKnown(all unknownFields, t reflect.Type) error {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			if err := forgetKnown(all, f.Type); err != nil {
				return err
			}
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			continue
		}
		delete(all, name)
		for other := range all {
			if strings.EqualFold(other, name) {
				return fmt.Errorf("its field %q has to be spelled %q", other, name)
			}
		}
	}
	return nil
}

// A type without methods has the fields of the one that it is made of, and is marshalled by encoding/json itself.
type (
	plainRecord      Record
	plainMachine     Machine
	plainServerSpec  ServerSpec
	plainPort        Port
	plainSnapshot    Snapshot
	plainCreation    Creation
	plainCut         Cut
	plainSeal        Seal
	plainClaim       Claim
	plainTries       Tries
	plainLeftover    Leftover
	plainObservation Observation
	plainAction      Action
	plainNode        ObservedNode
	plainMapiMachine ObservedMachine
	plainSigner      Signer
	plainChecks      HealthChecks
)

// MarshalJSON writes the record with the fields it was read with and does not know.
func (r *Record) MarshalJSON() ([]byte, error) { return marshalKeeping((*plainRecord)(r), r.unknown) }

// UnmarshalJSON reads the record and remembers the fields that it does not know.
func (r *Record) UnmarshalJSON(data []byte) (err error) {
	r.unknown, err = unmarshalKeeping(data, (*plainRecord)(r))
	return err
}

// MarshalJSON writes the machine with the fields it was read with and does not know.
func (m *Machine) MarshalJSON() ([]byte, error) { return marshalKeeping((*plainMachine)(m), m.unknown) }

// UnmarshalJSON reads the machine and remembers the fields that it does not know.
func (m *Machine) UnmarshalJSON(data []byte) (err error) {
	m.unknown, err = unmarshalKeeping(data, (*plainMachine)(m))
	return err
}

// MarshalJSON writes the spec with the fields it was read with and does not know.
func (s ServerSpec) MarshalJSON() ([]byte, error) {
	return marshalKeeping(plainServerSpec(s), s.unknown)
}

// UnmarshalJSON reads the spec and remembers the fields that it does not know.
func (s *ServerSpec) UnmarshalJSON(data []byte) (err error) {
	s.unknown, err = unmarshalKeeping(data, (*plainServerSpec)(s))
	return err
}

// MarshalJSON writes the port with the fields it was read with and does not know.
func (p Port) MarshalJSON() ([]byte, error) { return marshalKeeping(plainPort(p), p.unknown) }

// UnmarshalJSON reads the port and remembers the fields that it does not know.
func (p *Port) UnmarshalJSON(data []byte) (err error) {
	p.unknown, err = unmarshalKeeping(data, (*plainPort)(p))
	return err
}

// MarshalJSON writes the snapshot with the fields it was read with and does not know.
func (s *Snapshot) MarshalJSON() ([]byte, error) {
	return marshalKeeping((*plainSnapshot)(s), s.unknown)
}

// UnmarshalJSON reads the snapshot and remembers the fields that it does not know.
func (s *Snapshot) UnmarshalJSON(data []byte) (err error) {
	s.unknown, err = unmarshalKeeping(data, (*plainSnapshot)(s))
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

// MarshalJSON writes the cut with the fields it was read with and does not know.
func (c *Cut) MarshalJSON() ([]byte, error) { return marshalKeeping((*plainCut)(c), c.unknown) }

// UnmarshalJSON reads the cut and remembers the fields that it does not know.
func (c *Cut) UnmarshalJSON(data []byte) (err error) {
	c.unknown, err = unmarshalKeeping(data, (*plainCut)(c))
	return err
}

// MarshalJSON writes the seal with the fields it was read with and does not know.
func (s *Seal) MarshalJSON() ([]byte, error) { return marshalKeeping((*plainSeal)(s), s.unknown) }

// UnmarshalJSON reads the seal and remembers the fields that it does not know.
func (s *Seal) UnmarshalJSON(data []byte) (err error) {
	s.unknown, err = unmarshalKeeping(data, (*plainSeal)(s))
	return err
}

// MarshalJSON writes the claim with the fields it was read with and does not know.
func (c *Claim) MarshalJSON() ([]byte, error) { return marshalKeeping((*plainClaim)(c), c.unknown) }

// UnmarshalJSON reads the claim and remembers the fields that it does not know.
func (c *Claim) UnmarshalJSON(data []byte) (err error) {
	c.unknown, err = unmarshalKeeping(data, (*plainClaim)(c))
	return err
}

// MarshalJSON writes the tries with the fields it was read with and does not know.
func (t *Tries) MarshalJSON() ([]byte, error) { return marshalKeeping((*plainTries)(t), t.unknown) }

// UnmarshalJSON reads the tries and remembers the fields that it does not know.
func (t *Tries) UnmarshalJSON(data []byte) (err error) {
	t.unknown, err = unmarshalKeeping(data, (*plainTries)(t))
	return err
}

// MarshalJSON writes the leftover with the fields it was read with and does not know.
func (l Leftover) MarshalJSON() ([]byte, error) { return marshalKeeping(plainLeftover(l), l.unknown) }

// UnmarshalJSON reads the leftover and remembers the fields that it does not know.
func (l *Leftover) UnmarshalJSON(data []byte) (err error) {
	l.unknown, err = unmarshalKeeping(data, (*plainLeftover)(l))
	return err
}

// MarshalJSON writes the action with the fields it was read with and does not know.
func (a Action) MarshalJSON() ([]byte, error) { return marshalKeeping(plainAction(a), a.unknown) }

// UnmarshalJSON reads the action and remembers the fields that it does not know.
func (a *Action) UnmarshalJSON(data []byte) (err error) {
	a.unknown, err = unmarshalKeeping(data, (*plainAction)(a))
	return err
}

// MarshalJSON writes the observation with the fields it was read with and does not know.
func (o Observation) MarshalJSON() ([]byte, error) {
	return marshalKeeping(plainObservation(o), o.unknown)
}

// UnmarshalJSON reads the observation and remembers the fields that it does not know.
func (o *Observation) UnmarshalJSON(data []byte) (err error) {
	o.unknown, err = unmarshalKeeping(data, (*plainObservation)(o))
	return err
}

// MarshalJSON writes the Node with the fields it was read with and does not know.
func (n ObservedNode) MarshalJSON() ([]byte, error) { return marshalKeeping(plainNode(n), n.unknown) }

// UnmarshalJSON reads the Node and remembers the fields that it does not know.
func (n *ObservedNode) UnmarshalJSON(data []byte) (err error) {
	n.unknown, err = unmarshalKeeping(data, (*plainNode)(n))
	return err
}

// MarshalJSON writes the Machine with the fields it was read with and does not know.
func (m ObservedMachine) MarshalJSON() ([]byte, error) {
	return marshalKeeping(plainMapiMachine(m), m.unknown)
}

// UnmarshalJSON reads the Machine and remembers the fields that it does not know.
func (m *ObservedMachine) UnmarshalJSON(data []byte) (err error) {
	m.unknown, err = unmarshalKeeping(data, (*plainMapiMachine)(m))
	return err
}

// MarshalJSON writes the signer with the fields it was read with and does not know.
func (s Signer) MarshalJSON() ([]byte, error) { return marshalKeeping(plainSigner(s), s.unknown) }

// UnmarshalJSON reads the signer and remembers the fields that it does not know.
func (s *Signer) UnmarshalJSON(data []byte) (err error) {
	s.unknown, err = unmarshalKeeping(data, (*plainSigner)(s))
	return err
}

// MarshalJSON writes the state of the health checks with the fields it was read with and does not know.
func (h *HealthChecks) MarshalJSON() ([]byte, error) {
	return marshalKeeping((*plainChecks)(h), h.unknown)
}

// UnmarshalJSON reads the state of the health checks and remembers the fields that it does not know.
func (h *HealthChecks) UnmarshalJSON(data []byte) (err error) {
	h.unknown, err = unmarshalKeeping(data, (*plainChecks)(h))
	return err
}
