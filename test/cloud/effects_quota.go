package cloud

import (
	"net/http"
	"strconv"
)

// QuotaExceeded answers as each service does when a quota is used up, with this status: Nova says 403 (413 in old releases, with
// Retry-After: 0), Glance 413. Neutron always says 409.
func QuotaExceeded(status int) Effect {
	return Effect{name: "quota exceeded " + strconv.Itoa(status), instead: func(k *call, _ string) *reply { return quotaExceeded(k, status) }}
}

func quotaExceeded(k *call, status int) *reply {
	switch serviceOf(k.Request.URL.Path) {
	case nova:
		message := "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances"
		if k.Op == "nova.server.createImage" {
			message = "Quota exceeded or out of space for image in the image service."
		}
		if novaKeys[status] == "overLimit" {
			return novaOverLimit(status, message, "0")
		}
		return novaError(status, "%s", message)
	case glance:
		return glanceError(status, "Project %s is over a limit for [Resource image_count_total is over limit of 10 due to current usage 10 and delta 1]", k.Project)
	case neutron:
		return neutronError(http.StatusConflict, "OverQuota", "Quota exceeded for resources: ['port'].")
	default:
		return keystoneError(status, "Quota exceeded.")
	}
}

// novaOverLimit is Nova's refusal that says when to come back.
func novaOverLimit(status int, message, retryAfter string) *reply {
	rep := answer(status, object{novaKeys[status]: object{"code": status, "message": message, "retryAfter": retryAfter}})
	rep.header["Content-Type"] = []string{"application/json; charset=UTF-8"}
	rep.header["Retry-After"] = []string{retryAfter}
	return rep
}
