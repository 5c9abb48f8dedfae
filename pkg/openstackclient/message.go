package openstackclient

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	maxMessage = 300
	// maxErrorBody is how much of an error's body is read: far more than any service writes.
	maxErrorBody = 64 << 10
)

// noSuchRoute is what the services answer with 404 for a path that none of their APIs has.
const noSuchRoute = "The resource could not be found."

var (
	lineBreakTag = regexp.MustCompile(`(?i)<br\s*/?>`)
	headElement  = regexp.MustCompile(`(?is)<(head|script|style)\b.*?</(head|script|style)>`)
	anyTag       = regexp.MustCompile(`<[^>]*>`)
	htmlStart    = regexp.MustCompile(`(?i)^\s*<(!doctype|html)`)
	requestIDs   = regexp.MustCompile(`(?i)\s*[(\[]?(request[- ]?id:?\s*)?\breq-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}[)\]]?`)
	whiteSpace   = regexp.MustCompile(`[\s\p{Z}\p{Cc}]+`)
)

// cloudMessage returns the service's own words from the body of an error, on one line and without what changes from
// request to request, nor what hide takes out of them. The second value says that the body has the form in which OpenStack's
// services write it.
func cloudMessage(status int, body []byte, hide func(string) string) (string, bool) {
	if message, ok := jsonMessage(body); ok {
		return shorten(hide(message)), true
	}
	text := string(body)
	if !utf8.ValidString(text) {
		return "", false
	}
	if htmlStart.MatchString(text) {
		text = headElement.ReplaceAllString(text, " ")
		text = hide(html.UnescapeString(anyTag.ReplaceAllString(text, " ")))
	}
	// Webob and proxies begin with the status line, which callers have as a number.
	line := fmt.Sprintf("%d %s", status, http.StatusText(status))
	return strings.TrimSpace(strings.TrimPrefix(shorten(text), line)), false
}

// jsonMessage knows the shapes {"itemNotFound": {"message": …}} of Nova, {"NeutronError": {"message": …}},
// {"error": {"message": …}} of Keystone and {"message": …} of Glance and of everything that webob writes.
func jsonMessage(body []byte) (string, bool) {
	var top map[string]json.RawMessage
	if json.Unmarshal(body, &top) != nil {
		return "", false
	}
	var message string
	if raw, ok := top["message"]; ok && json.Unmarshal(raw, &message) == nil {
		return message, true
	}
	if len(top) != 1 {
		return "", false
	}
	for _, raw := range top {
		var inner struct {
			Message *string `json:"message"`
		}
		if json.Unmarshal(raw, &inner) == nil && inner.Message != nil {
			return *inner.Message, true
		}
		if json.Unmarshal(raw, &message) == nil {
			return message, true
		}
	}
	return "", false
}

// listed names what there is to choose from, as far as it can stand in a condition.
func listed(names []string) string {
	const most, longest = 10, 64
	var shown []string
	for _, name := range names[:min(len(names), most)] {
		if name = shorten(name); len(name) > longest {
			name = strings.ToValidUTF8(name[:longest], "") + "…"
		}
		shown = append(shown, name)
	}
	if more := len(names) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(shown, ", ")
}

// shorten brings a text into the form in which it can stand in a condition.
func shorten(text string) string {
	text = lineBreakTag.ReplaceAllString(text, " ")
	text = requestIDs.ReplaceAllString(text, "")
	text = strings.TrimSpace(whiteSpace.ReplaceAllString(text, " "))
	if len(text) <= maxMessage {
		return text
	}
	cut := maxMessage
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
