package openstackclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gophercloud/gophercloud/v2"
)

// maxPages is a stop for a cloud whose pages never end.
const maxPages = 10000

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

// one reads a single resource. key is its name in the answer, empty if the answer is the resource itself (Glance).
func one[T any](ctx context.Context, c *openstackClient, op operation, path, key string, id func(*T) string) (*T, error) {
	answer, _, err := c.get(ctx, op, path)
	if err != nil {
		return nil, err
	}
	raw := answer[key]
	if key == "" {
		if raw, err = json.Marshal(answer); err != nil {
			return nil, misread(op, err)
		}
	}
	if len(raw) == 0 {
		return nil, misread(op, fmt.Errorf("there is no %q in it", key))
	}
	found := new(T)
	if err := json.Unmarshal(raw, found); err != nil {
		return nil, misread(op, err)
	}
	if id(found) == "" {
		return nil, misread(op, errors.New("there is no ID in it"))
	}
	return found, nil
}

// collection is a list to be read to its end.
type collection struct {
	path, query string
	// key is the list's name in the answer.
	key string
	// check, unless nil, looks at the header of every page.
	check func(http.Header) error
}

// all reads the pages of a list. A page without the list is an error: taken for an empty one, it would be a proof of
// absence.
func all[T any](ctx context.Context, c *openstackClient, op operation, list collection, id func(*T) string) ([]T, error) {
	found := []T{}
	for range maxPages {
		target := list.path
		if list.query != "" {
			target += "?" + list.query
		}
		answer, header, err := c.get(ctx, op, target)
		if err != nil {
			return nil, err
		}
		if list.check != nil {
			if err := list.check(header); err != nil {
				return nil, misread(op, err)
			}
		}
		page, err := items(answer, list.key, id)
		if err != nil {
			return nil, misread(op, err)
		}
		found = append(found, page...)
		next, err := nextQuery(answer, list.key)
		if err != nil {
			return nil, misread(op, err)
		}
		// Glance may offer a next page that is empty.
		if next == "" || len(page) == 0 {
			return found, nil
		}
		if next == list.query {
			return nil, misread(op, errors.New("its next page is itself"))
		}
		list.query = next
	}
	return nil, misread(op, errors.New("its pages don't end"))
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
func misread(op operation, err error) *Error {
	failure := malformed(false, err)
	failure.Op = op.name
	return failure
}
