package registry_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/query"
	"muster/registry"
)

// crowd is a registry of random nodes, of which some are stale, and its nodes as
// documents, by identity.
func crowd(t *rapid.T) (*registry.Registry, []*query.Document, time.Time) {
	now := noon
	r, err := registry.Open(t.Context(), registry.Config{Now: func() time.Time { return now }, Lifecycle: registry.Lifecycle{FreezeShare: -1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	value := rapid.Custom(func(t *rapid.T) any {
		return rapid.SampledFrom([]any{
			int64(1), int64(2), int64(10), 2.0, 0.1, 0.7, "2", "10", "x", "", true, nil, json.Number("99999999999999999999"),
			[]any{int64(1), "x"}, []any{}, map[string]any{"v": int64(1)}, []any{map[string]any{"v": "x"}, map[string]any{"v": int64(2)}},
		}).Draw(t, "value")
	})
	for i := range rapid.IntRange(0, 12).Draw(t, "nodes") {
		facts := map[string]any{}
		for _, name := range []string{"a", "b", "a.v"} {
			if rapid.IntRange(0, 3).Draw(t, "has") > 0 {
				facts[name] = value.Draw(t, name)
			}
		}
		reg := registry.Registration{
			Identity: fmt.Sprint("n", i), Facts: facts, Interval: time.Minute,
			Collectives: rapid.SampledFrom([][]string{nil, {"eu"}, {"eu", "us"}}).Draw(t, "collectives"),
			Classes:     rapid.SampledFrom([][]string{nil, {"web"}, {"db", "web"}}).Draw(t, "classes"),
		}
		if _, err := r.Register(t.Context(), reg); err != nil {
			t.Fatal(err)
		}
		if rapid.IntRange(0, 4).Draw(t, "pause") == 0 {
			now = now.Add(2 * time.Minute)
		}
	}
	states, err := registry.ParseStates("any")
	if err != nil {
		t.Fatal(err)
	}
	a, err := r.Find(t.Context(), registry.Discovery{States: states})
	if err != nil {
		t.Fatal(err)
	}
	var docs []*query.Document
	for _, found := range a.Nodes {
		n := found.Node()
		docs = append(docs, n.Document())
	}
	return r, docs, now
}

// some draws a discovery, and returns it with the documents that it is about.
func some(t *rapid.T, docs []*query.Document, q *query.Query, now time.Time) (registry.Discovery, []*query.Document) {
	d := registry.Discovery{
		Query:       q,
		States:      rapid.SampledFrom([][]registry.State{nil, {registry.Active}, {registry.Stale}, {registry.Active, registry.Stale, registry.Expired, registry.Deactivated}}).Draw(t, "states"),
		Collectives: rapid.SampledFrom([][]string{nil, {"us"}, {"us", "eu"}}).Draw(t, "of"),
	}
	states := d.States
	if states == nil {
		states = []registry.State{registry.Active, registry.Stale}
	}
	var kept []*query.Document
	for _, doc := range docs {
		member := len(d.Collectives) == 0 || slices.ContainsFunc(d.Collectives, func(c string) bool { return slices.Contains(doc.Collectives, c) })
		if member && slices.Contains(states, registry.State(doc.State)) && query.Matches(q.Filter, doc, now) {
			kept = append(kept, doc)
		}
	}
	return d, kept
}

var filters = []string{"*", "a=x", "a=1 or b=x", "not a=1", "class=web", "state=stale or b=2", "a > 1"}

// TestRowsAreThoseOfTheDocuments: what the index counts and what is put together
// of it says what the query says of whole documents.
func TestRowsAreThoseOfTheDocuments(t *testing.T) {
	selects := []string{
		"select count()", "group by a", "select a, count() | group by a", "select count(), sum(a), avg(a), min(a), max(a)",
		"select b, count(), sum(a), avg(a), min(a), max(a) | group by b", "select a, b, count() | group by a, b",
		"select a.v, count() | group by a.v", "select state, count() | group by state", "select classes, count() | group by classes",
		"select identity, a, b", "select identity, state, classes", "select min(seen), max(seen)",
	}
	orders := []string{"", " | order by a desc", " | order by count() desc", " | limit 2"}
	rapid.Check(t, func(t *rapid.T) {
		r, docs, now := crowd(t)
		for _, sel := range selects {
			text := rapid.SampledFrom(filters).Draw(t, "filter") + " | " + sel + rapid.SampledFrom(orders).Draw(t, "order")
			q, err := query.Parse(text, query.Options{})
			if err != nil {
				t.Fatal(err)
			}
			d, kept := some(t, docs, q, now)
			all := *q
			all.Filter = query.All{}
			columns, rows := all.Rows(slices.Values(kept), now)
			table, err := r.Rows(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			got, want := fmt.Sprintf("%q %#v", table.Columns, table.Rows), fmt.Sprintf("%q %#v", columns, rows)
			if got != want && len(rows)+len(table.Rows) > 0 {
				t.Fatalf("%s\ngot  %s\nwant %s", text, got, want)
			}
		}
	})
}

func TestHistogramsAreThoseOfTheNodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, docs, now := crowd(t)
		text := rapid.SampledFrom(filters).Draw(t, "filter")
		q := &query.Query{Filter: query.All{}}
		if text != "" {
			var err error
			if q, err = query.Parse(text, query.Options{}); err != nil {
				t.Fatal(err)
			}
		}
		path := rapid.SampledFrom([]string{"a", "b", "a.v", "b.v", "a.0", "nothing", "classes", "collectives", "state", "identity", "seen"}).Draw(t, "path")
		d, kept := some(t, docs, q, now)
		got, err := r.Histogram(t.Context(), d, path)
		if err != nil {
			t.Fatal(err)
		}
		want, missing := map[string]int{}, 0
		for _, doc := range kept {
			values := registry.ParsePath(path).Values(doc)
			if len(values) == 0 || values[0] == nil {
				missing++
				continue
			}
			text, err := json.Marshal(values[0])
			if err != nil {
				t.Fatal(err)
			}
			want[string(text)]++
		}
		if got.Nodes != len(kept) || got.Missing != missing || len(got.Counts) != len(want) {
			t.Fatalf("%s of %q: got %+v, want %v of %d, %d missing", path, text, got, want, len(kept), missing)
		}
		for i, c := range got.Counts {
			text, err := json.Marshal(c.Value)
			if err != nil || want[string(text)] != c.Nodes || i > 0 && c.Nodes > got.Counts[i-1].Nodes {
				t.Fatalf("%s: %s is there %d times (%v), want %v, in order", path, text, c.Nodes, err, want)
			}
		}
		if n, err := r.Count(t.Context(), d); err != nil || n != len(kept) {
			t.Fatalf("counted %d, %v; want %d", n, err, len(kept))
		}
	})
}
