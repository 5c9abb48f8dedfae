package openstackclient

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
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
	requestIDs   = regexp.MustCompile(`(?i)\s*[(\[]?(request[- ]?id:?\s*)?\breq-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}[)\]]?`)
	whiteSpace   = regexp.MustCompile(`[\s\p{Z}\p{Cc}]+`)
)

// words are what the body of an error says.
type words struct {
	// message is the service's own, on one line and without what changes from request to request, nor any credential. It is
	// empty unless the body has the form in which OpenStack's services write errors: only then may it be quoted, since any
	// server may be at an endpoint that a tenant names.
	message string
	// text is the message, or what a body in another form says. It serves to classify the error and is never quoted.
	text string
}

// readWords returns what the body of an error says, without what hide takes out of it.
func readWords(status int, body []byte, hide func(string) string) words {
	if message, ok := ownMessage(status, body); ok {
		message = shorten(hide(message))
		return words{message: message, text: message}
	}
	text := string(body)
	if !utf8.ValidString(text) {
		return words{}
	}
	// Webob and proxies begin with the status line, which callers have as a number.
	line := fmt.Sprintf("%d %s", status, http.StatusText(status))
	return words{text: strings.TrimSpace(strings.TrimPrefix(shorten(text), line))}
}

// ownMessage returns the message of an error in one of the forms {"itemNotFound": {"code": 404, "message": …}} of Nova and
// Keystone, {"NeutronError": {"type": …, "message": …}}, and {"code": "404 Not Found", "title": …, "message": …} of Glance
// and of everything else that webob writes. The second value says that the body has one of them.
func ownMessage(status int, body []byte) (string, bool) {
	var top map[string]json.RawMessage
	if json.Unmarshal(body, &top) != nil {
		return "", false
	}
	if _, flat := top["message"]; flat {
		return flatMessage(status, body)
	}
	if len(top) != 1 {
		return "", false
	}
	for name, raw := range top {
		if message, ok := nestedMessage(status, name, raw); ok {
			return message, true
		}
	}
	return "", false
}

// flatMessage is ownMessage for the form of Glance and webob.
func flatMessage(status int, body []byte) (string, bool) {
	var own struct{ Message, Code *string }
	if json.Unmarshal(body, &own) != nil || own.Message == nil || own.Code == nil {
		return "", false
	}
	if !strings.HasPrefix(*own.Code, strconv.Itoa(status)+" ") {
		return "", false
	}
	return *own.Message, true
}

// nestedMessage is ownMessage for the forms of Nova, Keystone and Neutron, in which the error stands under a name.
func nestedMessage(status int, name string, raw json.RawMessage) (string, bool) {
	var own struct {
		Message, Type *string
		Code          *int
	}
	if json.Unmarshal(raw, &own) != nil || own.Message == nil {
		return "", false
	}
	if (name == "NeutronError" && own.Type != nil) || (own.Code != nil && *own.Code == status) {
		return *own.Message, true
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
