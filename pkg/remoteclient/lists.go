package remoteclient

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/overwinter/overwinter/pkg/bounds"
)

const (
	// pageSize is how many items are asked for at a time.
	pageSize = 50
	// maxListed is how many bytes of memory the items of one list may take. It is enough for some 400 Nodes; the record of a
	// hibernation holds a third of that.
	maxListed = 4 << 20
	// maxPages ends a list that goes on without items.
	maxPages = 500
)

// paging is a client that reads lists in pages and bounds what they take in memory. Who asks for a page of his own gets that.
type paging struct {
	client.Client
	// listed is maxListed.
	listed int64
}

// List reads a whole list. A *TooLarge says that there is more of it than is read.
func (p paging) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	var options client.ListOptions
	if options.ApplyOptions(opts); options.Limit > 0 {
		return p.Client.List(ctx, list, opts...)
	}
	items, err := itemsOf(list)
	if err != nil {
		return err
	}
	whole := reflect.Zero(items.Type())
	size, limit, token := int64(0), int64(pageSize), ""
	for range maxPages {
		page := emptyLike(list)
		err := p.Client.List(ctx, page, append(opts[:len(opts):len(opts)], client.Limit(limit), client.Continue(token))...)
		var large *TooLarge
		if errors.As(err, &large) && limit > 1 {
			// These items are large ones.
			limit = max(limit/4, 1)
			continue
		}
		if err != nil {
			return err
		}
		kept, err := slim(page)
		if err != nil {
			return err
		}
		if size += kept; size > p.listed {
			return tooLarge("a list of %s of more than %d bytes", kindOf(list), p.listed)
		}
		if err := bounds.Spend(ctx, kept); err != nil {
			return tooLarge("%v", err)
		}
		found, err := itemsOf(page)
		if err != nil {
			return err
		}
		whole = reflect.AppendSlice(whole, found)
		if token = page.GetContinue(); token == "" {
			items.Set(whole)
			return nil
		}
	}
	return tooLarge("a list of %s of more than %d pages", kindOf(list), maxPages)
}

// itemsOf returns the items of a list, as they stand in it.
func itemsOf(list runtime.Object) (reflect.Value, error) {
	pointer, err := meta.GetItemsPtr(list)
	if err != nil {
		return reflect.Value{}, fmt.Errorf("read a list: %w", err)
	}
	return reflect.ValueOf(pointer).Elem(), nil
}

// emptyLike returns an empty list of the same kind.
func emptyLike(list client.ObjectList) client.ObjectList {
	page, _ := reflect.New(reflect.TypeOf(list).Elem()).Interface().(client.ObjectList)
	page.GetObjectKind().SetGroupVersionKind(list.GetObjectKind().GroupVersionKind())
	return page
}

func kindOf(list client.ObjectList) string {
	if kind := list.GetObjectKind().GroupVersionKind().Kind; kind != "" {
		return kind
	}
	return reflect.TypeOf(list).Elem().Name()
}

// slim takes out of the items what nobody here reads and makes up most of them, and returns what is left, in bytes of memory.
// A Node's images are reported anew by its kubelet, should the Node be made again.
func slim(page client.ObjectList) (int64, error) {
	var size int64
	err := meta.EachListItem(page, func(item runtime.Object) error {
		object, err := meta.Accessor(item)
		if err != nil {
			return err
		}
		object.SetManagedFields(nil)
		if node, ok := item.(*corev1.Node); ok {
			node.Status.Images = nil
		}
		value := reflect.ValueOf(item).Elem()
		size += int64(value.Type().Size()) + reach(value)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("read a list: %w", err)
	}
	return size, nil
}
