package openstackclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/overwinter/overwinter/pkg/bounds"
)

// allowance is what the rest of a list may take.
type allowance struct{ items, body, heap int }

func wholeAllowance() allowance {
	return allowance{items: maxListItems, body: maxListBody, heap: maxListHeap}
}

// page is one page of a list. It is decoded entry by entry, so that an answer never stands in memory as a whole.
type page[T any] struct {
	key string
	id  func(*T) string
	// left is what this and all further pages may take.
	left allowance
	// spend takes heap from the visit's budget.
	spend func(heap int) error

	items []T
	// others are the values beside the list, in the order of keys of their own JSON.
	others envelope

	meter   *meter
	decoder *json.Decoder
}

// decode reads the page from an answer. It changes left by what the page took.
func (p *page[T]) decode(body io.Reader) error {
	p.meter = &meter{from: body, end: int64(p.left.body)}
	p.decoder, p.others = json.NewDecoder(p.meter), envelope{}
	if err := p.token(json.Delim('{')); err != nil {
		return err
	}
	if err := p.members(); err != nil {
		return err
	}
	if err := p.token(json.Delim('}')); err != nil {
		return err
	}
	if err := p.end(); err != nil {
		return err
	}
	if p.items == nil {
		return p.missing()
	}
	p.left.body -= int(p.meter.read)
	return nil
}

// members reads the list and what stands beside it, each of which may be there once.
func (p *page[T]) members() error {
	other := maxOther
	for p.more() {
		name, err := p.next("a name in it")
		if err != nil {
			return err
		}
		key, ok := name.(string)
		if _, twice := p.others[key]; !ok || twice || (key == p.key && p.items != nil) {
			return unfit("it holds something twice")
		}
		if key == p.key {
			err = p.list()
		} else {
			err = p.other(key, &other)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// end reads the end of the answer, which must follow the object.
func (p *page[T]) end() error {
	_, err := p.next("what follows it")
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		err = unfit("something follows it")
	}
	return err
}

func (p *page[T]) missing() error { return unfit(fmt.Sprintf("there is no %q in it", p.key)) }

// list reads the list itself.
func (p *page[T]) list() error {
	start, err := p.next("a value in it")
	if err != nil {
		return err
	}
	if start != json.Delim('[') {
		return p.missing()
	}
	p.items = []T{}
	var raw json.RawMessage
	for p.more() {
		raw = raw[:0]
		if err := p.value(&raw, "an entry", maxItemBody); err != nil {
			return err
		}
		if err := p.add(raw); err != nil {
			return err
		}
	}
	return p.token(json.Delim(']'))
}

// add decodes an entry of the list.
func (p *page[T]) add(raw json.RawMessage) error {
	heap := bounds.HeapOf(raw)
	if heap > maxItemHeap {
		return tooLarge("an entry", maxItemHeap)
	}
	// The entry itself is no map but a struct in a slice, which has twice the length that it needs at most.
	heap += 2*int(reflect.TypeFor[T]().Size()) - bounds.HeapPerObject
	if p.left.items--; p.left.items < 0 {
		return oversized(fmt.Sprintf("the list has more than %d entries", maxListItems))
	}
	if p.left.heap -= heap; p.left.heap < 0 {
		return tooLarge("what the list holds", maxListHeap)
	}
	if err := p.spend(heap); err != nil {
		return err
	}
	var item T
	if err := unmarshal(raw, &item); err != nil {
		return err
	}
	if p.id(&item) == "" {
		return unfit(fmt.Sprintf("one of its %s has no ID", p.key))
	}
	p.items = append(p.items, item)
	return nil
}

// other keeps a value beside the list; left is how many bytes all of these may still take.
func (p *page[T]) other(key string, left *int) error {
	var raw json.RawMessage
	if err := p.value(&raw, "what stands beside the list", *left); err != nil {
		return err
	}
	if *left -= len(raw) + len(key) + bounds.HeapPerObject; *left < 0 || bounds.HeapOf(raw) > maxItemHeap {
		return tooLarge("what stands beside the list", maxOther)
	}
	p.others[key] = raw
	return nil
}

// value reads a whole value as it is written.
func (p *page[T]) value(into *json.RawMessage, what string, most int) error {
	p.meter.allow(p.decoder.InputOffset(), most, what)
	return p.explain(p.decoder.Decode(into))
}

// more reports whether another value follows in the object or list that is being read.
func (p *page[T]) more() bool {
	p.meter.allow(p.decoder.InputOffset(), maxToken, "white space in it")
	return p.decoder.More()
}

// token reads the one token that must follow.
func (p *page[T]) token(want json.Delim) error {
	got, err := p.next("a value in it")
	if err == nil && got != want {
		err = unfit("it is no object with a list")
	}
	if errors.Is(err, io.EOF) {
		err = unfit("it ends too early")
	}
	return err
}

// next reads the token that follows.
func (p *page[T]) next(what string) (json.Token, error) {
	p.meter.allow(p.decoder.InputOffset(), maxToken, what)
	token, err := p.decoder.Token()
	return token, p.explain(err)
}

// explain tells an answer that ends too early from a connection that failed.
func (p *page[T]) explain(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return unfit("it ends too early")
	}
	return err
}
