package openstackclient

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"syscall"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/overwinter/overwinter/pkg/dialguard"
)

// classify turns what gophercloud or the connection returned into an *Error. ctx is the caller's own, without the
// request's time limit.
func (c *openstackClient) classify(ctx context.Context, op operation, err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		named := *own
		if named.Op == "" {
			named.Op = op.name
		}
		return &named
	}
	var reauth *gophercloud.ErrUnableToReauthenticate
	if errors.As(err, &reauth) {
		// The request itself was answered with 401, so it has changed nothing.
		failure := c.classify(ctx, authentication(), reauth.ErrReauth)
		c.explainRefusal(failure)
		return failure
	}
	var answer gophercloud.ErrUnexpectedResponseCode
	if errors.As(err, &answer) {
		return c.classifyAnswer(op, answer)
	}
	if isUnfit(err) {
		return c.classifyUnfit(op, err)
	}
	return classifyUnanswered(ctx, op, err)
}

func (c *openstackClient) classifyAnswer(op operation, answer gophercloud.ErrUnexpectedResponseCode) *Error {
	answer.Body = []byte(c.hide(string(answer.Body[:min(len(answer.Body), maxErrorBody)])))
	said := readWords(answer.Actual, answer.Body, c.hide)
	// Old services write plain text, but all have given each request an ID for years.
	recognised := said.message != "" || requestID(answer.ResponseHeader) != ""
	failure := &Error{
		Kind:       kindOf(answer, said.text, recognised),
		Op:         op.name,
		Status:     answer.Actual,
		Message:    said.message,
		RequestID:  requestID(answer.ResponseHeader),
		RetryAfter: retryAfter(answer.ResponseHeader, c.factory.options.Clock.Now()),
		Ambiguous:  op.mutates && (answer.Actual >= 500 || answer.Actual < 300),
	}
	switch {
	case answer.Actual >= 300 && answer.Actual < 400:
		failure.Message = fmt.Sprintf("%s redirects elsewhere; write the right URL in clouds.yaml or have the cloud's catalog corrected", op.at(answer.URL))
	case answer.Actual == http.StatusNotFound && failure.Kind != KindNotFound:
		failure.Message = fmt.Sprintf("%s does not know this API (%s)", op.at(answer.URL), cmp.Or(said.message, contentType(answer.ResponseHeader)))
	case answer.Actual < 300 || said.message == "":
		failure.Message = foreign(op, answer)
	}
	// A body of success is no error's text but the object that was made, which for a server holds a password.
	if answer.Actual < 300 || said.message == "" {
		answer.Body = nil
	}
	failure.Cause = answer
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

func classifyUnanswered(ctx context.Context, op operation, err error) *Error {
	failure := &Error{
		Kind: KindTransient, Op: op.name, Message: unansweredMessage(err), Ambiguous: op.mutates && !neverSent(err), Cause: err,
	}
	var denied *dialguard.DeniedError
	if errors.As(err, &denied) {
		failure.Kind, failure.Message = KindInvalid, fmt.Sprintf("%s is not asked: %s", op.service, denied)
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
