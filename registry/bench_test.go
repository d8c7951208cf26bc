package registry_test

import (
	"fmt"
	"maps"
	"os"
	"testing"

	"muster/query"
	"muster/registry"
)

// sampleNode is a registration of usual size: 9 KB of JSON, 290 leaves, 58
// classes.
func sampleNode(t testing.TB) registry.Registration {
	t.Helper()
	body, err := os.ReadFile("testdata/node.json")
	if err != nil {
		t.Fatal(err)
	}
	reg, err := registry.DecodeRegistration(body)
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

// fleetOf is a registry of n nodes that differ in a few facts.
func fleetOf(b *testing.B, n int) *registry.Registry {
	b.Helper()
	now := noon
	r := open(b, nil, &now)
	sample := sampleNode(b)
	for i := range n {
		reg := sample
		reg.Identity = fmt.Sprintf("node%05d.example.net", i)
		reg.Facts = maps.Clone(sample.Facts)
		reg.Facts["rack"] = fmt.Sprint("r", i%40)
		reg.Facts["number"] = int64(i)
		register(b, r, reg)
	}
	return r
}

func BenchmarkDecode(b *testing.B) {
	body, err := os.ReadFile("testdata/node.json")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := registry.DecodeRegistration(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRegister(b *testing.B) {
	b.Run("identical", func(b *testing.B) {
		r, reg := fleetOf(b, 100), sampleNode(b)
		b.ReportAllocs()
		for b.Loop() {
			register(b, r, reg)
		}
	})
	b.Run("changed", func(b *testing.B) {
		r, reg := fleetOf(b, 100), sampleNode(b)
		turns := make([]map[string]any, 2)
		for i := range turns {
			turns[i] = maps.Clone(reg.Facts)
			for f := range 10 {
				turns[i][fmt.Sprint("changing", f)] = int64(i)
			}
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			reg.Facts = turns[i%2]
			register(b, r, reg)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	const nodes = 10_000
	r := fleetOf(b, nodes)
	for _, text := range []string{
		"rack=r7",
		"rack=r7 and is_virtual=true and mysql::master",
		"not rack=r7",
		"number > 9000",
		"identity=/^node09.*/",
		"os.family=/^(Deb|Red)/",
	} {
		q, err := query.Parse(text, query.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Find(b.Context(), registry.Discovery{Query: q}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/nodes, "ns/node")
		})
	}
}
