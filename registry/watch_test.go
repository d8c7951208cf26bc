package registry_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muster/query"
	"muster/registry"
)

// watch watches in the background; text is what was told, IDs apart.
type watch struct {
	mu   sync.Mutex
	told []string
	last uint64
	ids  []uint64
	stop context.CancelFunc
	done chan error
}

func startWatch(t *testing.T, r *registry.Registry, q string, after uint64, see func()) *watch {
	t.Helper()
	parsed, err := query.Parse(q, query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	w := &watch{stop: stop, done: make(chan error, 1)}
	go func() {
		w.done <- r.Watch(ctx, registry.Discovery{Query: parsed}, after, func(e registry.Watched) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if see != nil {
				see()
			}
			if e.What != registry.Began {
				w.told = append(w.told, fmt.Sprintf("%s %s", e.What, e.Identity))
				w.ids = append(w.ids, e.ID)
			}
			w.last = max(w.last, e.ID)
			return nil
		})
	}()
	return w
}

func (w *watch) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.told, ", ")
}

func (w *watch) end(t *testing.T) {
	t.Helper()
	w.stop()
	if err := <-w.done; !errors.Is(err, context.Canceled) {
		t.Errorf("the watch ended with %v", err)
	}
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := living(t, nil, registry.Lifecycle{})
		defer shut(t, r)
		say := func(id, customer string, version int64) {
			register(t, r, registry.Registration{Identity: id, Interval: 10 * time.Minute, Facts: map[string]any{"customer": customer, "v": version, "uptime": time.Now().Unix()}})
			synctest.Wait() // a watcher sees nodes as they are when it gets to an event
		}
		say("db1", "acme", 1)
		say("db2", "other", 1)
		w := startWatch(t, r, "customer=acme", 0, nil)
		synctest.Wait()
		say("db1", "acme", 1)  // nothing new
		say("db1", "acme", 2)  // changes
		say("db2", "other", 2) // is not looked at
		say("db2", "acme", 2)  // enters
		say("db3", "acme", 1)  // enters, new
		say("db1", "other", 2) // leaves
		synctest.Wait()
		if got, want := w.text(), "change db1, enter db2, enter db3, leave db1"; got != want {
			t.Errorf("told %q, want %q", got, want)
		}
		w.end(t)

		say("db2", "other", 2) // leaves
		say("db1", "acme", 9)  // enters
		say("db3", "acme", 5)  // changes
		say("db3", "acme", 6)  // once more
		say("db4", "acme", 1)  // comes and goes
		say("db4", "other", 1)
		say("db5", "acme", 1)
		again := startWatch(t, r, "customer=acme", w.last, nil)
		synctest.Wait()
		if got, want := again.text(), "leave db2, enter db1, change db3, enter db5"; got != want {
			t.Errorf("resumed, told %q, want %q", got, want)
		}
		say("db5", "acme", 2)
		time.Sleep(40 * time.Minute) // all are stale, but stay
		if got, want := strings.TrimPrefix(again.text(), "leave db2, enter db1, change db3, enter db5, "), "change db5, change db1, change db3, change db5"; got != want {
			t.Errorf("then told %q, want %q", got, want)
		}
		time.Sleep(8 * 24 * time.Hour)
		if got := again.text(); !strings.HasSuffix(got, "leave db1, leave db3, leave db5") {
			t.Errorf("expired, told %q", got)
		}
		say("db1", "acme", 9)
		synctest.Wait()
		if got := again.text(); !strings.HasSuffix(got, "leave db5, enter db1") {
			t.Errorf("back, told %q", got)
		}
		again.end(t)
		for i, id := range again.ids {
			if i > 0 && id <= again.ids[i-1] {
				t.Errorf("ID %d comes after %d", id, again.ids[i-1])
			}
		}
	})
}

// TestASlowWatcherIsDropped, and is no brake for anybody.
func TestASlowWatcherIsDropped(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	block := make(chan struct{})
	began := make(chan struct{})
	first := true
	slow := startWatch(t, r, "identity=/./", 0, func() {
		if first {
			close(began)
		} else {
			<-block
		}
		first = false
	})
	<-began
	for i := range 1100 {
		register(t, r, registry.Registration{Identity: fmt.Sprint("n", i)})
	}
	close(block)
	if err := <-slow.done; !errors.Is(err, registry.ErrSlow) {
		t.Errorf("the slow watcher got %v", err)
	}
	if s := r.Stats().Life; s.Slow != 1 {
		t.Errorf("%d were given up, want 1", s.Slow)
	}
	again := startWatch(t, r, "identity=/./", slow.last, nil)
	for range 2000 {
		if strings.Contains(again.text(), "n1099") {
			break
		}
		time.Sleep(time.Millisecond)
	}
	again.end(t)
	if got := len(slow.told) + len(again.told); got != 1100 {
		t.Errorf("%d and %d were told of, together %d, want 1100", len(slow.told), len(again.told), got)
	}
}

// TestWatchersMissNothing while many register at once.
func TestWatchersMissNothing(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	began := make(chan struct{})
	var once sync.Once
	w := startWatch(t, r, "identity=/./", 0, func() { once.Do(func() { close(began) }) })
	<-began
	var writing sync.WaitGroup
	for i := range 8 {
		writing.Go(func() {
			for j := range 50 {
				if _, err := r.Register(t.Context(), registry.Registration{Identity: fmt.Sprintf("n%d-%d", i, j)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	for range 2000 {
		if strings.Count(w.text(), "enter") == 400 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	w.end(t)
	if got := strings.Count(w.text(), "enter"); got != 400 {
		t.Errorf("%d enter, want 400", got)
	}
	for i, id := range w.ids {
		if i > 0 && id <= w.ids[i-1] {
			t.Fatalf("ID %d comes after %d", id, w.ids[i-1])
		}
	}
}

func TestWatchRefusals(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	for i, after := range []uint64{17, 1 << 60} { // from before the first event, and of another store
		w := startWatch(t, r, "a=b", after, nil)
		if err := <-w.done; !errors.Is(err, registry.ErrTooOld) {
			t.Errorf("after %d: %v", after, err)
		}
		register(t, r, registry.Registration{Identity: fmt.Sprint("db", i)})
	}
	for _, q := range []string{"changed os within 2d", "a=b and identity in { c }"} {
		w := startWatch(t, r, q, 0, nil)
		if err := <-w.done; err == nil || !strings.Contains(err.Error(), "can not be watched") {
			t.Errorf("%s: %v", q, err)
		}
	}
}
