package openstackclient

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// microversion is the N of Nova's microversion 2.N. 0 stands for no header at all, which is 2.1.
type microversion int64

// The microversions used, from Nova's API microversion history.
const (
	microversionDescription    microversion = 19
	microversionDeletedActions microversion = 21
	microversionTagFilter      microversion = 26
	microversionDeviceTags     microversion = 42
	microversionImageID        microversion = 45
	microversionFlavorID       microversion = 46
	microversionFlavorContent  microversion = 47
	microversionActionEvents   microversion = 51
	microversionCreateTags     microversion = 52
	microversionEventHosts     microversion = 62
	microversionGroupPolicy    microversion = 64
	microversionVolumeType     microversion = 67
	microversionHostname       microversion = 90
	microversionHypervisorHost microversion = 74
)

// String returns the header's value, empty for 0.
func (m microversion) String() string {
	if m == 0 {
		return ""
	}
	return fmt.Sprintf("2.%d", int64(m))
}

// versionFor returns the microversion to ask for: what the operation wants, or the highest that the cloud has.
func (c *openstackClient) versionFor(op operation) (microversion, *Error) {
	highest := microversion(c.highest.Load())
	if highest == 0 || op.want <= highest {
		return op.want, nil
	}
	if highest < op.need {
		return 0, &Error{Kind: KindInvalid, Op: op.name, Status: http.StatusNotAcceptable, Message: fmt.Sprintf(
			"this needs microversion %s of the compute API, and OpenStack at %s has none above %s", op.need, c.cloud.authURL, highest)}
	}
	return highest, nil
}

var highestInMessage = regexp.MustCompile(`maximum is 2\.(\d{1,4})\b`)

// learnHighest remembers the highest microversion if the error says that the one asked for is not there; the words are
// Nova's ("Version 2.99 is not supported by the API. Minimum is 2.1 and maximum is 2.93.").
func (c *openstackClient) learnHighest(failure *Error) bool {
	if failure.Status != http.StatusNotAcceptable {
		return false
	}
	found := highestInMessage.FindStringSubmatch(failure.Message)
	if found == nil {
		return false
	}
	highest, err := strconv.ParseInt(found[1], 10, 64)
	if err != nil || highest == 0 || highest == c.highest.Load() {
		return false
	}
	c.highest.Store(highest)
	return true
}

// answeredIn returns the microversion in which Nova answered; one that got lost on the way there is 2.1.
func answeredIn(header http.Header) microversion {
	value := header.Get("X-Openstack-Nova-Api-Version")
	if value == "" {
		value = strings.TrimPrefix(header.Get("Openstack-Api-Version"), "compute ")
	}
	minor, err := strconv.ParseInt(strings.TrimPrefix(value, "2."), 10, 64)
	if err != nil {
		return 1
	}
	return microversion(minor)
}
