package openstackclient

import (
	"net/http"

	"github.com/sirupsen/logrus"
	"k8s.io/utils/clock"
)

// debugLog logs each request that is sent: never a header, a body or a query, which may hold secrets.
type debugLog struct {
	logger logrus.FieldLogger
	clock  clock.PassiveClock
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (d *debugLog) RoundTrip(request *http.Request) (*http.Response, error) {
	start := d.clock.Now()
	response, err := d.next.RoundTrip(request)
	logger := d.logger.WithFields(logrus.Fields{
		"method": request.Method, "host": request.URL.Host, "path": request.URL.Path, "duration": d.clock.Since(start).String(),
	})
	if err != nil {
		logger.WithField("error", unansweredMessage(err)).Debug("openstack request without an answer")
		return nil, err
	}
	logger.WithFields(logrus.Fields{"status": response.StatusCode, "requestID": requestID(response.Header)}).Debug("openstack request")
	return response, nil
}

// requestID returns OpenStack's own ID of a request, empty if the answer bears none.
func requestID(header http.Header) string {
	if id := header.Get("X-Openstack-Request-Id"); id != "" {
		return id
	}
	return header.Get("X-Compute-Request-Id")
}
