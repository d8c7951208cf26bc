package registry_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"muster/registry"
)

// refused registers and wants a refusal for a reason.
func refused(t testing.TB, r *registry.Registry, reg registry.Registration, reason string) *registry.Refusal {
	t.Helper()
	_, err := r.Register(t.Context(), reg)
	refusal, ok := errors.AsType[*registry.Refusal](err)
	if !ok || refusal.Reason != reason {
		t.Fatalf("registering %q: %v; want a refusal for %s", reg.Identity, err, reason)
	}
	return refusal
}

func TestRegisterRefuses(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	known := registry.Registration{Identity: "db1", Auth: "cert", Sequence: 10, Sent: noon, Facts: map[string]any{"a": "b"}}
	register(t, r, known)
	before := dump(t, r)
	change := func(f func(*registry.Registration)) registry.Registration {
		reg := known
		reg.Facts = map[string]any{"a": "evil"}
		reg.Sequence = 11
		f(&reg)
		return reg
	}
	for _, c := range []struct {
		name, reason, detail string
		reg                  registry.Registration
	}{
		{"no identity", registry.ReasonIdentity, "empty", change(func(r *registry.Registration) { r.Identity = "" })},
		{"an option", registry.ReasonIdentity, "dash", change(func(r *registry.Registration) { r.Identity = "-oProxyCommand=x" })},
		{"a line feed", registry.ReasonIdentity, `'\n'`, change(func(r *registry.Registration) { r.Identity = "db1\ndb2" })},
		{"300 characters", registry.ReasonIdentity, "longer than 255", change(func(r *registry.Registration) { r.Identity = strings.Repeat("x", 300) })},
		{"older sequence", registry.ReasonOlder, "sequence 9 after 10", change(func(r *registry.Registration) { r.Sequence = 9 })},
		{"same sequence, other content", registry.ReasonOlder, "sequence 10 after 10", change(func(r *registry.Registration) { r.Sequence = 10 })},
		{"sent earlier", registry.ReasonOlder, "sent 1h0m0s earlier", change(func(r *registry.Registration) { r.Sequence = 0; r.Sent = noon.Add(-time.Hour) })},
		{"psk", registry.ReasonProof, "proven by psk, and what is known of the node by cert", change(func(r *registry.Registration) { r.Auth = "psk" })},
		{"nothing", registry.ReasonProof, "proven by nothing", change(func(r *registry.Registration) { r.Auth = "" })},
		{"forwarder", registry.ReasonProof, "proven by forwarder puppet", change(func(r *registry.Registration) { r.Auth = "forwarder puppet" })},
	} {
		t.Run(c.name, func(t *testing.T) {
			refusal := refused(t, r, c.reg, c.reason)
			if !strings.Contains(refusal.Detail, c.detail) {
				t.Errorf("detail %q, want %q in it", refusal.Detail, c.detail)
			}
			listed := r.Rejected()[0]
			if listed.Reason != c.reason || !listed.At.Equal(noon) || len(listed.Identity) > 260 {
				t.Errorf("listed as %+v", listed)
			}
		})
	}
	if got := dump(t, r); got != before {
		t.Errorf("the node is now\n%s\nwant it as it was\n%s", got, before)
	}
	if s := r.Stats(); s.Refused[registry.ReasonIdentity] != 4 || s.Refused[registry.ReasonProof] != 3 || s.Refused[registry.ReasonOlder] != 3 {
		t.Errorf("counted %v, want 4, 3 and 3", s.Refused)
	}

	register(t, r, known) // the same message again: its sender missed the receipt
	now = now.Add(8 * 24 * time.Hour)
	weaker := change(func(r *registry.Registration) { r.Auth = "psk" })
	register(t, r, weaker) // what was proven better has expired
	if n, _ := r.Node("db1"); n.Auth != "psk" {
		t.Errorf("auth is %q, want psk", n.Auth)
	}
}

func TestRejectedIsBounded(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	for i := range 2500 {
		r.Refuse(registry.Refusal{Identity: fmt.Sprint(i), Reason: "bad_seal", Detail: strings.Repeat("x", 5000), From: strings.Repeat("y", 5000)})
	}
	list := r.Rejected()
	if len(list) != 1000 || list[0].Identity != "2499" || list[999].Identity != "1500" {
		t.Errorf("%d listed, from %s to %s; want 1000, from 2499 to 1500", len(list), list[0].Identity, list[len(list)-1].Identity)
	}
	if len(list[0].Detail)+len(list[0].From) > 1000 {
		t.Error("a refusal can be of any size")
	}
	if got := r.Stats().Refused["bad_seal"]; got != 2500 {
		t.Errorf("counted %d, want 2500", got)
	}
}

// TestABetterProofIsAChange: it is stored even where nothing else is new.
func TestABetterProofIsAChange(t *testing.T) {
	now := noon
	store := &registry.MemoryStore{}
	r := open(t, store, &now)
	register(t, r, registry.Registration{Identity: "db1", Auth: "psk"})
	if receipt := register(t, r, registry.Registration{Identity: "db1", Auth: "cert"}); !receipt.Changed {
		t.Error("a certificate after a shared key is no change")
	}
	if n, _ := open(t, store, &now).Node("db1"); n.Auth != "cert" {
		t.Errorf("after a restart auth is %q, want cert", n.Auth)
	}
}
