package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	hibernationcontroller "github.com/overwinter/overwinter/pkg/controller/hibernation"
	"github.com/overwinter/overwinter/pkg/hibernation"
)

// hub stands in for the hub's API server. It keeps every version of the ClusterDeployments, for caches that lag.
type hub struct {
	*shelf
	world *world
	made  int
	// versions are those of each ClusterDeployment, oldest first.
	versions map[types.NamespacedName][]version
	// records are the records that were parsed last, by the Secret's name.
	records map[string]parsed
	// saves are the records that were saved, by the Secret's name; stale is what a process reads whose reads are old.
	saves map[string][][]byte
}

// version is a ClusterDeployment from one moment on; nil if it was gone.
type version struct {
	at time.Time
	cd *hivev1.ClusterDeployment
}

func newHub(w *world) *hub {
	return &hub{
		shelf: newShelf(),
		world: w, versions: map[types.NamespacedName][]version{}, records: map[string]parsed{},
		saves: map[string][][]byte{},
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// newUID gives an object what an API server gives it.
func (h *hub) newUID(obj client.Object) {
	h.made++
	obj.SetUID(types.UID(fmt.Sprintf("uid-%d", h.made)))
	if obj.GetGeneration() == 0 {
		obj.SetGeneration(1)
	}
}

// cd returns a ClusterDeployment as it is, nil if there is none.
func (h *hub) cd(key types.NamespacedName) *hivev1.ClusterDeployment {
	cd := &hivev1.ClusterDeployment{}
	if err := h.shelf.Get(context.Background(), key, cd); err != nil {
		must(client.IgnoreNotFound(err))
		return nil
	}
	return cd
}

// changed notes a new version of a ClusterDeployment.
func (h *hub) changed(key types.NamespacedName) {
	now, old := h.cd(key), h.latest(key)
	if sameVersion(now, old) {
		return
	}
	h.world.checkStatus(old, now)
	h.versions[key] = append(h.versions[key], version{at: time.Now(), cd: now})
	if now != nil {
		h.world.trace.examine(fmt.Sprint(now.Status.Conditions))
	}
	for _, p := range h.world.processes {
		p.poke()
	}
}

func sameVersion(now, old *hivev1.ClusterDeployment) bool {
	if now == nil || old == nil {
		return now == nil && old == nil
	}
	return now.ResourceVersion == old.ResourceVersion
}

func (h *hub) latest(key types.NamespacedName) *hivev1.ClusterDeployment {
	if all := h.versions[key]; len(all) > 0 {
		return all[len(all)-1].cd
	}
	return nil
}

// edit changes a ClusterDeployment as a person does; nothing if there is none.
func (h *hub) edit(key types.NamespacedName, change func(*hivev1.ClusterDeployment)) {
	cd := h.cd(key)
	if cd == nil {
		return
	}
	was := cd.DeepCopy()
	if change(cd); reflect.DeepEqual(was, cd) {
		return
	}
	must(h.shelf.Update(context.Background(), cd))
	h.changed(key)
}

// editStatus changes the status of a ClusterDeployment.
func (h *hub) editStatus(key types.NamespacedName, change func(*hivev1.ClusterDeployment)) {
	if cd := h.cd(key); cd != nil {
		change(cd)
		must(h.shelf.Status().Update(context.Background(), cd))
		h.changed(key)
	}
}

// remove deletes a ClusterDeployment as a person does.
func (h *hub) remove(key types.NamespacedName) {
	if cd := h.cd(key); cd != nil {
		must(h.shelf.Delete(context.Background(), cd))
		h.changed(key)
	}
}

// secret returns a Secret, nil if there is none.
func (h *hub) secret(key types.NamespacedName) *corev1.Secret {
	s := &corev1.Secret{}
	if err := h.shelf.Get(context.Background(), key, s); err != nil {
		must(client.IgnoreNotFound(err))
		return nil
	}
	return s
}

func recordKey(key types.NamespacedName) types.NamespacedName {
	return types.NamespacedName{Namespace: key.Namespace, Name: hibernation.RecordName(key.Name)}
}

// record returns the record of a cluster as it is saved, nil if there is none that can be read. It is not to be changed.
func (h *hub) record(key types.NamespacedName) *hibernation.Record {
	s := h.secret(recordKey(key))
	if s == nil {
		return nil
	}
	version := string(s.UID) + "/" + s.ResourceVersion
	if last := h.records[s.Name]; last.version == version {
		return last.record
	}
	r := parse(s)
	h.records[s.Name] = parsed{version: version, record: r}
	return r
}

// parse reads the record that a Secret holds, nil if it can't be read. What is unknown in it is not looked for.
func parse(s *corev1.Secret) *hibernation.Record {
	type known hibernation.Record
	r := &hibernation.Record{}
	if json.Unmarshal(s.Data[hibernation.RecordKey], (*known)(r)) != nil {
		return nil
	}
	return r
}

// mayBeSealed tells, without parsing it, whether a record may say that its cluster is sealed, and not opened.
func (h *hub) mayBeSealed(key types.NamespacedName) bool {
	s := h.secret(recordKey(key))
	return s != nil && bytes.Contains(s.Data[hibernation.RecordKey], []byte(`"sealed": {`)) &&
		!bytes.Contains(s.Data[hibernation.RecordKey], []byte(`"opened": "`))
}

// parsed is a record as it is in one version of its Secret.
type parsed struct {
	version string
	record  *hibernation.Record
}

// hubClient is the hub as one process sees it: ClusterDeployments are read from its cache, everything else is a call.
type hubClient struct {
	*hub
	process *process
}

// call makes one call.
func (h *hubClient) call(ctx context.Context, verb string, obj client.Object, name string, do func() error) error {
	kind := "clusterdeployment"
	if _, ok := obj.(*corev1.Secret); ok {
		kind = "secret"
	}
	c := &call{process: h.process, service: hubAPI, op: "hub." + kind + "." + verb, target: name, changes: verb != "get" && verb != "list"}
	if err := h.world.pause(ctx, h.process.latency(2*time.Millisecond)); err != nil {
		return err
	}
	if f := h.world.begin(c); f != nil && f.refuse != nil {
		return f.refuse(c)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err := do()
	if err == nil && c.changes && verb != "delete" {
		h.saved(obj)
	}
	if f := h.world.end(c, reason(err)); f != nil && f.lose != nil {
		return f.lose(c)
	}
	return err
}

// saved looks at what was just saved.
func (h *hubClient) saved(obj client.Object) {
	s, ok := obj.(*corev1.Secret)
	if !ok {
		h.changed(client.ObjectKeyFromObject(obj))
		return
	}
	h.saves[s.Name] = append(h.saves[s.Name], s.Data[hibernation.RecordKey])
	h.world.checkKept(s)
	h.world.trace.examine(string(s.Data[hibernation.RecordKey]))
	h.world.checkSeal(s.Name)
}

func reason(err error) string {
	if err == nil {
		return "ok"
	}
	if r := apierrors.ReasonForError(err); r != "" {
		return string(r)
	}
	return err.Error()
}

// Get reads a ClusterDeployment from the cache and anything else live.
func (h *hubClient) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	if cd, ok := obj.(*hivev1.ClusterDeployment); ok {
		cached := h.process.cached(key)
		if cached == nil {
			return apierrors.NewNotFound(schema.GroupResource{Group: hivev1.GroupVersion.Group, Resource: "clusterdeployments"}, key.Name)
		}
		cached.DeepCopyInto(cd)
		return nil
	}
	if _, ok := obj.(*corev1.Secret); !ok {
		return h.shelf.Get(ctx, key, obj, opts...)
	}
	return h.call(ctx, "get", obj, key.Name, func() error {
		err := h.process.readSecret(ctx, key, obj)
		h.process.shown[key.Name] = obj.(*corev1.Secret)
		if err != nil {
			delete(h.process.shown, key.Name)
		}
		return err
	})
}

// List lists ClusterDeployments of one infraID from the cache.
func (h *hubClient) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	out, ok := list.(*hivev1.ClusterDeploymentList)
	if !ok {
		return fmt.Errorf("nobody lists %T", list)
	}
	options := client.ListOptions{}
	options.ApplyOptions(opts)
	infraID, _ := options.FieldSelector.RequiresExactMatch(hibernationcontroller.InfraIDIndex)
	for _, key := range h.world.watched() {
		cd := h.process.cached(key)
		if cd != nil && slices.Contains(hibernationcontroller.InfraIDsOf(cd), infraID) {
			out.Items = append(out.Items, *cd.DeepCopy())
		}
	}
	return nil
}

// Create makes an object.
func (h *hubClient) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	return h.call(ctx, "create", obj, obj.GetName(), func() error {
		h.newUID(obj)
		return h.shelf.Create(ctx, obj, opts...)
	})
}

// Update replaces an object.
func (h *hubClient) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	return h.call(ctx, "update", obj, obj.GetName(), func() error { return h.shelf.Update(ctx, obj, opts...) })
}

// Patch patches an object.
func (h *hubClient) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	return h.call(ctx, "patch", obj, obj.GetName(), func() error {
		if err := h.shelf.Patch(ctx, obj, patch, opts...); err != nil {
			return err
		}
		key := client.ObjectKeyFromObject(obj)
		h.changed(key)
		if cd, ok := obj.(*hivev1.ClusterDeployment); ok && h.cd(key) != nil {
			h.cd(key).DeepCopyInto(cd)
		}
		return nil
	})
}

// Delete deletes an object.
func (h *hubClient) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	return h.call(ctx, "delete", obj, obj.GetName(), func() error { return h.shelf.Delete(ctx, obj, opts...) })
}

// Status returns the writer of the status.
func (h *hubClient) Status() client.SubResourceWriter {
	return &statusWriter{SubResourceWriter: h.shelf.Status(), hub: h}
}

type statusWriter struct {
	client.SubResourceWriter
	hub *hubClient
}

// Patch patches the status.
func (s *statusWriter) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	return s.hub.call(ctx, "patch.status", obj, obj.GetName(), func() error {
		return s.SubResourceWriter.Patch(ctx, obj, patch, opts...)
	})
}
