package index_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"muster/query"
	"muster/registry/index"
	"muster/registry/index/indextest"
)

// grew says by how many bytes the live heap is larger after f.
func grew(f func()) int64 {
	live := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := live()
	f()
	return live() - before
}

// Names, types and texts that never repeat leave nothing behind.
func TestMemoryIsBounded(t *testing.T) {
	long := strings.Repeat("x", 64<<10)
	for name, facts := range map[string]func(i, node int) map[string]any{
		"names that never repeat": func(i, node int) map[string]any {
			return map[string]any{fmt.Sprintf("veth%x", i*1000+node): map[string]any{"mtu": int64(i)}, "class": "x"}
		},
		"types that change": func(i, node int) map[string]any {
			return map[string]any{"v": []any{int64(i), fmt.Sprint("text", i, node), true, []any{fmt.Sprint(i, node)}, map[string]any{"a": int64(i)}}[i%5]}
		},
		"long texts": func(i, node int) map[string]any {
			return map[string]any{"v": fmt.Sprint("t", i*1000+node, long)}
		},
		"keys in lists that never repeat": func(i, node int) map[string]any {
			return map[string]any{"v": []any{map[string]any{fmt.Sprint("k", i*1000+node): int64(1)}}}
		},
		"numbers that never repeat": func(i, node int) map[string]any {
			return map[string]any{"v": int64(i*1000 + node), "w": float64(i) + float64(node)/1000}
		},
	} {
		ix := index.New(index.Config{})
		round := func(i int) {
			for node := range 200 {
				doc := &query.Document{Identity: fmt.Sprint("n", node), Facts: facts(i, node), Classes: []string{fmt.Sprint("c", i, node)}}
				if i%2 == 0 {
					ix.Put(doc)
				} else if _, err := ix.Fill(doc, func(f *index.Filler) error { fill(f, doc.Facts); return nil }); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i := range 10 {
			round(i)
		}
		more := grew(func() {
			for i := range 60 {
				round(10 + i)
			}
		})
		if more > 256<<10 {
			t.Errorf("%s: 60 rounds of 200 nodes left %d KB", name, more>>10)
		}
		runtime.KeepAlive(ix)
	}
}

// What is too much to be kept is answered from documents.
func TestTooMuch(t *testing.T) {
	w := newWorld()
	many := map[string]any{"rack": "r1"}
	for i := range 20_000 {
		many[fmt.Sprint("fact", i)] = int64(i)
	}
	list := make([]any, 5_000)
	for i := range list {
		list[i] = int64(i)
	}
	var classes []string
	for i := range 20_000 {
		classes = append(classes, fmt.Sprint("class", i))
	}
	w.put(&query.Document{Identity: "many", Facts: many})
	w.put(&query.Document{Identity: "list", Facts: map[string]any{"rack": "r1", "v": list}})
	w.put(&query.Document{Identity: "classes", Facts: map[string]any{"rack": "r1"}, Classes: classes})
	w.put(&query.Document{Identity: "usual", Facts: map[string]any{"rack": "r1", "v": []any{int64(4999)}}})
	ask := func() {
		t.Helper()
		for _, text := range []string{
			"rack=r1", "not rack=r1", "fact19999=19999", "v=4999", "not v=4999", "any v {element > 4998}", "class=class19999", "not class=class19999",
			"exists fact7", "class=/9$/ and not rack=r2", "v[4999]=4999", "rack=r1 or v=1",
		} {
			w.check(t, parse(t, "nq:"+text).Filter)
		}
	}
	ask()
	for _, name := range []string{"many", "list", "classes"} {
		w.put(&query.Document{Identity: name, Facts: map[string]any{"rack": "r2"}, Classes: []string{"class1"}})
	}
	ask()
}

// Columns keep their answers in every form that they take: a few cells, a
// byte a node, numbers, and codes.
func TestColumnsOfManyValues(t *testing.T) {
	w := newWorld()
	random := rand.New(rand.NewPCG(3, 4))
	kinds := []func() any{
		func() any { return random.Int64N(1e6) },
		func() any { return float64(random.IntN(1e6)) / 4 },
		func() any { return fmt.Sprint("text", random.IntN(1e6)) },
		func() any { return fmt.Sprint(random.IntN(9)) },
		func() any { return []any{fmt.Sprint("text", random.IntN(1e5))} },
	}
	for round := range 4 {
		for i := range 6000 {
			facts := map[string]any{"mixed": kinds[random.IntN(5)](), "number": kinds[0](), "text": kinds[2](), "digit": kinds[3](), "half": kinds[round]()}
			if i%50 == round {
				facts["rare"] = kinds[i%5]()
			}
			w.put(&query.Document{Identity: fmt.Sprint("n", random.IntN(6000)), Facts: facts})
		}
		for range 1500 {
			w.delete(fmt.Sprint("n", random.IntN(6000)))
		}
		for _, path := range []string{"mixed", "number", "text", "digit", "half", "rare"} {
			for _, test := range []string{"> 500000", "= 7", "!= 7", "= text777", "=~ 77", "between 100 and 5000", "> text5", "in (1, 2, text3)"} {
				if test == "between 100 and 5000" {
					test = ">= 100 and " + path + " <= 5000"
				}
				w.check(t, parse(t, "nq:"+path+" "+test).Filter)
			}
			w.check(t, parse(t, "nq:missing "+path).Filter)
		}
	}
}

// Readers see whole nodes while others write.
func TestReadersAndWriters(t *testing.T) {
	ix := index.New(index.Config{Load: func(string) *query.Document { return nil }})
	fleets := []indextest.Fleet{{}, {Tick: 1}, {Slim: true}}
	for i := range 60 {
		ix.Put(fleets[0].Node(i))
	}
	var filters []query.Expr
	for _, text := range questions {
		filters = append(filters, parse(t, "nq:"+text).Filter)
	}
	both := parse(t, "nq:customer=/./ and not contact=/./").Filter // every node has both
	ctx, stop := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	for reader := range 3 {
		wait.Go(func() {
			for i := reader; ctx.Err() == nil; i++ {
				set, err := ix.Find(t.Context(), filters[i%len(filters)], indextest.Epoch)
				if err != nil {
					t.Error(err)
					return
				}
				set.Identities()
				set.Histogram(query.Path{Field: "facts", Steps: []query.Step{{Kind: "name", Key: "rack", Pos: -1}}})
				ix.Names("fact")
				if set, err := ix.Find(t.Context(), both, indextest.Epoch); err != nil || set.Len() > 0 && !*slim {
					t.Errorf("half a node was seen: %v, %v", set.Identities(), err)
					return
				}
			}
		})
	}
	for round := range 8 {
		for i := range 60 {
			doc := fleets[round%3].Node(i)
			ix.Put(doc)
			ix.Touch(doc.Identity, "stale", doc.Seen)
			if i%7 == round%7 {
				ix.Delete(doc.Identity)
			}
		}
	}
	stop()
	wait.Wait()
}
