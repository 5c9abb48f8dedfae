package openstackclient

import "net/http"

// userAgent names the program to the cloud's operators; gophercloud would add its own name.
type userAgent struct {
	value string
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (u *userAgent) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.Header.Set("User-Agent", u.value)
	return u.next.RoundTrip(request)
}
