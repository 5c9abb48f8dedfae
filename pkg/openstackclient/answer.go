package openstackclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
)

// unfit says in words of ours what is wrong with an answer. Other errors of decoding may quote the answer, which may come
// from any server.
type unfit string

// Error returns the words.
func (u unfit) Error() string { return string(u) }

// readAnswer has an answer decoded and closed, and says in the error which answer it was.
func readAnswer(op operation, response *http.Response, decode func(*http.Response) error) error {
	defer func() { _ = response.Body.Close() }()
	err := decode(response)
	if err == nil {
		return nil
	}
	if !isUnfit(err) {
		// The connection failed in the middle of the answer.
		return &url.Error{Op: response.Request.Method, URL: response.Request.URL.String(), Err: err}
	}
	return &unreadable{op: op, status: response.StatusCode, header: response.Header, url: response.Request.URL.String(), err: err}
}

// unreadable is an answer of success that is not what it should be.
type unreadable struct {
	op     operation
	status int
	header http.Header
	url    string
	err    error
}

// Error returns what came, and why it can't be read.
func (u *unreadable) Error() string {
	return fmt.Sprintf("%s answered %d with %s that can't be used: %s", u.op.at(u.url), u.status, contentType(u.header), reason(u.err))
}

// Unwrap returns the error of reading it.
func (u *unreadable) Unwrap() error { return u.err }

// isUnfit reports whether an answer came and is not what it should be.
func isUnfit(err error) bool {
	var (
		own    unfit
		large  oversized
		syntax *json.SyntaxError
		kind   *json.UnmarshalTypeError
	)
	return errors.As(err, &own) || errors.As(err, &large) || errors.As(err, &syntax) || errors.As(err, &kind)
}

// reason says what is wrong with an answer without quoting it.
func reason(err error) string {
	var own unfit
	var large oversized
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &own):
		return string(own)
	case errors.As(err, &large):
		return string(large)
	case errors.As(err, &syntax):
		return "it is not JSON"
	}
	return "a value in it has another type than it should have"
}

// decodeObject decodes a whole answer that is small.
func decodeObject(body io.Reader, into any) error {
	content, err := readBounded(body, maxItemBody, maxItemHeap)
	if err != nil {
		return err
	}
	return unmarshal(content, into)
}

// unmarshal is json.Unmarshal with errors that isUnfit knows: the types of gophercloud return others as well.
func unmarshal(content []byte, into any) error {
	err := json.Unmarshal(content, into)
	if err != nil && !isUnfit(err) {
		return &json.UnmarshalTypeError{Value: "value", Field: err.Error()}
	}
	return err
}

// classifyUnfit is for an answer that is not what it should be: a passing failure, since no service answers so for long,
// unless it is too large, which it stays until somebody acts.
func (c *openstackClient) classifyUnfit(op operation, err error) *Error {
	failure := &Error{Kind: KindTransient, Op: op.name, Message: "malformed answer: " + reason(err), Ambiguous: op.mutates, Cause: err}
	at := op.at(c.cloud.authURL)
	var answer *unreadable
	var request *url.Error
	switch {
	case errors.As(err, &answer):
		failure.Message, at = "malformed answer: "+answer.Error(), op.at(answer.url)
	case errors.As(err, &request):
		at = op.at(request.URL)
	}
	var large oversized
	if errors.As(err, &large) && !op.mutates {
		failure.Kind = KindInvalid
		failure.Message = fmt.Sprintf("%s sent an answer that is too large to be read (%s); check that the endpoint is the cloud's own, or have the project hold less", at, large)
	}
	return failure
}

// at names an operation's service and where it is.
func (op operation) at(rawURL string) string {
	if op.service == "" {
		return hostOf(rawURL)
	}
	return string(op.service) + " at " + hostOf(rawURL)
}

var mediaTypes = regexp.MustCompile(`^[a-z]{1,20}/[a-z0-9.+-]{1,40}$`)

// contentType returns the type of an answer's body in a form that can be quoted.
func contentType(header http.Header) string {
	value := header.Get("Content-Type")
	if value == "" {
		return "a body of no stated type"
	}
	mediaType, _, err := mime.ParseMediaType(value)
	if err != nil || !mediaTypes.MatchString(mediaType) {
		return "a body of an odd type"
	}
	return mediaType
}

// foreign describes an answer that is no error in OpenStack's own form.
func foreign(op operation, answer gophercloud.ErrUnexpectedResponseCode) string {
	at := op.at(answer.URL)
	if answer.Actual < 300 {
		expected := make([]string, len(answer.Expected))
		for i, status := range answer.Expected {
			expected[i] = strconv.Itoa(status)
		}
		return fmt.Sprintf("%s answered %d with %s instead of the %s that is due", at, answer.Actual, contentType(answer.ResponseHeader), strings.Join(expected, " or "))
	}
	text := http.StatusText(answer.Actual)
	if text == "" {
		text = "an unknown status"
	}
	if len(answer.Body) == 0 {
		return fmt.Sprintf("%s answered %s without a body", at, text)
	}
	return fmt.Sprintf("%s answered %s with %s, which is no error of OpenStack's", at, text, contentType(answer.ResponseHeader))
}
