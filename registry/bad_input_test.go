package registry_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

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
// and long values are bounded in the names, and never lose the node.
func TestRestlessFacts(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	values := []any{int64(1), "1", 1.5, true, nil, []any{"x"}, map[string]any{"y": "z"}, strings.Repeat("x", registry.MaxString), strings.Repeat("x", registry.MaxString+1)}
	for i := range 200 {
		now = now.Add(time.Minute)
		facts := map[string]any{fmt.Sprintf("veth%08x", i): "up", "restless": values[i%len(values)], "customer": "acme"}
		register(t, r, registry.Registration{Identity: "db1", Facts: facts})
		if a := find(t, r, "customer=acme", registry.Discovery{}); a.String() != "db1" {
			t.Fatalf("round %d: found %q", i, a.String())
		}
	}
	names, err := r.Names()
	if err != nil || len(names.Facts) < 3 || len(names.Facts) > 4 {
		t.Errorf("%d names, %v; want those of the last registration", len(names.Facts), err)
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
