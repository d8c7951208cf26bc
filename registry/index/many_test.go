package index_test

import (
	"fmt"
	"slices"
	"testing"

	"muster/query"
	"muster/registry/index"
)

// Columns of every form count what stands in the documents: few values and very
// many, numbers and texts, paths of all nodes and of few.
func TestManyDifferentValues(t *testing.T) {
	d := rolled(3)
	w := newWorld()
	for range 5000 {
		i := d.IntN(3000)
		facts := map[string]any{
			"few": fmt.Sprint("f", d.IntN(5)), "texts": fmt.Sprint("t", d.IntN(900)), "ints": int64(d.IntN(2600)),
			"mixed": one[any](d, int64(d.IntN(500)), float64(d.IntN(4000))/4, fmt.Sprint("m", d.IntN(3)), nil, true),
		}
		if d.IntN(30) == 0 {
			facts["rare"] = fmt.Sprint("r", d.IntN(50))
		}
		w.put(&query.Document{Identity: fmt.Sprint("n", i), Facts: facts})
	}
	for i := range 500 {
		w.delete(fmt.Sprint("n", i*5))
	}
	different := map[string]int{}
	for _, f := range w.ix.Facts() {
		different[f.Path] = f.Values
	}
	for _, filter := range []string{"not few = f9", "few = f1", "few in (f1, f2) and not texts = t7"} {
		set := w.find(t, parse(t, "nq:"+filter).Filter)
		for _, name := range []string{"few", "texts", "ints", "mixed", "rare", "none"} {
			p := parse(t, "nq:"+name+"=x").Filter.(*query.Compare).Path
			counts, nodes, nothing := map[string]int{}, 0, 0
			for _, doc := range w.docs {
				if !set.Has(doc.Identity) {
					continue
				}
				nodes++
				if v := doc.Facts[name]; v != nil {
					counts[jsonOf(v)]++
				} else {
					nothing++
				}
			}
			got := map[string]int{}
			for _, c := range set.Histogram(p) {
				got[jsonOf(c.Value)] = c.Nodes
			}
			if jsonOf(got) != jsonOf(counts) {
				t.Errorf("%s where %s:\ngot  %s\nwant %s", name, filter, jsonOf(got), jsonOf(counts))
			}
			if nothing > 0 {
				counts["null"] = nothing
			}
			if filter == "not few = f9" && name != "none" {
				want := len(counts)
				if _, null := counts["null"]; null && name != "mixed" { // there it is a value
					want--
				}
				if different[name] != min(want, index.MaxValues) {
					t.Errorf("%s has %d different values, want %d", name, different[name], want)
				}
			}
			groups, exact := set.Group([]query.Path{p}, nil, func(v any) any { return v })
			got = map[string]int{}
			var keys []string
			for _, g := range groups {
				keys = append(keys, jsonOf(g.Values))
				got[jsonOf(g.Values[0])] = g.Nodes
			}
			if !exact || !slices.IsSorted(keys) || jsonOf(got) != jsonOf(counts) {
				t.Errorf("groups by %s where %s (of %d nodes, exact: %t):\ngot  %s\nwant %s", name, filter, nodes, exact, jsonOf(got), jsonOf(counts))
			}
		}
	}
}
