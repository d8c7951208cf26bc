//go:build peers

package mongostore_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"muster/registry"
	"muster/registry/mongostore"
)

// instance opens a registry over a store of its own.
func instance(t *testing.T, uri, database string) (*registry.Registry, *mongostore.Store) {
	t.Helper()
	s := open(t, uri, database, "")
	r, err := registry.Open(t.Context(), registry.Config{Store: s, FollowEvery: 200 * time.Millisecond, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	return r, s
}

// knows is what a registry answers about all its nodes.
func knows(t *testing.T, r *registry.Registry) string {
	t.Helper()
	a, err := r.Find(t.Context(), registry.Discovery{States: []registry.State{registry.Active, registry.Stale, registry.Expired, registry.Deactivated}})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, f := range a.Nodes {
		n := f.Node()
		fmt.Fprintf(&out, "%s %s %v %v\n", n.Identity, n.State, n.Facts, n.Classes)
	}
	return out.String()
}

// soon waits until something holds.
func soon(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
	}
}

// cluster: two registries on one database that hear the same; one is stopped,
// misses changes and a deletion, and is started again; then both answer alike,
// and everything is in the journal once.
func cluster(t *testing.T, uri string) {
	database := scratch(t, uri)
	a, store := instance(t, uri, database)
	b, _ := instance(t, uri, database)
	hear := func(turn int, all ...*registry.Registry) {
		var hearing sync.WaitGroup
		for _, id := range []string{"db1", "db2", "DB3.acme.net"} {
			for _, r := range all {
				hearing.Go(func() {
					_, err := r.Register(t.Context(), registry.Registration{
						Identity: id, Auth: "cert", Sequence: uint64(turn), Interval: time.Hour, Classes: []string{"base"},
						Facts: map[string]any{"turn": int64(turn), "machine_id": "0123456789-" + id},
					})
					if err != nil {
						t.Errorf("turn %d: %v", turn, err)
					}
				})
			}
		}
		hearing.Wait()
	}
	hear(1, a, b)
	hear(2, a, b)
	hear(3, b) // a learns it by following
	soon(t, "a follows b", func() bool { return knows(t, a) == knows(t, b) && strings.Count(knows(t, a), "turn:3") == 3 })

	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	hear(4, a)
	if err := a.Deactivate(t.Context(), "db1", "me"); err != nil {
		t.Fatal(err)
	}
	if err := store.Delete(t.Context(), "db2"); err != nil {
		t.Fatal(err)
	}
	b, _ = instance(t, uri, database)
	soon(t, "a follows a deletion", func() bool { return knows(t, a) == knows(t, b) })
	if got := knows(t, b); strings.Contains(got, "db2") || strings.Count(got, "turn:4") != 2 || !strings.Contains(got, "db1 deactivated") {
		t.Errorf("after it was away one knows\n%s", got)
	}

	count := map[string]int{}
	err := b.Events(t.Context(), registry.EventRange{}, func(e registry.Event) error {
		for _, c := range e.Changes {
			count[fmt.Sprintf("%s %s %s", e.Identity, c.Path, c.New)]++
		}
		count[fmt.Sprintf("%s %s", e.Identity, e.Kind)]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"db1", "db2", "DB3.acme.net"} {
		for _, what := range []string{"new", "turn 2", "turn 3", "turn 4"} {
			if n := count[id+" "+what]; n != 1 {
				t.Errorf("%s %s is in the journal %d times", id, what, n)
			}
		}
	}
	for _, r := range []*registry.Registry{a, b} {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// settled: an event whose registry died between the node's document and the
// journal comes into the journal when the document is read, by a follower or at
// a start.
func settled(t *testing.T, uri string) {
	database := scratch(t, uri)
	events := collection(t, uri, database, "nodes.events")
	dies, _ := instance(t, uri, database)
	_, err := dies.Register(t.Context(), registry.Registration{Identity: "db1", Facts: map[string]any{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := dies.Close(); err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"at a start", "again"} {
		if done, err := events.DeleteMany(t.Context(), bson.D{}); err != nil || done.DeletedCount != 1 {
			t.Fatalf("%s: %v, %v", how, done, err)
		}
		r, _ := instance(t, uri, database)
		n := 0
		if err := r.Events(t.Context(), registry.EventRange{}, func(registry.Event) error { n++; return nil }); err != nil || n != 1 {
			t.Errorf("%s: %d events, %v; want the one of the document", how, n, err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
