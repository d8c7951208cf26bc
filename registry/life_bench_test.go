package registry_test

import (
	"fmt"
	"maps"
	"testing"

	"muster/registry"
)

// BenchmarkRegisterVolatile: only what is volatile has moved.
func BenchmarkRegisterVolatile(b *testing.B) {
	now := noon
	r := open(b, nil, &now)
	sample := sampleNode(b)
	sample.Identity = "node"
	register(b, r, sample)
	variants := make([]map[string]any, 64)
	for i := range variants {
		variants[i] = maps.Clone(sample.Facts)
		variants[i]["uptime_seconds"] = int64(i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		reg := sample
		reg.Facts = variants[i%len(variants)]
		if receipt := register(b, r, reg); receipt.Changed {
			b.Fatal("it counts as a change")
		}
	}
}

// BenchmarkCensus is what a look at all nodes costs, twice a minute.
func BenchmarkCensus(b *testing.B) {
	now := noon
	r := open(b, nil, &now)
	for i := range 10_000 {
		register(b, r, registry.Registration{Identity: fmt.Sprint("n", i)})
	}
	for b.Loop() {
		now = now.Add(61_000_000_000) // so that the look is due
		if s := r.Stats().Life; s.States[registry.Active]+s.States[registry.Stale]+s.States[registry.Expired] != 10_000 {
			b.Fatalf("%v", s.States)
		}
	}
}
