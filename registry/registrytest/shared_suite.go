package registrytest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"muster/registry"
)

// TestShared holds a store to what [registry.Shared] promises. Fresh makes the
// opener of a new, empty store, which may be open several times at once.
func TestShared(t *testing.T, fresh func(t *testing.T) Opener) {
	t.Run("replace", func(t *testing.T) { replacedOnce(t, fresh(t)) })
	t.Run("forget", func(t *testing.T) { forgottenOnce(t, fresh(t)) })
	t.Run("follow", func(t *testing.T) { isFollowed(t, fresh(t)) })
	t.Run("numbers", func(t *testing.T) { eventsAreNumbered(t, fresh(t)) })
	t.Run("lead", func(t *testing.T) { oneLeads(t, fresh(t)) })
}

func openShared(t *testing.T, open Opener) registry.Shared {
	t.Helper()
	s, ok := open(t).(registry.Shared)
	if !ok {
		t.Fatal("the store can not be shared")
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func unheard(id registry.Identity) *registry.Node {
	n := registry.NewNode(id, start, nil)
	return &n
}

// hashed is a node that says something, which its hash stands for.
func hashed(name string, received time.Time) *registry.Node {
	n := registry.NewNode("DB1", start, map[registry.Source]*registry.Section{
		registry.Daemon: {Facts: map[string]any{"says": name}, Hash: name, Received: received, Changed: received, Learnt: time.Minute},
	})
	return &n
}

func happened(kind registry.EventKind, at time.Time) []registry.Event {
	return []registry.Event{{At: at.UTC().Truncate(time.Microsecond), Identity: "DB1", Kind: kind}}
}

// replacedOnce: of two who change one node at the same time, one does.
func replacedOnce(t *testing.T, open Opener) {
	a, b := openShared(t, open), openShared(t, open)
	now := start
	replace := func(s registry.Shared, known, next *registry.Node, want error) {
		t.Helper()
		if err := s.Replace(t.Context(), known, next, happened(registry.EventChanged, time.Now())); !errors.Is(err, want) {
			t.Fatalf("replacing: %v, want %v", err, want)
		}
	}
	one, two, three := hashed("one", now), hashed("two", now.Add(time.Second)), hashed("three", now.Add(time.Minute))
	replace(a, unheard("DB1"), one, nil)
	replace(b, unheard("db1"), two, registry.ErrOvertaken)
	replace(b, two, three, registry.ErrOvertaken)
	replace(b, one, two, nil)
	replace(a, one, three, registry.ErrOvertaken)

	// What b has heard since, though it is no change, a does not overwrite.
	beat := registry.Beat{Identity: "DB1", Source: registry.Daemon, Sequence: 7, Received: now.Add(30 * time.Second), Learnt: time.Hour}
	if err := b.Touch(t.Context(), beat); err != nil {
		t.Fatal(err)
	}
	replace(a, two, three, registry.ErrOvertaken)
	touched := two.Touched(beat)
	stored, err := a.Nodes(t.Context(), "nobody", "db1")
	if err != nil || len(stored) != 1 || whole(&stored[0]) != whole(&touched) {
		t.Fatalf("the store has %v, %v; want\n%s", stored, err, whole(&touched))
	}
	replace(a, &touched, three, nil)
	n := 0
	if err := b.Events(t.Context(), registry.EventRange{}, func(registry.Event) error { n++; return nil }); err != nil || n != 3 {
		t.Errorf("%d events, %v; want one for each change that was stored", n, err)
	}
}

func forgottenOnce(t *testing.T, open Opener) {
	a, b := openShared(t, open), openShared(t, open)
	one := hashed("one", start)
	put(t, a, *one)
	gone := happened(registry.EventGone, time.Now())[0]
	later := one.Touched(registry.Beat{Identity: "DB1", Source: registry.Daemon, Received: start.Add(time.Second)})
	put(t, a, later)
	for _, c := range []struct {
		known *registry.Node
		want  error
	}{{hashed("other", start), registry.ErrOvertaken}, {one, registry.ErrOvertaken}, {&later, nil}, {&later, registry.ErrOvertaken}} {
		if err := b.Forget(t.Context(), c.known, gone); !errors.Is(err, c.want) {
			t.Errorf("forgetting: %v, want %v", err, c.want)
		}
	}
	if stored, err := a.Nodes(t.Context(), "db1"); len(stored) > 0 || err != nil {
		t.Errorf("it is still there: %v, %v", stored, err)
	}
}

// isFollowed: what one writes the other is handed over, and the beginning is
// where Load is.
func isFollowed(t *testing.T, open Opener) {
	a, b := openShared(t, open), openShared(t, open)
	put(t, a, node("before", nil))
	follower, err := b.Follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	next := func() (nodes map[registry.Identity]registry.Seen, events []registry.Event) {
		t.Helper()
		nodes = map[registry.Identity]registry.Seen{}
		if err := follower.Next(t.Context(), func(registry.Changes) error { return errRepeat }); err != nil && !errors.Is(err, errRepeat) {
			t.Fatal(err)
		}
		err := follower.Next(t.Context(), func(c registry.Changes) error {
			for _, n := range c.Nodes {
				nodes[n.Identity] = n
			}
			events = c.Events
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return nodes, events
	}
	next() // it may hand over what Load does
	if nodes, events := next(); len(nodes)+len(events) > 0 {
		t.Errorf("nothing was written, and there are %v and %v", nodes, events)
	}
	one := hashed("one", start)
	if err := a.Replace(t.Context(), unheard("DB1"), one, happened(registry.EventNew, time.Now())); err != nil {
		t.Fatal(err)
	}
	nodes, events := next()
	if seen := nodes["DB1"]; len(nodes) != 1 || seen.Version != one.Version() || len(events) != 1 || events[0].Kind != registry.EventNew {
		t.Errorf("after a change there are %v and %v", nodes, events)
	}
	beat := registry.Beat{Identity: "DB1", Source: registry.Daemon, Sequence: 7, Sent: start, Received: start.Add(time.Second), Learnt: time.Hour}
	if err := a.Touch(t.Context(), beat); err != nil {
		t.Fatal(err)
	}
	nodes, events = next()
	if seen := nodes["DB1"]; seen.Version != one.Version() || len(events) > 0 || !slices.Contains(seen.Beats, beat) {
		t.Errorf("after a beat there are %v and %v; want %v", nodes, events, beat)
	}
	if err := a.Delete(t.Context(), "DB1"); err != nil {
		t.Fatal(err)
	}
	if nodes, _ = next(); len(nodes) != 1 || nodes["DB1"].Version != 0 && nodes["db1"].Version != 0 {
		t.Errorf("after it was deleted there are %v", nodes)
	}
	if nodes, events := next(); len(nodes)+len(events) > 0 {
		t.Errorf("at rest there are %v and %v", nodes, events)
	}
}

// errRepeat is why something must be handed over again.
var errRepeat = errors.New("hand it over again")

// eventsAreNumbered: whoever records, no ID is there twice, and those of one
// grow.
func eventsAreNumbered(t *testing.T, open Opener) {
	const each = 5
	stores := []registry.Shared{openShared(t, open), openShared(t, open)}
	var writing sync.WaitGroup
	for i, s := range stores {
		writing.Go(func() {
			for n := range each {
				e := registry.Event{At: time.Now().UTC().Truncate(time.Microsecond), Identity: registry.Identity(fmt.Sprint("n", i)), Kind: registry.EventChanged, More: n + 1}
				if err := s.PutEvents(t.Context(), []registry.Event{e, e}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	var all []registry.Event
	if err := stores[0].Events(t.Context(), registry.EventRange{}, func(e registry.Event) error { all = append(all, e); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(all) != 2*each*len(stores) {
		t.Errorf("there are %d events, want %d", len(all), 2*each*len(stores))
	}
	sorted := slices.IsSortedFunc(all, func(a, b registry.Event) int { return cmp.Compare(a.ID, b.ID) })
	if !sorted || len(slices.CompactFunc(slices.Clone(all), func(a, b registry.Event) bool { return a.ID == b.ID })) != len(all) {
		t.Errorf("IDs are not in order, or there twice: %v", all)
	}
	last := map[registry.Identity]int{}
	for _, e := range all {
		if e.More < last[e.Identity] {
			t.Errorf("%s recorded %d after %d", e.Identity, e.More, last[e.Identity])
		}
		last[e.Identity] = e.More
	}
}

func oneLeads(t *testing.T, open Opener) {
	a, b := openShared(t, open), openShared(t, open)
	now := start
	for i, c := range []struct {
		who  registry.Shared
		wait time.Duration
		want bool
	}{{a, 0, true}, {b, 0, false}, {a, 50 * time.Second, true}, {b, 50 * time.Second, false}, {b, 11 * time.Second, true}, {a, 0, false}} {
		now = now.Add(c.wait)
		if got, err := c.who.Lead(t.Context(), now, time.Minute); got != c.want || err != nil {
			t.Errorf("step %d: leads %v, %v; want %v", i, got, err, c.want)
		}
	}
}
