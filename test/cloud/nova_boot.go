package cloud

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"github.com/google/uuid"
)

// chooseDisk finds what the server boots from: an image, or a volume, in which case the server has no image.
func (c *Cloud) chooseDisk(k *call, s *server, imageRef string, devices []blockDevice) *reply {
	for _, d := range devices {
		if refused := c.attach(k, s, d); refused != nil {
			return refused
		}
	}
	if s.volumeBooted() {
		s.disk = s.attachments[0].volume.disk
		return nil
	}
	if imageRef == "" {
		return novaError(http.StatusBadRequest, "Invalid imageRef provided.")
	}
	img := c.usableImage(k.project, imageRef)
	if img == nil {
		return novaError(http.StatusBadRequest, "Can not find requested image")
	}
	if refused := unfit(img, s.flavor); refused != nil {
		return refused
	}
	s.imageID, s.imageProps, s.imageMinRAM = img.id, inheritable(img), img.minRAM
	s.disk = &disk{writes: img.writes, generation: img.generation}
	return nil
}

// unfit says why an image can't be the disk of a server with a flavor.
func unfit(img *image, f flavor) *reply {
	switch {
	case img.status != imageActive:
		return novaError(http.StatusBadRequest, "Image %s is not active.", img.id)
	case f.disk == 0:
		return novaError(http.StatusForbidden, "Only volume-backed servers are allowed for flavors with zero disk.")
	case f.disk < img.minDisk:
		return novaError(http.StatusBadRequest, "Flavor's disk is too small for requested image. Flavor disk is %d bytes, minimum size is %d bytes.", f.disk<<30, img.minDisk<<30)
	}
	return nil
}

// attach adds a volume: an existing one, or one made of an image or empty. A boot index of 0 makes it the root.
func (c *Cloud) attach(k *call, s *server, d blockDevice) *reply {
	if d.DestinationType == "local" || (d.SourceType == "image" && d.DestinationType == "") {
		return nil // the image itself, or a local disk: nothing to represent
	}
	v, refused := c.volumeFor(k, d)
	if refused != nil {
		return refused
	}
	a := &attachment{volume: v, onDelete: d.DeleteOnTermination, device: "/dev/vd" + string(rune('a'+len(s.attachments)))}
	if a.root = d.BootIndex != nil && *d.BootIndex == "0"; a.root {
		s.attachments = slices.Insert(s.attachments, 0, a)
	} else {
		s.attachments = append(s.attachments, a)
	}
	return nil
}

// volumeFor returns the volume that a block device names, or a new one.
func (c *Cloud) volumeFor(k *call, d blockDevice) (*volume, *reply) {
	if d.SourceType == "volume" {
		v := c.volumes.get(d.UUID)
		if v == nil || v.project != k.project {
			return nil, novaError(http.StatusBadRequest, "Block Device Mapping is Invalid: failed to get volume %s.", d.UUID)
		}
		if v.status != "available" {
			return nil, novaError(http.StatusBadRequest, "Invalid volume: volume %s is not available", d.UUID)
		}
		return v, nil
	}
	size, _ := number(string(d.VolumeSize))
	v := &volume{id: c.newID(), project: k.project, size: size, disk: &disk{}}
	if d.SourceType == "image" {
		img := c.usableImage(k.project, d.UUID)
		if img == nil || img.status != imageActive {
			return nil, novaError(http.StatusBadRequest, "Can not find requested image")
		}
		v.imageID, v.disk.writes, v.disk.generation = img.id, img.writes, img.generation
	}
	return v, nil
}

// chooseNetworks checks the networks of a create. Nova looks at a port's device ID here, and binds the port later.
func (c *Cloud) chooseNetworks(k *call, s *server, raw json.RawMessage) *reply {
	var word string
	if len(raw) == 0 || json.Unmarshal(raw, &word) == nil {
		return nil // none, or left to Nova, which has none to offer
	}
	var asked []struct {
		UUID    string  `json:"uuid"`
		Port    *string `json:"port"`
		FixedIP string  `json:"fixed_ip"`
		Tag     string  `json:"tag"`
	}
	if json.Unmarshal(raw, &asked) != nil {
		return novaError(http.StatusBadRequest, "Bad networks format")
	}
	for i, n := range asked {
		if n.Tag != "" && k.mv < 42 && k.mv != 32 {
			return unexpected(strconv.Itoa(i), "tag")
		}
		one := nic{networkID: n.UUID, fixedIP: n.FixedIP}
		if n.Port != nil {
			one.portID = *n.Port
		}
		if refused := c.checkNIC(k.project, s.nics, one); refused != nil {
			return refused
		}
		s.nics = append(s.nics, one)
	}
	return nil
}

func (c *Cloud) checkNIC(p *project, before []nic, n nic) *reply {
	if n.portID == "" {
		if uuid.Validate(n.networkID) != nil {
			return novaError(http.StatusBadRequest, "Bad networks format: network uuid is not in proper format (%s)", n.networkID)
		}
		if net := c.networks.get(n.networkID); net == nil || !net.usableBy(p) {
			return novaError(http.StatusBadRequest, "Network %s could not be found.", n.networkID)
		}
		return nil
	}
	if slices.ContainsFunc(before, func(b nic) bool { return b.portID == n.portID }) {
		return novaError(http.StatusBadRequest, "Port ID '%s' was specified twice: you cannot attach a port multiple times.", n.portID)
	}
	found := c.ports.get(n.portID)
	switch {
	case found == nil || found.project != p:
		return novaError(http.StatusBadRequest, "Port id %s could not be found.", n.portID)
	case found.deviceID != "":
		return novaError(http.StatusConflict, "Port %s is still in use.", n.portID)
	case len(found.fixedIPs) == 0:
		return novaError(http.StatusBadRequest, "Port %s requires a FixedIP in order to be used.", n.portID)
	}
	return nil
}
