package hibernation

import (
	"context"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// What a server can't be made again without is gone: a person has to bring it back, and is told how.

// portGone says what to do about a port that exists no more.
func (s *Session) portGone(ctx context.Context, m *Machine, want Port) error {
	if _, err := s.cloud.GetNetwork(ctx, want.NetworkID); openstackclient.IsNotFound(err) {
		return blocked("%s: its port %s is gone, and so is network %s: make a network, on it a port with MAC %s and addresses %v, and one for each other machine of the cluster and for its API and ingress, and put the IDs of the network and of the ports in place of the old ones into the record, Secret %s/%s; nothing was touched", m.Name, want.ID, want.NetworkID, want.MAC, want.IPs, s.cluster.Namespace, RecordName(s.cluster.Name))
	} else if err != nil {
		return err
	}
	return blocked("%s: its port %s is gone: make a port with MAC %s and addresses %v on network %s, and put its ID into the record, Secret %s/%s; nothing was touched", m.Name, want.ID, want.MAC, want.IPs, want.NetworkID, s.cluster.Namespace, RecordName(s.cluster.Name))
}

// flavorGone says what to do about a flavor that exists no more, once Nova has refused it; nil if that is not the reason.
func (s *Session) flavorGone(ctx context.Context, m *Machine) error {
	if _, err := s.cloud.GetFlavor(ctx, m.Spec.FlavorID); !openstackclient.IsNotFound(err) {
		return nil
	}
	if err := s.checkCloud(ctx); err != nil {
		return err
	}
	return blocked("%s: its flavor %s (%s) exists no more or is not for this project: have one made with that ID, or put the ID of another whose disk is no smaller in its place into the record, Secret %s/%s; its snapshot is kept", m.Name, m.Spec.FlavorName, m.Spec.FlavorID, s.cluster.Namespace, RecordName(s.cluster.Name))
}
