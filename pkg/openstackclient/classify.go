package openstackclient

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"syscall"

	"github.com/gophercloud/gophercloud/v2"
)

// classify turns what gophercloud or the connection returned into an *Error. ctx is the caller's own, without the
// request's time limit.
func (c *openstackClient) classify(ctx context.Context, op string, mutates bool, err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		named := *own
		if named.Op == "" {
			named.Op = op
		}
		return &named
	}
	var reauth *gophercloud.ErrUnableToReauthenticate
	if errors.As(err, &reauth) {
		// The request itself was answered with 401, so it has changed nothing.
		failure := c.classify(ctx, opAuthenticate, false, reauth.ErrReauth)
		c.explainRefusal(failure)
		return failure
	}
	var answer gophercloud.ErrUnexpectedResponseCode
	if errors.As(err, &answer) {
		return c.classifyAnswer(op, mutates, answer)
	}
	if isMalformed(err) {
		failure := c.malformed(mutates, err)
		failure.Op = op
		return failure
	}
	return classifyUnanswered(ctx, op, mutates, err)
}

func (c *openstackClient) classifyAnswer(op string, mutates bool, answer gophercloud.ErrUnexpectedResponseCode) *Error {
	answer.Body = []byte(c.hide(string(answer.Body[:min(len(answer.Body), maxErrorBody)])))
	message, recognised := cloudMessage(answer.Actual, answer.Body, c.hide)
	if answer.Actual < 300 {
		// It is no error's text but the object that was made, which for a server holds a password.
		message, answer.Body = "", nil
	}
	// Old services write plain text, but all have given each request an ID for years.
	recognised = recognised || requestID(answer.ResponseHeader) != ""
	message = cmp.Or(message, http.StatusText(answer.Actual), "an answer without words")
	failure := &Error{
		Kind:       kindOf(answer, message, recognised),
		Op:         op,
		Status:     answer.Actual,
		Message:    message,
		RequestID:  requestID(answer.ResponseHeader),
		RetryAfter: retryAfter(answer.ResponseHeader, c.factory.options.Clock.Now()),
		Ambiguous:  mutates && (answer.Actual >= 500 || answer.Actual < 300),
		Cause:      answer,
	}
	switch {
	case answer.Actual >= 300 && answer.Actual < 400:
		failure.Message = fmt.Sprintf("%s redirects elsewhere; write the right URL in clouds.yaml or have the cloud's catalog corrected", hostOf(answer.URL))
	case answer.Actual == http.StatusNotFound && failure.Kind != KindNotFound:
		failure.Message = fmt.Sprintf("%s does not know this API (%s)", hostOf(answer.URL), message)
	}
	return failure
}

// overQuota matches the words of Nova, Neutron, Glance and Cinder for a quota that is used up, those of the unified
// limits included ("Resource servers is over limit of 10").
var overQuota = regexp.MustCompile(`(?i)quota exceeded|exceed\w* .*quota|quota .*exceed|over (a |the )?limit|exceed\w* .*limit|limit exceeded|overquota`)

// kindOf classifies an HTTP status. recognised says that an OpenStack service wrote the body.
func kindOf(answer gophercloud.ErrUnexpectedResponseCode, message string, recognised bool) Kind {
	switch status := answer.Actual; status {
	case http.StatusNotFound:
		if recognised && message != noSuchRoute {
			return KindNotFound
		}
		// A proxy without its back end, or a wrong endpoint. It says nothing about the object.
		return KindTransient
	case http.StatusUnauthorized:
		return KindUnauthorized
	case http.StatusForbidden:
		return quotaOr(KindForbidden, answer, message)
	case http.StatusConflict, http.StatusPreconditionFailed:
		return quotaOr(KindConflict, answer, message)
	case http.StatusRequestEntityTooLarge:
		return KindQuota
	case http.StatusTooManyRequests, 498:
		return KindThrottled
	case http.StatusRequestTimeout:
		return KindTransient
	default:
		if status >= 500 || status < 300 {
			return KindTransient
		}
		return KindInvalid
	}
}

func quotaOr(other Kind, answer gophercloud.ErrUnexpectedResponseCode, message string) Kind {
	if overQuota.MatchString(message) || strings.Contains(string(answer.Body), `"OverQuota"`) {
		return KindQuota
	}
	return other
}

// isMalformed tells whether an answer came and could not be read as what it should be.
func isMalformed(err error) bool {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &kind)
}

// malformed is the error for an answer that is not what it should be: taken for a passing failure, since no service
// answers so for long.
func (c *openstackClient) malformed(mutates bool, err error) *Error {
	return &Error{Kind: KindTransient, Message: "malformed answer: " + shorten(c.hide(err.Error())), Ambiguous: mutates, Cause: err}
}

func classifyUnanswered(ctx context.Context, op string, mutates bool, err error) *Error {
	failure := &Error{
		Kind: KindTransient, Op: op, Message: unansweredMessage(err), Ambiguous: mutates && !neverSent(err), Cause: err,
	}
	if given := ctx.Err(); given != nil {
		if errors.Is(given, context.Canceled) {
			failure.Message = "cancelled"
		}
		if !errors.Is(err, given) {
			failure.Cause = fmt.Errorf("%w: %w", given, err)
		}
	}
	return failure
}

// neverSent tells whether the connection failed before the request could be written to it.
func neverSent(err error) bool {
	var dial *net.OpError
	if errors.As(err, &dial) && (dial.Op == "dial" || dial.Op == "proxyconnect") {
		return true
	}
	var dns *net.DNSError
	return errors.As(err, &dns) || isTLS(err)
}

func isTLS(err error) bool {
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return errors.As(err, &verification) || errors.As(err, &record)
}

// unansweredMessage says why there was no answer. The error's own words hold port numbers that change from try to try.
func unansweredMessage(err error) string {
	at := "OpenStack"
	var withURL *url.Error
	if errors.As(err, &withURL) {
		at = hostOf(withURL.URL)
	}
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	var timeout net.Error
	switch {
	case errors.As(err, &unknown):
		return at + " has a certificate of an unknown authority; give the CA by platform.openstack.certificatesSecretRef"
	case isTLS(err):
		return at + " has a certificate that is not valid for it, or does not speak TLS"
	case errors.As(err, &dns):
		return at + ": the host name can't be resolved"
	case errors.Is(err, syscall.ECONNREFUSED):
		return at + " refuses the connection"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return at + " did not answer in time"
	}
	return "the connection to " + at + " failed"
}

// hostOf returns the part of a URL that is the same for all requests to a service.
func hostOf(raw string) string {
	parsed, err := url.Parse(raw)
	if err != nil || parsed.Host == "" {
		return "OpenStack"
	}
	return parsed.Scheme + "://" + parsed.Host
}
