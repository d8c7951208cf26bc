package registry

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"muster/registry/index"
)

// TestRowsAreSorted: rows hold what a map holds, in the order of the keys.
func TestRowsAreSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r rows
		model := map[string]*Head{}
		if n := rapid.IntRange(0, 3*longestRun).Draw(t, "filled"); n > 0 {
			var all []row
			for i := range n {
				h := &Head{key: fmt.Sprint("k", i*7919%n)}
				all, model[h.key] = append(all, rowOf(h, index.Place{})), h
			}
			r.fill(all)
		}
		for i, step := range rapid.SliceOfN(rapid.IntRange(0, 5*longestRun), 0, 3*longestRun).Draw(t, "steps") {
			h := &Head{key: fmt.Sprint("k", step)}
			switch known := r.get(h.key); {
			case i%3 == 0:
				if r.remove(h.key) != (model[h.key] != nil) {
					t.Fatalf("removing %s: it was there: %v", h.key, model[h.key] != nil)
				}
				delete(model, h.key)
			case known != nil:
				known.renew(h)
				model[h.key] = h
			default:
				r.insert(rowOf(h, index.Place{}))
				model[h.key] = h
			}
		}
		var keys []string
		for n := range r.all() {
			keys = append(keys, n.head.key)
			if model[n.head.key] != n.head {
				t.Fatalf("%s is another", n.head.key)
			}
		}
		if want := slices.Sorted(maps.Keys(model)); !slices.Equal(keys, want) || r.count != len(want) {
			t.Fatalf("%d rows, counted as %d; want %d in order", len(keys), r.count, len(want))
		}
	})
}
