package hibernation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// RecordKey is the key of the record in its Secret.
	RecordKey = "hibernation.json"
	// RecordFinalizer keeps a record readable that somebody deletes while the cluster sleeps.
	RecordFinalizer = "hibernation.overwinter.io/record"
	// InfraIDLabel marks a record with the cluster that it is of.
	InfraIDLabel = "hibernation.overwinter.io/infra-id"
)

// Store keeps records in Secrets.
type Store struct {
	reader client.Reader
	writer client.Writer
}

// NewStore returns a Store. The reader must not be a cache: what is deleted is decided by what it returns.
func NewStore(reader client.Reader, writer client.Writer) *Store {
	return &Store{reader: reader, writer: writer}
}

// stored is a record as it stands in the cluster.
type stored struct {
	secret *corev1.Secret
	record *Record
}

// load returns the record of a cluster, nil if there is none. One that can't be read is Blocked, never taken for absent.
func (s *Store) load(ctx context.Context, c Cluster) (*stored, error) {
	secret := &corev1.Secret{}
	key := types.NamespacedName{Namespace: c.Namespace, Name: RecordName(c.Name)}
	if err := s.reader.Get(ctx, key, secret); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("cannot read the hibernation record, Secret %s: %w", key, err)
	}
	data, ok := secret.Data[RecordKey]
	if !ok {
		return nil, blocked("the hibernation record, Secret %s, has no key %s: restore it from a backup; nothing was touched", key, RecordKey)
	}
	r, err := decode(data)
	if err != nil {
		return nil, blocked("the hibernation record, Secret %s key %s, can't be used: %v; restore it from a backup; nothing was touched", key, RecordKey, err)
	}
	if r.InfraID != c.InfraID {
		return nil, blocked("the hibernation record, Secret %s, is of cluster %q and not of %q; put the right one there; nothing was touched", key, r.InfraID, c.InfraID)
	}
	return &stored{secret: secret, record: r}, nil
}

// save writes the record. It fails with a conflict if anybody wrote it since it was loaded.
func (s *Store) save(ctx context.Context, c Cluster, was *stored, r *Record) (*stored, error) {
	data, err := encode(r)
	if err != nil {
		return nil, &Refusal{Message: err.Error(), After: firstBackoff}
	}
	if was == nil {
		return s.create(ctx, c, r, data)
	}
	secret := was.secret.DeepCopy()
	secret.Data[RecordKey] = data
	if secret.DeletionTimestamp == nil && !slices.Contains(secret.Finalizers, RecordFinalizer) {
		secret.Finalizers = append(secret.Finalizers, RecordFinalizer)
	}
	if err := s.writer.Update(ctx, secret); err != nil {
		return nil, fmt.Errorf("cannot save the hibernation record, Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	return &stored{secret: secret, record: r}, nil
}

func (s *Store) create(ctx context.Context, c Cluster, r *Record, data []byte) (*stored, error) {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:  c.Namespace,
			Name:       RecordName(c.Name),
			Labels:     map[string]string{InfraIDLabel: labelValue(c.InfraID)},
			Finalizers: []string{RecordFinalizer},
		},
		Data: map[string][]byte{RecordKey: data},
	}
	if err := s.writer.Create(ctx, secret); err != nil {
		return nil, fmt.Errorf("cannot save the hibernation record, Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	return &stored{secret: secret, record: r}, nil
}

// labelValue returns the infraID, shortened to what a label may hold.
func labelValue(infraID string) string { return shorten(infraID, 63) }

// remove deletes the record: the Secret first, under its resourceVersion, then our finalizer.
func (s *Store) remove(ctx context.Context, was *stored) error {
	secret := was.secret.DeepCopy()
	if secret.DeletionTimestamp == nil {
		err := s.writer.Delete(ctx, secret, client.Preconditions{UID: &secret.UID, ResourceVersion: &secret.ResourceVersion})
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("cannot delete the hibernation record, Secret %s/%s: %w", secret.Namespace, secret.Name, err)
		}
		// The deletion gave the Secret a new resourceVersion.
		if err := s.reader.Get(ctx, client.ObjectKeyFromObject(secret), secret); err != nil {
			return client.IgnoreNotFound(err)
		}
		if secret.UID != was.secret.UID || !bytes.Equal(secret.Data[RecordKey], was.secret.Data[RecordKey]) {
			return errors.New("the hibernation record was changed by somebody else while it was being deleted")
		}
	}
	secret.Finalizers = slices.DeleteFunc(secret.Finalizers, func(f string) bool { return f == RecordFinalizer })
	if err := s.writer.Update(ctx, secret); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot release the hibernation record, Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	return nil
}
