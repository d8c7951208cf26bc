package agent_test

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"muster/agent"
	"muster/internal/pki"
	"muster/registry"
)

// A daemon registers through the real broker, and the registry knows the node
// by the name in its certificate.
func TestRegistrationIsAcknowledged(t *testing.T) {
	s := newSite(t)
	s.startBroker()
	reg := memory(t)
	s.registry(reg)

	receipt, err := s.daemon("db1.acme.net").Once(s.soon())
	if err != nil {
		t.Fatal(err)
	}
	if !receipt.Accepted || receipt.Registry != "registry.acme.net" || receipt.Next != agent.DefaultInterval {
		t.Errorf("receipt %+v", receipt)
	}
	n, ok := reg.Node("db1.acme.net")
	if !ok {
		t.Fatal("the registry does not know the node")
	}
	if n.Auth != "cert" || n.Facts["customer"] != "acme" || len(n.Classes) != 1 || n.Agents[0] != "rpcutil" || n.Collectives[0] != "mcollective" || n.Interval != agent.DefaultInterval {
		t.Errorf("node %+v", n)
	}
}

// Who waits in vain is told for what.
func TestOnceSaysWhatItWaitedFor(t *testing.T) {
	s := newSite(t)
	s.startBroker()
	d := s.daemon("db1.acme.net")

	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := d.Once(ctx)
	if err == nil || !strings.Contains(err.Error(), "waiting for the registry's receipt (sent once)") || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a registry: %v", err)
	}

	s.stop()
	ctx, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = d.Once(ctx)
	if err == nil || !strings.Contains(err.Error(), "waiting for the broker") || !strings.Contains(err.Error(), "db1.acme.net") {
		t.Errorf("without a broker: %v", err)
	}
	if err != nil && !strings.Contains(err.Error(), "no connection to a broker: ") {
		t.Errorf("why there is no broker is not told: %v", err)
	}
}

// While facts are collected that is what is waited for, and the log says which
// did not come.
func TestOnceSaysThatItWaitedForFacts(t *testing.T) {
	d := newSite(t).daemonOn(&loop{})
	var log strings.Builder
	d.Log = slog.New(slog.NewTextHandler(&log, nil))
	d.Collect = func(ctx context.Context) agent.Snapshot {
		<-ctx.Done()
		return agent.Snapshot{Warnings: []string{"facter: did not end"}}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := d.Once(ctx)
	if err == nil || !strings.Contains(err.Error(), "waiting for this node's facts to be collected") || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "facter: did not end") {
		t.Errorf("log %q", log.String())
	}
}

// What went wrong before the time was over is told too.
func TestOnceSaysWhyItWaited(t *testing.T) {
	d := newSite(t).daemonOn(&loop{refuse: errors.New("access refused")})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := d.Once(ctx)
	if err == nil || !strings.Contains(err.Error(), "waiting for the broker (sent 0 times)") || !strings.Contains(err.Error(), "access refused") {
		t.Errorf("error %v", err)
	}
}

// refusing is a registry that refuses.
type refusing struct{ forgetful }

func (refusing) Register(_ context.Context, r registry.Registration) (registry.Receipt, error) {
	return registry.Receipt{}, &registry.Refusal{Identity: r.Identity, Reason: registry.ReasonProof, Detail: "known better"}
}

func TestARefusalReachesTheNode(t *testing.T) {
	s := newSite(t)
	s.startBroker()
	s.registry(refusing{})
	receipt, err := s.daemon("db1.acme.net").Once(s.soon())
	if err == nil || receipt.Accepted || receipt.Reason != registry.ReasonProof || !strings.Contains(err.Error(), "registry.acme.net refused it: known better") {
		t.Errorf("%+v, %v", receipt, err)
	}
}

// While one authority follows another, nodes with certificates of the old one are
// told to get themselves new ones.
func TestARegistryWantsACertificateRenewed(t *testing.T) {
	s := newSite(t)
	s.startBroker()
	s.registryThat(memory(t), func(cert *x509.Certificate) bool { return pki.NameOf(cert) == "db1.acme.net" })
	for _, test := range []struct {
		name string
		want int
	}{{"db1.acme.net", 1}, {"db2.acme.net", 0}} {
		d, wanted := s.daemon(test.name), 0
		d.Renew = func() { wanted++ }
		if receipt, err := d.Once(s.soon()); err != nil || wanted != test.want || receipt.Renew != (test.want == 1) {
			t.Errorf("%s was told %d times: %+v, %v", test.name, wanted, receipt, err)
		}
	}
}

// A receipt counts only from a registry: another node's seal is not enough.
func TestAReceiptFromANodeIsNotBelieved(t *testing.T) {
	s := newSite(t)
	s.startBroker()
	c := s.bus("registry")
	impostor := agent.Receiver{Bus: c, Sealer: s.sealer("web1.acme.net", pki.RoleNode), Opener: s.opener(), Registry: memory(t), Log: quiet()}
	running(t, impostor.Run)
	if err := c.Ready(s.soon()); err != nil {
		t.Fatal(err)
	}
	d := s.daemon("db1.acme.net")
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := d.Once(ctx); err == nil || !strings.Contains(err.Error(), "waiting for the registry's receipt") {
		t.Errorf("believed: %v", err)
	}
	d.Registries = []string{"WEB1.acme.net"}
	if _, err := d.Once(s.soon()); err != nil {
		t.Errorf("a registry that is named is not believed: %v", err)
	}
}

// A broker that goes away and comes back: registration resumes by itself.
func TestABrokerThatComesBack(t *testing.T) {
	s := newSite(t)
	s.startBroker()
	reg := memory(t)
	s.registry(reg)
	d := s.daemon("db1.acme.net")
	d.Interval = 50 * time.Millisecond
	running(t, d.Run)
	seen := func() time.Time { n, _ := reg.Node("db1.acme.net"); return n.LastSeen }
	eventually(t, "the first registration", func() bool { return !seen().IsZero() })
	s.stop()
	time.Sleep(100 * time.Millisecond)
	before := time.Now()
	s.startBroker()
	eventually(t, "a registration after the broker came back", func() bool { return seen().After(before) })
}

// A registry that is away for a while: the daemon sends again until it is back.
func TestARegistryThatComesBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.startBroker()
	d := s.daemon("db1.acme.net")
	got := make(chan error, 1)
	go func() {
		_, err := d.Once(s.soon())
		got <- err
	}()
	time.Sleep(200 * time.Millisecond)
	reg := memory(t)
	s.registry(reg)
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	if _, ok := reg.Node("db1.acme.net"); !ok {
		t.Error("acknowledged and not there")
	}
}

// A daemon stops when it is told to, whatever it waits for.
func TestADaemonStops(t *testing.T) {
	s := newSite(t)
	s.startBroker()
	stop := running(t, s.daemon("db1.acme.net").Run)
	time.Sleep(50 * time.Millisecond)
	start := time.Now()
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("Run returned %v", err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("stopping took %v", took)
	}
}
