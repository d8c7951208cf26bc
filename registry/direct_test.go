package registry_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"muster/registry"
	"muster/registry/registrytest"
)

// direct opens a registry that asks the store for everything.
func direct(t *testing.T, store *registrytest.Member) *registry.Registry {
	t.Helper()
	r, err := registry.Open(t.Context(), registry.Config{Store: store, Direct: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestFleetScriptsDirect asks a registry that asks its store.
func TestFleetScriptsDirect(t *testing.T) {
	registrytest.RunScripts(t, "../testdata/fleet", func(t *testing.T, fleet []registry.Registration) registrytest.Asker {
		var c registrytest.Cluster
		r := direct(t, c.Member())
		t.Cleanup(func() { shut(t, r) })
		for _, reg := range fleet {
			register(t, r, reg)
		}
		return registrytest.Find{Registry: r}
	})
}

// TestDirect: a registry without nodes in memory hears, stores and records as
// one with them, which follows it.
func TestDirect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c registrytest.Cluster
		asks, keeps := direct(t, c.Member()), member(t, c.Member())
		for turn := range 4 {
			for _, r := range []*registry.Registry{asks, keeps} {
				register(t, r, registry.Registration{
					Identity: "DB1", Sequence: uint64(turn + 1), Interval: time.Minute,
					Facts: map[string]any{"half": int64(turn / 2), "machine_id": "0123456789abcdef"},
				})
			}
			time.Sleep(time.Minute)
		}
		if got := fmt.Sprint(journal(t, asks)); got != "[DB1 new DB1 changed half:0>1]" {
			t.Errorf("journal %s", got)
		}
		n, err := asks.Inspect(t.Context(), "db1")
		if err != nil || n.State != registry.Active || n.Facts["half"] != int64(1) || n.Sections[registry.Daemon].Sequence != 4 {
			t.Errorf("it is %v, %v", n, err)
		}
		if _, err := asks.Inspect(t.Context(), "nobody"); !errors.Is(err, registry.ErrNoNode) {
			t.Errorf("inspecting nobody: %v", err)
		}
		if _, err = asks.Register(t.Context(), registry.Registration{Identity: "db1", Sequence: 2}); err == nil {
			t.Error("what is older than the last word was accepted")
		}
		if err := asks.Deactivate(t.Context(), "db1", "me"); err != nil {
			t.Error(err)
		}
		if err := asks.Deactivate(t.Context(), "nobody", "me"); !errors.Is(err, registry.ErrNoNode) {
			t.Errorf("deactivating nobody: %v", err)
		}
		time.Sleep(2 * time.Second)
		if a, b := everything(t, asks), everything(t, keeps); a != b || state(keeps, "db1") != registry.Deactivated {
			t.Errorf("one knows\n%sthe other\n%s", a, b)
		}
		if asks.Stats().Nodes != 1 {
			t.Errorf("it counts %d nodes", asks.Stats().Nodes)
		}
		shut(t, asks)
		shut(t, keeps)
	})
}

// TestDirectSaysWhatItCanNot rather than answer wrongly.
func TestDirectSaysWhatItCanNot(t *testing.T) {
	var c registrytest.Cluster
	store := c.Member()
	r := direct(t, store)
	register(t, r, registry.Registration{Identity: "db1"})
	ctx := t.Context()
	_, names := r.Names()
	_, words := r.Vocabulary()
	_, facts := r.Facts()
	_, restore := r.Restore(ctx, bytes.NewReader(nil))
	for what, err := range map[string]error{
		"names": names, "facts": facts, "words": words, "restore": restore, "backup": r.Backup(ctx, io.Discard),
		"watch": r.Watch(ctx, registry.Discovery{}, 0, func(registry.Watched) error { return nil }),
	} {
		if !errors.Is(err, registry.ErrDirect) {
			t.Errorf("%s: %v, want that it can not", what, err)
		}
	}
	store.Away.Store(true)
	if a, err := r.Find(ctx, registry.Discovery{}); err == nil {
		t.Errorf("the store can not be reached, and the answer is %q", a.String())
	}
	if _, err := r.Inspect(ctx, "db1"); err == nil || errors.Is(err, registry.ErrNoNode) {
		t.Errorf("the store can not be reached, and inspecting says %v", err)
	}
	if _, ok := r.Node("db1"); ok || r.Ready(ctx) == nil {
		t.Errorf("the store can not be reached, and a node is there (%v), or nothing says why it is not", ok)
	}
	if _, err := r.Register(ctx, registry.Registration{Identity: "db1"}); err == nil {
		t.Error("the store can not be reached, and a registration is accepted")
	}
	store.Away.Store(false)
	shut(t, r)
	if _, err := registry.Open(ctx, registry.Config{Direct: true}); err == nil {
		t.Error("a store that can not be searched is searched")
	}
}
