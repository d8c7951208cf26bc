package registry_test

import (
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"muster/registry"
)

// open opens a registry over a store with a clock that stands at *now.
func open(t testing.TB, store registry.Store, now *time.Time) *registry.Registry {
	t.Helper()
	r, err := registry.Open(t.Context(), registry.Config{
		Store: store,
		Now:   func() time.Time { return *now },
		Log:   slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func register(t testing.TB, r *registry.Registry, reg registry.Registration) registry.Receipt {
	t.Helper()
	receipt, err := r.Register(t.Context(), reg)
	if err != nil {
		t.Fatalf("registering %s: %v", reg.Identity, err)
	}
	return receipt
}

// dump is everything that r knows of its nodes, as text.
func dump(t testing.TB, r *registry.Registry) string {
	t.Helper()
	a, err := r.Find(t.Context(), registry.Discovery{States: anyState(t)})
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	for i := range a.Nodes {
		n := a.Nodes[i].Node()
		b = append(registry.AppendNode(append(registry.AppendRecord(b, &n), '\n'), &n), '\n')
	}
	return string(b)
}

func anyState(t testing.TB) []registry.State {
	t.Helper()
	states, err := registry.ParseStates("any")
	if err != nil {
		t.Fatal(err)
	}
	return states
}

func TestRegisterAndFind(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	receipt := register(t, r, registry.Registration{
		Identity: "DB1.acme.net", Auth: "cert", Interval: 5 * time.Minute,
		Facts: map[string]any{"customer": "acme"}, Classes: []string{"mysql::master", "base"},
	})
	if !receipt.Changed || receipt.Next != 5*time.Minute || len(receipt.Warnings) != 0 {
		t.Errorf("receipt %+v, want a change, next in 5m, no warnings", receipt)
	}
	register(t, r, registry.Registration{Identity: "web1.acme.net", Facts: map[string]any{"customer": "acme"}})

	a := find(t, r, "customer=acme and mysql::master", registry.Discovery{})
	if got := a.String(); got != "DB1.acme.net" || a.Count != 1 || !a.Complete || !a.Oldest.Equal(noon) {
		t.Errorf("answer %+v, want DB1.acme.net, as old as now", a)
	}
	n, ok := r.Node("db1.ACME.net")
	if !ok || n.Identity != "DB1.acme.net" || n.Auth != "cert" || n.State != registry.Active || fmt.Sprint(n.Collectives) != "[mcollective]" {
		t.Errorf("node %+v, %v", n, ok)
	}
	if _, ok := r.Node("nobody"); ok {
		t.Error("there is a node nobody")
	}
}

// TestRegisterIsIdempotent: saying the same again changes time stamps only,
// and no revision.
func TestRegisterIsIdempotent(t *testing.T) {
	now := noon
	store := &failing{Store: &registry.MemoryStore{}}
	r := open(t, store, &now)
	reg := registry.Registration{Identity: "db1", Facts: map[string]any{"a": []any{int64(1)}, "b": "x"}, Classes: []string{"b", "a"}, Sequence: 7}
	register(t, r, reg)
	revision, puts := r.Revision(), store.puts
	now = now.Add(time.Minute)
	for _, classes := range [][]string{{"b", "a"}, {"a", "b", "a"}} {
		reg.Classes = classes
		reg.Sequence++
		if receipt := register(t, r, reg); receipt.Changed {
			t.Errorf("classes %q counted as a change", classes)
		}
	}
	if r.Revision() != revision || store.puts != puts {
		t.Errorf("revision %d, %d puts; want %d and %d still", r.Revision(), store.puts, revision, puts)
	}
	if n, _ := r.Node("db1"); !n.LastSeen.Equal(now) || !n.FirstSeen.Equal(noon) {
		t.Errorf("first seen %v, last seen %v; want %v and %v", n.FirstSeen, n.LastSeen, noon, now)
	}
	if s := r.Stats(); s.Changed != 1 || s.Unchanged != 2 || s.Nodes != 1 {
		t.Errorf("stats %+v, want one change, two without", s)
	}
	reg.Facts = map[string]any{"a": []any{1.0}, "b": "x"}
	reg.Sequence++
	if receipt := register(t, r, reg); !receipt.Changed || r.Revision() != revision+1 {
		t.Errorf("receipt %+v at revision %d, want a change: 1.0 is not 1", receipt, r.Revision())
	}
}

// TestOrderOfSourcesDoesNotMatter: the sections of different sources may come
// in any order.
func TestOrderOfSourcesDoesNotMatter(t *testing.T) {
	var regs []registry.Registration
	for i, source := range []registry.Source{registry.Daemon, registry.PuppetFacts, registry.Catalog, registry.Import, registry.Trusted} {
		regs = append(regs, registry.Registration{
			Identity: "db1", Source: source, Auth: "cert", Interval: time.Duration(i) * time.Minute,
			Facts:   map[string]any{"shared": string(source), "own_" + string(source): true},
			Classes: []string{"from::" + string(source)}, Agents: []string{string(source)},
		})
	}
	want := ""
	for round := range 20 {
		now := noon
		r := open(t, nil, &now)
		random := rand.New(rand.NewPCG(uint64(round), 1))
		for _, i := range random.Perm(len(regs)) {
			register(t, r, regs[i])
		}
		got := dump(t, r)
		if want == "" {
			want = got
		}
		if got != want {
			t.Fatalf("round %d\n got %s\nwant %s", round, got, want)
		}
	}
}

func TestSectionsStay(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	register(t, r, registry.Registration{Identity: "db1", Source: registry.Import, Facts: map[string]any{"rack": "r1", "os": "old"}, Classes: []string{"imported"}})
	register(t, r, registry.Registration{Identity: "db1", Source: registry.PuppetFacts, Facts: map[string]any{"os": map[string]any{"name": "Puppet"}}})
	register(t, r, registry.Registration{Identity: "db1", Facts: map[string]any{"os": map[string]any{"family": "Debian"}}})
	register(t, r, registry.Registration{Identity: "db1", Source: registry.Trusted, Facts: map[string]any{"role": "db"}})
	n, _ := r.Node("db1")
	for path, want := range map[string]any{"rack": "r1", "os.family": "Debian", "trusted.role": "db"} {
		if got, _ := n.Value(path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if _, ok := n.Value("os.name"); ok {
		t.Error("os is mixed from two sources, want the daemon's alone")
	}
	if fmt.Sprint(n.Classes) != "[imported]" {
		t.Errorf("classes %q, want the imported ones: no one else tells", n.Classes)
	}
	// The newest of catalog and daemon.
	now = now.Add(time.Minute)
	register(t, r, registry.Registration{Identity: "db1", Facts: map[string]any{"a": "b"}, Classes: []string{"by_daemon"}})
	now = now.Add(time.Minute)
	register(t, r, registry.Registration{Identity: "db1", Source: registry.Catalog, Classes: []string{"by_catalog"}})
	if n, _ := r.Node("db1"); fmt.Sprint(n.Classes) != "[by_catalog]" {
		t.Errorf("classes %q, want the catalog's: it is newer", n.Classes)
	}
	now = now.Add(time.Minute)
	register(t, r, registry.Registration{Identity: "db1", Facts: map[string]any{"a": "c"}, Classes: []string{"by_daemon"}})
	if n, _ := r.Node("db1"); fmt.Sprint(n.Classes) != "[by_daemon]" {
		t.Errorf("classes %q, want the daemon's: it is newer", n.Classes)
	}
	// What is not sent any more is gone from its own section.
	if n, _ := r.Node("db1"); n.Facts["os"].(map[string]any)["name"] != "Puppet" {
		t.Errorf("os is %v, want Puppet's: the daemon's is gone", n.Facts["os"])
	}
}

// TestANodeIsNeverChanged: what was handed out stays as it was.
func TestANodeIsNeverChanged(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	facts := map[string]any{"a": map[string]any{"b": "c"}}
	register(t, r, registry.Registration{Identity: "db1", Facts: facts})
	n, _ := r.Node("db1")
	before, sections := string(registry.AppendNode(nil, &n)), maps.Clone(n.Sections)
	now = now.Add(time.Hour)
	register(t, r, registry.Registration{Identity: "db1", Facts: facts})
	register(t, r, registry.Registration{Identity: "db1", Facts: map[string]any{"a": "d"}})
	register(t, r, registry.Registration{Identity: "db1", Source: registry.Import, Facts: map[string]any{"x": "y"}})
	if got := string(registry.AppendNode(nil, &n)); got != before || !maps.Equal(n.Sections, sections) {
		t.Errorf("a node that was handed out became\n%s\nwas\n%s", got, before)
	}
}
