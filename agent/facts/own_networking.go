package facts

import (
	"context"
	"net"
	"net/netip"
)

// networking is Facter's fact of that name: each interface with its addresses,
// and the primary one's again at the top.
func networking(ctx context.Context) map[string]any {
	hostname, domain := HostName(ctx)
	n := map[string]any{"hostname": hostname, "fqdn": hostname}
	if domain != "" {
		n["domain"], n["fqdn"] = domain, hostname+"."+domain
	}
	list, err := net.Interfaces()
	if err != nil {
		return n
	}
	interfaces := map[string]any{}
	for _, nic := range list {
		addrs, err := nic.Addrs()
		if err != nil {
			addrs = nil
		}
		interfaces[nic.Name] = oneInterface(nic, addrs)
	}
	n["interfaces"] = interfaces
	if name := primary(list, interfaces, outgoing()); name != "" {
		n["primary"] = name
		for _, key := range []string{"ip", "ip6", "mac", "mtu", "netmask", "netmask6", "network", "network6", "scope6"} {
			if v, ok := interfaces[name].(map[string]any)[key]; ok {
				n[key] = v
			}
		}
	}
	return n
}

func oneInterface(nic net.Interface, addrs []net.Addr) map[string]any {
	i := map[string]any{"mtu": nic.MTU}
	if len(nic.HardwareAddr) > 0 {
		i["mac"] = nic.HardwareAddr.String()
	}
	var v4, v6 []any
	var best4, best6 map[string]any
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		b, addr := binding(prefix), prefix.Addr()
		if addr.Is4() {
			v4 = append(v4, b)
			if best4 == nil || usable(addr) && !usable(netip.MustParseAddr(best4["address"].(string))) {
				best4 = b
			}
			continue
		}
		v6 = append(v6, b)
		if best6 == nil || usable(addr) && !usable(netip.MustParseAddr(best6["address"].(string))) {
			best6 = b
		}
	}
	if v4 != nil {
		i["bindings"], i["ip"], i["netmask"], i["network"] = v4, best4["address"], best4["netmask"], best4["network"]
	}
	if v6 != nil {
		i["bindings6"], i["ip6"], i["netmask6"], i["network6"], i["scope6"] = v6, best6["address"], best6["netmask"], best6["network"], best6["scope6"]
	}
	return i
}

// usable says whether others can reach an address by routing.
func usable(a netip.Addr) bool { return !a.IsLinkLocalUnicast() && !a.IsLoopback() }

func binding(p netip.Prefix) map[string]any {
	addr := p.Addr().WithZone("")
	mask, _ := netip.AddrFromSlice(net.CIDRMask(p.Bits(), addr.BitLen()))
	b := map[string]any{
		"address": addr.String(), "netmask": mask.String(),
		"network": netip.PrefixFrom(addr, p.Bits()).Masked().Addr().String(),
	}
	if addr.Is6() {
		b["scope6"] = scope(addr)
	}
	return b
}

func scope(a netip.Addr) string {
	switch {
	case a.IsLoopback():
		return "host"
	case a.IsLinkLocalUnicast():
		return "link"
	default:
		return "global"
	}
}

// outgoing is the address from which this machine would reach the world; it
// asks the routing table only, nothing is sent.
func outgoing() string {
	c, err := net.Dial("udp", "198.51.100.1:9")
	if err != nil {
		return ""
	}
	defer func() { _ = c.Close() }()
	return c.LocalAddr().(*net.UDPAddr).IP.String()
}

// primary is the interface with the outgoing address, else the first that is
// up with an address others can reach.
func primary(list []net.Interface, interfaces map[string]any, outgoing string) string {
	first := ""
	for _, nic := range list {
		facts := interfaces[nic.Name].(map[string]any)
		bindings, _ := facts["bindings"].([]any)
		for _, b := range bindings {
			address := b.(map[string]any)["address"].(string)
			if address == outgoing {
				return nic.Name
			}
			if a, err := netip.ParseAddr(address); err == nil && first == "" && usable(a) && nic.Flags&net.FlagUp != 0 {
				first = nic.Name
			}
		}
	}
	return first
}
