//go:build peers

package agent_test

import (
	"log/slog"
	"testing"
	"time"

	"muster/agent"
	"muster/internal/bus"
	"muster/internal/bus/rabbittest"
	"muster/internal/pki"
	"muster/registry"
)

// telling is a log that is seen where the test fails.
func telling(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// rabbit returns a running client of a real RabbitMQ.
func rabbit(t *testing.T, s *rabbittest.Server) *bus.Client {
	t.Helper()
	c := bus.NewClient(bus.Config{Brokers: []string{s.URI}, Login: s.Login, Passcode: s.Passcode, Vhost: s.Vhost, Log: telling(t), MaxBackOff: time.Second})
	running(t, c.Run)
	return c
}

// The whole way through a real RabbitMQ: registration and receipt, request and
// reply; and again after the broker was away.
func TestThroughRabbitMQ(t *testing.T) {
	log := telling(t)
	server := rabbittest.Start(t, "mcollective")
	s := newSite(t)
	reg := memory(t)
	receiving := rabbit(t, server)
	receiver := agent.Receiver{Bus: receiving, Sealer: s.sealer("registry.acme.net", pki.RoleRegistry), Opener: s.opener(), Registry: reg, Log: log}
	running(t, receiver.Run)
	twin, alike := rabbit(t, server), memory(t) // another registry, which hears the same
	running(t, agent.Receiver{Bus: twin, Sealer: s.sealer("registry.acme.net", pki.RoleRegistry), Opener: s.opener(), Registry: alike, Log: log}.Run)
	for _, c := range []*bus.Client{receiving, twin} {
		if err := c.Ready(s.soon()); err != nil {
			t.Fatal(err)
		}
	}

	node := rabbit(t, server)
	d := agent.Daemon{
		Bus: node, Sealer: s.sealer("db1.acme.net", pki.RoleNode), Opener: s.opener(), Counter: counter(t),
		Collect: collected, Agents: []agent.Agent{agent.NRPE{}.Agent()}, Log: log, Interval: time.Second,
	}
	receipt, err := d.Once(s.soon())
	if err != nil || !receipt.Accepted || receipt.Registry != "registry.acme.net" {
		t.Fatalf("%+v, %v", receipt, err)
	}
	for _, r := range []*registry.Registry{reg, alike} { // the receipt may be from either
		eventually(t, "both registries to have it", func() bool {
			n, ok := r.Node("db1.acme.net")
			return ok && n.Facts["customer"] == "acme"
		})
	}

	d.Opener = s.opener()
	running(t, d.Run)
	operator := agent.Client{Bus: rabbit(t, server), Sealer: s.sealer("alice", pki.RoleOperator), Opener: s.opener()}
	ping := func() bool {
		replies, outcome := call(t, operator, agent.Call{Agent: "rpcutil", Action: "ping", Nodes: []string{"db1.acme.net", "ghost"}, Timeout: 5 * time.Second})
		return replies["db1.acme.net"].Message == "OK" && len(outcome.Silent) == 1
	}
	eventually(t, "a ping through RabbitMQ", ping)

	server.Stop()
	before := time.Now()
	server.Resume()
	for _, r := range []*registry.Registry{reg, alike} {
		eventually(t, "a registration after RabbitMQ came back", func() bool {
			n, _ := r.Node("db1.acme.net")
			return n.LastSeen.After(before)
		})
	}
	eventually(t, "a ping after RabbitMQ came back", ping)
}
