package index_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"muster/query"
	"muster/registry/index"
)

// sorted are the documents of w, by identity.
func (w *world) sorted() []*query.Document {
	var docs []*query.Document
	for _, key := range slices.Sorted(maps.Keys(w.docs)) {
		docs = append(docs, w.docs[key])
	}
	return docs
}

// short leaves out what the index does not keep whole.
func short(doc *query.Document) bool {
	text, err := json.Marshal(doc)
	return err == nil && len(text) < 4000
}

func crowd(d dice, n int) *world {
	w := newWorld()
	for i := range n {
		if doc := d.document(i); short(doc) {
			doc.Facts["n"] = one[any](d, int64(i), float64(i)/2, "text", nil)
			w.put(doc)
		}
	}
	return w
}

// Grouping and aggregates say what the query's own rows say.
func TestGroupsAsRowsDo(t *testing.T) {
	for seed := range uint64(100) {
		d := rolled(seed)
		w := crowd(d, 60)
		for range 20 {
			q := query.Query{Filter: query.All{}}
			for range 1 + d.IntN(2) {
				p := d.path()
				if d.IntN(3) == 0 {
					p = query.Path{Field: one(d, "state", "classes", "identity", "seen", "fact")}
				}
				if slices.ContainsFunc(p.Steps, func(s query.Step) bool { return s.Kind == "deep" }) {
					continue
				}
				q.GroupBy = append(q.GroupBy, p)
			}
			of := query.Path{Field: "facts", Steps: []query.Step{{Kind: "name", Key: "n", Pos: -1}}}
			columns := []query.Column{{Func: "count", Path: of}, {Func: "sum", Path: of}, {Func: "avg", Path: of}}
			for _, p := range q.GroupBy {
				q.Select = append(q.Select, query.Column{Path: p})
			}
			q.Select = append(q.Select, query.Column{Func: "count"})
			q.Select = append(q.Select, columns...)
			_, rows := q.Rows(slices.Values(w.sorted()), noon)
			set := w.find(t, query.All{})
			var got [][]any
			groups, _ := set.Group(q.GroupBy, columns, asItIs)
			for _, g := range groups {
				got = append(got, slices.Concat(g.Values, []any{int64(g.Nodes)}, g.Of))
			}
			if len(q.GroupBy) > 0 && len(w.docs) > 0 && lines(rows) != lines(got) {
				t.Fatalf("seed %d: %v\ngot  %s\nwant %s", seed, q.GroupBy, lines(got), lines(rows))
			}
			for i := range rows {
				rows[i] = rows[i][:len(q.GroupBy)+1]
			}
			got = nil
			groups, _ = set.Group(q.GroupBy, nil, asItIs)
			for _, g := range groups {
				got = append(got, append(g.Values, int64(g.Nodes)))
			}
			if len(q.GroupBy) > 0 && lines(rows) != lines(got) {
				t.Fatalf("seed %d: the nodes of %v\ngot  %s\nwant %s", seed, q.GroupBy, lines(got), lines(rows))
			}
		}
	}
}

func asItIs(v any) any { return v }

func lines(rows [][]any) string {
	var all []string
	for _, row := range rows {
		text, err := json.Marshal(row)
		if err != nil {
			return err.Error()
		}
		all = append(all, string(text))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

func (w *world) find(t *testing.T, e query.Expr) *index.Set {
	t.Helper()
	set, err := w.ix.Find(t.Context(), e, noon)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func parse(t testing.TB, text string) *query.Query {
	t.Helper()
	q, err := query.Parse(text, query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestLeastAndGreatest(t *testing.T) {
	w := newWorld()
	for i, v := range []any{int64(3), "x", 2.5, json.Number("99999999999999999999"), nil} {
		w.put(&query.Document{Identity: "n" + string(rune('a'+i)), Facts: map[string]any{"v": v, "t": "text"}})
	}
	v := parse(t, "nq:v=1").Filter.(*query.Compare).Path
	text := parse(t, "nq:t=1").Filter.(*query.Compare).Path
	groups, _ := w.find(t, query.All{}).Group(nil, []query.Column{{Func: "min", Path: v}, {Func: "max", Path: v}, {Func: "min", Path: text}, {Func: "sum", Path: text}}, asItIs)
	want := `[2.5,99999999999999999999,"text",null]`
	if got, err := json.Marshal(groups[0].Of); err != nil || string(got) != want || len(groups) != 1 {
		t.Errorf("got %s, %d groups, %v; want %s", got, len(groups), err, want)
	}
}

// Histograms count what each document leads to.
func TestHistogram(t *testing.T) {
	for seed := range uint64(60) {
		d := rolled(seed)
		w := crowd(d, 80)
		filter := d.expr(1)
		set := w.find(t, filter)
		for _, p := range []query.Path{d.path(), {Field: "classes"}, {Field: "state"}, {Field: "agents"}} {
			if slices.ContainsFunc(p.Steps, func(s query.Step) bool { return s.Kind != "name" }) {
				continue
			}
			want := map[string]int{}
			for _, doc := range w.docs {
				if !query.Matches(filter, doc, noon) {
					continue
				}
				q := query.Query{Filter: query.All{}, Select: []query.Column{{Path: p}}}
				_, rows := q.Rows(slices.Values([]*query.Document{doc}), noon)
				values := []any{rows[0][0]}
				if p.Field == "classes" || p.Field == "agents" {
					values = rows[0][0].([]any)
				}
				for _, v := range values {
					if v != nil {
						want[jsonOf(v)]++
					}
				}
			}
			got := map[string]int{}
			last := len(w.docs)
			for _, c := range set.Histogram(p) {
				got[jsonOf(c.Value)] = c.Nodes
				if c.Nodes > last {
					t.Errorf("%s: the most frequent do not come first", p)
				}
				last = c.Nodes
			}
			if !maps.Equal(got, want) || set.Distinct(p) != len(want) {
				t.Fatalf("seed %d: %s\ngot  %v\nwant %v", seed, p, got, want)
			}
		}
	}
}

func jsonOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Names and facts count what documents hold, also after changes.
func TestNames(t *testing.T) {
	for seed := range uint64(40) {
		d := rolled(seed)
		w := crowd(d, 40)
		for range 30 {
			if doc := d.document(d.IntN(40)); short(doc) {
				w.put(doc)
			}
			w.delete(one(d, w.sorted()...).Identity)
		}
		classes, facts := map[string]int{}, map[string]int{}
		for _, doc := range w.docs {
			for _, class := range doc.Classes {
				classes[class]++
			}
			paths := map[string]bool{}
			pathsOf(paths, "", doc.Facts)
			for path := range paths {
				facts[path]++
			}
		}
		if got := w.ix.Names("class"); !maps.Equal(got, classes) {
			t.Fatalf("seed %d: classes %v, want %v", seed, got, classes)
		}
		got := w.ix.Names("fact")
		// A name with a dot and a path can read alike; such nodes may count twice.
		for path := range facts {
			if got[path] < facts[path] || !strings.HasPrefix(path, "a.b") && !strings.HasPrefix(path, "b.c") && got[path] != facts[path] {
				t.Fatalf("seed %d: %s is in %d nodes, want %d", seed, path, got[path], facts[path])
			}
		}
		if len(got) != len(facts) {
			t.Fatalf("seed %d: %v, want %v", seed, got, facts)
		}
	}
}

func pathsOf(paths map[string]bool, prefix string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, el := range v {
			paths[prefix+key] = true
			pathsOf(paths, prefix+key+".", el)
		}
	case []any:
		for _, el := range v {
			pathsOf(paths, prefix, el)
		}
	}
}

func TestFacts(t *testing.T) {
	w := newWorld()
	for i, v := range []any{"x", "x", int64(4), 4.5, map[string]any{"k": true}} {
		w.put(&query.Document{Identity: "n" + string(rune('a'+i)), Facts: map[string]any{"v": v}})
	}
	got := w.ix.Facts()
	want := []index.Fact{{Path: "v", Types: []string{"number", "text", "object"}, Nodes: 5, Values: 4}, {Path: "v.k", Types: []string{"boolean"}, Nodes: 1, Values: 1}}
	if jsonOf(got) != jsonOf(want) {
		t.Errorf("got %s, want %s", jsonOf(got), jsonOf(want))
	}
	if values := w.ix.Values("v"); !maps.Equal(values, map[string]int{"x": 2, "4": 1, "4.5": 1}) {
		t.Errorf("values %v", values)
	}
}
