package index_test

import (
	"flag"
	"maps"
	"slices"
	"strings"
	"testing"

	"muster/query"
	"muster/registry/index"
)

// world is an index and the documents that were put into it.
type world struct {
	ix   *index.Index
	docs map[string]*query.Document
	puts int
}

func newWorld() *world {
	w := &world{docs: map[string]*query.Document{}}
	w.ix = index.New(index.Config{Load: func(id string) *query.Document { return w.docs[strings.ToLower(id)] }})
	return w
}

// put puts a document in, by turns as a whole and fact by fact.
func (w *world) put(doc *query.Document) {
	if w.puts++; w.puts%2 == 0 {
		w.ix.Put(doc)
	} else if _, err := w.ix.Fill(doc, func(f *index.Filler) error { fill(f, doc.Facts); return nil }); err != nil {
		panic(err) // it is that of the function
	}
	w.docs[strings.ToLower(doc.Identity)] = doc
}

// fill hands over facts, in order.
func fill(f *index.Filler, facts map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(facts)) {
		switch v := facts[key].(type) {
		case map[string]any:
			f.Enter(key)
			fill(f, v)
			f.Leave()
		case string:
			f.Text(key, v)
		case int64:
			f.Int(key, v)
		default:
			f.Value(key, v)
		}
	}
}

func (w *world) delete(id string) {
	w.ix.Delete(id)
	delete(w.docs, strings.ToLower(id))
}

// scan is the answer of Matches, document by document.
func (w *world) scan(e query.Expr) []string {
	var keys, names []string
	for key, doc := range w.docs {
		if query.Matches(e, doc, noon) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		names = append(names, w.docs[key].Identity)
	}
	return names
}

func (w *world) check(t *testing.T, e query.Expr) {
	t.Helper()
	set, err := w.ix.Find(t.Context(), e, noon)
	if err != nil {
		t.Fatal(err)
	}
	got, want := set.Identities(), w.scan(e)
	if slices.Equal(got, want) {
		return
	}
	for _, name := range append(slices.Clone(got), want...) {
		if slices.Contains(got, name) != slices.Contains(want, name) {
			t.Logf("%s (index: %t): %#v", name, slices.Contains(got, name), *w.docs[strings.ToLower(name)])
			break
		}
	}
	t.Fatalf("%#v\n%s:\ngot  %s\nwant %s", e, query.Tree(e), got, want)
}

var seeds = flag.Uint64("seeds", 150, "how many random worlds the index is compared with Matches in")

// The index says of every node what Matches says of its document, whatever is
// asked, also after nodes came, changed and went.
func TestSaysWhatMatchesSays(t *testing.T) {
	for seed := range *seeds {
		d := rolled(seed)
		w := newWorld()
		for range 4 {
			for range 1 + d.IntN(40) {
				w.put(d.document(d.IntN(60)))
			}
			for id := range w.docs {
				if d.IntN(6) == 0 {
					w.delete(id)
				}
			}
			if w.ix.Len() != len(w.docs) {
				t.Fatalf("seed %d: %d nodes, want %d", seed, w.ix.Len(), len(w.docs))
			}
			for range 60 {
				w.check(t, d.expr(2))
			}
		}
	}
}
