package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// shelf keeps objects as an API server does: resourceVersions and conflicts, generations, a status
// that is written apart, finalizers, preconditions. It does in microseconds what the client library's stand-in, which takes
// all kinds of objects, does in milliseconds; thousands of runs wait for it.
type shelf struct {
	// WithWatch is nil: what is not written below is not called.
	client.WithWatch
	objects map[place]client.Object
	version int
}

// place is where an object is.
type place struct {
	kind string
	key  types.NamespacedName
}

func newShelf() *shelf { return &shelf{objects: map[place]client.Object{}} }

func placeOf(obj client.Object) place { return placeAt(obj, client.ObjectKeyFromObject(obj)) }

func placeAt(obj client.Object, key types.NamespacedName) place {
	if u, ok := obj.(*unstructured.Unstructured); ok {
		return place{kind: u.GetKind(), key: key}
	}
	return place{kind: reflect.TypeOf(obj).Elem().Name(), key: key}
}

func resourceOf(obj client.Object) schema.GroupResource {
	return schema.GroupResource{Resource: strings.ToLower(placeOf(obj).kind) + "s"}
}

// copyOf returns an object as it comes back from an API server. The times of a ClusterDeployment are in whole seconds then.
func copyOf(obj client.Object) client.Object {
	if _, ok := obj.(*hivev1.ClusterDeployment); !ok {
		return obj.DeepCopyObject().(client.Object)
	}
	data, err := json.Marshal(obj)
	must(err)
	out := &hivev1.ClusterDeployment{}
	must(json.Unmarshal(data, out))
	return out
}

// hand gives a caller its own copy.
func hand(from, to client.Object) {
	reflect.ValueOf(to).Elem().Set(reflect.ValueOf(from.DeepCopyObject()).Elem())
}

// put writes an object, with a resourceVersion of its own.
func (s *shelf) put(at place, obj client.Object) client.Object {
	obj = copyOf(obj)
	s.version++
	obj.SetResourceVersion(strconv.Itoa(s.version))
	if obj.GetDeletionTimestamp() != nil && len(obj.GetFinalizers()) == 0 {
		delete(s.objects, at)
		return obj
	}
	s.objects[at] = obj
	return obj
}

// Get reads an object.
func (s *shelf) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	is, ok := s.objects[placeAt(obj, key)]
	if !ok {
		return apierrors.NewNotFound(resourceOf(obj), key.Name)
	}
	hand(is, obj)
	return nil
}

// Create makes an object.
func (s *shelf) Create(_ context.Context, obj client.Object, _ ...client.CreateOption) error {
	at := placeOf(obj)
	if s.objects[at] != nil {
		return apierrors.NewAlreadyExists(resourceOf(obj), obj.GetName())
	}
	if made := obj.GetCreationTimestamp(); made.IsZero() {
		obj.SetCreationTimestamp(metav1.NewTime(time.Now()))
	}
	hand(s.put(at, obj), obj)
	return nil
}

// Update replaces an object but for its status.
func (s *shelf) Update(_ context.Context, obj client.Object, _ ...client.UpdateOption) error {
	return s.replace(obj, obj, false)
}

// replace writes an object, or its status, and hands out what it then is.
func (s *shelf) replace(obj, out client.Object, status bool) error {
	at := placeOf(obj)
	is, ok := s.objects[at]
	if !ok {
		return apierrors.NewNotFound(resourceOf(obj), obj.GetName())
	}
	if version := obj.GetResourceVersion(); version != "" && version != is.GetResourceVersion() {
		return apierrors.NewConflict(resourceOf(obj), obj.GetName(), fmt.Errorf("the object has been modified"))
	}
	if uid := obj.GetUID(); uid != "" && uid != is.GetUID() {
		return apierrors.NewConflict(resourceOf(obj), obj.GetName(), fmt.Errorf("the object has another UID"))
	}
	hand(s.put(at, merged(is, obj, status)), out)
	return nil
}

// merged returns what a write leaves: of a write to the status the status, of another all else but what the server keeps.
func merged(is, obj client.Object, status bool) client.Object {
	after := obj.DeepCopyObject().(client.Object)
	after.SetUID(is.GetUID())
	after.SetCreationTimestamp(is.GetCreationTimestamp())
	after.SetDeletionTimestamp(is.GetDeletionTimestamp())
	if u, ok := after.(*unstructured.Unstructured); ok {
		return mergedFields(is.(*unstructured.Unstructured), u, status)
	}
	want, ok := after.(*hivev1.ClusterDeployment)
	if !ok {
		return after
	}
	was := is.(*hivev1.ClusterDeployment)
	if status {
		now := was.DeepCopy()
		now.Status = want.Status
		return now
	}
	want.Status, want.Generation = *was.Status.DeepCopy(), was.Generation
	if !reflect.DeepEqual(want.Spec, was.Spec) {
		want.Generation++
	}
	return want
}

// mergedFields is merged for an object of any kind.
func mergedFields(was, want *unstructured.Unstructured, status bool) client.Object {
	from, to := was, want.DeepCopy()
	if status {
		from, to = want, was.DeepCopy()
	}
	delete(to.Object, "status")
	if has, ok := from.Object["status"]; ok {
		to.Object["status"] = runtime.DeepCopyJSONValue(has)
	}
	return to
}

// Patch patches an object but for its status.
func (s *shelf) Patch(_ context.Context, obj client.Object, patch client.Patch, _ ...client.PatchOption) error {
	return s.patch(obj, patch, false)
}

func (s *shelf) patch(obj client.Object, patch client.Patch, status bool) error {
	is, ok := s.objects[placeOf(obj)]
	if !ok {
		return apierrors.NewNotFound(resourceOf(obj), obj.GetName())
	}
	after, err := patched(is, obj, patch)
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	return s.replace(after, obj, status)
}

// patched returns what an object becomes by a patch.
func patched(is, obj client.Object, patch client.Patch) (client.Object, error) {
	change, err := patch.Data(obj)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(is)
	if err != nil {
		return nil, err
	}
	switch patch.Type() {
	case types.MergePatchType:
		data, err = jsonpatch.MergePatch(data, change)
	case types.JSONPatchType:
		var operations jsonpatch.Patch
		if operations, err = jsonpatch.DecodePatch(change); err == nil {
			data, err = operations.Apply(data)
		}
	default:
		err = fmt.Errorf("nobody sends a patch of the type %s", patch.Type())
	}
	if err != nil {
		return nil, err
	}
	if _, ok := is.(*unstructured.Unstructured); ok {
		after := &unstructured.Unstructured{}
		return after, after.UnmarshalJSON(data)
	}
	after := reflect.New(reflect.TypeOf(is).Elem()).Interface().(client.Object)
	return after, json.Unmarshal(data, after)
}

// Delete deletes an object, or marks it as being deleted while it has finalizers.
func (s *shelf) Delete(_ context.Context, obj client.Object, opts ...client.DeleteOption) error {
	at := placeOf(obj)
	is, ok := s.objects[at]
	if !ok {
		return apierrors.NewNotFound(resourceOf(obj), obj.GetName())
	}
	options := client.DeleteOptions{}
	options.ApplyOptions(opts)
	if p := options.Preconditions; p != nil && (p.UID != nil && *p.UID != is.GetUID() ||
		p.ResourceVersion != nil && *p.ResourceVersion != is.GetResourceVersion()) {
		return apierrors.NewConflict(resourceOf(obj), obj.GetName(), fmt.Errorf("the precondition is not met"))
	}
	if is.GetDeletionTimestamp() != nil {
		return nil
	}
	now := metav1.NewTime(time.Now())
	going := is.DeepCopyObject().(client.Object)
	going.SetDeletionTimestamp(&now)
	going.SetGeneration(is.GetGeneration() + 1)
	s.put(at, going)
	return nil
}

// Status returns the writer of the status.
func (s *shelf) Status() client.SubResourceWriter { return &shelfStatus{shelf: s} }

type shelfStatus struct {
	client.SubResourceWriter
	shelf *shelf
}

// Update replaces the status.
func (s *shelfStatus) Update(_ context.Context, obj client.Object, _ ...client.SubResourceUpdateOption) error {
	return s.shelf.replace(obj, obj, true)
}

// Patch patches the status.
func (s *shelfStatus) Patch(_ context.Context, obj client.Object, patch client.Patch, _ ...client.SubResourcePatchOption) error {
	return s.shelf.patch(obj, patch, true)
}
