package indextest

import (
	"fmt"
	"slices"
	"strings"
)

// site is where a node stands and what it is for.
type site struct {
	customer, environment, datacenter, country, role string
	host, domain, fqdn, ip, ip6, mac, eth            string
	agents                                           []string
	cores, memory                                    int64
	large, physical                                  bool
	os                                               system
}

type system struct {
	name, family, full, major, codename string
	kernels                             []string
}

var systems = []system{
	{"Debian", "Debian", "12.11", "12", "bookworm", []string{"6.1.0-35-amd64", "6.1.0-37-amd64", "6.1.0-32-amd64"}},
	{"Ubuntu", "Debian", "22.04", "22.04", "jammy", []string{"5.15.0-139-generic", "5.15.0-119-generic"}},
	{"Debian", "Debian", "11.11", "11", "bullseye", []string{"5.10.0-34-amd64", "5.10.0-28-amd64"}},
	{"RedHat", "RedHat", "8.10", "8", "Ootpa", []string{"4.18.0-553.52.1.el8_10.x86_64", "4.18.0-513.24.1.el8_9.x86_64"}},
	{"CentOS", "RedHat", "7.9.2009", "7", "Core", []string{"3.10.0-1160.119.1.el7.x86_64", "3.10.0-1160.88.1.el7.x86_64"}},
	{"AlmaLinux", "RedHat", "9.5", "9", "Teal Serval", []string{"5.14.0-503.38.1.el9_5.x86_64"}},
	{"SLES", "Suse", "15.5", "15", "n/a", []string{"5.14.21-150500.55.68-default"}},
}

var customers = strings.Fields(`acme globex initech umbrella hooli stark wayne wonka cyberdyne soylent tyrell weyland massive oscorp
	aperture blackmesa vandelay dunder sterling pied gringotts duff monarch oceanic virtucon rekall zorg nakatomi buynlarge prestige`)

var roles = strings.Fields(`web_apache web_nginx app_java mysql_slave mysql_master pgsql app_ruby loadbalancer cache docker redis
	elasticsearch hypervisor kafka mail dns logging ldap rabbitmq monitoring backup bastion puppetserver ci`)

func (m *maker) site() site {
	r := m.Rand
	s := site{
		customer: often(r, customers...), role: often(r, roles...), os: often(r, systems...),
		environment: often(r, "production", "staging", "acceptance", "development", "test"),
		datacenter:  often(r, "ams1", "fra1", "lon1", "ams2", "nyc1", "par1", "sfo1", "sin1"),
		physical:    m.IntN(4) == 0, eth: often(r, "eth0", "ens192", "ens18", "enp1s0"), mac: m.mac(),
	}
	s.country = map[string]string{"ams": "nl", "fra": "de", "lon": "gb", "nyc": "us", "par": "fr", "sfo": "us", "sin": "sg"}[s.datacenter[:3]]
	s.large = slices.Contains([]string{"mysql_master", "mysql_slave", "app_java", "docker", "hypervisor", "kafka", "elasticsearch"}, s.role)
	s.cores, s.memory = pick(r, int64(1), 2, 4), pick(r, int64(1), 2, 4, 8)<<30
	if s.large {
		s.cores, s.memory = pick(r, int64(4), 8, 16, 32, 64), pick(r, int64(16), 32, 64, 128)<<30
	}
	s.memory -= int64(m.IntN(180 << 20))
	s.host = fmt.Sprintf("%s%02d", s.role, m.n%97)
	s.domain = fmt.Sprintf("%s.%s%d.example.net", s.datacenter, s.customer, m.n/97)
	s.fqdn = s.host + "." + s.domain
	s.ip = fmt.Sprintf("10.%d.%d.%d", m.n>>16&255, m.n>>8&255, m.n&255)
	s.ip6 = fmt.Sprintf("2a00:1450:%x::%x", m.n>>8, m.n&255)
	if strings.HasPrefix(s.role, "mysql") || strings.HasPrefix(s.role, "web") {
		s.agents = []string{strings.Split(s.role, "_")[0]}
	}
	return s
}

var base = strings.Fields(`base base::packages base::users collectd collectd::plugins cron default facts::custom hosts iptables
	iptables::base limits locale logrotate main mcollective mcollective::server motd nrpe nrpe::checks ntp ntp::client postfix
	puppet::agent puppet::cron resolvconf rsyslog rsyslog::client settings snmp snmp::client ssh::client ssh::known_hosts ssh::server
	sudo sudo::rules sysctl timezone`)

func (m *maker) classes(s site, facts map[string]any) []string {
	classes := slices.Concat(base, []string{
		"role", "role::" + s.role, "profile::base", "profile::" + s.role, "customer::" + s.customer, "env::" + s.environment, "dc::" + s.datacenter,
		strings.ToLower(s.os.family) + "::repos", strings.ToLower(s.os.family) + "::updates",
	})
	for _, part := range []string{"config", "server", "client", "monitor", "backup"} {
		classes = append(classes, strings.Split(s.role, "_")[0]+"::"+part)
	}
	for _, extra := range []string{"vim", "screen", "tmux", "auditd", "lldpd", "smartmontools"} {
		if m.IntN(5) < 2 {
			classes = append(classes, extra)
		}
	}
	if strings.HasPrefix(s.role, "mysql") {
		classes = append(classes, strings.ReplaceAll(s.role, "_", "::"))
		facts["mysql"] = map[string]any{"version": pick(m.Rand, "5.7.44", "8.0.36", "8.0.41"), "server_id": int64(m.n), "read_only": s.role == "mysql_slave"}
	}
	slices.Sort(classes)
	return classes
}
