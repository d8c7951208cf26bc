package index_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"muster/query"
	"muster/registry/index"
	"muster/registry/index/indextest"
)

var (
	nodes = flag.Int("nodes", 20_000, "how many nodes the benchmarks ask")
	slim  = flag.Bool("slim", false, "ask about small nodes")
)

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// timed reports the processor time of an operation beside the wall's.
func timed(b *testing.B, op func()) {
	b.Helper()
	b.ReportAllocs()
	start := cpu()
	for b.Loop() {
		op()
	}
	b.ReportMetric(float64(cpu()-start)/float64(b.N)/1000, "cpu-us/op")
}

func heap() uint64 {
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// fleet is an index over so many nodes as asked for on the command line.
func fleet(b *testing.B) *index.Index {
	b.Helper()
	f := indextest.Fleet{Slim: *slim}
	before := heap()
	ix := index.New(index.Config{})
	var spent time.Duration
	for i := range *nodes {
		doc := f.Node(i)
		start := cpu()
		ix.Put(doc)
		spent += cpu() - start
	}
	b.Logf("%d nodes: %d bytes and %v to put a node", *nodes, (heap()-before)/uint64(*nodes), spent/time.Duration(*nodes))
	return ix
}

var questions = []string{
	"not class=nothing",
	"os.family=Debian", "not os.family=RedHat", "rack=ams1-r07", "networking.ip=10.0.3.7",
	"os.family=Debian and environment=production and class=role::web_nginx", "customer=acme or customer=hooli or class=mysql::master",
	"processors.count >= 32", "memory.system.available_bytes < 1000000000", "kernelrelease=/el[789]/", "class=/^mysql/",
	"identity=/^web_nginx.*\\.fra1\\./", "identity=/9[0-9]\\.ams/", "identity=web_nginx17.fra1.acme2.example.net",
	"monitoring.groups=web_nginx", "networking.interfaces.*.ip=10.0.3.7", "networking.interfaces.*.bindings.*.address=10.0.3.7",
	"any networking.interfaces {ip = 10.0.3.7 and mtu = 1500}", "seen < 20m", "state=active",
}

func BenchmarkIndex(b *testing.B) {
	ix := fleet(b)
	now := indextest.Epoch
	for _, text := range questions {
		q, err := query.Parse("nq:"+text, query.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) {
			found := 0
			timed(b, func() {
				set, err := ix.Find(context.Background(), q.Filter, now)
				if err != nil {
					b.Fatal(err)
				}
				found = set.Len()
			})
			b.ReportMetric(float64(found), "nodes")
		})
	}
	everything := found(b, ix, "not class=nothing")
	debians := found(b, ix, "os.family=Debian")
	for _, name := range []string{"os.name", "rack", "memory.system.available_bytes"} {
		p := parse(b, "nq:"+name+"=x").Filter.(*query.Compare).Path
		b.Run("histogram "+name, func(b *testing.B) { timed(b, func() { everything.Histogram(p) }) })
		b.Run("histogram of some "+name, func(b *testing.B) { timed(b, func() { debians.Histogram(p) }) })
		b.Run("group by "+name, func(b *testing.B) { timed(b, func() { everything.Group([]query.Path{p}, nil, asItIs) }) })
	}
	b.Run("rack=, each after the other", func(b *testing.B) {
		var asked []query.Expr
		rack := parse(b, "nq:rack=x").Filter.(*query.Compare).Path
		for _, c := range everything.Histogram(rack) {
			asked = append(asked, parse(b, fmt.Sprint("nq:rack=", c.Value)).Filter)
		}
		n := 0
		timed(b, func() {
			n++
			if _, err := ix.Find(b.Context(), asked[n%len(asked)], now); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("facts", func(b *testing.B) { timed(b, func() { ix.Facts() }) })
	b.Run("names of all", func(b *testing.B) { timed(b, func() { everything.Identities() }) })
	benchmarkPut(b, ix)
}

func found(b *testing.B, ix *index.Index, text string) *index.Set {
	b.Helper()
	set, err := ix.Find(b.Context(), parse(b, "nq:"+text).Filter, indextest.Epoch)
	if err != nil {
		b.Fatal(err)
	}
	return set
}

func benchmarkPut(b *testing.B, ix *index.Index) {
	f := indextest.Fleet{Slim: *slim}
	doc := f.Node(7)
	b.Run("put identical", func(b *testing.B) { timed(b, func() { ix.Put(doc) }) })
	b.Run("put 10 changed", func(b *testing.B) {
		n := 0
		timed(b, func() {
			n++
			changed := *doc
			changed.Facts = maps.Clone(doc.Facts)
			for i, name := range []string{"rack", "tier", "owner", "kernelrelease", "serialnumber", "uuid", "uptime_seconds", "contact", "fqdn", "ipaddress"} {
				changed.Facts[name] = fmt.Sprint("changed", n*10+i)
			}
			ix.Put(&changed)
		})
	})
	moved := [2]*query.Document{f.Node(9), indextest.Fleet{Slim: *slim, Tick: 1}.Node(9)}
	b.Run("put volatile moved", func(b *testing.B) {
		n := 0
		timed(b, func() {
			n++
			ix.Put(moved[n%2])
		})
	})
	b.Run("touch", func(b *testing.B) { timed(b, func() { ix.Touch(doc.Identity, "stale", doc.Seen) }) })
}

// BenchmarkScan asks Matches about each document, for comparison.
func BenchmarkScan(b *testing.B) {
	const many = 1000
	f := indextest.Fleet{Slim: *slim}
	docs := make([]*query.Document, many)
	for i := range docs {
		docs[i] = f.Node(i)
	}
	for _, text := range questions {
		q, err := query.Parse("nq:"+text, query.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) {
			timed(b, func() {
				for _, doc := range docs {
					query.Matches(q.Filter, doc, indextest.Epoch)
				}
			})
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/many, "ns/node")
		})
	}
}
