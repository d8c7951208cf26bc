package registry_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"muster/registry"
)

// TestVolatileFactsAreNoChange: readers see them at once, and they are neither
// written nor counted as a change.
func TestVolatileFactsAreNoChange(t *testing.T) {
	now := noon
	memory := &registry.MemoryStore{}
	store := &failing{Store: memory}
	r := open(t, store, &now)
	facts := func(used, size int64) map[string]any {
		return map[string]any{
			"uptime_seconds": used,
			"load_averages":  map[string]any{"1m": float64(used)},
			"memory":         map[string]any{"system": map[string]any{"used_bytes": used, "total_bytes": size}},
			"mountpoints":    map[string]any{"/": map[string]any{"used": "x" + string(rune('a'+used)), "size_bytes": size}},
		}
	}
	register(t, r, registry.Registration{Identity: "db1", Facts: facts(1, 7)})
	for used := int64(2); used < 5; used++ {
		now = now.Add(time.Minute)
		if receipt := register(t, r, registry.Registration{Identity: "db1", Facts: facts(used, 7)}); receipt.Changed {
			t.Fatalf("used %d is a change", used)
		}
		if a := find(t, r, "uptime_seconds >= 2 and load_averages.1m > 1", registry.Discovery{}); a.String() != "db1" {
			t.Errorf("used %d: found %q", used, a.String())
		}
		n, _ := r.Node("db1")
		if v, _ := n.Value("memory.system.used_bytes"); v != used || !n.LastSeen.Equal(now) {
			t.Errorf("readers see %v at %v, want %d now", v, n.LastSeen, used)
		}
	}
	if store.puts != 1 {
		t.Errorf("%d writes, want the first alone", store.puts)
	}
	if receipt := register(t, r, registry.Registration{Identity: "db1", Facts: facts(5, 8)}); !receipt.Changed || store.puts != 2 {
		t.Errorf("another size: %+v, %d writes; want a change and two", receipt, store.puts)
	}
	again := open(t, memory, &now)
	if n, _ := again.Node("db1"); n.Facts["uptime_seconds"] != int64(5) {
		t.Errorf("stored are %v, want those of the last change", n.Facts)
	}
	if receipt := register(t, again, registry.Registration{Identity: "db1", Facts: facts(6, 8)}); receipt.Changed {
		t.Error("after a restart, volatile facts are a change")
	}
}

func TestVolatilePatterns(t *testing.T) {
	now := noon
	for _, c := range []struct {
		pattern, path string
		volatile      bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"a", "b.a", false}, {"facts.a", "a", true},
		{"a.b", "a.b", true}, {"a.b", "a.c", false}, {"a.b", "a", false}, {"a.b", "a.b.c", true},
		{"a.*", "a.b", true}, {"a.*.c", "a.b.c", true}, {"a.*.c", "a.b.d", false}, {"*.c", "a.c", true},
		{`a."b.c"`, "a.b.c", false}, {"a.b.c a.b", "a.b.d", true}, {"a.b a.b.c", "a.b.d", true},
		{"*.x a.y", "a.x", true}, {"*.x a.y", "a.y", true}, {"*.x a.y", "a.z", false}, {"*.x.y a.x", "a.x.z", true},
	} {
		r, err := registry.Open(t.Context(), registry.Config{Volatile: strings.Fields(c.pattern), Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		set := func(v string) map[string]any {
			parts := strings.Split(c.path, ".")
			m := map[string]any{parts[len(parts)-1]: v}
			for i := len(parts) - 2; i >= 0; i-- {
				m = map[string]any{parts[i]: m}
			}
			return m
		}
		register(t, r, registry.Registration{Identity: "db1", Facts: set("1")})
		if receipt := register(t, r, registry.Registration{Identity: "db1", Facts: set("2")}); receipt.Changed == c.volatile {
			t.Errorf("%s: %s is volatile: %v, want %v", c.pattern, c.path, !receipt.Changed, c.volatile)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "a..b", "a."} {
		if _, err := registry.Open(t.Context(), registry.Config{Volatile: []string{bad}}); err == nil || !strings.Contains(err.Error(), "empty part") {
			t.Errorf("pattern %q: %v", bad, err)
		}
	}
}

// TestTheUsualNodeIsQuiet: of a node as Facter describes it, what moves from
// one registration to the next is volatile.
func TestTheUsualNodeIsQuiet(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	reg := sampleNode(t)
	reg.Identity = "db1"
	register(t, r, reg)
	moved := maps.Clone(reg.Facts)
	found := 0
	for _, name := range []string{"uptime", "uptime_days", "uptime_seconds", "system_uptime", "load_averages", "memoryfree", "memoryfree_mb"} {
		if _, ok := moved[name]; ok {
			found++
			moved[name] = "moved"
		}
	}
	if found < 4 {
		t.Fatalf("the sample has %d of the usual moving facts", found)
	}
	reg.Facts = moved
	if receipt := register(t, r, reg); receipt.Changed {
		t.Error("it counts as a change")
	}
}

// TestLateWarningsAreSeen: what looks odd shows on a node that says nothing new.
func TestLateWarningsAreSeen(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	register(t, r, registry.Registration{Identity: "db1", Sent: now})
	register(t, r, registry.Registration{Identity: "db1", Sent: now.Add(48 * time.Hour)})
	if n, _ := r.Node("db1"); len(n.Warnings) != 1 || !strings.Contains(n.Warnings[0], "48h0m0s ahead") {
		t.Errorf("warnings %q, want that the clock is two days ahead", n.Warnings)
	}
}
