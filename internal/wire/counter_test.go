package wire_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/wire"
)

func mustOpenCounter(tb testing.TB, path string, now func() time.Time) *wire.Counter {
	tb.Helper()
	c, err := wire.OpenCounter(path, now)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func mustNext(tb testing.TB, c *wire.Counter) uint64 {
	tb.Helper()
	n, err := c.Next()
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func TestCounter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sequence")
	at := noon
	now := func() time.Time { return at }
	c := mustOpenCounter(t, path, now)
	first := uint64(noon.UnixNano())
	steps := []struct {
		name string
		do   func()
		want uint64
	}{
		{"the clock", func() {}, first},
		{"the same moment", func() {}, first + 1},
		{"later", func() { at = noon.Add(time.Second) }, first + 1e9},
		{"set back an hour", func() { at = noon.Add(-time.Hour) }, first + 1e9 + 1},
		{"before 1970", func() { at = time.Unix(-5, 0) }, first + 1e9 + 2},
		{"another process", func() { c = mustOpenCounter(t, path, now) }, first + 1e9 + 3},
		{"right again", func() { at = noon.Add(time.Minute) }, first + 60e9},
	}
	for _, step := range steps {
		step.do()
		if got := mustNext(t, c); got != step.want {
			t.Errorf("%s: got %d, want %d", step.name, got, step.want)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
}

// Several processes, each of several goroutines, never give a number twice,
// though the clock stands still.
func TestCounterShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sequence")
	stopped := func() time.Time { return noon }
	const processes, goroutines, each = 3, 2, 10
	var mu sync.Mutex
	var got []uint64
	var all sync.WaitGroup
	for range processes {
		c := mustOpenCounter(t, path, stopped)
		for range goroutines {
			all.Go(func() {
				last := uint64(0)
				for range each {
					n, err := c.Next()
					if err != nil || n <= last {
						t.Errorf("got %d after %d, %v", n, last, err)
					}
					last = n
					mu.Lock()
					got = append(got, n)
					mu.Unlock()
				}
			})
		}
	}
	all.Wait()
	slices.Sort(got)
	if len(slices.Compact(got)) != processes*goroutines*each {
		t.Errorf("got numbers twice: %v", got)
	}
}

func TestCounterWithoutAFile(t *testing.T) {
	c := mustOpenCounter(t, "", func() time.Time { return noon })
	if a, b := mustNext(t, c), mustNext(t, c); b != a+1 {
		t.Errorf("got %d, %d", a, b)
	}
	if mustNext(t, mustOpenCounter(t, "", nil)) == 0 {
		t.Error("without a clock: got 0")
	}
}

// A disk that fails costs the promise, not the number.
func TestCounterGoesOnWithoutADisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	c := mustOpenCounter(t, filepath.Join(dir, "sequence"), func() time.Time { return noon })
	a, errA := c.Next()
	b, errB := c.Next()
	if errA == nil || errB == nil || a == 0 || b != a+1 {
		t.Errorf("got %d, %v, then %d, %v", a, errA, b, errB)
	}
}

func TestCounterRefusesDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sequence")
	for _, text := range []string{"", "x", "-1", "99999999999999999999"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := wire.OpenCounter(path, nil); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: got %v, want an error that names the file", text, err)
		}
	}
	if err := os.WriteFile(path, strconv.AppendUint(nil, math.MaxUint64-1, 10), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := mustNext(t, mustOpenCounter(t, path, nil)); got != math.MaxUint64 {
		t.Errorf("got %d, want %d", got, uint64(math.MaxUint64))
	}
}
