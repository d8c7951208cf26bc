package registry_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"muster/registry"
	"muster/registry/registrytest"
)

// member opens a registry on a store that others share.
func member(t testing.TB, store *registrytest.Member) *registry.Registry {
	t.Helper()
	soon := registry.Rule{ExpireAfter: 6 * time.Hour, PurgeAfter: 12 * time.Hour}
	r, err := registry.Open(context.Background(), registry.Config{Store: store, Lifecycle: registry.Lifecycle{Rule: soon}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// everything is all that a registry knows of its nodes but when, to the second,
// it heard them.
func everything(t testing.TB, r *registry.Registry) string {
	t.Helper()
	a, err := r.Find(context.Background(), registry.Discovery{States: []registry.State{registry.Active, registry.Stale, registry.Expired, registry.Deactivated}})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, f := range a.Nodes {
		n := f.Node()
		fmt.Fprintf(&out, "%s %s %v %v %v", n.Identity, n.State, n.Facts, n.Classes, n.Warnings)
		for _, source := range slices.Sorted(maps.Keys(n.Sections)) {
			s := n.Sections[source]
			fmt.Fprintf(&out, " %s:%s,%d", source, s.Hash[:min(4, len(s.Hash))], s.Sequence)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// journal is what happened, without times.
func journal(t testing.TB, r *registry.Registry) []string {
	t.Helper()
	var out []string
	last := uint64(0)
	err := r.Events(context.Background(), registry.EventRange{}, func(e registry.Event) error {
		if e.ID <= last {
			t.Errorf("event %d comes after %d", e.ID, last)
		}
		last = e.ID
		out = append(out, fmt.Sprintf("%s %s%s", e.Identity, e.Kind, changesText(e.Changes)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestHeardByAll: what all registries hear at the same moment is stored and
// recorded once, and is no collision.
func TestHeardByAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c registrytest.Cluster
		var all []*registry.Registry
		for range 3 {
			all = append(all, member(t, c.Member()))
		}
		for turn := range 5 {
			changed := make([]bool, len(all))
			var hearing sync.WaitGroup
			for i, r := range all {
				hearing.Go(func() {
					receipt, err := r.Register(t.Context(), registry.Registration{
						Identity: "db1", Auth: "cert", Sequence: uint64(turn + 1),
						Facts: map[string]any{"turn": int64(turn), "machine_id": "0123456789abcdef", "uptime": fmt.Sprint(turn)},
					})
					if err != nil {
						t.Error(err)
					}
					changed[i] = receipt.Changed
				})
			}
			hearing.Wait()
			if got := strings.Count(fmt.Sprint(changed), "true"); got != 1 {
				t.Errorf("turn %d: %d registries stored it, want one", turn, got)
			}
			time.Sleep(time.Minute)
		}
		want := "[db1 new db1 changed turn:0>1 db1 changed turn:1>2 db1 changed turn:2>3 db1 changed turn:3>4]"
		if got := fmt.Sprint(journal(t, all[0])); got != want {
			t.Errorf("journal %s\nwant %s", got, want)
		}
		for i, r := range all {
			if a, b := everything(t, r), everything(t, all[0]); a != b || !strings.Contains(a, "turn:4") || strings.Contains(a, "two machines") {
				t.Errorf("registry %d knows %s\nthe first %s", i, a, b)
			}
			shut(t, r)
		}
	})
}

// TestFollowsBeats: that a node is alive is known to all within a minute or so,
// though only one registry hears it.
func TestFollowsBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c registrytest.Cluster
		hears, follows := member(t, c.Member()), member(t, c.Member())
		for range 20 {
			register(t, hears, registry.Registration{Identity: "db1", Interval: time.Minute, Facts: map[string]any{"a": "b"}})
			time.Sleep(time.Minute)
			if got := state(follows, "db1"); got != registry.Active {
				t.Fatalf("db1 is %s where it is not heard itself, want active", got)
			}
		}
		time.Sleep(5 * time.Minute)
		for _, r := range []*registry.Registry{hears, follows} {
			if got := state(r, "db1"); got != registry.Stale {
				t.Errorf("db1 is %s, want stale", got)
			}
		}
		// One of them tells it, whoever leads.
		if got := fmt.Sprint(journal(t, hears)); got != `[db1 new db1 changed state:"active">"stale"]` {
			t.Errorf("journal %s", got)
		}
		shut(t, hears)
		shut(t, follows)
	})
}

// TestLeaderDies: another one goes on, and tells what the first did not.
func TestLeaderDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c registrytest.Cluster
		first := c.Member()
		dies := member(t, first)
		time.Sleep(2 * time.Minute) // it leads
		lives := member(t, c.Member())
		register(t, dies, registry.Registration{Identity: "db1", Interval: time.Minute})
		time.Sleep(2*time.Minute + 50*time.Second)
		first.Away.Store(true)
		time.Sleep(10 * time.Minute)
		if got := fmt.Sprint(journal(t, lives)); got != `[db1 new db1 changed state:"active">"stale"]` {
			t.Errorf("journal %s", got)
		}
		first.Away.Store(false)
		time.Sleep(10 * time.Minute)
		if got := len(journal(t, lives)); got != 2 {
			t.Errorf("%d events when the first is back, want 2", got)
		}
		shut(t, dies)
		shut(t, lives)
	})
}

// TestWatchElsewhere: watchers learn what other registries hear, with its IDs,
// and go on at another registry.
func TestWatchElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c registrytest.Cluster
		a, b := member(t, c.Member()), member(t, c.Member())
		watch := func(r *registry.Registry, after uint64) (func() string, context.CancelFunc) {
			var mu sync.Mutex
			var seen []string
			ctx, stop := context.WithCancel(t.Context())
			go func() {
				_ = r.Watch(ctx, registry.Discovery{}, after, func(w registry.Watched) error {
					mu.Lock()
					defer mu.Unlock()
					seen = append(seen, fmt.Sprintf("%s %s", w.What, w.Identity))
					return nil
				})
			}()
			return func() string {
				mu.Lock()
				defer mu.Unlock()
				return fmt.Sprint(seen)
			}, stop
		}
		seen, stop := watch(b, 0)
		time.Sleep(time.Second)
		register(t, a, registry.Registration{Identity: "db1", Facts: map[string]any{"a": "b"}})
		register(t, b, registry.Registration{Identity: "db2"})
		time.Sleep(2 * time.Second)
		if got := seen(); got != "[began  enter db1 enter db2]" {
			t.Errorf("watched %s", got)
		}
		stop()
		var last uint64
		if err := b.Events(t.Context(), registry.EventRange{}, func(e registry.Event) error { last = e.ID; return nil }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		register(t, b, registry.Registration{Identity: "db1", Facts: map[string]any{"a": "c"}})
		time.Sleep(2 * time.Second)
		seen, stop = watch(a, last)
		time.Sleep(time.Second)
		// db2 is told again, since another event might have come between.
		if got := seen(); !strings.Contains(got, "db1") {
			t.Errorf("watched after %d: %s; want what became of db1", last, got)
		}
		stop()
		shut(t, a)
		shut(t, b)
	})
}

// TestAwayAndBack: one that can not reach the store refuses what it hears, says
// that it may not know everything, and catches up.
func TestAwayAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c registrytest.Cluster
		store := c.Member()
		away, stays := member(t, store), member(t, c.Member())
		register(t, stays, registry.Registration{Identity: "db1", Facts: map[string]any{"a": "b"}})
		time.Sleep(2 * time.Second)
		store.Away.Store(true)
		if _, err := away.Register(t.Context(), registry.Registration{Identity: "db1", Facts: map[string]any{"a": "x"}}); err == nil {
			t.Error("a registration was accepted and not stored")
		}
		register(t, stays, registry.Registration{Identity: "db1", Facts: map[string]any{"a": "c"}})
		register(t, stays, registry.Registration{Identity: "db2"})
		time.Sleep(time.Hour)
		a, err := away.Find(t.Context(), registry.Discovery{States: anyState(t)})
		if err != nil || a.String() != "db1" || !strings.Contains(fmt.Sprint(a.Warnings), "is not known here") {
			t.Errorf("while it is away: %s, %v, %v", a.String(), a.Warnings, err)
		}
		store.Away.Store(false)
		time.Sleep(time.Minute)
		if a, b := everything(t, away), everything(t, stays); a != b {
			t.Errorf("back, it knows\n%sand the other\n%s", a, b)
		}
		if a, err := away.Find(t.Context(), registry.Discovery{}); err != nil || len(a.Warnings) > 0 {
			t.Errorf("back: warnings %v, %v", a.Warnings, err)
		}
		shut(t, away)
		shut(t, stays)
	})
}

// TestForgottenOnce: a node that is silent for long goes everywhere, and is
// told of once; one that another registry has heard in the last moment stays.
func TestForgottenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c registrytest.Cluster
		a, b := member(t, c.Member()), member(t, c.Member())
		for range 3 {
			register(t, a, registry.Registration{Identity: "gone"})
			register(t, b, registry.Registration{Identity: "stays"})
			time.Sleep(time.Hour)
		}
		for range 14 {
			register(t, b, registry.Registration{Identity: "stays"})
			time.Sleep(time.Hour)
		}
		for _, r := range []*registry.Registry{a, b} {
			if gone, stays := state(r, "gone"), state(r, "stays"); gone != "gone" || stays != registry.Active {
				t.Errorf("gone is %s and stays is %s", gone, stays)
			}
		}
		if got := strings.Count(fmt.Sprint(journal(t, a)), "gone gone"); got != 1 {
			t.Errorf("it is told %d times", got)
		}
		shut(t, a)
		shut(t, b)
	})
}

// TestTogether is the law: whatever several registries hear and do, in whatever
// order, they soon know the same, and every change was recorded once.
func TestTogether(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.IntRange(0, 1<<16), 1, 40).Draw(rt, "steps")
		synctest.Test(t, func(*testing.T) { together(rt, t, steps) })
	})
}

func together(rt *rapid.T, t *testing.T, steps []int) {
	var c registrytest.Cluster
	all := []*registry.Registry{member(t, c.Member()), member(t, c.Member())}
	ctx := context.Background()
	var doing sync.WaitGroup
	for i, step := range steps {
		id := fmt.Sprint("n", step%3)
		step /= 3
		r := all[step%2]
		step /= 2
		reg := registry.Registration{Identity: id, Auth: "cert", Sequence: uint64(i + 1), Facts: map[string]any{"v": int64(step / 8 % 3)}}
		switch step % 8 {
		case 0:
			doing.Go(func() { _ = r.Deactivate(ctx, id, "me") }) // there may be none
		case 1:
			doing.Go(func() { _ = r.Reactivate(ctx, id, "me") })
		case 2:
			time.Sleep(time.Second)
		case 3:
			reg.Source, reg.Classes = registry.Catalog, []string{fmt.Sprint("c", step/8%2)}
			fallthrough
		case 4:
			doing.Go(func() { _, _ = r.Register(ctx, reg) }) // it may be too old
		default: // both hear it
			for _, r := range all {
				doing.Go(func() { _, _ = r.Register(ctx, reg) })
			}
		}
		if step%5 == 0 {
			doing.Wait()
		}
	}
	doing.Wait()
	time.Sleep(2 * time.Minute)
	a, b := everything(t, all[0]), everything(t, all[1])
	if a != b {
		rt.Errorf("one knows\n%sthe other\n%s", a, b)
	}
	values := map[string]string{}
	for _, line := range journal(t, all[0]) {
		id, rest, _ := strings.Cut(line, " ")
		if rest == "new" {
			if _, twice := values[id]; twice {
				rt.Errorf("%s is new twice", id)
			}
			values[id] = ""
		}
		if _, change, ok := strings.Cut(rest, " v:"); ok {
			change, _, _ = strings.Cut(change, " ")
			old, next, _ := strings.Cut(change, ">")
			if known := values[id]; known != "" && known != old {
				rt.Errorf("%s changed from %s to %s, and was %s", id, old, next, known)
			}
			values[id] = next
		}
	}
	for _, r := range all {
		if err := r.Close(); err != nil {
			rt.Error(err)
		}
	}
	again := member(t, c.Member())
	if got := everything(t, again); got != a {
		rt.Errorf("the store has\n%sand they knew\n%s", got, a)
	}
	if err := again.Close(); err != nil {
		rt.Error(err)
	}
}

// TestVersion is the same in every process, and moves with what a node says but
// not with when it was heard.
func TestVersion(t *testing.T) {
	section := func(hash string, at time.Time) *registry.Section {
		return &registry.Section{Hash: hash, Auth: "cert", Received: at, Sequence: uint64(at.Unix()), Learnt: time.Duration(at.Second())}
	}
	version := func(sections map[registry.Source]*registry.Section) uint64 {
		n := registry.NewNode("db1", noon, sections)
		return n.Version()
	}
	of := func(hash string, at time.Time) uint64 {
		return version(map[registry.Source]*registry.Section{registry.Daemon: section(hash, at), registry.Import: section("i", noon)})
	}
	if got := of("a", noon); got != 7439892497782300410 {
		t.Errorf("the version is %d, which documents in databases do not have", got)
	}
	if of("a", noon) != of("a", noon.Add(time.Hour)) {
		t.Error("a heartbeat makes another version")
	}
	if of("a", noon) == of("b", noon) || of("a", noon) == version(map[registry.Source]*registry.Section{registry.Daemon: section("a", noon)}) {
		t.Error("a change makes no other version")
	}
	if version(nil) != 0 {
		t.Error("what is not known has a version")
	}
}
