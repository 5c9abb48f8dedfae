package openstackclient

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// quoted are the ways in which an answer may quote a text.
var quoted = []func(string) string{
	strings.Clone,
	html.EscapeString,
	url.QueryEscape,
	url.PathEscape,
	func(text string) string { return strings.Trim(strconv.Quote(text), `"`) },
	func(text string) string { return strings.Trim(strconv.QuoteToASCII(text), `"`) },
	func(text string) string {
		escaped, _ := json.Marshal(text)
		return strings.Trim(string(escaped), `"`)
	},
	pythonJSON,
}

// pythonJSON quotes a text as Python's json does.
func pythonJSON(text string) string {
	out := ""
	for _, r := range text {
		switch high, low := utf16.EncodeRune(r); {
		case r == '"' || r == '\\':
			out += `\` + string(r)
		case r < 0x80:
			out += string(r)
		case r <= 0xffff:
			out += fmt.Sprintf(`\u%04x`, r)
		default:
			out += fmt.Sprintf(`\u%04x\u%04x`, high, low)
		}
	}
	return out
}

// However an answer quotes what the client was given, a password or a token, none of it is in an error or a log.
func FuzzErrorBody(f *testing.F) {
	for _, body := range []string{
		`{"badRequest": {"code": 400, "message": "'hunter2' is not an object"}}`,
		`{"NeutronError": {"type": "X", "message": "hunter2", "detail": "hunter2"}}`,
		`{"message": "no <b>hunter2</b><br /><br />\n", "code": "400 hunter2"}`,
		`{"hunter2": {"message": "hunter2"}}`, `{"error": "hunter2"}`,
		`<html><head><title>hunter2</title></head><body>X-Auth-Token: hunter2</body></html>`,
		"Bad Gateway: POST {\"password\": \"hunter2\"}\r\nX-Auth-Token:  hunter2",
		`{"message": "` + strings.Repeat("x", maxMessage-9) + `hunter2"}`,
		`{"server": {"id": "` + asked + `", "created": "hunter2", "flavor": {"swap": "hunter2"}}}`,
		`{"id": "` + asked + `", "size": "hunter2"}`,
		`{"token": {"project": {"id": "p"}, "expires_at": "hunter2", "catalog": [{"type": "compute", "endpoints": [{"interface": "public", "region": "hunter2", "url": "://hunter2"}]}]}}`,
	} {
		for spelling := range quoted {
			f.Add(numbered("get server"), uint8(spelling), uint16(200+spelling), body, "plain", spelling%2 == 0)
			f.Add(numbered("get server"), uint8(spelling), uint16(spelling%2), body, `a"b\c<d>&é  ☃%'`, spelling%2 == 1)
		}
	}
	f.Fuzz(func(t *testing.T, which, spelling uint8, status uint16, body, secret string, login bool) {
		password := mark + secret + mark
		if !utf8.ValidString(secret) || strings.ContainsAny(secret, "\r\n\x00") || quoteUnfit(secret) {
			t.Skip("YAML can't hold it as it is")
		}
		quote := quoted[int(spelling)%len(quoted)]
		for _, secret := range []string{password, fuzzToken} {
			cloud := &fuzzCloud{t: t}
			cloud.answer = func(*http.Request) *http.Response {
				return reply(200+int(status)%400, "X-Subject-Token: "+fuzzToken, []byte(strings.ReplaceAll(body, mark, quote(secret))))
			}
			client := cloud.client(password)
			if login {
				cloud.token = cloud.answer
			} else if _, err := client.Scope(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, err := called(which).do(t.Context(), client)
			if err != nil && (!login || secret == password) {
				// A token that was never issued is no secret.
				checkFailure(t, err, secret)
			}
			cloud.checkLog(secret)
		}
	})
}

// quoteUnfit tells whether a text has what YAML does not take literally.
func quoteUnfit(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xfeff || r == 0xfffe || r == 0xffff || r == 0x2028 || r == 0x2029
	})
}

// Any answer to a request for a token leads to a project and to services at HTTP URLs, or is an error that says what is
// wrong with it.
func FuzzToken(f *testing.F) {
	subject := "X-Subject-Token: " + fuzzToken
	f.Add(uint16(201), subject, []byte(goodToken))
	f.Add(uint16(201), "", []byte(goodToken))
	f.Add(uint16(200), subject, []byte(goodToken))
	f.Add(uint16(201), subject, []byte(`{"token": {"project": {"id": "p"}, "catalog": null}}`))
	f.Add(uint16(201), subject, []byte(`{"token": {"project": null, "catalog": []}}`))
	f.Add(uint16(201), subject, []byte(`{"token": {"project": {"id": "p"}, "catalog": [{"type": "compute", "endpoints": [null, {"interface": 5}]}]}}`))
	f.Add(uint16(201), subject, []byte(strings.ReplaceAll(goodToken, "http://", "javascript:")))
	f.Add(uint16(201), subject, []byte(strings.ReplaceAll(goodToken, "http://nova/v2.1", "http://me:hunter2@nova/v2?x=y#z")))
	f.Add(uint16(201), subject, []byte(strings.ReplaceAll(goodToken, "http://nova/v2.1", "http://[::1/%zz")))
	f.Add(uint16(201), subject, []byte(strings.ReplaceAll(goodToken, "RegionOne", "")))
	f.Add(uint16(201), subject, []byte(strings.Replace(goodToken, "RegionOne", "a\\u0000\\nb", 1)))
	f.Add(uint16(401), "Retry-After: 5", []byte(`{"error": {"code": 401, "message": "The password hunter2-password is wrong"}}`))
	f.Add(uint16(300), "", []byte(`{"versions": {"values": []}}`))
	f.Add(uint16(201), "X-Subject-Token: a\x00b", []byte(goodToken))
	f.Fuzz(func(t *testing.T, status uint16, headers string, body []byte) {
		password := mark + "-password"
		code := statusOf(status)
		cloud := &fuzzCloud{t: t, token: func(*http.Request) *http.Response { return reply(code, headers, body) }}
		client := cloud.client(password)
		var scope Scope
		var err error
		within(t, len(body)+len(headers), func() { scope, err = client.Scope(t.Context()) })
		cloud.checkLog(mark)
		if err != nil {
			checkFailure(t, err, password, fuzzToken)
			if scope != (Scope{}) {
				t.Fatalf("%v, and yet it leads to %+v", err, scope)
			}
			return
		}
		if code != http.StatusCreated || scope.ProjectID == "" || scope.AuthURL != "http://keystone" {
			t.Fatalf("HTTP %d leads to %+v", code, scope)
		}
		cloud.answer = func(request *http.Request) *http.Response {
			if request.URL.Scheme != "http" && request.URL.Scheme != "https" || request.URL.Host == "" {
				t.Fatalf("a request to %s", request.URL)
			}
			return reply(500, "", nil)
		}
		for _, name := range []string{"get server", "get image", "get network", "create server"} {
			_, err := called(numbered(name)).do(t.Context(), client)
			checkFailure(t, err, password, fuzzToken)
		}
	})
}
