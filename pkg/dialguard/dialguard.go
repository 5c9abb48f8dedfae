// Package dialguard keeps connections away from addresses that the operator denies. The endpoints of a cloud and the
// kubeconfigs of clusters are written by tenants, who must not reach what only this machine can: its own services, and
// the link-local metadata service of its cloud.
package dialguard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// Flag is the manager's flag that sets what is denied; errors name it.
const Flag = "--deny-cidrs"

// DefaultDenied returns the prefixes that are denied unless the operator says otherwise: link-local, loopback and unspecified
// addresses. The unspecified ones lead to this machine, as loopback does.
func DefaultDenied() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10"),
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
		netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("::/128"),
	}
}

// Parse reads prefixes in CIDR notation.
func Parse(list []string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	var errs []error
	for _, text := range list {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%q is not a CIDR, write it like 192.0.2.0/24", text))
			continue
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes, errors.Join(errs...)
}

// DeniedError says that a host leads to a denied address. No connection was tried, so it does not reveal whether
// anything listens there.
type DeniedError struct {
	// Host is what was to be connected to, as it was given; empty if only the address is known.
	Host string
	// Class is the kind of address that the host leads to, e.g. "loopback".
	Class string
}

// Error returns the host, the class of its address and the flag that denies it.
func (e *DeniedError) Error() string {
	host := e.Host
	if host == "" {
		host = "the host"
	}
	return fmt.Sprintf("%s leads to a %s address, which %s does not allow", host, e.Class, Flag)
}

// Guard denies connections to some addresses. A nil Guard denies none. It is safe for concurrent use.
type Guard struct{ denied []netip.Prefix }

// New returns a Guard that denies the prefixes. A prefix of IPv4-mapped addresses stands for the IPv4 prefix.
func New(denied []netip.Prefix) *Guard {
	g := &Guard{}
	for _, prefix := range denied {
		if prefix.Addr().Is4In6() && prefix.Bits() >= 96 {
			prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
		}
		g.denied = append(g.denied, prefix.Masked())
	}
	return g
}

// DialContext connects as net.Dialer does, but to no denied address.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return g.Dialer(net.Dialer{})(ctx, network, address)
}

// Dialer returns the DialContext of a dialer that connects to no denied address. Each address is checked after its name
// was resolved, immediately before the connection is made: what a name resolves to at any other moment does not count.
// Behind an HTTP or SOCKS proxy the address that is dialed, and checked, is the proxy's. The proxy resolves the names in
// the requests, and has to deny addresses itself.
func (g *Guard) Dialer(dialer net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	dialer.Control = g.Control
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		var denied *DeniedError
		if errors.As(err, &denied) {
			if host, _, splitErr := net.SplitHostPort(address); splitErr == nil {
				denied.Host = host
			}
		}
		return conn, err
	}
}

// Control returns a *DeniedError if the address of a connection that is about to be made is denied. It fits
// net.Dialer.Control.
func (g *Guard) Control(_, address string, _ syscall.RawConn) error {
	if g == nil || len(g.denied) == 0 {
		return nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return &DeniedError{Class: "non-IP"}
	}
	if host == "" {
		// No host at all stands for this machine.
		host = "::"
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return &DeniedError{Class: "non-IP"}
	}
	if denied, ok := g.leadsToDenied(addr.WithZone("")); ok {
		return &DeniedError{Class: classOf(denied)}
	}
	return nil
}

// leadsToDenied returns the denied address that an address is or leads to.
func (g *Guard) leadsToDenied(addr netip.Addr) (netip.Addr, bool) {
	for _, candidate := range append([]netip.Addr{addr}, embedded(addr)...) {
		for _, prefix := range g.denied {
			if prefix.Contains(candidate) {
				return candidate, true
			}
		}
	}
	return netip.Addr{}, false
}

// classOf names the kind of an address.
func classOf(addr netip.Addr) string {
	switch {
	case addr.IsLoopback():
		return "loopback"
	case addr.IsLinkLocalUnicast(), addr.IsLinkLocalMulticast():
		return "link-local"
	case addr.Is4() && addr.As4()[0] == 0, addr.IsUnspecified():
		return "unspecified"
	case addr.IsPrivate():
		return "private"
	case addr.IsMulticast():
		return "multicast"
	}
	return "denied"
}
