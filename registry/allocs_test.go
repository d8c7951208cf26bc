package registry_test

import (
	"fmt"
	"testing"

	"muster/query"
	"muster/registry"
)

// TestHotPathsAllocateLittle are gates: what questions cost must not grow unseen,
// and above all not with the number of nodes.
func TestHotPathsAllocateLittle(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	const nodes = 500
	for i := range nodes {
		register(t, r, registry.Registration{
			Identity: fmt.Sprintf("node%03d.example.net", i), Classes: []string{"web"},
			Facts: map[string]any{"rack": fmt.Sprint("r", i%10), "os": map[string]any{"family": "Debian"}, "cpus": int64(i % 8)},
		})
	}
	ask := func(text string) registry.Discovery {
		q, err := query.Parse(text, query.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return registry.Discovery{Query: q, States: anyState(t)}
	}
	for _, c := range []struct {
		what string
		most float64
		do   func(d registry.Discovery) error
		text string
	}{
		{"the set of an equality", 80, func(d registry.Discovery) error { _, err := r.Count(t.Context(), d); return err }, "rack=r7"},
		{"the set of two facts and a class", 180, func(d registry.Discovery) error { _, err := r.Count(t.Context(), d); return err }, "rack=r7 and os.family=Debian and class=web"},
		{"all names of an equality", 100, func(d registry.Discovery) error { _, err := r.Find(t.Context(), d); return err }, "os.family=Debian"},
		{"a histogram", 280, func(d registry.Discovery) error { _, err := r.Histogram(t.Context(), d, "rack"); return err }, "os.family=Debian"},
	} {
		d := ask(c.text)
		if n := testing.AllocsPerRun(50, func() {
			if err := c.do(d); err != nil {
				t.Fatal(err)
			}
		}); n > c.most {
			t.Errorf("%s allocates %v times, want %v at most", c.what, n, c.most)
		} else {
			t.Logf("%s: %v allocations", c.what, n)
		}
	}
}
