package registry_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"muster/query"
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

func find(t testing.TB, r *registry.Registry, text string, d registry.Discovery) registry.Answer {
	t.Helper()
	q, err := query.Parse(text, query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d.Query = q
	a, err := r.Find(t.Context(), d)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return a
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
		b = append(registry.AppendNode(append(registry.AppendRecord(b, &a.Nodes[i]), '\n'), &a.Nodes[i]), '\n')
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

// TestStates: by age against the node's own interval; readers get the living.
func TestStates(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	register(t, r, registry.Registration{Identity: "quick", Interval: time.Minute})
	register(t, r, registry.Registration{Identity: "slow", Interval: 24 * time.Hour})
	register(t, r, registry.Registration{Identity: "untold"})
	register(t, r, registry.Registration{Identity: "brought", Source: registry.Import, Seen: noon.Add(-30 * 24 * time.Hour)})
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{0, "brought=expired quick=active slow=active untold=active"},
		{3*time.Minute - 1, "brought=expired quick=active slow=active untold=active"},
		{3 * time.Minute, "brought=expired quick=stale slow=active untold=active"},
		{3 * time.Hour, "brought=expired quick=stale slow=active untold=stale"},
		{72 * time.Hour, "brought=expired quick=stale slow=stale untold=stale"},
		{7 * 24 * time.Hour, "brought=expired quick=expired slow=expired untold=expired"},
		{-time.Hour, "brought=expired quick=active slow=active untold=active"},
	} {
		now = noon.Add(c.after)
		a := find(t, r, "identity=/./", registry.Discovery{States: anyState(t)})
		var got []string
		for i := range a.Nodes {
			got = append(got, fmt.Sprintf("%s=%s", a.Nodes[i].Identity, a.Nodes[i].State))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("after %v: %s\nwant %s", c.after, got, c.want)
		}
	}
	now = noon.Add(4 * time.Minute)
	for states, want := range map[string]string{
		"": "quick slow untold", "live": "quick slow untold", "active": "slow untold", "stale": "quick",
		"expired": "brought", "any": "brought quick slow untold", "deactivated": "",
	} {
		list, err := registry.ParseStates(states)
		if err != nil {
			t.Fatal(err)
		}
		a, err := r.Find(t.Context(), registry.Discovery{States: list})
		if err != nil || a.String() != want {
			t.Errorf("in state %q: %v, %v; want %s", states, a.String(), err, want)
		}
	}
	if _, err := registry.ParseStates("dead"); err == nil || !strings.Contains(err.Error(), "active, stale, expired") {
		t.Errorf("ParseStates: %v; want the states there are", err)
	}
	a, err := r.Find(t.Context(), registry.Discovery{})
	if err != nil || a.String() != "quick slow untold" {
		t.Errorf("without states: %v, %v; want the living", a.String(), err)
	}
}

func TestDiscovery(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	for i, name := range []string{"c", "A", "b", "d"} {
		collectives := []string{"eu"}
		if name == "d" {
			collectives = nil
		}
		now = noon.Add(time.Duration(i) * time.Second)
		register(t, r, registry.Registration{Identity: name, Collectives: collectives, Facts: map[string]any{"rank": int64(10 - i), "odd": i%2 == 1}})
	}
	for _, c := range []struct {
		name, want string
		d          registry.Discovery
		count      int
		oldest     int // seconds after noon
	}{
		{"all", "A b c d", registry.Discovery{}, 4, 0},
		{"a collective", "A b c", registry.Discovery{Collectives: []string{"eu"}}, 3, 0},
		{"the main collective", "d", registry.Discovery{Collectives: []string{"mcollective"}}, 1, 3},
		{"collectives", "A b c d", registry.Discovery{Collectives: []string{"mcollective", "eu"}}, 4, 0},
		{"no such collective", "", registry.Discovery{Collectives: []string{"EU"}}, 0, 0},
		{"limit", "A b", registry.Discovery{Limit: 2}, 4, 1},
		{"sorted", "d b A c", registry.Discovery{Sort: "rank"}, 4, 0},
		{"sorted by facts.", "d b A c", registry.Discovery{Sort: "facts.rank"}, 4, 0},
		{"sorted, limited", "d b", registry.Discovery{Sort: "rank", Limit: 2}, 4, 2},
		{"sorted by two values", "b c A d", registry.Discovery{Sort: "odd"}, 4, 0},
		{"sorted by nothing", "A b c d", registry.Discovery{Sort: "nothing"}, 4, 0},
		{"sorted by age", "c A b d", registry.Discovery{Sort: "lastseen"}, 4, 0},
	} {
		a, err := r.Find(t.Context(), c.d)
		if err != nil {
			t.Fatal(err)
		}
		if a.String() != c.want || a.Count != c.count || a.Complete != (len(a.Nodes) == c.count) {
			t.Errorf("%s: %s, count %d, complete %v; want %s of %d", c.name, a.String(), a.Count, a.Complete, c.want, c.count)
		}
		if c.want != "" && !a.Oldest.Equal(noon.Add(time.Duration(c.oldest)*time.Second)) {
			t.Errorf("%s: oldest %v, want %d s after noon", c.name, a.Oldest, c.oldest)
		}
	}
}

// TestFindStopsWhenTimeIsUp: an error, never a short answer.
func TestFindStopsWhenTimeIsUp(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	register(t, r, registry.Registration{Identity: "db1"})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the asker left"))
	if a, err := r.Find(ctx, registry.Discovery{}); err == nil || !strings.Contains(err.Error(), "the asker left") {
		t.Errorf("got %+v, %v; want an error with the cause", a, err)
	}
}

// TestNothingIsAnsweredWhileLoading: refused, not wrong.
func TestNothingIsAnsweredWhileLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &failing{Store: &registry.MemoryStore{}, loading: time.Minute}
		if err := store.Put(t.Context(), registry.NewNode("db1", noon, nil)); err != nil {
			t.Fatal(err)
		}
		r, err := registry.Open(t.Context(), registry.Config{Store: store, Background: true})
		if err != nil {
			t.Fatal(err)
		}
		if a, err := r.Find(t.Context(), registry.Discovery{}); !errors.Is(err, registry.ErrLoading) {
			t.Errorf("Find: %+v, %v; want ErrLoading", a, err)
		}
		if _, err := r.Register(t.Context(), registry.Registration{Identity: "db1"}); !errors.Is(err, registry.ErrLoading) {
			t.Errorf("Register: %v; want ErrLoading", err)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Ready(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ready: %v; want that time is up", err)
		}
		if err := r.Ready(t.Context()); err != nil {
			t.Errorf("Ready: %v", err)
		}
		if _, ok := r.Node("db1"); !ok {
			t.Error("the node is not there when loading is over")
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestOpenFailsWithTheStore(t *testing.T) {
	store := &failing{Store: &registry.MemoryStore{}, loadErr: errors.New("the file is damaged")}
	_, err := registry.Open(t.Context(), registry.Config{Store: store})
	if err == nil || !strings.Contains(err.Error(), "loading the nodes: the file is damaged") {
		t.Errorf("Open: %v; want the store's words", err)
	}
	if !store.closed {
		t.Error("the store was left open")
	}
}

// TestNothingIsAcknowledgedUnstored: a store that fails is not acknowledged,
// keeps what readers see, and is written again afterwards whatever comes.
func TestNothingIsAcknowledgedUnstored(t *testing.T) {
	now := noon
	memory := &registry.MemoryStore{}
	store := &failing{Store: memory}
	r := open(t, store, &now)
	old := registry.Registration{Identity: "db1", Facts: map[string]any{"v": "old"}}
	register(t, r, old)

	store.putErr = errors.New("the disk is full")
	store.putAnyway = true // the store can not tell whether it was written
	if _, err := r.Register(t.Context(), registry.Registration{Identity: "db1", Facts: map[string]any{"v": "new"}}); err == nil || !strings.Contains(err.Error(), "storing the registration of db1: the disk is full") {
		t.Errorf("Register: %v; want the store's words", err)
	}
	if _, err := r.Register(t.Context(), registry.Registration{Identity: "db2"}); err == nil {
		t.Error("db2 was acknowledged")
	}
	if a := find(t, r, "v=old", registry.Discovery{}); a.String() != "db1" {
		t.Errorf("readers see %q, want what was acknowledged", a.String())
	}
	if _, ok := r.Node("db2"); ok {
		t.Error("db2 is there")
	}
	if s := r.Stats(); s.Failed != 2 {
		t.Errorf("%d failures counted, want 2", s.Failed)
	}
	store.putErr = nil
	register(t, r, old) // for the registry nothing changed, for the store it may have
	again := open(t, memory, &now)
	if a := find(t, again, "v=old", registry.Discovery{}); a.String() != "db1" {
		t.Errorf("after a restart %q has the old value, want db1", a.String())
	}
}

// TestTimeStampsSurvive: those of unchanged nodes reach the store in time.
func TestTimeStampsSurvive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := &registry.MemoryStore{}
		store := &failing{Store: memory}
		r, err := registry.Open(t.Context(), registry.Config{Store: store, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		reg := registry.Registration{Identity: "db1", Sequence: 1}
		register(t, r, reg)
		stored := func() (at time.Time) {
			if err := memory.Load(t.Context(), func(n registry.Node) error { at = n.LastSeen; return nil }); err != nil {
				t.Fatal(err)
			}
			return at
		}
		first := stored()
		time.Sleep(time.Hour)
		store.noTouch.Store(true)
		reg.Sequence = 2
		register(t, r, reg)
		time.Sleep(time.Minute)
		if !stored().Equal(first) {
			t.Error("a failing store was written")
		}
		store.noTouch.Store(false)
		time.Sleep(time.Minute)
		if got := stored().Sub(first); got != time.Hour {
			t.Errorf("the stored time moved by %v, want an hour", got)
		}
		time.Sleep(time.Hour)
		reg.Sequence = 3
		register(t, r, reg)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if got := stored().Sub(first).Round(time.Minute); got != 2*time.Hour+2*time.Minute {
			t.Errorf("after closing the stored time moved by %v, want 2h2m", got)
		}
	})
}

// TestReadYourWrites: what was acknowledged is in every later answer, while
// others write and read.
func TestReadYourWrites(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	q, err := query.Parse("turn=9", query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 100 {
				turn := int64(i % 10)
				reg := registry.Registration{Identity: fmt.Sprintf("w%d", w), Facts: map[string]any{"turn": turn}}
				if _, err := r.Register(t.Context(), reg); err != nil {
					t.Error(err)
				}
				a, err := r.Find(t.Context(), registry.Discovery{Query: q})
				if err != nil {
					t.Error(err)
				}
				if mine := slices.Contains(a.Names(), reg.Identity); mine != (turn == 9) {
					t.Errorf("turn %d: in the answer %v", turn, mine)
				}
				if _, err := r.Names(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func TestNames(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	register(t, r, registry.Registration{Identity: "a", Classes: []string{"web"}, Agents: []string{"puppet"}, Facts: map[string]any{
		"os": map[string]any{"name": "Debian"}, "disks": []any{map[string]any{"size": int64(1)}, map[string]any{"size": int64(2)}}}})
	register(t, r, registry.Registration{Identity: "b", Classes: []string{"web", "db"}, Facts: map[string]any{"os": "old"}})
	names, err := r.Names()
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(names)
	want := "{[{disks 1} {disks.size 1} {os 2} {os.name 1}] [{db 1} {web 2}] [{puppet 1}] [{mcollective 2}]}"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestNamesAreThoseInUse: after any changes they are what a registry knows
// that loads the outcome.
func TestNamesAreThoseInUse(t *testing.T) {
	now := noon
	store := &registry.MemoryStore{}
	r := open(t, store, &now)
	random := rand.New(rand.NewPCG(7, 7))
	for range 300 {
		facts := map[string]any{}
		for range random.IntN(4) {
			facts[fmt.Sprint("f", random.IntN(6))] = []any{"text", map[string]any{"x": int64(1)}, []any{map[string]any{"x": int64(1), "y": true}, map[string]any{"y": nil}}}[random.IntN(3)]
		}
		register(t, r, registry.Registration{
			Identity: fmt.Sprint("n", random.IntN(8)), Facts: facts,
			Classes: []string{fmt.Sprint("c", random.IntN(4))}, Collectives: []string{fmt.Sprint("k", random.IntN(3))},
		})
	}
	got, err := r.Names()
	if err != nil {
		t.Fatal(err)
	}
	want, err := open(t, store, &now).Names()
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || len(got.Facts) == 0 {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestFindWarns of names that no node has, with the nearest one.
func TestFindWarns(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	if a := find(t, r, "custmer=acme", registry.Discovery{}); len(a.Warnings) != 0 {
		t.Errorf("an empty registry warns: %q", a.Warnings)
	}
	register(t, r, registry.Registration{Identity: "db1", Facts: map[string]any{"customer": "acme", "size": "large"}, Classes: []string{"web"}})
	for text, want := range map[string]string{
		"custmer=acme":  "did you mean customer (1 node)?",
		"not wbe":       "did you mean web (1 node)?",
		"size > 7":      "text is neither above nor below",
		"customer=acme": "",
	} {
		a := find(t, r, text, registry.Discovery{})
		if got := strings.Join(a.Warnings, "; "); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: warnings %q, want %q", text, got, want)
		}
	}
}

// TestRows: subqueries, columns, groups and samples, through the registry.
func TestRows(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	for i, os := range []string{"Debian", "Debian", "CentOS", "Debian"} {
		register(t, r, registry.Registration{
			Identity: fmt.Sprint("n", i), Collectives: []string{[]string{"eu", "us"}[i%2]},
			Facts: map[string]any{"os": os, "size": int64(i), "next": fmt.Sprint("n", (i+1)%4)},
		})
	}
	for _, c := range []struct {
		dialect query.Dialect
		text    string
		d       registry.Discovery
		want    string
	}{
		{"pql", `inventory[certname, facts.os] { facts.size > 1 order by certname desc }`, registry.Discovery{}, "[[n3 Debian] [n2 CentOS]]"},
		{"pql", `inventory[facts.os, count()] { group by facts.os order by facts.os }`, registry.Discovery{}, "[[CentOS 1] [Debian 3]]"},
		{"pql", `inventory[facts.os, count()] { group by facts.os order by facts.os }`, registry.Discovery{Collectives: []string{"eu"}}, "[[CentOS 1] [Debian 1]]"},
		{"pql", `inventory[certname] { certname in inventory[facts.next] { facts.os = "CentOS" } }`, registry.Discovery{}, "[[n3]]"},
		{"pql", `inventory[certname] { certname in facts[certname] { name = "size" and value < 2 } }`, registry.Discovery{}, "[[n0] [n1]]"},
	} {
		q, err := query.Parse(c.text, query.Options{Dialect: c.dialect})
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		c.d.Query = q
		table, err := r.Rows(t.Context(), c.d)
		if err != nil || fmt.Sprint(table.Rows) != c.want {
			t.Errorf("%s: %v, %v\nwant %s", c.text, table.Rows, err, c.want)
		}
	}
}

func TestValue(t *testing.T) {
	n := registry.NewNode("db1", noon, map[registry.Source]*registry.Section{
		registry.Daemon: {Received: noon, Classes: []string{"web"}, Facts: map[string]any{
			"os": map[string]any{"name": "Debian", "a.b": "dotted"}, "os.name": "flat", "ips": []any{"x", "y"}, "no": nil}},
		registry.Trusted: {Facts: map[string]any{"role": "db"}},
	})
	for path, want := range map[string]any{
		"identity": "db1", "os.name": "flat", "facts.os.name": "flat", `os."name"`: "Debian", `os."a.b"`: "dotted",
		"ips.1": "y", "trusted.role": "db", "lastseen": noon, "no": nil,
	} {
		if got, ok := n.Value(path); !ok || got != want {
			t.Errorf("%s is %v, %v; want %v", path, got, ok, want)
		}
	}
	for _, path := range []string{"ips.2", "ips.-1", "os.name.x", "nothing", "trusted.nothing", ""} {
		if got, ok := n.Value(path); ok {
			t.Errorf("%q is %v, want nothing", path, got)
		}
	}
	if classes, _ := n.Value("classes"); fmt.Sprint(classes) != "[web]" {
		t.Errorf("classes are %v", classes)
	}
}

// failing is a store that fails when it is told to.
type failing struct {
	registry.Store
	loading   time.Duration
	loadErr   error
	noTouch   atomic.Bool
	putErr    error
	putAnyway bool
	puts      int
	closed    bool
}

func (f *failing) Load(ctx context.Context, add func(registry.Node) error) error {
	time.Sleep(f.loading)
	if f.loadErr != nil {
		return f.loadErr
	}
	return f.Store.Load(ctx, add)
}

func (f *failing) Put(ctx context.Context, nodes ...registry.Node) error {
	f.puts++
	if f.putErr != nil && !f.putAnyway {
		return f.putErr
	}
	return errors.Join(f.Store.Put(ctx, nodes...), f.putErr)
}

func (f *failing) Touch(ctx context.Context, beats ...registry.Beat) error {
	if f.noTouch.Load() {
		return errors.New("the disk is full")
	}
	return f.Store.Touch(ctx, beats...)
}

func (f *failing) Close() error {
	f.closed = true
	return f.Store.Close()
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
