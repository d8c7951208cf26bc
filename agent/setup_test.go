package agent_test

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/agent"
	"muster/internal/bus"
	"muster/internal/pki"
	"muster/internal/wire"
	"muster/registry"
	"muster/registry/boltstore"
)

// patience is how long tests wait for what should happen at once.
const patience = time.Minute

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// site is a CA, and a broker once it is started.
type site struct {
	tb        testing.TB
	authority *pki.Authority
	address   string // the broker's
	stop      func() // stops the broker
}

// newSite makes a CA whose certificates everybody trusts.
func newSite(tb testing.TB) *site {
	tb.Helper()
	authority, err := pki.CreateAuthority(tb.TempDir(), time.Now)
	if err != nil {
		tb.Fatal(err)
	}
	return &site{tb: tb, authority: authority}
}

// sealer returns the seal of somebody of this site.
func (s *site) sealer(name string, role pki.Role) *wire.Sealer {
	s.tb.Helper()
	key, err := pki.NewKey()
	if err != nil {
		s.tb.Fatal(err)
	}
	cert, err := s.authority.Issue(key.Public(), pki.Grant{Name: name, Role: role})
	if err != nil {
		s.tb.Fatal(err)
	}
	sealer, err := wire.NewSealer(key, []*x509.Certificate{cert})
	if err != nil {
		s.tb.Fatal(err)
	}
	return sealer
}

func (s *site) opener() *wire.Opener {
	return &wire.Opener{Roots: s.authority.Roots, Revoked: s.authority.IsRevoked}
}

// startBroker serves the embedded broker, at the address of the last time if
// there was one.
func (s *site) startBroker() {
	s.tb.Helper()
	if s.address == "" {
		s.address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.address = l.Addr().String()
	b := &bus.Broker{Log: quiet(), Authenticate: func(c bus.Credentials) (bus.Principal, error) {
		if node, ok := strings.CutPrefix(c.Login, "node:"); ok {
			return bus.Principal{Role: bus.RoleNode, Name: node}, nil
		}
		role, ok := map[string]bus.Role{"client": bus.RoleClient, "registry": bus.RoleRegistry}[c.Login]
		if !ok {
			return bus.Principal{}, errors.New("unknown login")
		}
		return bus.Principal{Role: role, Name: c.Login}, nil
	}}
	stop := running(s.tb, func(ctx context.Context) error { return b.Serve(ctx, l) })
	s.stop = func() {
		if err := stop(); err != nil {
			s.tb.Errorf("the broker ended with %v", err)
		}
	}
}

// bus returns a running client of the broker.
func (s *site) bus(login string) *bus.Client {
	s.tb.Helper()
	c := bus.NewClient(bus.Config{
		Brokers: []string{"stomp://" + s.address}, Login: login, Passcode: "x",
		BackOff: 10 * time.Millisecond, MaxBackOff: 50 * time.Millisecond, Log: quiet(),
	})
	running(s.tb, c.Run)
	return c
}

// running runs f until the test ends or stop is called, and waits for its end.
func running(tb testing.TB, f func(context.Context) error) (stop func() error) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	var err error
	go func() {
		defer close(done)
		err = f(ctx)
	}()
	stop = func() error {
		cancel()
		select {
		case <-done:
			return err
		case <-time.After(patience):
			tb.Errorf("something did not end when its context was done")
			return nil
		}
	}
	tb.Cleanup(func() { _ = stop() })
	return stop
}

// registry starts a registry with its receiver on the bus, and waits until it listens.
func (s *site) registry(reg registrar) (stop func() error) {
	s.tb.Helper()
	return s.registryThat(reg, nil)
}

// registryThat wants nodes with some certificates to renew them.
func (s *site) registryThat(reg registrar, renew func(*x509.Certificate) bool) (stop func() error) {
	s.tb.Helper()
	c := s.bus("registry")
	r := agent.Receiver{Bus: c, Sealer: s.sealer("registry.acme.net", pki.RoleRegistry), Opener: s.opener(), Registry: reg, Renew: renew, Log: quiet()}
	stop = running(s.tb, r.Run)
	if err := c.Ready(s.soon()); err != nil {
		s.tb.Fatal(err)
	}
	return stop
}

type registrar interface {
	Register(ctx context.Context, r registry.Registration) (registry.Receipt, error)
	Repeated(ctx context.Context, r registry.Registration) (receipt registry.Receipt, known bool, err error)
	Trust(ctx context.Context, r registry.Registration) error
	Refuse(r registry.Refusal)
}

// memory is a registry that keeps nothing on disk.
func memory(tb testing.TB) *registry.Registry {
	tb.Helper()
	r, err := registry.Open(tb.Context(), registry.Config{Log: quiet()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = r.Close() })
	return r
}

func (s *site) soon() context.Context {
	ctx, cancel := context.WithTimeout(s.tb.Context(), patience)
	s.tb.Cleanup(cancel)
	return ctx
}

// collected is what the daemons of these tests say about their nodes.
func collected(context.Context) agent.Snapshot {
	return agent.Snapshot{
		Facts:   map[string]any{"customer": "acme", "os": map[string]any{"family": "Debian"}, "kernel": "Linux"},
		Classes: []string{"mysql::master"}, Taken: time.Now(),
	}
}

// daemon is a daemon of this site, not yet running.
func (s *site) daemon(name string) agent.Daemon {
	s.tb.Helper()
	d := s.daemonOn(s.bus("node:" + name))
	d.Sealer = s.sealer(name, pki.RoleNode)
	return d
}

// daemonOn is the daemon of web1.acme.net on any bus.
func (s *site) daemonOn(b agent.Bus) agent.Daemon {
	s.tb.Helper()
	return agent.Daemon{
		Bus: b, Sealer: s.sealer("web1.acme.net", pki.RoleNode), Opener: s.opener(),
		Counter: counter(s.tb), Collect: collected, Log: quiet(), Version: "1.2.3",
	}
}

// eventually waits for something to become true.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	tb.Fatalf("waited for %s in vain", what)
}

// onDisk is a registry on a file in a folder.
func onDisk(tb testing.TB, dir string) *registry.Registry {
	tb.Helper()
	store, err := boltstore.Open(tb.Context(), filepath.Join(dir, "nodes.db"))
	if err != nil {
		tb.Fatal(err)
	}
	r, err := registry.Open(tb.Context(), registry.Config{Store: store, Log: quiet()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = r.Close() })
	return r
}
