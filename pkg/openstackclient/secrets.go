package openstackclient

import (
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf16"
)

// hide returns a text of the cloud's without the credentials and the token: Keystone, or a proxy, may quote a part of the
// request that it refuses.
func (c *openstackClient) hide(text string) string {
	secrets := []string{c.cloud.auth.Password, c.cloud.auth.ApplicationCredentialSecret, c.cloud.auth.TokenID}
	if s := c.current.Load(); s != nil {
		secrets = append(secrets, s.compute.Token())
	}
	for _, secret := range secrets {
		// One so short is found everywhere.
		if len(secret) <= 3 {
			continue
		}
		for _, spelling := range spellings(secret) {
			text = strings.ReplaceAll(text, spelling, "***")
		}
	}
	return text
}

// spellings returns a text as it is and as it is quoted in Go, JSON, HTML and URLs.
func spellings(text string) []string {
	inJSON, _ := json.Marshal(text)
	// Python leaves these as they are, and writes the rest in ASCII.
	inPython := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(inJSON))
	return []string{
		text, unquoted(string(inJSON)), unquoted(inPython), unquoted(inASCII(inPython)),
		unquoted(strconv.Quote(text)), unquoted(strconv.QuoteToASCII(text)),
		html.EscapeString(text), strings.NewReplacer("&#34;", "&quot;", "&#39;", "&#x27;").Replace(html.EscapeString(text)),
		url.QueryEscape(text), url.PathEscape(text),
	}
}

// inASCII writes what is not ASCII as JSON's escapes.
func inASCII(text string) string {
	out := strings.Builder{}
	for _, unit := range utf16.Encode([]rune(text)) {
		if unit < 0x80 {
			out.WriteByte(byte(unit))
		} else {
			fmt.Fprintf(&out, `\u%04x`, unit)
		}
	}
	return out.String()
}

func unquoted(text string) string { return strings.TrimSuffix(strings.TrimPrefix(text, `"`), `"`) }
