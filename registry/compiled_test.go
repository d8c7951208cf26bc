package registry_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/query"
	"muster/registry"
)

// With Compiled a query sees the classes of catalogs and no others, however it
// is made up: what Matches says of such a document is the law.
func TestCompiledClasses(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	classes := []string{"apache", "mysql::master", "base"}
	var docs []*query.Document
	for i := range 24 {
		id := fmt.Sprintf("n%02d", i)
		said, compiled := subset(classes, i), subset(classes, i/3)
		facts := map[string]any{"customer": []string{"acme", "zenith"}[i%2]}
		register(t, r, registry.Registration{Identity: id, Facts: facts, Classes: said})
		if i%4 > 0 {
			register(t, r, registry.Registration{Identity: id, Source: registry.Catalog, Auth: "forwarder p", Classes: compiled})
		} else {
			compiled = nil
		}
		if i%3 == 0 { // the node speaks last, and of all classes it is believed
			now = now.Add(time.Second)
			register(t, r, registry.Registration{Identity: id, Facts: facts, Classes: append(said, "late")})
		}
		docs = append(docs, &query.Document{Identity: id, Facts: facts, Classes: compiled, Collectives: []string{"mcollective"}, State: "active", Seen: noon})
	}
	// Subqueries see the same classes.
	var bases []string
	for _, doc := range docs {
		if slices.Contains(doc.Classes, "base") {
			bases = append(bases, doc.Identity)
		}
	}
	sub := find(t, r, "identity in { class = base }", registry.Discovery{Compiled: true})
	if got := sub.Names(); !slices.Equal(got, bases) {
		t.Errorf("by a subquery: %v, want %v", got, bases)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := condition(t, 3)
		q, err := query.Parse(text, query.Options{})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		a, err := r.Find(t.Context(), registry.Discovery{Query: q, Compiled: true})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, doc := range docs {
			if query.Matches(q.Filter, doc, noon) {
				want = append(want, doc.Identity)
			}
		}
		if got := a.Names(); !slices.Equal(got, want) && len(got)+len(want) > 0 {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
		for _, f := range a.Nodes {
			n := f.Node()
			if s := n.Sections[registry.Catalog]; s == nil && n.Classes != nil || s != nil && !slices.Equal(n.Classes, s.Classes) {
				t.Errorf("%s: %s shows %v", text, n.Identity, n.Classes)
			}
		}
	})
}

func subset(of []string, bits int) []string {
	var out []string
	for i, s := range of {
		if bits>>i&1 == 1 {
			out = append(out, s)
		}
	}
	return out
}

// condition is a query over facts and classes.
func condition(t *rapid.T, depth int) string {
	leaf := rapid.SampledFrom([]string{
		"customer=acme", "customer=zenith", "class = apache", "class = mysql::master", "class =~ /^(apache|base)$/", "class != base", "class = late",
		"identity =~ /1/",
	})
	if depth == 0 {
		return leaf.Draw(t, "leaf")
	}
	a, b := condition(t, depth-1), condition(t, depth-1)
	return rapid.SampledFrom([]string{a, "not (" + a + ")", "(" + a + ") and (" + b + ")", "(" + a + ") or (" + b + ")"}).Draw(t, "shape")
}
