package index_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"muster/query"
	"muster/registry/index"
)

func named(i int) *query.Document { return &query.Document{Identity: fmt.Sprintf("Node%03d", i)} }

// A set names the nodes that it was asked for, never one that took the place
// of another since.
func TestSetOutlivesItsNodes(t *testing.T) {
	w := newWorld()
	for i := range 50 {
		w.put(named(i))
	}
	set := w.find(t, query.All{})
	for i := range 25 {
		w.delete(fmt.Sprintf("nODE%03d", i))
		w.put(named(100 + i))
	}
	names := set.Identities()
	if len(names) != 25 || names[0] != "Node025" || !slices.IsSorted(names) {
		t.Errorf("the set names %v", names)
	}
	if set.Has("node100") || !set.Has("NODE030") || set.Has("nobody") {
		t.Error("Has and Identities disagree")
	}
	if both := w.find(t, query.All{}).And(set).Identities(); !slices.Equal(both, names) {
		t.Errorf("both sets share %v", both)
	}
}

func TestIdentityWithoutCase(t *testing.T) {
	w := newWorld()
	w.put(&query.Document{Identity: "Web1"})
	w.put(&query.Document{Identity: "wEB1", State: "stale"})
	if got := w.find(t, query.All{}).Identities(); !slices.Equal(got, []string{"wEB1"}) {
		t.Errorf("got %v", got)
	}
	if w.ix.Delete("web2") || !w.ix.Delete("WEB1") || w.ix.Len() != 0 {
		t.Error("deleting is not without case")
	}
}

func TestTouch(t *testing.T) {
	w := newWorld()
	w.put(&query.Document{Identity: "a", State: "active", Seen: noon})
	w.ix.Touch("A", "stale", noon.Add(-1))
	w.ix.Touch("nobody", "stale", noon)
	q := parse(t, "nq:state = stale and seen before 2026-01-05T12:00:00Z")
	if got := w.find(t, q.Filter).Identities(); !slices.Equal(got, []string{"a"}) || w.ix.Len() != 1 {
		t.Errorf("got %v of %d", got, w.ix.Len())
	}
}

// A search that nobody waits for any more ends with the reason.
func TestCancelled(t *testing.T) {
	w := newWorld()
	w.put(named(1))
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the asker went away")
	cancel(gone)
	if set, err := w.ix.Find(ctx, query.All{}, noon); !errors.Is(err, gone) || set != nil {
		t.Errorf("got %v, %v", set, err)
	}
}

// Without Load a node is judged by what is kept of it.
func TestWithoutLoad(t *testing.T) {
	ix := index.New(index.Config{})
	ix.Put(&query.Document{Identity: "a", Facts: map[string]any{"v": longWords[0]}})
	set, err := ix.Find(t.Context(), parse(t, "nq:v = /^wx+$/").Filter, noon)
	if err != nil || set.Len() != 1 {
		t.Errorf("%d nodes, %v", set.Len(), err)
	}
}
