package registry_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"muster/registry"
)

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
