package registry_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"muster/registry"
)

// smallValue is one of few values, so that two are often alike.
func smallValue(r *rand.Rand, depth int) any {
	switch r.IntN(11) {
	case 0:
		return nil
	case 1:
		return r.IntN(2) == 0
	case 2:
		return int64(r.IntN(2))
	case 3:
		return float64(r.IntN(2))
	case 4:
		return json.Number("1e400")
	case 5:
		return time.Unix(int64(r.IntN(2)), 0).UTC()
	case 6, 7:
		return []string{"", "0", "1"}[r.IntN(3)]
	case 8:
		list := make([]any, r.IntN(3))
		for i := range list {
			list[i] = smallValue(r, depth-1)
		}
		return list
	}
	return smallFacts(r, depth-1)
}

func smallFacts(r *rand.Rand, depth int) map[string]any {
	facts := map[string]any{}
	for range r.IntN(3) {
		key := []string{"a", "b", "used"}[r.IntN(3)]
		if facts[key] = int64(r.IntN(2)); depth > 0 {
			facts[key] = smallValue(r, depth)
		}
	}
	return facts
}

// TestFingerprintsAgreeWithTheHash: what is new by the one is new by the other,
// and readers see what was said last.
func TestFingerprintsAgreeWithTheHash(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	now := noon
	one, err := registry.Open(t.Context(), registry.Config{Volatile: []string{"used", "*.used"}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer shut(t, one)
	alike := 0
	for i := range 4000 {
		id := fmt.Sprint("n", i)
		hashOf := func(facts map[string]any, classes []string, restart bool) (string, bool) {
			if restart {
				id += "again" // the registry has no fingerprint of it
			}
			receipt := register(t, one, registry.Registration{Identity: id, Facts: facts, Classes: classes})
			n, _ := one.Node(id)
			if got, want := fmt.Sprint(n.Facts), fmt.Sprint(facts); len(facts) > 0 && got != want {
				t.Fatalf("readers see %s, want %s", got, want)
			}
			return n.Sections[registry.Daemon].Hash, receipt.Changed
		}
		a, b := smallFacts(random, 2), smallFacts(random, 2)
		classes := [][]string{nil, {"a"}, {"a", "b"}}
		ca, cb := classes[random.IntN(3)], classes[random.IntN(3)]
		first, _ := hashOf(a, ca, false)
		_, changed := hashOf(b, cb, false)
		second, _ := hashOf(b, cb, true)
		if changed != (first != second) {
			t.Fatalf("%v %v after %v %v: changed %v, hashes %s and %s", b, cb, a, ca, changed, first, second)
		}
		if !changed {
			alike++
		}
	}
	if alike < 50 {
		t.Errorf("only %d pairs are alike", alike)
	}
}
