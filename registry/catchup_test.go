package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"muster/registry"
)

// beside makes of a registry a neighbour of another, without a network.
type beside struct{ *registry.Registry }

func (b beside) Heads(ctx context.Context) (io.ReadCloser, error) {
	var out bytes.Buffer
	return io.NopCloser(&out), b.Registry.Heads(ctx, &out)
}

func (b beside) Pass(ctx context.Context, w registry.Wanted) (io.ReadCloser, error) {
	var out bytes.Buffer
	return io.NopCloser(&out), b.Registry.Pass(ctx, &out, w)
}

func catchUp(t testing.TB, r, from *registry.Registry, first bool) registry.CaughtUp {
	t.Helper()
	c, err := r.CatchUp(t.Context(), beside{from}, first)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// deaf opens a registry that hears nothing yet.
func deaf(t *testing.T, store registry.Store) *registry.Registry {
	t.Helper()
	r, err := registry.Open(t.Context(), registry.Config{Store: store, Deaf: true, TouchEvery: 5 * time.Minute, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // as living does
	return r
}

// told lists what happened to a node, or to all, with the times.
func told(t *testing.T, r *registry.Registry, id registry.Identity) []string {
	t.Helper()
	var list []string
	err := r.Events(t.Context(), registry.EventRange{Identity: id}, func(e registry.Event) error {
		text, err := json.Marshal(e)
		list = append(list, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestCatchingUpFromNothing: a new registry has the nodes, their states and
// their history, and asking again costs nothing.
func TestCatchingUpFromNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := living(t, nil, registry.Lifecycle{FreezeShare: -1})
		defer shut(t, old)
		for i := range 1200 { // more than fit in one piece
			register(t, old, registry.Registration{Identity: fmt.Sprint("n", i), Interval: time.Hour, Facts: map[string]any{"i": int64(i)}})
		}
		time.Sleep(time.Hour)
		register(t, old, registry.Registration{Identity: "n7", Interval: time.Hour, Facts: map[string]any{"i": "seven"}})
		time.Sleep(2*time.Hour + 10*time.Minute)

		young := deaf(t, nil)
		defer shut(t, young)
		if c := catchUp(t, young, old, true); c.Nodes != 1200 || c.Changed != 1200 || c.Events != 2400 {
			t.Errorf("it learnt %+v", c)
		}
		young.Hearing(true)
		if got, want := states(t, young), states(t, old); got != want || want != "[active:1 stale:1199]" {
			t.Errorf("states %s, the neighbour's %s", got, want)
		}
		if a := find(t, young, "i=seven", registry.Discovery{}); a.String() != "n7" {
			t.Errorf("found %q", a.String())
		}
		if got, want := told(t, young, ""), told(t, old, ""); !slices.Equal(got, want) {
			t.Errorf("%d events, the neighbour has %d", len(got), len(want))
		}
		if c := catchUp(t, young, old, false); c.Fetched+c.Changed+c.Events > 0 {
			t.Errorf("again it learnt %+v", c)
		}
	})
}

// TestCatchingUpAfterThreeDays: what was heard meanwhile is known, and who was
// silent then was silent.
func TestCatchingUpAfterThreeDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &registry.MemoryStore{}
		a, b := living(t, store, registry.Lifecycle{}), living(t, nil, registry.Lifecycle{})
		defer func() { shut(t, a); shut(t, b) }()
		say := func(to []*registry.Registry, id, v string) {
			for _, r := range to {
				register(t, r, registry.Registration{Identity: id, Interval: 10 * time.Minute, Sequence: uint64(time.Now().UnixNano()), Facts: map[string]any{"v": v}})
			}
		}
		onlyB := []*registry.Registry{b}
		for i := range 30 {
			say([]*registry.Registry{a, b}, fmt.Sprint("n", i), "old")
		}
		shut(t, a)
		for range 3 * 24 * 6 { // three days, of which five of thirty are silent
			time.Sleep(10 * time.Minute)
			for i := range 25 {
				v := "old"
				if i < 3 {
					v = time.Now().Format(time.DateOnly)
				}
				say(onlyB, fmt.Sprint("n", i), v)
			}
			say(onlyB, "newcomer", "x")
		}
		time.Sleep(time.Second)
		a = deaf(t, store)
		c := catchUp(t, a, b, true)
		if c.Nodes != 31 || c.Changed != 4 || c.Fetched != 4 {
			t.Errorf("it learnt %+v; want 3 changed nodes and the new one, of 31", c)
		}
		a.Hearing(true)
		if got, want := states(t, a), states(t, b); got != want || want != "[active:26 stale:5]" {
			t.Errorf("states %s, the neighbour's %s", got, want)
		}
		if got, want := told(t, a, ""), told(t, b, ""); !slices.Equal(got, want) {
			t.Errorf("history\n%s\nthe neighbour's\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for i := range 25 {
			say([]*registry.Registry{a, b}, fmt.Sprint("n", i), "new")
		}
		if got, want := len(told(t, a, "n3")), len(told(t, b, "n3")); got != want {
			t.Errorf("%d events of one that both heard, %d at the neighbour", got, want)
		}
		if c := catchUp(t, a, b, false); c.Fetched > 0 {
			t.Errorf("again it learnt %+v", c)
		}
	})
}

// TestCatchingUpAfterBeingCutOff: the neighbour heard that a node fell silent,
// and that another did not.
func TestCatchingUpAfterBeingCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := living(t, nil, registry.Lifecycle{}), living(t, nil, registry.Lifecycle{})
		defer func() { shut(t, a); shut(t, b) }()
		say := func(r *registry.Registry, id string) {
			register(t, r, registry.Registration{Identity: id, Interval: 10 * time.Minute, Sequence: uint64(time.Now().UnixNano())})
		}
		for _, id := range []string{"quiet", "loud"} {
			say(a, id)
			say(b, id)
		}
		a.Hearing(false)
		for range 12 {
			time.Sleep(10 * time.Minute)
			say(b, "loud")
		}
		a.Hearing(true)
		if got := state(a, "quiet"); got != registry.Active {
			t.Errorf("before it asks its neighbour it has not heard for two hours, and the node is %s", got)
		}
		catchUp(t, a, b, false)
		if state(a, "quiet") != registry.Stale || state(a, "loud") != registry.Active {
			t.Errorf("quiet is %s, loud %s; want stale and active", state(a, "quiet"), state(a, "loud"))
		}
		if n, _ := a.Node("loud"); time.Since(n.LastSeen) > time.Minute {
			t.Errorf("the loud one was last seen %v ago", time.Since(n.LastSeen))
		}
		time.Sleep(6 * time.Minute)
		if list := told(t, a, "quiet"); len(list) != 2 || !strings.Contains(list[1], "stale") {
			t.Errorf("history of the quiet one: %q; want that it became stale", list)
		}
	})
}

// TestMarksPassBetweenNeighbours: an operator speaks to one registry for all.
func TestMarksPassBetweenNeighbours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := living(t, nil, registry.Lifecycle{}), living(t, nil, registry.Lifecycle{})
		defer func() { shut(t, a); shut(t, b) }()
		step := func(r *registry.Registry, change func(context.Context, string, string) error, want registry.State) {
			t.Helper()
			time.Sleep(time.Minute)
			if err := change(t.Context(), "db1", "anna"); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				catchUp(t, a, b, false)
				catchUp(t, b, a, false)
			}
			if state(a, "db1") != want || state(b, "db1") != want {
				t.Errorf("one says %s, the other %s, want %s", state(a, "db1"), state(b, "db1"), want)
			}
		}
		register(t, a, registry.Registration{Identity: "db1", Interval: time.Hour})
		step(a, a.Deactivate, registry.Deactivated)
		step(b, b.Reactivate, registry.Active)
		step(b, b.Deactivate, registry.Deactivated)
		step(a, a.Reactivate, registry.Active)
		step(a, a.Deactivate, registry.Deactivated)
		if n, _ := b.Node("db1"); n.Deactivated.By != "anna" {
			t.Errorf("deactivated by %q", n.Deactivated.By)
		}
	})
}

// TestWhatIsForgottenStaysForgotten: a neighbour whose brake holds a node does
// not bring it back.
func TestWhatIsForgottenStaysForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := living(t, nil, registry.Lifecycle{}), living(t, nil, registry.Lifecycle{Rule: registry.Rule{PurgeAfter: -1}})
		defer func() { shut(t, a); shut(t, b) }()
		for _, r := range []*registry.Registry{a, b} {
			register(t, r, registry.Registration{Identity: "db1"})
		}
		time.Sleep(15 * 24 * time.Hour)
		catchUp(t, a, b, false)
		if state(a, "db1") != "gone" || state(b, "db1") != registry.Expired {
			t.Errorf("one says %s, the other %s", state(a, "db1"), state(b, "db1"))
		}
	})
}

// TestCatchingUpIsHeldToTheRules for what is heard: proof, order, collisions,
// renames, and clocks.
func TestCatchingUpIsHeldToTheRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := living(t, nil, registry.Lifecycle{}), living(t, nil, registry.Lifecycle{})
		defer func() { shut(t, a); shut(t, b) }()
		reg := func(r *registry.Registry, id, auth, v string) {
			register(t, r, registry.Registration{Identity: id, Auth: auth, Interval: time.Hour, Facts: map[string]any{"v": v}})
			time.Sleep(time.Minute)
		}
		reg(a, "lower", "cert", "proven")
		reg(b, "lower", "psk", "claimed")
		reg(b, "higher", "cert", "proven")
		reg(a, "higher", "psk", "claimed")
		for _, r := range []*registry.Registry{a, b} {
			register(t, r, registry.Registration{Identity: "was", Interval: time.Hour, Facts: machineFacts(uuidA, "192.0.2.1")})
		}
		register(t, a, registry.Registration{Identity: "twice", Interval: time.Hour, Facts: machineFacts(uuidA[:20]+"0000-b4c04f4e3532", "192.0.2.3")})
		time.Sleep(time.Minute)
		register(t, b, registry.Registration{Identity: "twice", Interval: time.Hour, Facts: machineFacts(uuidB, "192.0.2.4")})
		register(t, b, registry.Registration{Identity: "is", Interval: time.Hour, Facts: machineFacts(uuidA, "192.0.2.1")})
		catchUp(t, a, b, false)
		catchUp(t, b, a, false)
		for name, r := range map[string]*registry.Registry{"a": a, "b": b} {
			for _, id := range []string{"lower", "higher"} {
				if n, _ := r.Node(id); n.Facts["v"] != "proven" || n.Auth != "cert" {
					t.Errorf("%s: %s is %v by %q", name, id, n.Facts["v"], n.Auth)
				}
			}
			if n, _ := r.Node("was"); n.RenamedTo != "is" {
				t.Errorf("%s: the old name is now %q", name, n.RenamedTo)
			}
			if n, _ := r.Node("twice"); !n.Head().Collides() {
				t.Errorf("%s: two machines are not told apart: %v", name, n.Warnings)
			}
		}
	})
}

// TestNeighboursAgree: whichever registrations each of two registries heard,
// after they asked each other both know what one that heard all knows.
func TestNeighboursAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := noon
		open := func() *registry.Registry {
			r, err := registry.Open(context.Background(), registry.Config{
				TouchEvery: time.Hour, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
				Lifecycle: registry.Lifecycle{FreezeShare: -1},
			})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		a, b, all := open(), open(), open()
		for i := range rapid.IntRange(1, 30).Draw(t, "registrations") {
			now = now.Add(time.Duration(rapid.IntRange(1, 600).Draw(t, "seconds")) * time.Second)
			reg := registry.Registration{
				Identity: fmt.Sprint("n", rapid.IntRange(0, 3).Draw(t, "node")), Auth: "cert", Interval: time.Hour,
				Source: rapid.SampledFrom([]registry.Source{registry.Daemon, registry.PuppetFacts, registry.Catalog}).Draw(t, "source"),
				Facts:  map[string]any{"v": int64(rapid.IntRange(0, 2).Draw(t, "value")), "i": "x"},
			}
			if reg.Source == registry.Catalog { // of two sources that changed their classes, which did last may not be known to all
				reg.Classes = []string{fmt.Sprint("c", rapid.IntRange(0, 2).Draw(t, "class"))}
			}
			switch rapid.IntRange(0, 2).Draw(t, "ordered by") {
			case 0:
				reg.Sequence = uint64(i + 1)
			case 1:
				reg.Sent = now
			}
			heardBy := [][]*registry.Registry{{a, all}, {b, all}, {a, b, all}}[rapid.IntRange(0, 2).Draw(t, "heard by")]
			for _, r := range heardBy {
				if _, err := r.Register(context.Background(), reg); err != nil {
					t.Fatal(err)
				}
			}
			if rapid.IntRange(0, 5).Draw(t, "catch up") == 0 {
				catch(t, a, b)
			}
		}
		now = now.Add(time.Second)
		catch(t, a, b)
		catch(t, b, a)
		want := known(t, all)
		if got := known(t, a); got != want {
			t.Fatalf("one knows\n%s\nwant\n%s", got, want)
		}
		if got := known(t, b); got != want {
			t.Fatalf("the other knows\n%s\nwant\n%s", got, want)
		}
		if c := catch(t, a, b); c.Fetched > 0 {
			t.Fatalf("in agreement it fetched %+v", c)
		}
		for _, r := range []*registry.Registry{a, b, all} {
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func catch(t *rapid.T, r, from *registry.Registry) registry.CaughtUp {
	t.Helper()
	c, err := r.CatchUp(context.Background(), beside{from}, false)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// known is what a registry knows of its nodes, but for what it marks by itself.
func known(t *rapid.T, r *registry.Registry) string {
	t.Helper()
	everything, err := registry.ParseStates("any")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := r.Find(context.Background(), registry.Discovery{States: everything})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, found := range answer.Nodes {
		n := found.Node()
		fmt.Fprintln(&b, n.Identity, n.Facts, n.Classes, n.LastSeen, n.State, len(n.Sections))
	}
	return b.String()
}
