package cli

import (
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// weakness is a setting that makes something less safe than it is by itself.
type weakness struct {
	name string // of the metric's label: letters and _
	why  string
}

// weaknesses are those of a server's settings, each of which stands in the
// settings file: none is there by itself.
func (c config) weaknesses() []weakness {
	var list []weakness
	add := func(when bool, name, format string, args ...any) {
		if when {
			list = append(list, weakness{name, fmt.Sprintf(format, args...)})
		}
	}
	s := c.Serve
	add(s.Redact.Off, "redact_off", "serve.redact.off: facts that look like secrets are kept and shown")
	add(s.Audit.Off, "audit_off", "serve.audit.off: nothing is kept of who did what")
	for _, name := range slices.Sorted(maps.Keys(s.Forwarders)) {
		add(len(s.Forwarders[name]) == 0, "forwarder_any", "serve.forwarders: %s may speak for every node; list the names: {%s: [\"*.example.net\"]}", name, name)
	}
	for _, broker := range c.Brokers {
		add(inTheClear(broker, "stomp"), "broker_plain", "brokers: %s is reached without TLS, so that whoever listens reads what nodes say; use stomp+ssl://", broker)
	}
	add(inTheClear(s.Store, "mongodb") && !strings.Contains(s.Store, "tls=true") && !strings.Contains(s.Store, "ssl=true"),
		"store_plain", "serve.store: the database is reached without TLS; add ?tls=true")
	add(c.Agent.NRPEArgs, "nrpe_args", "agent.nrpe_args: who may ask this node chooses the arguments of its checks")
	return list
}

// inTheClear reports whether an address is another host's, by a scheme that has
// no TLS.
func inTheClear(address, scheme string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == scheme && !loopbackHost(u.Hostname())
}

// warnOfWeaknesses says them where they are looked for first.
func warnOfWeaknesses(log *slog.Logger, list []weakness) {
	for _, w := range list {
		log.Warn("SECURITY: "+w.why, "setting", w.name)
	}
}

func namesOf(list []weakness) []string {
	var names []string
	for _, w := range list {
		names = append(names, w.name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
