package registry_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"muster/query"
	"muster/registry"
)

// TestAHundredThousandNames: the excess is left out with a warning, the node
// is kept, and names that are gone are forgotten.
func TestAHundredThousandNames(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	for round := range 3 {
		facts := map[string]any{"customer": "acme"}
		for i := range 100_000 {
			facts[fmt.Sprintf("n%d_%d", round, i)] = int64(i)
		}
		receipt := register(t, r, registry.Registration{Identity: "noisy", Facts: facts})
		if !strings.Contains(strings.Join(receipt.Warnings, ";"), "beyond the limit of 20000 were left out") {
			t.Errorf("round %d: warnings %q", round, receipt.Warnings)
		}
		if a := find(t, r, "customer=acme", registry.Discovery{}); a.String() != "noisy" {
			t.Errorf("round %d: found %q", round, a.String())
		}
		names, err := r.Names()
		if err != nil || len(names.Facts) > registry.MaxPaths {
			t.Errorf("round %d: %d names, %v; want those of the last registration at most", round, len(names.Facts), err)
		}
	}
}

// TestRestlessFacts: a name that never repeats, a type that changes each time
// and long values are bounded, in the names and in memory, are told of on the
// node, and never lose it.
func TestRestlessFacts(t *testing.T) {
	long := strings.Repeat("x", registry.MaxString)
	types := []any{int64(1), "1", 1.5, true, nil, []any{"x"}, map[string]any{"y": "z"}, []any{int64(1), "2"}}
	for name, fact := range map[string]func(i int) (string, any){
		"a name that never repeats": func(i int) (string, any) { return fmt.Sprintf("veth%08x", i), "up" },
		"another type each time":    func(i int) (string, any) { return "restless", types[i%len(types)] },
		"64 KB values":              func(i int) (string, any) { return "long", fmt.Sprint(i, long)[:registry.MaxString] },
	} {
		t.Run(name, func(t *testing.T) {
			now := noon
			r := open(t, &failing{Store: &registry.MemoryStore{}}, &now) // without history, which is kept on disk
			say := func(i int) registry.Receipt {
				now = now.Add(time.Minute)
				key, value := fact(i)
				receipt := register(t, r, registry.Registration{Identity: "db1", Facts: map[string]any{key: value, "customer": "acme"}})
				if a := find(t, r, "customer=acme", registry.Discovery{}); a.String() != "db1" {
					t.Fatalf("round %d: found %q", i, a.String())
				}
				return receipt
			}
			for i := range 200 {
				say(i)
			}
			before := heap()
			for i := range 400 {
				say(200 + i)
			}
			if grown := heap() - before; grown > 2<<20 {
				t.Errorf("400 registrations made the heap %d KB larger", grown>>10)
			}
			names, err := r.Names()
			if err != nil || len(names.Facts) > 4 {
				t.Errorf("%d names, %v; want those of the last registration", len(names.Facts), err)
			}
			n, _ := r.Node("db1")
			key, _ := fact(600)
			if told := say(600).Warnings; len(n.Warnings) != 1 || !strings.Contains(n.Warnings[0], "each of the last 10 registrations changed something, such as ") || !strings.Contains(told[0], "such as "+key) && !strings.Contains(told[0], "such as veth") {
				t.Errorf("the node has %q, and was told %q", n.Warnings, told)
			}
			if told := say(600).Warnings; len(told) != 0 {
				t.Errorf("at rest it is told %q", told)
			}
			if n, _ := r.Node("db1"); len(n.Warnings) != 0 {
				t.Errorf("at rest the node has %q", n.Warnings)
			}
		})
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // what pools held goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestValuesTooLong are left out with a warning; those just within are kept, and
// found.
func TestValuesTooLong(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	most := strings.Repeat("x", registry.MaxString)
	receipt := register(t, r, registry.Registration{Identity: "db1", Facts: map[string]any{"within": most, "beyond": most + "x", "inside": []any{most + "x"}, "customer": "acme"}})
	if len(receipt.Warnings) != 1 || !strings.Contains(receipt.Warnings[0], "2 facts with more than 65536 bytes of text were left out") {
		t.Errorf("warnings %q", receipt.Warnings)
	}
	if a := find(t, r, "customer=acme and exists within and not exists beyond and not exists inside", registry.Discovery{}); a.String() != "db1" {
		t.Errorf("found %q", a.String())
	}
	q, err := query.Parse("within = $v", query.Options{Named: map[string]any{"v": most}})
	if err != nil {
		t.Fatal(err)
	}
	if a, err := r.Find(t.Context(), registry.Discovery{Query: q}); err != nil || a.String() != "db1" {
		t.Errorf("by the long value itself: %q, %v", a.String(), err)
	}
}

// TestAClockTwoDaysOff: the node is kept, with a warning; its age is by the
// registry's clock, its order by its own.
func TestAClockTwoDaysOff(t *testing.T) {
	for name, off := range map[string]time.Duration{"ahead": 48 * time.Hour, "behind": -48 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			now := noon
			r := open(t, nil, &now)
			for i := range 5 {
				now = now.Add(5 * time.Minute)
				sent := now.Add(off)
				receipt := register(t, r, registry.Registration{Identity: "db1", Interval: 5 * time.Minute, Sent: sent, Sequence: uint64(sent.UnixNano()), Facts: map[string]any{"i": int64(i)}})
				n, _ := r.Node("db1")
				if n.Facts["i"] != int64(i) || n.State != registry.Active || !n.LastSeen.Equal(now) {
					t.Errorf("registration %d: the node is %s at %v, and says %v", i, n.State, n.LastSeen, n.Facts)
				}
				if text := strings.Join(n.Warnings, ";"); !strings.Contains(text, "48h0m0s "+name) || len(receipt.Warnings) == 0 {
					t.Errorf("registration %d: warnings %q", i, n.Warnings)
				}
			}
			now = now.Add(16 * time.Minute)
			if n, _ := r.Node("db1"); n.State != registry.Stale {
				t.Errorf("silent it is %s", n.State)
			}
		})
	}
}

// TestOutOfOrder: what comes late is refused, listed, and changes nothing.
func TestOutOfOrder(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	newest := uint64(0)
	for i, sequence := range []uint64{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3} {
		_, err := r.Register(t.Context(), registry.Registration{Identity: "db1", Sequence: sequence, Facts: map[string]any{"n": int64(i), "sequence": int64(sequence)}})
		if late := sequence <= newest; late != (err != nil) {
			t.Errorf("sequence %d after %d: %v", sequence, newest, err)
		}
		newest = max(newest, sequence)
		if n, _ := r.Node("db1"); n.Facts["sequence"] != int64(newest) {
			t.Errorf("after sequence %d the node is at %v", sequence, n.Facts["sequence"])
		}
	}
	if s := r.Stats(); s.Refused[registry.ReasonOlder] != 12 {
		t.Errorf("%d were refused, want 12", s.Refused[registry.ReasonOlder])
	}
}
