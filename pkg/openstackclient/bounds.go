package openstackclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/overwinter/overwinter/pkg/bounds"
)

// A clouds.yaml may lead to any server, so what is read from a cloud is bounded in bytes and in the heap that it takes
// once it is decoded. All answers of one visit together have a budget besides (bounds.WithBudget). A visit to a cluster
// of 135 machines, the most whose record fits into a Secret, takes 4.4 MiB.
const (
	// maxListBody, maxListItems and maxListHeap bound all pages of a list together.
	maxListBody  = 6 << 20
	maxListItems = 5000
	maxListHeap  = 12 << 20
	// maxItemBody and maxItemHeap bound one entry of a list, and one resource.
	maxItemBody = 256 << 10
	maxItemHeap = 512 << 10
	// maxOther bounds all that stands beside the list in an answer.
	maxOther = 64 << 10
	// maxToken bounds a name and the white space between two values, over which the decoder goes again with each read.
	maxToken = 4 << 10
	// maxTokenBody and maxTokenHeap bound a token, whose catalog lists every endpoint of a cloud.
	maxTokenBody = 1 << 20
	maxTokenHeap = 8 << 20

	// maxID and maxURL bound what is kept of a token and its catalog. OpenStack's IDs and names have 255 characters at most.
	maxID  = 255
	maxURL = 2 << 10
)

// oversized says which bound an answer exceeds.
type oversized string

// Error returns the bound.
func (o oversized) Error() string { return string(o) }

// Is implements the interface of errors.Is.
func (oversized) Is(target error) bool { return target == ErrTooLarge }

// ErrTooLarge is in each error that says that an answer is larger than is read, or than was left of the visit's budget. What
// the answer says is not known.
var ErrTooLarge = errors.New("the answer is too large")

func tooLarge(what string, most int) error {
	return oversized(fmt.Sprintf("%s takes more than %d KiB", what, most>>10))
}

// readBounded reads a whole answer, which takes neither more bytes nor more decoded heap than allowed.
func readBounded(body io.Reader, size, heap int) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(body, int64(size)+1))
	if err != nil {
		return nil, err
	}
	if len(content) > size {
		return nil, tooLarge("it", size)
	}
	if bounds.HeapOf(content) > heap {
		return nil, tooLarge("what it holds", heap)
	}
	return content, nil
}

// spend takes heap from the visit's budget: for what is read and kept. The answer to a request that has changed something is
// always read, since nobody would know what became of it.
func spend(ctx context.Context, heap int) error {
	if err := bounds.Spend(ctx, int64(heap)); err != nil {
		return oversized(err.Error())
	}
	return nil
}

// meter is a reader that fails where it would read past a bound.
type meter struct {
	from io.Reader
	read int64
	// stop is where the thing that is being read must have ended, end where the whole list must have. what names the thing.
	stop, end int64
	what      error
}

// allow sets how many bytes the next thing may take from where it begins.
func (m *meter) allow(begin int64, most int, what string) {
	m.stop, m.what = begin+int64(most), tooLarge(what, most)
	if m.stop > m.end {
		m.stop, m.what = m.end, tooLarge("the list", maxListBody)
	}
}

// Read implements io.Reader.
func (m *meter) Read(p []byte) (int, error) {
	// One byte past the bound tells an end from an excess.
	left := m.stop + 1 - m.read
	if left <= 0 {
		return 0, m.what
	}
	n, err := m.from.Read(p[:min(int64(len(p)), left)])
	m.read += int64(n)
	return n, err
}

// bodyLimit bounds the answers that are not bounded more closely where they are read.
type bodyLimit struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b *bodyLimit) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	body := io.Reader(&meter{from: response.Body, stop: maxListBody, what: tooLarge("it", maxListBody)})
	switch {
	case response.StatusCode >= 300:
		// What is cut off is no error in OpenStack's own form.
		body = io.LimitReader(response.Body, maxErrorBody)
	case request.Method != http.MethodGet:
		body = &meter{from: response.Body, stop: maxTokenBody, what: tooLarge("it", maxTokenBody)}
	}
	response.Body = readCloser{body, response.Body}
	return response, nil
}

// tokenLimit bounds a token before gophercloud decodes it, into maps all the way down.
type tokenLimit struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t *tokenLimit) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(request)
	if err != nil || response.StatusCode >= 300 {
		return response, err
	}
	content, err := readBounded(response.Body, maxTokenBody, maxTokenHeap)
	_ = response.Body.Close()
	if err != nil {
		return nil, err
	}
	if err := spend(request.Context(), bounds.HeapOf(content)); err != nil {
		return nil, err
	}
	response.Body = readCloser{bytes.NewReader(content), http.NoBody}
	return response, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}
