package registry_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/registry"
)

// TestRepeated: a body that was said before is known, and does to the node what
// registering it would; anything else is not known, and does nothing.
func TestRepeated(t *testing.T) {
	body := []byte(`{"facts":{"os":"Debian","uptime":7},"classes":["web"],"interval":60}`)
	said := func(change func(*registry.Registration)) registry.Registration {
		reg := registry.Registration{Identity: "db1", Auth: "cert", Sequence: 10, Sent: noon, Body: body}
		if change != nil {
			change(&reg)
		}
		return reg
	}
	decoded := func(reg registry.Registration) registry.Registration {
		text := reg.Body
		if text == nil {
			text = body
		}
		all, err := registry.DecodeRegistration(text)
		if err != nil {
			t.Fatal(err)
		}
		reg.Facts, reg.Classes, reg.Interval = all.Facts, all.Classes, all.Interval
		return reg
	}
	for _, c := range []struct {
		name   string
		before func(*registry.Registration) // what was registered; nil: the same
		change func(*registry.Registration)
		known  bool
	}{
		{"the same", nil, func(r *registry.Registration) { r.Sequence = 11 }, true},
		{"in other case", nil, func(r *registry.Registration) { r.Sequence, r.Identity = 11, "DB1" }, true},
		{"another body", nil, func(r *registry.Registration) { r.Body = bytes.Replace(body, []byte("web"), []byte("db"), 1) }, false},
		{"what is volatile moved", nil, func(r *registry.Registration) {
			r.Sequence, r.Body = 11, bytes.Replace(body, []byte(":7"), []byte(":8"), 1)
		}, true},
		{"without its body", nil, func(r *registry.Registration) { r.Body = nil }, false},
		{"before without its body", func(r *registry.Registration) { r.Body = nil }, func(r *registry.Registration) { r.Sequence = 11 }, false},
		{"another node", nil, func(r *registry.Registration) { r.Identity = "db2" }, false},
		{"another source", nil, func(r *registry.Registration) { r.Source = registry.PuppetFacts }, false},
		{"an import", func(r *registry.Registration) { r.Source = registry.Import }, func(r *registry.Registration) { r.Source = registry.Import }, false},
		{"another proof", nil, func(r *registry.Registration) { r.Auth = "psk" }, false},
		{"older", nil, func(r *registry.Registration) { r.Sequence = 9 }, false},
		{"by a clock that is off", nil, func(r *registry.Registration) { r.Sequence, r.Sent = 11, noon.Add(time.Hour) }, false},
		{"with a warning", nil, func(r *registry.Registration) { r.Warnings = []string{"odd"} }, false},
		{"after a warning", func(r *registry.Registration) { r.Warnings = []string{"odd"} }, func(r *registry.Registration) { r.Sequence = 11 }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := noon
			r := open(t, nil, &now)
			register(t, r, decoded(said(c.before)))
			before := dump(t, r)
			now = now.Add(time.Minute)
			next := said(c.change)
			receipt, known, err := r.Repeated(t.Context(), next)
			if err != nil || known != c.known {
				t.Fatalf("known is %v, %v", known, err)
			}
			if !known {
				if after := dump(t, r); after != before {
					t.Errorf("it was not known, and changed\n%s\nto\n%s", before, after)
				}
				return
			}
			if receipt.Changed || receipt.Next != time.Minute {
				t.Errorf("the receipt is %+v", receipt)
			}
			twin := open(t, nil, &now)
			now = noon
			register(t, twin, decoded(said(c.before)))
			now = now.Add(time.Minute)
			register(t, twin, decoded(next))
			if got, want := dump(t, r), dump(t, twin); got != want {
				t.Errorf("repeated, it is\n%s\nregistered\n%s", got, want)
			}
		})
	}
}

// TestWhatMovesIsPackedAndUnpacked: whatever a node says, again and again, with
// volatile facts that move, it is what was said last.
func TestWhatMovesIsPackedAndUnpacked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := noon
		r, err := registry.Open(t.Context(), registry.Config{Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		last := map[registry.Source]map[string]any{}
		for range rapid.IntRange(1, 8).Draw(t, "registrations") {
			now = now.Add(time.Minute)
			source := rapid.SampledFrom([]registry.Source{registry.Daemon, registry.Daemon, registry.PuppetFacts}).Draw(t, "source")
			facts := map[string]any{
				"uptime": rapid.Int64Range(0, 2).Draw(t, "uptime"),
				"os":     rapid.SampledFrom([]string{"Debian", "Debian", "RedHat"}).Draw(t, "os"),
				"memory": map[string]any{"system": map[string]any{"used": rapid.Int64Range(0, 2).Draw(t, "used"), "total": "8 GiB"}},
			}
			if _, err := r.Register(t.Context(), registry.Registration{Identity: "db1", Source: source, Facts: facts}); err != nil {
				t.Fatal(err)
			}
			last[source] = facts
		}
		n, ok := r.Node("db1")
		if !ok {
			t.Fatal("the node is gone")
		}
		for source, want := range last {
			got := string(registry.AppendJSON(nil, n.Sections[source].Facts))
			if want := string(registry.AppendJSON(nil, want)); got != want {
				t.Fatalf("%s says %s, want %s", source, got, want)
			}
		}
	})
}

// TestIdenticalRegistrationsAllocateLittle is a gate: what most registrations
// cost must not grow unseen.
func TestIdenticalRegistrationsAllocateLittle(t *testing.T) {
	body, err := os.ReadFile("testdata/node.json")
	if err != nil {
		t.Fatal(err)
	}
	now := noon
	r := open(t, nil, &now)
	reg := sampleNode(t)
	reg.Identity, reg.Body = "node", body
	register(t, r, reg)
	again := registry.Registration{Identity: "node", Body: body}
	const most = 8
	if n := testing.AllocsPerRun(100, func() {
		if _, known, err := r.Repeated(t.Context(), again); !known || err != nil {
			t.Fatalf("known is %v, %v", known, err)
		}
	}); n > most {
		t.Errorf("an identical registration allocates %v times, want %d at most", n, most)
	}
}
