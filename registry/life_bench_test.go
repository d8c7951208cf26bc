package registry_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"testing"
	"time"

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

// BenchmarkCatchUp is what it costs two registries to see that neither missed
// anything, for 10,000 nodes.
func BenchmarkCatchUp(b *testing.B) {
	open := func() *registry.Registry {
		r, err := registry.Open(b.Context(), registry.Config{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = r.Close() }) // it is in memory
		return r
	}
	r, neighbour := open(), open()
	const nodes = 10_000
	now := time.Now()
	for i := range nodes {
		reg := registry.Registration{Identity: fmt.Sprintf("node%05d.acme.net", i), Auth: "cert", Interval: time.Hour, Sequence: uint64(now.UnixNano()) + uint64(i), Sent: now, Facts: map[string]any{"i": int64(i)}}
		register(b, r, reg)
		register(b, neighbour, reg)
	}
	var heads bytes.Buffer
	if err := neighbour.Heads(b.Context(), &heads); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if c := catchUp(b, r, neighbour, false); c.Nodes != nodes || c.Fetched > 0 {
			b.Fatalf("%+v", c)
		}
	}
	b.ReportMetric(float64(heads.Len())/nodes, "B/node")
}
