package env

import (
	"context"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// managerUser is who the manager is to the API server.
const managerUser = "overwinter"

// GrantManager lets the manager in with nothing but the roles in the given files, each a ClusterRole or a Role, and
// returns its kubeconfig's path. The namespace of a Role is made if it doesn't exist.
func (a *API) GrantManager(ctx context.Context, roleFiles ...string) (string, error) {
	c, err := client.New(a.Config, client.Options{})
	if err != nil {
		return "", fmt.Errorf("make a client for %s: %w", a.Name, err)
	}
	for _, file := range roleFiles {
		objects, err := grants(file)
		if err != nil {
			return "", fmt.Errorf("read the manager's role: %w", err)
		}
		for _, object := range objects {
			if err := c.Create(ctx, object); err != nil && !apierrors.IsAlreadyExists(err) {
				return "", fmt.Errorf("grant the manager its role: %w", err)
			}
		}
	}
	return a.writeKubeconfig(managerUser, a.tokens.manager)
}

// grants returns what makes a role in a file the manager's.
func grants(file string) ([]client.Object, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(content, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: managerUser}}
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName}
	switch role := object.(type) {
	case *rbacv1.ClusterRole:
		ref.Kind, ref.Name = "ClusterRole", role.Name
		meta := metav1.ObjectMeta{Name: role.Name}
		return []client.Object{role, &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects}}, nil
	case *rbacv1.Role:
		ref.Kind, ref.Name = "Role", role.Name
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: role.Namespace}}
		meta := metav1.ObjectMeta{Namespace: role.Namespace, Name: role.Name}
		return []client.Object{namespace, role, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects}}, nil
	}
	return nil, fmt.Errorf("%s holds a %T and no role", file, object)
}
