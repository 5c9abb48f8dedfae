package hibernation

import (
	"context"
	"fmt"
	"strings"

	log "github.com/sirupsen/logrus"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/controller/conditions"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/noderepair"
	"github.com/overwinter/overwinter/pkg/openstackclient"
	"github.com/overwinter/overwinter/pkg/remoteclient"
)

// Clouds makes clients to OpenStack; *openstackclient.Factory does.
type Clouds interface {
	// ClientFor returns a client that uses the credentials; it sends nothing.
	ClientFor(ctx context.Context, credentials openstackclient.Credentials) (openstackclient.Client, error)
}

// Session is one pass of the engine over one cluster; *hibernation.Session is one.
type Session interface {
	Hibernate(ctx context.Context) (hibernation.Progress, error)
	Resume(ctx context.Context) (hibernation.Progress, error)
	Asleep(ctx context.Context) (hibernation.Progress, error)
	Awake(ctx context.Context) (hibernation.Progress, error)
	Cleanup(ctx context.Context) (hibernation.Progress, error)
	Release(ctx context.Context, keep bool) (hibernation.Progress, error)
	Summary(ctx context.Context) (hibernation.Summary, error)
	Remember(ctx context.Context, o hibernation.Observation) error
	ResumeHealthChecks(ctx context.Context) error
	ForgetHealthChecks(ctx context.Context) error
	Holds(ctx context.Context) (bool, error)
	Forget()
}

// SessionFunc begins a session. Without a cloud it can tell what the record says, and let go of one that is final.
type SessionFunc func(cluster hibernation.Cluster, cloud openstackclient.Client, logger log.FieldLogger) Session

// EngineSessions returns a SessionFunc that begins the engine's sessions.
func EngineSessions(engine *hibernation.Engine) SessionFunc {
	return func(cluster hibernation.Cluster, cloud openstackclient.Client, logger log.FieldLogger) Session {
		return engine.Session(cluster, cloud, logger)
	}
}

// OpenStackActuator hibernates clusters on OpenStack by way of the engine.
type OpenStackActuator struct {
	clouds   Clouds
	sessions SessionFunc
	remote   remoteclient.Factory
	recorder events.EventRecorder
	scopes   *scopes
}

var (
	_ HibernationActuator = &OpenStackActuator{}
	_ Pacer               = &OpenStackActuator{}
	_ Cleaner             = &OpenStackActuator{}
	_ Releaser            = &OpenStackActuator{}
	_ RecordKeeper        = &OpenStackActuator{}
	_ Caretaker           = &OpenStackActuator{}
	_ Contender           = &OpenStackActuator{}
	_ Forgetter           = &OpenStackActuator{}
)

// NewOpenStackActuator returns the actuator for clusters on OpenStack. The remote factory leads to the clusters, which
// are asked for their Nodes before they go to sleep.
func NewOpenStackActuator(clouds Clouds, sessions SessionFunc, remote remoteclient.Factory, recorder events.EventRecorder) *OpenStackActuator {
	return &OpenStackActuator{clouds: clouds, sessions: sessions, remote: remote, recorder: recorder, scopes: newScopes()}
}

// openstackPass is the session of a pass and what its verbs found.
type openstackPass struct {
	Session
	cloud openstackclient.Client
	// stopping and starting are what StopMachines and StartMachines found.
	stopping, starting *hibernation.Progress
	last               *hibernation.Progress
}

// CanHandle returns true for clusters on OpenStack.
func (a *OpenStackActuator) CanHandle(cd *hivev1.ClusterDeployment) bool {
	return cd.Spec.Platform.OpenStack != nil
}

// StopMachines advances a hibernation: pause, snapshot, seal, delete. A *hibernation.Refusal says that the cluster can't
// be hibernated and runs on.
func (a *OpenStackActuator) StopMachines(ctx context.Context, cd *hivev1.ClusterDeployment, c client.Client, logger log.FieldLogger) error {
	s, err := a.session(ctx, cd, c, logger)
	if err != nil {
		return err
	}
	s.stopping, err = s.tell(s.Hibernate(ctx))
	return hinted(err, cd)
}

// StartMachines advances a resume, or turns an unfinished hibernation round.
func (a *OpenStackActuator) StartMachines(ctx context.Context, cd *hivev1.ClusterDeployment, c client.Client, logger log.FieldLogger) error {
	s, err := a.session(ctx, cd, c, logger)
	if err != nil {
		return err
	}
	s.starting, err = s.tell(s.Resume(ctx))
	return hinted(err, cd)
}

// MachinesRunning returns true if every machine that is expected is ACTIVE. What StartMachines saw in the same pass is not
// asked for again.
func (a *OpenStackActuator) MachinesRunning(ctx context.Context, cd *hivev1.ClusterDeployment, c client.Client, logger log.FieldLogger) (bool, []string, error) {
	s, err := a.session(ctx, cd, c, logger)
	if err != nil {
		return false, nil, err
	}
	found := s.starting
	if found == nil || found.Done {
		// To have nothing more to start is not yet to run: a cluster without a record was not looked at.
		if found, err = s.tell(s.Awake(ctx)); err != nil {
			return false, nil, hinted(err, cd)
		}
	}
	return found.Done, found.Waiting, nil
}

// MachinesStopped returns true if the snapshots are sealed and all servers are gone. After StopMachines in the same
// pass it costs nothing.
func (a *OpenStackActuator) MachinesStopped(ctx context.Context, cd *hivev1.ClusterDeployment, c client.Client, logger log.FieldLogger) (bool, []string, error) {
	s, err := a.session(ctx, cd, c, logger)
	if err != nil {
		return false, nil, err
	}
	found := s.stopping
	if found == nil {
		if found, err = s.tell(s.Asleep(ctx)); err != nil {
			return false, nil, hinted(err, cd)
		}
	}
	return found.Done, found.Waiting, nil
}

// Progress returns what the last verb of this pass found.
func (a *OpenStackActuator) Progress(ctx context.Context) (hibernation.Progress, bool) {
	s, ok := sessionIn[*openstackPass](ctx)
	if !ok || s.last == nil {
		return hibernation.Progress{}, false
	}
	return *s.last, true
}

// Cleanup advances deleting the snapshots and the record.
func (a *OpenStackActuator) Cleanup(ctx context.Context, cd *hivev1.ClusterDeployment, c client.Client, logger log.FieldLogger) (hibernation.Progress, error) {
	s, err := a.session(ctx, cd, c, logger)
	if err != nil {
		return hibernation.Progress{}, err
	}
	progress, err := s.Cleanup(ctx)
	return progress, hinted(err, cd)
}

// Release advances what has to be done before the ClusterDeployment may go. Where nothing is to be done in the cloud it
// needs no credentials: these may be gone already.
func (a *OpenStackActuator) Release(ctx context.Context, cd *hivev1.ClusterDeployment, c client.Client, keep bool, logger log.FieldLogger) (hibernation.Progress, error) {
	offline := a.sessions(a.cluster(cd), nil, logger)
	record, err := offline.Summary(ctx)
	if err != nil {
		return hibernation.Progress{}, err
	}
	if !record.Exists {
		return hibernation.Progress{Done: true}, nil
	}
	if keep && record.Final() {
		return offline.Release(ctx, keep)
	}
	s, err := a.session(ctx, cd, c, logger)
	if err != nil {
		return hibernation.Progress{}, err
	}
	progress, err := s.Release(ctx, keep)
	return progress, hinted(err, cd)
}

// Summary returns what the record says. It needs no credentials.
func (a *OpenStackActuator) Summary(ctx context.Context, cd *hivev1.ClusterDeployment, _ client.Client, logger log.FieldLogger) (hibernation.Summary, error) {
	return a.offline(ctx, cd, logger).Summary(ctx)
}

// offline returns the session of this pass or, where there is none, one that has no cloud.
func (a *OpenStackActuator) offline(ctx context.Context, cd *hivev1.ClusterDeployment, logger log.FieldLogger) Session {
	if s, ok := sessionIn[*openstackPass](ctx); ok {
		return s
	}
	return a.sessions(a.cluster(cd), nil, logger)
}

// Remember saves into the record what a cluster that wakes says of itself. It needs no credentials.
func (a *OpenStackActuator) Remember(ctx context.Context, cd *hivev1.ClusterDeployment, _ client.Client, o hibernation.Observation, logger log.FieldLogger) (hibernation.Summary, error) {
	s := a.offline(ctx, cd, logger)
	if err := s.Remember(ctx, o); err != nil {
		return hibernation.Summary{}, err
	}
	return s.Summary(ctx)
}

// ResumeHealthChecks un-pauses the MachineHealthChecks and has the record forget them. It needs no credentials.
func (a *OpenStackActuator) ResumeHealthChecks(ctx context.Context, cd *hivev1.ClusterDeployment, _ client.Client, logger log.FieldLogger) error {
	return a.offline(ctx, cd, logger).ResumeHealthChecks(ctx)
}

// ForgetHealthChecks has the record forget them.
func (a *OpenStackActuator) ForgetHealthChecks(ctx context.Context, cd *hivev1.ClusterDeployment, _ client.Client, logger log.FieldLogger) error {
	return a.offline(ctx, cd, logger).ForgetHealthChecks(ctx)
}

// tell remembers what a verb found.
func (s *openstackPass) tell(found hibernation.Progress, err error) (*hibernation.Progress, error) {
	if err != nil {
		return nil, err
	}
	s.last = &found
	return &found, nil
}

// session returns the session of this pass, and begins it where this is the first verb.
func (a *OpenStackActuator) session(ctx context.Context, cd *hivev1.ClusterDeployment, c client.Client, logger log.FieldLogger) (*openstackPass, error) {
	if s, ok := sessionIn[*openstackPass](ctx); ok {
		return s, nil
	}
	credentials, err := openstackCredentials(ctx, c, cd)
	if err != nil {
		return nil, err
	}
	cloud, err := a.clouds.ClientFor(ctx, credentials)
	if err != nil {
		return nil, fmt.Errorf("the Secret %s/%s: %w", cd.Namespace, cd.Spec.Platform.OpenStack.CredentialsSecretRef.Name, err)
	}
	cloud = noting{Client: cloud}
	s := &openstackPass{Session: a.sessions(a.cluster(cd), cloud, logger), cloud: cloud}
	shareIn(ctx, s)
	return s, nil
}

// cluster tells the engine what it has to know of the ClusterDeployment.
func (a *OpenStackActuator) cluster(cd *hivev1.ClusterDeployment) hibernation.Cluster {
	cluster := hibernation.Cluster{
		Namespace: cd.Namespace,
		Name:      cd.Name,
		InfraID:   cd.Spec.ClusterMetadata.InfraID,
		Observe: func(ctx context.Context) (hibernation.Observation, error) {
			return observe(ctx, a.remote, cd)
		},
		ResumeHealthChecks: func(ctx context.Context) error {
			return inside(ctx, a.remote, cd, noderepair.ResumeHealthChecks)
		},
		Event: func(eventType, reason, message string) {
			a.recorder.Eventf(cd, nil, eventType, reason, actionPowerState, "%s", conditions.Brief(message, maxNote))
		},
		Remake:   namedIn(cd, hivev1.AnnotationRemakeServer),
		LeaveOut: namedIn(cd, hivev1.AnnotationLeaveOutServer),
	}
	if !skipsRepair(cd) {
		cluster.PauseHealthChecks = func(ctx context.Context) error {
			return inside(ctx, a.remote, cd, noderepair.PauseHealthChecks)
		}
	}
	return cluster
}

// namedIn returns the names of servers in an annotation.
func namedIn(cd *hivev1.ClusterDeployment, annotation string) sets.Set[string] {
	names := sets.New[string]()
	for _, name := range strings.Split(cd.Annotations[annotation], ",") {
		if name = strings.TrimSpace(name); name != "" {
			names.Insert(name)
		}
	}
	return names
}

// hinted adds where the credentials are to an error that says that they are refused.
func hinted(err error, cd *hivev1.ClusterDeployment) error {
	if openstackclient.KindOf(err) != openstackclient.KindUnauthorized {
		return err
	}
	return fmt.Errorf("%w: check the credentials in the Secret %s/%s, key %s", err,
		cd.Namespace, cd.Spec.Platform.OpenStack.CredentialsSecretRef.Name, openstackclient.CloudsYAMLKey)
}
