package boltstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"muster/registry"
	"muster/registry/boltstore"
)

// usualNode is a node of usual size: 9 KB of JSON.
func usualNode(b testing.TB, i int) registry.Node {
	b.Helper()
	body, err := os.ReadFile("../testdata/node.json")
	if err != nil {
		b.Fatal(err)
	}
	reg, err := registry.DecodeRegistration(body)
	if err != nil {
		b.Fatal(err)
	}
	reg.Identity = fmt.Sprintf("node%05d.example.net", i)
	id, section, err := registry.Normalize(reg, time.Unix(1700000000, 0))
	if err != nil {
		b.Fatal(err)
	}
	return registry.NewNode(id, time.Unix(1700000000, 0), map[registry.Source]*registry.Section{registry.Daemon: section})
}

// BenchmarkPut: one node after another, and many at once, which share commits.
func BenchmarkPut(b *testing.B) {
	nodes := make([]registry.Node, 1000)
	for i := range nodes {
		nodes[i] = usualNode(b, i)
	}
	for _, writers := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "nodes.db"))
			defer closeStore(b, s)
			var next atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(max(1, writers/runtime.GOMAXPROCS(0)))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := s.Put(b.Context(), nodes[next.Add(1)%int64(len(nodes))]); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// BenchmarkOpenAndLoad is a restart with 2,000 nodes.
func BenchmarkOpenAndLoad(b *testing.B) {
	const nodes = 2000
	path := filepath.Join(b.TempDir(), "nodes.db")
	s := open(b, path)
	for i := range nodes / 500 {
		var batch []registry.Node
		for j := range 500 {
			batch = append(batch, usualNode(b, i*500+j))
		}
		if err := s.Put(b.Context(), batch...); err != nil {
			b.Fatal(err)
		}
	}
	closeStore(b, s)
	for b.Loop() {
		s, err := boltstore.Open(b.Context(), path)
		if err != nil {
			b.Fatal(err)
		}
		opened, loaded := b.Elapsed(), 0
		if err := s.Load(b.Context(), func(registry.Node) error { loaded++; return nil }); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64((b.Elapsed()-opened).Microseconds())/float64(loaded), "us/node")
		closeStore(b, s)
	}
}
