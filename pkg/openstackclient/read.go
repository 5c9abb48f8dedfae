package openstackclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/overwinter/overwinter/pkg/bounds"
)

// fewestPerPage is below every limit that clouds set to the length of Nova's lists: a shorter list is the last one.
const fewestPerPage = 100

// envelope is the outermost object of an answer.
type envelope map[string]json.RawMessage

// read sends a GET and has its answer decoded within the request's time limit. decode may be called again after it failed.
func (c *openstackClient) read(ctx context.Context, op operation, path string, decode func(*http.Response) error) error {
	return c.do(ctx, op, func(ctx context.Context, client *gophercloud.ServiceClient) error {
		response, err := client.Get(ctx, client.Endpoint+path, nil, &gophercloud.RequestOpts{KeepResponseBody: true})
		if err != nil {
			return err
		}
		return readAnswer(op, response, decode)
	})
}

// one reads the resource whose ID is wanted. key is its name in the answer, empty if the answer is the resource itself
// (Glance). Another resource than the wanted one is an error, as a confused cache may give it.
func one[T any](ctx context.Context, c *openstackClient, op operation, path, key, wanted string, id func(*T) string) (*T, error) {
	var found *T
	err := c.read(ctx, op, path, func(response *http.Response) error {
		content, err := readBounded(response.Body, maxItemBody, maxItemHeap)
		if err != nil {
			return err
		}
		if err := spend(ctx, bounds.HeapOf(content)); err != nil {
			return err
		}
		var answer envelope
		if err := unmarshal(content, &answer); err != nil {
			return err
		}
		if key != "" {
			content = answer[key]
		}
		if len(content) == 0 {
			return unfit(fmt.Sprintf("there is no %q in it", key))
		}
		made := new(T)
		if err := unmarshal(content, made); err != nil {
			return err
		}
		if id(made) != wanted {
			return unfit("it does not have the ID that was asked for")
		}
		found = made
		return nil
	})
	return found, err
}

// exists reports whether there is a resource of that name at a path.
func (c *openstackClient) exists(ctx context.Context, op operation, path, key string) (bool, error) {
	err := c.read(ctx, op, path, func(response *http.Response) error { return needs(response, key) })
	if IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// needs returns an error unless the answer is an object that has the key.
func needs(response *http.Response, key string) error {
	var answer envelope
	if err := decodeObject(response.Body, &answer); err != nil {
		return err
	}
	if len(answer[key]) == 0 {
		return unfit(fmt.Sprintf("there is no %q in it", key))
	}
	return nil
}

// collection is a list to be read to its end.
type collection struct {
	path, query string
	// key is the list's name in the answer.
	key string
	// byOffset says that the answer holds no link to the next page: one that may be full is followed by the offset.
	byOffset bool
	// check, unless nil, looks at the header of every page.
	check func(http.Header) error
}

// all reads the pages of a list. A page without the list is an error: taken for an empty one, it would be a proof of
// absence. A list that goes round in circles or has no end is an error too.
func all[T any](ctx context.Context, c *openstackClient, op operation, list collection, id func(*T) string) ([]T, error) {
	found, known, left := []T{}, map[string]bool{}, wholeAllowance()
	for {
		page, err := onePage(ctx, c, op, list, left, id)
		if err != nil {
			return nil, err
		}
		left = page.left
		found = append(found, page.items...)
		next, err := list.next(page.others, len(found), len(page.items))
		if err != nil {
			return nil, c.misread(op, err)
		}
		// Glance may offer a next page that is empty.
		if next == "" || len(page.items) == 0 {
			return found, nil
		}
		before := len(known)
		for i := range page.items {
			known[id(&page.items[i])] = true
		}
		if len(known) == before {
			return nil, c.misread(op, unfit("its next page holds nothing but what came before"))
		}
		list.query = next
	}
}

// onePage reads the page that the collection's query leads to.
func onePage[T any](ctx context.Context, c *openstackClient, op operation, list collection, left allowance, id func(*T) string) (*page[T], error) {
	target := list.path
	if list.query != "" {
		target += "?" + list.query
	}
	var read *page[T]
	err := c.read(ctx, op, target, func(response *http.Response) error {
		if list.check != nil {
			if err := list.check(response.Header); err != nil {
				return unfit(err.Error())
			}
		}
		made := &page[T]{key: list.key, id: id, left: left, spend: func(heap int) error { return spend(ctx, heap) }}
		if err := made.decode(response.Body); err != nil {
			return err
		}
		read = made
		return nil
	})
	return read, err
}

// next returns the query of the page behind the one whose other values are given, empty if that is the last.
func (l collection) next(others envelope, found, onPage int) (string, error) {
	if !l.byOffset {
		return nextQuery(others, l.key)
	}
	if onPage < fewestPerPage {
		return "", nil
	}
	return "offset=" + strconv.Itoa(found), nil
}

// nextQuery returns the query of the next page, empty if this is the last. Of the link only the query is used: behind a
// proxy its scheme and host are often wrong, and the token must not go elsewhere.
func nextQuery(answer envelope, key string) (string, error) {
	var next string
	if raw, ok := answer["next"]; ok {
		if err := unmarshal(raw, &next); err != nil {
			return "", err
		}
	}
	var links []gophercloud.Link
	if raw, ok := answer[key+"_links"]; ok {
		if err := unmarshal(raw, &links); err != nil {
			return "", err
		}
	}
	for _, link := range links {
		if link.Rel == "next" {
			next = link.Href
		}
	}
	if next == "" {
		return "", nil
	}
	parsed, err := url.Parse(next)
	if err != nil || parsed.RawQuery == "" {
		return "", unfit("its link to the next page can't be used")
	}
	return parsed.RawQuery, nil
}

// misread is for a list whose pages don't fit together.
func (c *openstackClient) misread(op operation, err error) *Error { return c.classifyUnfit(op, err) }
