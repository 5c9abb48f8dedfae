package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// What follows makes answers that a client must not believe to be as small as they ought to be. They are made while they are read: the cloud itself
// never holds them.

// LongList puts n more items behind those of the list in the answer, or items without end if n is negative. In an item each "#" becomes its number;
// an empty item is a copy of the list's own first one. A token's list is its catalogue. An answer without a list stays as it is.
func LongList(n int64, item string) Effect {
	return streamed("long list", func(body []byte) func() io.Reader {
		head, own, tail, ok := openList(body)
		if !ok {
			return nil
		}
		if item == "" {
			item = "{}"
			if len(own) > 0 {
				item = string(own[0])
			}
		}
		head = append(head, bytes.Join(raw(own), []byte{','})...)
		if len(own) == 0 && n != 0 {
			head = append(head, numbered(item, 0)...)
		}
		from := int64(1)
		if len(own) > 0 {
			from = 0
		}
		return func() io.Reader {
			return io.MultiReader(bytes.NewReader(head), &items{item: item, next: from, end: n}, bytes.NewReader(tail))
		}
	})
}

// BigAnswer puts a field of so many bytes into the JSON object in the answer, or one without end if size is negative.
func BigAnswer(size int64) Effect {
	return streamed("big answer", func(body []byte) func() io.Reader {
		rest, ok := bytes.CutPrefix(bytes.TrimSpace(body), []byte{'{'})
		if !ok {
			return nil
		}
		if !bytes.HasPrefix(bytes.TrimSpace(rest), []byte{'}'}) {
			rest = append([]byte{','}, rest...)
		}
		return func() io.Reader {
			var padding io.Reader = zeros{}
			if size >= 0 {
				padding = io.LimitReader(padding, size)
			}
			return io.MultiReader(strings.NewReader(`{"padding":"`), padding, strings.NewReader(`"`), bytes.NewReader(rest))
		}
	})
}

// EndlessAnswer never comes to the end of its body, which is JSON as far as it goes.
func EndlessAnswer() Effect {
	e := BigAnswer(-1)
	e.name = "endless answer"
	return e
}

// LoginPage answers as a proxy or a captive portal that has a page of its own for everything: 200 with HTML. What was asked for is not done.
func LoginPage() Effect {
	e := Answer(http.StatusOK, "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><form method=\"post\"></form></body></html>\n",
		"Content-Type: text/html; charset=utf-8")
	e.name = "login page"
	return e
}

// streamed replaces the body of an answer; of returns nil where it leaves it as it is.
func streamed(name string, of func(body []byte) func() io.Reader) Effect {
	return Effect{name: name, after: true, rewrite: func(_ *Cloud, _ *call, rep *reply) *reply {
		if len(rep.body) == 0 {
			return rep
		}
		stream := of(rep.body)
		if stream == nil {
			return rep
		}
		out := rep.clone()
		out.body, out.stream = nil, stream
		return out
	}}
}

// openList takes the list of an answer out of it: what comes before its items, the items, and what comes after them.
func openList(body []byte) (head []byte, own []json.RawMessage, tail []byte, ok bool) {
	var doc map[string]json.RawMessage
	if json.Unmarshal(body, &doc) != nil {
		return nil, nil, nil, false
	}
	key := listKey(doc)
	inner := doc[key]
	delete(doc, key)
	head, err := json.Marshal(doc)
	if err != nil || key == "" {
		return nil, nil, nil, false
	}
	head = head[:len(head)-1]
	if len(doc) > 0 {
		head = append(head, ',')
	}
	head = append(head, strconv.Quote(key)+":"...)
	if key == "token" {
		innerHead, own, innerTail, ok := openList(inner)
		return append(head, innerHead...), own, append(innerTail, '}'), ok
	}
	ok = json.Unmarshal(inner, &own) == nil
	return append(head, '['), own, []byte("]}"), ok
}

// listKey returns the name of what is a list in an answer, or that of the token which has one, or "".
func listKey(doc map[string]json.RawMessage) string {
	for _, key := range []string{"token", "catalog"} {
		if doc[key] != nil {
			return key
		}
	}
	for _, key := range sortedKeys(doc) {
		if !strings.HasSuffix(key, "links") && bytes.HasPrefix(bytes.TrimSpace(doc[key]), []byte{'['}) {
			return key
		}
	}
	return ""
}

func raw(list []json.RawMessage) [][]byte {
	out := make([][]byte, len(list))
	for i := range list {
		out[i] = list[i]
	}
	return out
}

func numbered(item string, n int64) string {
	return strings.ReplaceAll(item, "#", strconv.FormatInt(n, 10))
}

// items are those of a list from a number on, each with a comma before it.
type items struct {
	item      string
	next, end int64 // an end below zero is none
	rest      string
}

// Read implements io.Reader.
func (i *items) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if i.rest == "" {
			if i.end >= 0 && i.next >= i.end {
				break
			}
			i.rest = "," + numbered(i.item, i.next)
			i.next++
		}
		k := copy(p[n:], i.rest)
		i.rest = i.rest[k:]
		n += k
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// zeros are the digit, without end.
type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

// bounded is a body that ends with its request.
type bounded struct {
	ctx  context.Context //nolint:containedctx // a reader of one request
	from io.Reader
}

// Read implements io.Reader.
func (b bounded) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.from.Read(p)
}
