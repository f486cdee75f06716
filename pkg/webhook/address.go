package webhook

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"halcyon/pkg/fault"
)

// Allowed are networks that may be called although they are private. The zero
// value allows none.
type Allowed []netip.Prefix

// ParseAllowed reads networks such as 10.1.0.0/16 or single addresses. The error
// names the first that is neither.
func ParseAllowed(list []string) (Allowed, error) {
	var out Allowed
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if a, e := netip.ParseAddr(s); err != nil && e == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, fault.Invalidf("%q is no network such as 10.1.0.0/16.", s)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// refused4 are the IPv4 networks that are not on the Internet: private and reserved ones.
var refused4 = prefixes(
	"0.0.0.0/8",       // this host
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // carrier-grade NAT
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local, and the metadata of clouds
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // 6to4 relays
	"192.168.0.0/16",  // private
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, and broadcast
)

// Of IPv6 only what is global unicast may be called, without the parts of it that
// hold an IPv4 address or lead nowhere.
var (
	global6  = netip.MustParsePrefix("2000::/3")
	refused6 = prefixes(
		"2001::/23",     // protocol assignments, Teredo among them
		"2001:db8::/32", // documentation
		"2002::/16",     // 6to4: an IPv4 address in disguise
		"3fff::/20",     // documentation
	)
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// permits reports whether an address may be connected to: it is public, or allowed.
// An IPv4 address is judged as such however it is written. NAT64's addresses are
// refused whatever they hold, being outside of 2000::/3.
func (l Allowed) permits(a netip.Addr) bool {
	if a.Zone() != "" {
		return false
	}
	if l.names(a) {
		return true
	}
	a = a.Unmap()
	refused := refused4
	if a.Is6() {
		if !global6.Contains(a) {
			return false
		}
		refused = refused6
	}
	for _, p := range refused {
		if p.Contains(a) {
			return false
		}
	}
	return a.IsValid()
}

// names reports whether an address is in one of the networks of the list.
func (l Allowed) names(a netip.Addr) bool {
	a = a.Unmap()
	return a.Zone() == "" && slices.ContainsFunc(l, func(p netip.Prefix) bool { return p.Contains(a) })
}

// check looks at an address as it is written: it is a 400 at /url unless that is
// http or https, names a host, and names none that may not be called. What a name
// stands for is found out when it is called.
func (l Allowed) check(raw string) error {
	no := func(format string, args ...any) error {
		return fault.InvalidField(fault.Member("url"), format, args...)
	}
	if len(raw) > 2048 {
		return no("has more than 2048 bytes")
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Opaque != "":
		return no("is no URL such as https://hooks.example.com/halcyon")
	case u.Scheme != "http" && u.Scheme != "https":
		return no("begins neither with https:// nor with http://")
	case u.User != nil:
		return no("holds a user name or a password: they belong in headers")
	case u.Hostname() == "":
		return no("names no host")
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return no("has the port %s, which is none", p)
		}
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if a, err := netip.ParseAddr(host); err == nil {
		if !l.permits(a) {
			return no("%s is an address that may not be called", host)
		}
		return nil
	}
	switch {
	case numeric(host):
		// Some resolvers read 2130706433 and 0x7f.1 as 127.0.0.1.
		return no("%q is neither a name nor an address as they are usually written", host)
	case host == "localhost" || strings.HasSuffix(host, ".localhost"):
		if !l.permits(netip.AddrFrom4([4]byte{127, 0, 0, 1})) {
			return no("%s is an address that may not be called", host)
		}
	}
	return nil
}

// numeric reports whether a host is a number, or ends in one.
func numeric(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if _, err := strconv.ParseUint(last, 0, 64); err == nil {
		return true
	}
	return strings.Trim(last, "0123456789") == ""
}
