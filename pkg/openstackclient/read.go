package openstackclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gophercloud/gophercloud/v2"
)

// maxPages, and maxBody for all pages together, are a stop for a cloud whose pages never end.
const maxPages = 10000

// fewestPerPage is below every limit that clouds set to the length of Nova's lists: a shorter list is the last one.
const fewestPerPage = 100

// envelope is the outermost object of an answer. Its values keep the order in which they are written, which the pages of
// gophercloud's own pager lose.
type envelope map[string]json.RawMessage

// get reads the resource at a path.
func (c *openstackClient) get(ctx context.Context, op operation, path string) (envelope, http.Header, error) {
	var answer envelope
	var header http.Header
	err := c.do(ctx, op, func(ctx context.Context, client *gophercloud.ServiceClient) error {
		response, err := client.Get(ctx, client.Endpoint+path, &answer, nil)
		if response != nil {
			header = response.Header
		}
		return err
	})
	return answer, header, err
}

// one reads the resource whose ID is wanted. key is its name in the answer, empty if the answer is the resource itself
// (Glance). Another resource than the wanted one is an error, as a confused cache may give it.
func one[T any](ctx context.Context, c *openstackClient, op operation, path, key, wanted string, id func(*T) string) (*T, error) {
	answer, _, err := c.get(ctx, op, path)
	if err != nil {
		return nil, err
	}
	raw := answer[key]
	if key == "" {
		if raw, err = json.Marshal(answer); err != nil {
			return nil, c.misread(op, err)
		}
	}
	if len(raw) == 0 {
		return nil, c.misread(op, fmt.Errorf("there is no %q in it", key))
	}
	found := new(T)
	if err := json.Unmarshal(raw, found); err != nil {
		return nil, c.misread(op, err)
	}
	if id(found) != wanted {
		return nil, c.misread(op, errors.New("it does not have the ID that was asked for"))
	}
	return found, nil
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
	found, known, size := []T{}, map[string]bool{}, 0
	for range maxPages {
		answer, page, err := onePage(ctx, c, op, list, id)
		if err != nil {
			return nil, err
		}
		found = append(found, page...)
		next, err := list.next(answer, len(found), len(page))
		if err != nil {
			return nil, c.misread(op, err)
		}
		// Glance may offer a next page that is empty.
		if next == "" || len(page) == 0 {
			return found, nil
		}
		before := len(known)
		for i := range page {
			known[id(&page[i])] = true
		}
		if len(known) == before {
			return nil, c.misread(op, errors.New("its next page holds nothing but what came before"))
		}
		if size += answer.size(); size > maxBody {
			break
		}
		list.query = next
	}
	return nil, c.misread(op, errors.New("its pages don't end"))
}

// onePage reads the page that the collection's query leads to.
func onePage[T any](ctx context.Context, c *openstackClient, op operation, list collection, id func(*T) string) (envelope, []T, error) {
	target := list.path
	if list.query != "" {
		target += "?" + list.query
	}
	answer, header, err := c.get(ctx, op, target)
	if err != nil {
		return nil, nil, err
	}
	if list.check != nil {
		if err := list.check(header); err != nil {
			return nil, nil, c.misread(op, err)
		}
	}
	page, err := items(answer, list.key, id)
	if err != nil {
		return nil, nil, c.misread(op, err)
	}
	return answer, page, nil
}

// next returns the query of the page behind the one in the answer, empty if that is the last.
func (l collection) next(answer envelope, found, onPage int) (string, error) {
	if !l.byOffset {
		return nextQuery(answer, l.key)
	}
	if onPage < fewestPerPage {
		return "", nil
	}
	return "offset=" + strconv.Itoa(found), nil
}

// size returns how many bytes the answer has, about.
func (e envelope) size() int {
	size := 0
	for _, value := range e {
		size += len(value)
	}
	return size
}

func items[T any](answer envelope, key string, id func(*T) string) ([]T, error) {
	var page *[]T
	if raw := answer[key]; len(raw) > 0 {
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, err
		}
	}
	if page == nil {
		return nil, fmt.Errorf("there is no %q in it", key)
	}
	for i := range *page {
		if id(&(*page)[i]) == "" {
			return nil, fmt.Errorf("one of its %s has no ID", key)
		}
	}
	return *page, nil
}

// nextQuery returns the query of the next page, empty if this is the last. Of the link only the query is used: behind a
// proxy its scheme and host are often wrong, and the token must not go elsewhere.
func nextQuery(answer envelope, key string) (string, error) {
	var next string
	if raw, ok := answer["next"]; ok {
		if err := json.Unmarshal(raw, &next); err != nil {
			return "", err
		}
	}
	var links []gophercloud.Link
	if raw, ok := answer[key+"_links"]; ok {
		if err := json.Unmarshal(raw, &links); err != nil {
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
		return "", errors.New("its link to the next page can't be used")
	}
	return parsed.RawQuery, nil
}

// misread is for an answer to a read that is not what it should be.
func (c *openstackClient) misread(op operation, err error) *Error {
	failure := c.malformed(false, err)
	failure.Op = op.name
	return failure
}
