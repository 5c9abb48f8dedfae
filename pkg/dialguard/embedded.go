package dialguard

import "net/netip"

// translation is a prefix of IPv6 addresses that carry an IPv4 address.
type translation struct {
	prefix netip.Prefix
	// at are the positions of the IPv4 address's four bytes.
	at [4]int
	// inverted says that the bytes are stored as their complement.
	inverted bool
}

// translations returns the forms in which an IPv6 address may lead to an IPv4 address.
func translations() []translation {
	last, local := [4]int{12, 13, 14, 15}, localNAT64()
	return []translation{
		// IPv4-mapped and the deprecated IPv4-compatible addresses (RFC 4291).
		{prefix: netip.MustParsePrefix("::ffff:0:0/96"), at: last},
		{prefix: netip.MustParsePrefix("::/96"), at: last},
		// IPv4-translated addresses (RFC 2765).
		{prefix: netip.MustParsePrefix("::ffff:0:0:0/96"), at: last},
		// NAT64 (RFC 6052). The prefix for local use (RFC 8215) may be divided at /48, /56, /64 or /96.
		{prefix: netip.MustParsePrefix("64:ff9b::/96"), at: last},
		{prefix: local, at: last},
		{prefix: local, at: [4]int{6, 7, 9, 10}},
		{prefix: local, at: [4]int{7, 9, 10, 11}},
		{prefix: local, at: [4]int{9, 10, 11, 12}},
		// 6to4 (RFC 3056) and Teredo (RFC 4380).
		{prefix: netip.MustParsePrefix("2002::/16"), at: [4]int{2, 3, 4, 5}},
		{prefix: netip.MustParsePrefix("2001::/32"), at: last, inverted: true},
	}
}

// embedded returns the IPv4 addresses that an IPv6 address may lead to.
func embedded(addr netip.Addr) []netip.Addr {
	if addr.Is4() {
		return nil
	}
	bytes := addr.As16()
	local := localNAT64()
	var found []netip.Addr
	for _, t := range translations() {
		// Prefix.Contains treats a mapped address as IPv4, so the bytes are compared.
		if network := netip.PrefixFrom(netip.AddrFrom16(bytes), t.prefix.Bits()).Masked(); network.Addr() != t.prefix.Addr() {
			continue
		}
		var v4 [4]byte
		for i, at := range t.at {
			v4[i] = bytes[at]
			if t.inverted {
				v4[i] = ^v4[i]
			}
		}
		if v4[0] == 0 && t.prefix == local {
			// The rest of another division, not an address.
			continue
		}
		found = append(found, netip.AddrFrom4(v4))
	}
	return found
}

// localNAT64 is the NAT64 prefix for local use.
func localNAT64() netip.Prefix { return netip.MustParsePrefix("64:ff9b:1::/48") }
