package indextest

import (
	"fmt"
	"strings"
)

type object = map[string]any

func (m *maker) facts(s site) object {
	r, v := m.Rand, m.v
	used := int64(float64(s.memory) * (0.15 + 0.8*v.Float64()))
	up := int64(m.IntN(200*86400)) + int64(m.tick)*1800 + int64(v.IntN(240))
	serial, uuid := strings.ToUpper(m.hex(14)), m.uuid()
	kernel := pick(r, s.os.kernels...)
	puppet := often(r, "7.34.0", "7.32.1", "7.28.0", "6.28.0", "8.10.0", "5.5.22")
	maker := "QEMU"
	if s.physical {
		maker = "Dell Inc."
	}
	facts := object{
		"augeas": object{"version": "1.13.0"}, "facterversion": "4.10.0", "filesystems": "btrfs,ext2,ext3,ext4,squashfs,vfat,xfs", "fips_enabled": false,
		"identity":   object{"gid": int64(0), "group": "root", "privileged": true, "uid": int64(0), "user": "root"},
		"is_virtual": !s.physical, "kernel": "Linux", "kernelrelease": kernel, "kernelversion": strings.Split(kernel, "-")[0],
		"load_averages": object{"1m": round(v.Float64() * float64(s.cores)), "5m": round(v.Float64() * float64(s.cores)), "15m": round(v.Float64() * float64(s.cores))},
		"memory":        object{"system": usage(s.memory, used, "total"), "swap": usage(2<<30, int64(v.IntN(600<<20)), "total")},
		"os":            m.system(s), "disks": m.disks(s), "mountpoints": m.mounts(s), "partitions": m.partitions(), "networking": m.networking(s),
		"path": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/puppetlabs/bin",
		"dmi": object{
			"bios":  object{"release_date": fmt.Sprintf("%02d/%02d/20%02d", 1+m.IntN(12), 1+m.IntN(28), 14+m.IntN(11)), "vendor": maker, "version": "1.16.2"},
			"board": object{"manufacturer": maker, "product": "0" + serial[:5], "serial_number": "." + serial}, "manufacturer": maker,
			"chassis": object{"asset_tag": fmt.Sprintf("AT%06d", m.n), "type": "Other"}, "product": object{"name": "Standard PC", "serial_number": serial, "uuid": uuid},
		},
		"processors": object{"cores": s.cores, "count": s.cores, "isa": "x86_64", "models": repeated(pick(r, "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz", "AMD EPYC 7543 32-Core Processor", "AMD EPYC 9354 32-Core Processor"), min(s.cores, 16)), "physicalcount": int64(1), "speed": "2.10 GHz", "threads": int64(1)},
		"ruby":       object{"platform": "x86_64-linux", "sitedir": "/opt/puppetlabs/puppet/lib/ruby/site_ruby/2.7.0", "version": "2.7.8"},
		"ssh":        object{"rsa": m.key("ssh-rsa", 279), "ecdsa": m.key("ecdsa-sha2-nistp256", 104), "ed25519": m.key("ssh-ed25519", 51)}, "timezone": pick(r, "UTC", "CEST"),
		"system_uptime": object{"days": up / 86400, "hours": up / 3600, "seconds": up, "uptime": fmt.Sprint(up/86400, " days")}, "virtual": often(r, "kvm", "vmware", "physical", "xen"),

		"customer": s.customer, "environment": s.environment, "role": s.role, "datacenter": s.datacenter, "country": s.country,
		"rack": fmt.Sprintf("%s-r%02d", s.datacenter, 1+m.IntN(40)), "tier": pick(r, "gold", "silver", "bronze"), "cost_center": int64(1000 + len(s.customer)*10),
		"contact": "ops@" + s.customer + ".example.net", "service_level": pick(r, "24x7", "8x5", "best-effort"),
		"patch_window":    object{"day": pick(r, "mon", "tue", "wed", "thu", "sat"), "hour": int64(m.IntN(6)), "group": int64(m.IntN(4))},
		"owner":           object{"team": pick(r, "platform", "dba", "web", "network", "security"), "mail": fmt.Sprintf("team-%d@example.net", m.IntN(40)), "chat": "#" + s.customer},
		"asset":           object{"purchased": fmt.Sprintf("20%02d-%02d-01", 15+m.IntN(10), 1+m.IntN(12)), "warranty_years": pick(r, int64(3), 5), "po": fmt.Sprintf("PO%05d", m.IntN(100000))},
		"backup":          object{"enabled": m.IntN(5) > 0, "last_success": Epoch.Unix() + int64(m.tick)*1800 - int64(v.IntN(90000)), "job": s.host + "-full", "retention_days": pick(r, int64(14), 30, 90)},
		"package_updates": object{"pending": int64(m.IntN(60)), "security": int64(m.IntN(10)), "reboot_required": m.IntN(7) == 0},
		"monitoring":      object{"enabled": s.environment != "test", "groups": []any{s.customer, s.role, s.datacenter}, "contact_group": s.customer + "-oncall"},
		"puppetversion":   puppet, "aio_agent_version": puppet, "clientversion": puppet, "clientcert": s.fqdn, "clientnoop": false, "agent_specified_environment": s.environment,
		"puppet_vardir": "/opt/puppetlabs/puppet/cache", "root_home": "/root", "service_provider": "systemd", "package_provider": "apt", "last_run_ok": v.IntN(33) > 0,

		"operatingsystem": s.os.name, "operatingsystemrelease": s.os.full, "operatingsystemmajrelease": s.os.major, "osfamily": s.os.family, "lsbdistcodename": s.os.codename,
		"architecture": "amd64", "hardwaremodel": "x86_64", "hostname": s.host, "fqdn": s.fqdn, "domain": s.domain, "ipaddress": s.ip, "netmask": "255.255.255.0",
		"macaddress": s.mac, "interfaces": s.eth + ",lo", "ipaddress_" + s.eth: s.ip, "processorcount": s.cores, "memorysize": size(s.memory),
		"memorysize_mb": round(float64(s.memory) / (1 << 20)), "memoryfree_mb": round(float64(s.memory-used) / (1 << 20)), "uptime": fmt.Sprint(up/86400, " days"),
		"uptime_days": up / 86400, "uptime_seconds": up, "manufacturer": maker, "productname": "Standard PC", "serialnumber": serial, "uuid": uuid,
	}
	if strings.HasPrefix(s.role, "web") {
		facts["http_version"] = pick(r, "2.4.62", "2.4.57", "1.22.1")
	}
	return facts
}

func repeated(s string, n int64) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = s
	}
	return list
}

func (m *maker) system(s site) object {
	release := object{"full": s.os.full, "major": s.os.major}
	return object{
		"architecture": "amd64", "family": s.os.family, "hardware": "x86_64", "name": s.os.name, "release": release, "selinux": object{"enabled": s.os.family == "RedHat"},
		"distro": object{"codename": s.os.codename, "description": s.os.name + " " + s.os.full, "id": s.os.name, "release": object{"full": s.os.full, "major": s.os.major}},
	}
}

func (m *maker) disks(s site) object {
	disk := func(n int64) object {
		return object{"model": "QEMU HARDDISK", "size": size(n), "size_bytes": n, "type": pick(m.Rand, "hdd", "ssd"), "vendor": "0x1af4"}
	}
	disks := object{"vda": disk(pick(m.Rand, int64(20), 40, 80) << 30)}
	if s.large {
		disks["vdb"] = disk(pick(m.Rand, int64(256), 512, 1024) << 30)
	}
	return disks
}

func (m *maker) mounts(s site) object {
	mount := func(total, used int64, device, system string, options ...any) object {
		o := usage(total, used, "size")
		o["device"], o["filesystem"], o["options"] = device, system, options
		return o
	}
	share := func(n int64) int64 { return int64(float64(n) * m.v.Float64()) }
	mounts := object{
		"/":        mount(64<<30, share(64<<30), "/dev/vda1", "ext4", "rw", "relatime", "errors=remount-ro"),
		"/boot":    mount(1<<29, 180<<20, "/dev/vda2", "ext4", "rw", "relatime"),
		"/run":     mount(s.memory/10, share(8<<20), "tmpfs", "tmpfs", "rw", "nosuid", "nodev", fmt.Sprintf("size=%dk", s.memory/10240)),
		"/dev/shm": mount(s.memory/2, 0, "tmpfs", "tmpfs", "rw", "nosuid", "nodev"),
	}
	if s.large {
		mounts["/srv"] = mount(250<<30, share(250<<30), "/dev/vdb1", "xfs", "rw", "relatime", "noatime")
	}
	return mounts
}

func (m *maker) partitions() object {
	part := func(mount string, n int64) object {
		return object{"filesystem": "ext4", "mount": mount, "size": size(n), "size_bytes": n, "uuid": m.uuid()}
	}
	return object{"/dev/vda1": part("/", 64<<30), "/dev/vda2": part("/boot", 1<<29)}
}

func (m *maker) networking(s site) object {
	face := func(ip, ip6, mac string, mtu int64) object {
		net := ip[:strings.LastIndexByte(ip, '.')] + ".0"
		return object{
			"bindings": []any{object{"address": ip, "netmask": "255.255.255.0", "network": net}},
			"bindings6": []any{
				object{"address": ip6, "netmask": "ffff:ffff:ffff:ffff::", "network": "2a00:1450::", "scope6": "global", "flags": []any{"permanent"}},
				object{"address": "fe80::" + m.hex(4) + ":" + m.hex(4), "netmask": "ffff:ffff:ffff:ffff::", "network": "fe80::", "scope6": "link", "flags": []any{"permanent"}},
			},
			"ip": ip, "ip6": ip6, "mac": mac, "mtu": mtu, "netmask": "255.255.255.0", "netmask6": "ffff:ffff:ffff:ffff::", "network": net, "network6": "2a00:1450::",
			"scope6": "global", "operational_state": "up", "physical": s.physical,
		}
	}
	faces := object{
		s.eth: face(s.ip, s.ip6, s.mac, pick(m.Rand, int64(1500), 1500, 9000)),
		"lo":  object{"bindings": []any{object{"address": "127.0.0.1", "netmask": "255.0.0.0", "network": "127.0.0.0"}}, "ip": "127.0.0.1", "ip6": "::1", "mtu": int64(65536), "netmask": "255.0.0.0", "network": "127.0.0.0", "scope6": "host"},
	}
	if s.large || m.IntN(4) == 0 {
		faces[s.eth[:len(s.eth)-1]+"9"] = face("172."+s.ip[3:], s.ip6+"9", m.mac(), 9000)
	}
	if s.role == "docker" {
		faces["docker0"] = face("172.17.0.1", "fe80::1", m.mac(), 1500)
	}
	return object{
		"domain": s.domain, "fqdn": s.fqdn, "hostname": s.host, "interfaces": faces, "ip": s.ip, "ip6": s.ip6, "mac": s.mac, "mtu": int64(1500),
		"netmask": "255.255.255.0", "netmask6": "ffff:ffff:ffff:ffff::", "network": s.ip[:strings.LastIndexByte(s.ip, '.')] + ".0", "network6": "2a00:1450::", "primary": s.eth, "scope6": "global",
	}
}
