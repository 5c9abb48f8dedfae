package cloud

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// EmptyList takes everything out of the list in the answer, and the link to a next page. An answer that is none stays as it is.
func EmptyList() Effect {
	return listEffect("empty list", func([]json.RawMessage) []json.RawMessage { return nil }, true)
}

// ListWithoutOne takes one element out of the list in the answer: the first, or that of an index, which counts on from the beginning when it is
// beyond the end. A GET of the element itself still shows it.
func ListWithoutOne(index ...int) Effect {
	return listEffect("list without one"+shownIndex(index), func(list []json.RawMessage) []json.RawMessage {
		i := atIndex(index, list)
		return slices.Delete(list, i, i+1)
	}, false)
}

// ListWithout takes the element with an ID out of the list in the answer, if it is there.
func ListWithout(id string) Effect {
	return listEffect("list without "+id, func(list []json.RawMessage) []json.RawMessage {
		return slices.DeleteFunc(list, func(raw json.RawMessage) bool {
			var one struct {
				ID string `json:"id"`
			}
			return json.Unmarshal(raw, &one) == nil && one.ID == id
		})
	}, false)
}

// DuplicateEntry has one element of the list in the answer, chosen as by ListWithoutOne, once more at its end: as happens to somebody who pages through
// a list that others add to.
func DuplicateEntry(index ...int) Effect {
	return listEffect("duplicate entry"+shownIndex(index), func(list []json.RawMessage) []json.RawMessage {
		return append(list, list[atIndex(index, list)])
	}, false)
}

func shownIndex(index []int) string {
	if len(index) == 0 {
		return ""
	}
	return " " + strconv.Itoa(index[0])
}

func atIndex(index []int, list []json.RawMessage) int {
	if len(index) == 0 {
		return 0
	}
	return index[0] % len(list)
}

// listEffect changes the list in an answer that has one which is not empty; last also takes away what leads to a next page.
func listEffect(name string, change func([]json.RawMessage) []json.RawMessage, last bool) Effect {
	return Effect{name: name, after: true, rewrite: func(_ *Cloud, k *call, rep *reply) *reply {
		var doc map[string]json.RawMessage
		if k.route == nil || !strings.HasSuffix(k.route.op, ".list") || json.Unmarshal(rep.body, &doc) != nil {
			return rep
		}
		for _, key := range sortedKeys(doc) {
			var elements []json.RawMessage
			switch {
			case strings.HasSuffix(key, "_links") || key == "next":
				if last {
					delete(doc, key)
				}
			case json.Unmarshal(doc[key], &elements) == nil && len(elements) > 0:
				doc[key] = joined(change(elements))
			}
		}
		out := rep.clone()
		b, err := json.Marshal(doc)
		if err != nil { // it was JSON a moment ago
			return rep
		}
		out.body = b
		return out
	}}
}

func joined(list []json.RawMessage) json.RawMessage {
	b := []byte{'['}
	for i, one := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, one...)
	}
	return append(b, ']')
}

// StaleList gives the answer that the last request with the same URL got, if there was one.
func StaleList() Effect { return oldEffect("stale list", 0) }

// OldList gives the answer that the newest request with the same URL got which was answered at least age ago; if there is none so old, the
// oldest answer that is kept; and the right one if there is none at all. A change of what is asked for is thus not seen for that time.
func OldList(age time.Duration) Effect { return oldEffect("old list "+age.String(), age) }

func oldEffect(name string, age time.Duration) Effect {
	return Effect{name: name, after: true, rewrite: func(c *Cloud, k *call, rep *reply) *reply {
		if old := c.oldAnswer(k, age); old != nil {
			old.header.Set("X-Openstack-Request-Id", k.reqID)
			return old
		}
		return rep
	}}
}

// What is kept of old answers: so many different ones of a URL, and so many URLs.
const (
	keptAnswers = 32
	keptURLs    = 2000
)

// answerKey is what one asks for with a read.
type answerKey struct {
	project, uri string
	microversion int
}

// keptAnswer is an answer and the time when it was first given; the same one is given again until the next one's time.
type keptAnswer struct {
	since time.Time
	reply *reply
}

// history are the answers that reads got.
type history struct {
	answers map[answerKey][]keptAnswer
	keys    []answerKey // oldest first
}

func (k *call) answerKey() answerKey {
	return answerKey{project: k.Project, uri: k.uri, microversion: k.mv}
}

// keepAnswer enters what a read is rightly answered with.
func (c *Cloud) keepAnswer(k *call, rep *reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h, key := &c.history, k.answerKey()
	kept := h.answers[key]
	if n := len(kept); n > 0 && string(kept[n-1].reply.body) == string(rep.body) {
		return
	}
	if kept == nil {
		if h.answers == nil {
			h.answers = map[answerKey][]keptAnswer{}
		}
		if len(h.keys) >= keptURLs {
			delete(h.answers, h.keys[0])
			h.keys = h.keys[1:]
		}
		h.keys = append(h.keys, key)
	}
	if len(kept) >= keptAnswers {
		kept = slices.Clone(kept[1:])
	}
	h.answers[key] = append(kept, keptAnswer{since: c.now, reply: rep})
}

// oldAnswer returns a copy of an answer that was given at least age ago, or of the oldest, or nil.
func (c *Cloud) oldAnswer(k *call, age time.Duration) *reply {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.history.answers[k.answerKey()]
	for _, old := range slices.Backward(kept) {
		if c.now.Sub(old.since) >= age {
			return old.reply.clone()
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return kept[0].reply.clone()
}
