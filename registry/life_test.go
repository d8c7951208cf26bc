package registry_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/registry"
)

// living opens a registry whose clock is the one of the bubble. It returns a
// second later, so that nothing which a test does at a round time coincides with
// a sweep: which of two things that happen at one instant is first is not said.
func living(t *testing.T, store registry.Store, l registry.Lifecycle) *registry.Registry {
	t.Helper()
	r, err := registry.Open(t.Context(), registry.Config{Store: store, Lifecycle: l, TouchEvery: 5 * time.Minute, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	return r
}

func shut(t *testing.T, r *registry.Registry) {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func state(r *registry.Registry, id string) registry.State {
	n, ok := r.Node(id)
	if !ok {
		return "gone"
	}
	return n.State
}

// states counts the nodes of a registry by state.
func states(t *testing.T, r *registry.Registry) string {
	t.Helper()
	a, err := r.Find(t.Context(), registry.Discovery{States: anyState(t)})
	if err != nil {
		t.Fatal(err)
	}
	counts := map[registry.State]int{}
	for i := range a.Nodes {
		counts[a.Nodes[i].State]++
	}
	return strings.TrimPrefix(fmt.Sprint(counts), "map")
}

// speak registers nodes n0 … every ten minutes for so long. The other ones are silent.
func speak(t *testing.T, r *registry.Registry, nodes int, long time.Duration) {
	t.Helper()
	for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(10 * time.Minute) {
		for i := range nodes {
			register(t, r, registry.Registration{Identity: fmt.Sprint("n", i), Interval: 10 * time.Minute})
		}
	}
}

// TestOneNodesLife: active, stale, expired, forgotten, by its own interval.
func TestOneNodesLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := living(t, nil, registry.Lifecycle{})
		defer shut(t, r)
		register(t, r, registry.Registration{Identity: "db1", Interval: 10 * time.Minute})
		begin := time.Now()
		for _, step := range []struct {
			after time.Duration
			want  registry.State
		}{
			{29 * time.Minute, registry.Active}, {31 * time.Minute, registry.Stale}, {7*24*time.Hour - time.Minute, registry.Stale},
			{7*24*time.Hour + time.Minute, registry.Expired}, {14*24*time.Hour - time.Minute, registry.Expired}, {14*24*time.Hour + 6*time.Minute, "gone"},
		} {
			time.Sleep(time.Until(begin.Add(step.after)))
			if got := state(r, "db1"); got != step.want {
				t.Errorf("after %v it is %s, want %s", step.after, got, step.want)
			}
		}
		if s := r.Stats().Life; s.Purged != 1 {
			t.Errorf("%d counted as forgotten, want 1", s.Purged)
		}
	})
}

// TestRulesByCollective: of several rules the most patient counts.
func TestRulesByCollective(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := living(t, nil, registry.Lifecycle{Collectives: map[string]registry.Rule{
			"laptops": {StaleIntervals: 10, PurgeAfter: -1},
			"quick":   {StaleIntervals: 1, ExpireAfter: time.Hour, PurgeAfter: 2 * time.Hour},
		}})
		defer shut(t, r)
		for id, in := range map[string][]string{"plain": nil, "laptop": {"laptops"}, "quick": {"quick"}, "both": {"laptops", "quick"}} {
			register(t, r, registry.Registration{Identity: id, Interval: 10 * time.Minute, Collectives: in})
		}
		check := func(want string) {
			t.Helper()
			got := fmt.Sprintf("plain=%s laptop=%s quick=%s both=%s", state(r, "plain"), state(r, "laptop"), state(r, "quick"), state(r, "both"))
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
		time.Sleep(31 * time.Minute)
		check("plain=stale laptop=active quick=stale both=active")
		time.Sleep(time.Hour)
		check("plain=stale laptop=active quick=expired both=active")
		time.Sleep(time.Hour)
		check("plain=stale laptop=stale quick=gone both=stale")
		time.Sleep(100 * 24 * time.Hour)
		check("plain=gone laptop=expired quick=gone both=expired")
	})
}

// TestIntervalsAreLearnt from sources that do not tell, and survive a restart.
func TestIntervalsAreLearnt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &registry.MemoryStore{}
		r := living(t, store, registry.Lifecycle{})
		say := func() { register(t, r, registry.Registration{Identity: "old"}) }
		for range 6 {
			say()
			time.Sleep(10 * time.Minute)
		}
		n, _ := r.Node("old")
		if n.Interval != 0 || n.Learnt.Round(time.Minute) != 10*time.Minute {
			t.Errorf("told %v, learnt %v; want 10m learnt", n.Interval, n.Learnt)
		}
		shut(t, r)
		r = living(t, store, registry.Lifecycle{})
		defer func() { shut(t, r) }()
		time.Sleep(19 * time.Minute)
		if got := state(r, "old"); got != registry.Active {
			t.Errorf("after 29m it is %s, want active", got)
		}
		time.Sleep(3 * time.Minute)
		if got := state(r, "old"); got != registry.Stale {
			t.Errorf("after 32m it is %s, want stale", got)
		}
		time.Sleep(24 * time.Hour)
		say() // one outage moves it little
		if n, _ := r.Node("old"); n.Learnt > 21*time.Minute {
			t.Errorf("after an outage %v are learnt", n.Learnt)
		}
		for range 12 {
			time.Sleep(time.Hour)
			say()
		}
		if n, _ := r.Node("old"); n.Learnt.Round(10*time.Minute) != time.Hour {
			t.Errorf("after hours at another pace %v are learnt, want an hour", n.Learnt)
		}
	})
}

// TestDeafnessIsNotDeath: neither three days down nor three days cut off change
// the state of any node.
func TestDeafnessIsNotDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &registry.MemoryStore{}
		l := registry.Lifecycle{FreezeShare: -1} // deafness must do it alone
		r := living(t, store, l)
		speak(t, r, 30, 30*time.Minute)
		speak(t, r, 20, 40*time.Minute) // n20 … are silent
		before := states(t, r)
		if before != "[active:20 stale:10]" {
			t.Fatalf("to begin with: %s", before)
		}
		for round := range 3 {
			shut(t, r)
			time.Sleep(3 * 24 * time.Hour)
			r = living(t, store, l)
			if got := states(t, r); got != before {
				t.Errorf("round %d: back after three days: %s, want %s", round, got, before)
			}
			r.Hearing(false)
			time.Sleep(3 * 24 * time.Hour)
			if got := states(t, r); got != before || r.Stats().Life.DeafSince.IsZero() {
				t.Errorf("round %d: cut off for three days: %s since %v, want %s", round, got, r.Stats().Life.DeafSince, before)
			}
			if a, err := r.Find(t.Context(), registry.Discovery{}); err != nil || len(a.Warnings) != 1 || !strings.Contains(a.Warnings[0], "can not hear") {
				t.Errorf("askers are warned %q, %v", a.Warnings, err)
			}
			r.Hearing(true)
			if got := states(t, r); got != before || !r.Stats().Life.DeafSince.IsZero() {
				t.Errorf("round %d: connected again: %s, want %s", round, got, before)
			}
		}
		time.Sleep(30 * time.Minute)
		if got := states(t, r); got != "[stale:30]" {
			t.Errorf("after silence that was heard: %s, want all stale", got)
		}
		speak(t, r, 20, 7*24*time.Hour-2*time.Hour)
		if got := states(t, r); got != before {
			t.Errorf("just before a heard week: %s, want %s", got, before)
		}
		speak(t, r, 20, 2*time.Hour)
		if got := states(t, r); got != "[active:20 expired:10]" {
			t.Errorf("after a heard week: %s", got)
		}
		shut(t, r)
	})
}

// TestDeafFromTheStart: until the broker is there, nobody grows older.
func TestDeafFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &registry.MemoryStore{}
		r := living(t, store, registry.Lifecycle{})
		speak(t, r, 1, 10*time.Minute)
		shut(t, r)
		time.Sleep(24 * time.Hour)
		r, err := registry.Open(t.Context(), registry.Config{Store: store, Deaf: true, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		if got := state(r, "n0"); got != registry.Active {
			t.Errorf("deaf: %s", got)
		}
		shut(t, r) // never heard a thing
		time.Sleep(24 * time.Hour)
		r = living(t, store, registry.Lifecycle{})
		defer shut(t, r)
		if got := state(r, "n0"); got != registry.Active {
			t.Errorf("back: %s", got)
		}
		time.Sleep(30 * time.Minute)
		if got := state(r, "n0"); got != registry.Stale {
			t.Errorf("silent: %s", got)
		}
	})
}

// TestAMassChangeFreezes: a share of the fleet that falls silent at once is the
// registry's deafness until proven otherwise.
func TestAMassChangeFreezes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := living(t, nil, registry.Lifecycle{})
		defer shut(t, r)
		speak(t, r, 100, 30*time.Minute)
		speak(t, r, 85, 3*time.Hour) // 15 of 100 may die
		if got := states(t, r); got != "[active:85 stale:15]" {
			t.Fatalf("after 15 died: %s", got)
		}
		speak(t, r, 50, 24*time.Hour) // 35 of 85 are too many
		if got := states(t, r); got != "[active:85 stale:15]" {
			t.Errorf("after 35 more: %s, want nothing changed", got)
		}
		if s := r.Stats().Life; s.FrozenSince.IsZero() || s.Overdue < 35 {
			t.Errorf("the alarm is %+v", s)
		}
		for i := range 84 { // they are back, but one
			register(t, r, registry.Registration{Identity: fmt.Sprint("n", i), Interval: 10 * time.Minute})
		}
		time.Sleep(6 * time.Minute)
		if s := r.Stats().Life; !s.FrozenSince.IsZero() {
			t.Errorf("still frozen: %+v", s)
		}
		if got := states(t, r); got != "[active:85 stale:15]" {
			t.Errorf("after they came back: %s", got)
		}
		speak(t, r, 84, time.Hour)
		if got := states(t, r); got != "[active:84 stale:16]" {
			t.Errorf("after the one that did not: %s", got)
		}

		speak(t, r, 50, 10*time.Hour) // this time they are gone
		if got := states(t, r); got != "[active:84 stale:16]" {
			t.Errorf("frozen again: %s", got)
		}
		r.Thaw()
		speak(t, r, 50, 10*time.Minute)
		if got := states(t, r); got != "[active:50 stale:50]" || !r.Stats().Life.FrozenSince.IsZero() {
			t.Errorf("after an operator said so: %s", got)
		}
		speak(t, r, 50, 8*24*time.Hour) // and then half of the fleet would expire
		if got := states(t, r); got != "[active:50 expired:16 stale:34]" || r.Stats().Life.FrozenSince.IsZero() {
			t.Errorf("mass expiry: %s, want it frozen", got)
		}
	})
}

// TestPurgeHasABrake: never more than a share of the fleet within a day.
func TestPurgeHasABrake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := living(t, nil, registry.Lifecycle{FreezeShare: -1})
		defer shut(t, r)
		speak(t, r, 100, 3*time.Minute)
		time.Sleep(14*24*time.Hour + time.Hour)
		for day, want := range []string{"[expired:90]", "[expired:81]", "[expired:72]"} {
			if got := states(t, r); got != want {
				t.Errorf("day %d: %s, want %s", day, got, want)
			}
			if s := r.Stats().Life; s.PurgeHeld < 70 {
				t.Errorf("day %d: %d are held", day, s.PurgeHeld)
			}
			time.Sleep(24 * time.Hour)
		}
	})
}

// TestDeactivation survives a restart, is undone, and is told to the node.
func TestDeactivation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &registry.MemoryStore{}
		r := living(t, store, registry.Lifecycle{})
		register(t, r, registry.Registration{Identity: "db1", Facts: map[string]any{"a": "b"}})
		if err := r.Deactivate(t.Context(), "DB1", "anna"); err != nil {
			t.Fatal(err)
		}
		if err := r.Deactivate(t.Context(), "nobody", "anna"); err == nil || !strings.Contains(err.Error(), `"nobody"`) {
			t.Errorf("deactivating nobody: %v", err)
		}
		if a := find(t, r, "a=b", registry.Discovery{}); a.Count != 0 {
			t.Errorf("it is found: %s", a.String())
		}
		receipt := register(t, r, registry.Registration{Identity: "db1", Facts: map[string]any{"a": "c"}})
		if len(receipt.Warnings) != 1 || !strings.Contains(receipt.Warnings[0], "anna deactivated this node on 2000-01-01") {
			t.Errorf("the node is told %q", receipt.Warnings)
		}
		shut(t, r)
		r = living(t, store, registry.Lifecycle{})
		n, _ := r.Node("db1")
		if n.State != registry.Deactivated || n.Deactivated.By != "anna" || n.Facts["a"] != "c" {
			t.Errorf("after a restart %+v", n)
		}
		if err := r.Reactivate(t.Context(), "db1", "anna"); err != nil {
			t.Fatal(err)
		}
		shut(t, r)
		r = living(t, store, registry.Lifecycle{})
		defer shut(t, r)
		if got := state(r, "db1"); got != registry.Active {
			t.Errorf("reactivated it is %s", got)
		}
	})
}
