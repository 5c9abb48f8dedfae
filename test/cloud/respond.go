package cloud

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

type object = map[string]any

func answer(status int, v any) *reply {
	rep := empty(status)
	rep.header["Content-Type"] = []string{"application/json"}
	b, err := appendJSON(make([]byte, 0, 512), v)
	if err != nil { // nothing that is answered has a type without JSON
		return &reply{status: http.StatusInternalServerError, header: http.Header{}, body: []byte(err.Error())}
	}
	rep.body = b
	return rep
}

func empty(status int) *reply { return &reply{status: status, header: http.Header{}} }

// novaKeys are the names that Nova gives to its errors.
var novaKeys = map[int]string{
	http.StatusBadRequest: "badRequest", http.StatusUnauthorized: "unauthorized", http.StatusForbidden: "forbidden",
	http.StatusNotFound: "itemNotFound", http.StatusMethodNotAllowed: "badMethod", http.StatusConflict: "conflictingRequest",
	http.StatusRequestEntityTooLarge: "overLimit", http.StatusUnsupportedMediaType: "badMediaType", http.StatusTooManyRequests: "overLimit", http.StatusNotImplemented: "notImplemented",
	http.StatusServiceUnavailable: "serviceUnavailable",
}

func novaError(status int, format string, args ...any) *reply {
	key := novaKeys[status]
	if key == "" {
		key = "computeFault"
	}
	rep := answer(status, object{key: object{"code": status, "message": fmt.Sprintf(format, args...)}})
	rep.header["Content-Type"] = []string{"application/json; charset=UTF-8"}
	return rep
}

// glanceError is written by webob, which adds line breaks for browsers even to JSON.
func glanceError(status int, format string, args ...any) *reply {
	return answer(status, object{
		"message": fmt.Sprintf(format, args...) + "<br /><br />\n\n\n", "title": http.StatusText(status),
		"code": fmt.Sprintf("%d %s", status, http.StatusText(status)),
	})
}

func neutronError(status int, kind, format string, args ...any) *reply {
	return answer(status, object{"NeutronError": object{"type": kind, "message": fmt.Sprintf(format, args...), "detail": ""}})
}

func keystoneError(status int, format string, args ...any) *reply {
	return answer(status, object{"error": object{
		"code": status, "title": http.StatusText(status), "message": fmt.Sprintf(format, args...),
	}})
}

func unauthorized(service, base string) *reply {
	var rep *reply
	if service == glance {
		rep = glanceError(http.StatusUnauthorized, "This server could not verify that you are authorized to access the document you requested. "+
			"Either you supplied the wrong credentials (e.g., bad password), or your browser does not understand how to supply the credentials required.")
	} else {
		rep = keystoneError(http.StatusUnauthorized, "The request you have made requires authentication.")
	}
	rep.header.Set("WWW-Authenticate", fmt.Sprintf("Keystone uri=%q", base+"/identity/v3"))
	return rep
}

// serviceError is a failure in the manner of the service that a path belongs to.
func serviceError(service string, status int, message string) *reply {
	switch service {
	case nova:
		return novaError(status, "%s", message)
	case glance:
		return glanceError(status, "%s", message)
	case neutron:
		return neutronError(status, "HTTP"+strings.ReplaceAll(http.StatusText(status), " ", ""), "%s", message)
	default:
		return keystoneError(status, "%s", message)
	}
}

func serviceOf(path string) string {
	first := ""
	if s := segments(path); len(s) > 0 {
		first = s[0]
	}
	switch first {
	case "compute":
		return nova
	case "image":
		return glance
	case "network":
		return neutron
	default:
		return keystone
	}
}

func notRouted(k *call) *reply {
	status := http.StatusNotFound
	if k.wrongVerb {
		status = http.StatusMethodNotAllowed
	}
	return serviceError(serviceOf(k.Request.URL.Path), status, "The resource could not be found.")
}

// Times as Nova's details, Nova's usage and Keystone write them.
func isoSeconds(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func isoMicrosNoZone(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000")
}

func isoMicros(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }
