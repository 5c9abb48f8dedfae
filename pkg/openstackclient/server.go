package openstackclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// serverExtras are the parts of Nova's server that gophercloud's type leaves out.
type serverExtras struct {
	Description *string         `json:"description"`
	PowerState  *int            `json:"OS-EXT-STS:power_state"`
	Addresses   json.RawMessage `json:"addresses"`
	Image       json.RawMessage `json:"image"`
	Flavor      struct {
		ID           string         `json:"id"`
		OriginalName string         `json:"original_name"`
		Disk         *int           `json:"disk"`
		Ephemeral    looseInt       `json:"ephemeral"`
		Swap         looseInt       `json:"swap"`
		ExtraSpecs   map[string]any `json:"extra_specs"`
	} `json:"flavor"`
}

// UnmarshalJSON reads a server as Nova shows it, in any microversion.
func (s *Server) UnmarshalJSON(data []byte) error {
	// A type of its own, so that the result does not depend on what s held before.
	var read Server
	if err := json.Unmarshal(data, &read.Server); err != nil {
		return err
	}
	var extras serverExtras
	if err := json.Unmarshal(data, &extras); err != nil {
		return err
	}
	macs, err := macsInOrder(extras.Addresses)
	if err != nil {
		return fmt.Errorf("addresses: %w", err)
	}
	read.MACs = macs
	if extras.Description != nil {
		read.Description = *extras.Description
	}
	read.ImageID, err = imageID(extras.Image)
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	read.FlavorID = extras.Flavor.ID
	read.FlavorName = extras.Flavor.OriginalName
	read.DiskGiB = extras.Flavor.Disk
	read.EphemeralGiB = int(extras.Flavor.Ephemeral)
	read.SwapMiB = int(extras.Flavor.Swap)
	read.ExtraSpecs = texts(extras.Flavor.ExtraSpecs)
	read.Power = powerOf(extras.PowerState)
	*s = read
	return nil
}

// powerOf reads Nova's number (nova/compute/power_state.py). A missing one is not NOSTATE, which is 0.
func powerOf(state *int) Power {
	if state == nil {
		return PowerUnknown
	}
	return map[int]Power{0: PowerNone, 1: PowerRunning, 3: PowerPaused, 4: PowerOff, 6: PowerCrashed, 7: PowerSuspended}[*state]
}

// texts returns values as text; nil for nil.
func texts(values map[string]any) map[string]string {
	if values == nil {
		return nil
	}
	out := make(map[string]string, len(values))
	for key, value := range values {
		out[key] = fmt.Sprint(value)
	}
	return out
}

// imageID reads a server's image, which is an object, or "" if the server boots from a volume.
func imageID(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || raw[0] == '"' {
		return "", nil
	}
	var image struct {
		ID string `json:"id"`
	}
	err := json.Unmarshal(raw, &image)
	return image.ID, err
}

// macsInOrder reads {"network": [{"OS-EXT-IPS-MAC:mac_addr": …}, …], …} in the order in which it is written. A port with
// two addresses is there twice.
func macsInOrder(raw json.RawMessage) ([]string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, errors.Join(errors.New("not an object"), err)
	}
	var macs []string
	for decoder.More() {
		if _, err := decoder.Token(); err != nil {
			return nil, err
		}
		var addresses []struct {
			MAC string `json:"OS-EXT-IPS-MAC:mac_addr"`
		}
		if err := decoder.Decode(&addresses); err != nil {
			return nil, err
		}
		for _, address := range addresses {
			if address.MAC != "" && !slices.Contains(macs, address.MAC) {
				macs = append(macs, address.MAC)
			}
		}
	}
	return macs, nil
}

// looseInt is a number that some releases write as a string, and 0 as an empty one.
type looseInt int

// UnmarshalJSON implements json.Unmarshaler.
func (l *looseInt) UnmarshalJSON(data []byte) error {
	text := string(bytes.Trim(data, `"`))
	if text == "" || text == "null" {
		*l = 0
		return nil
	}
	number, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("not a number: %w", err)
	}
	*l = looseInt(number)
	return nil
}
