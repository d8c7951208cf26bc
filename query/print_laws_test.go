package query

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// serverQueries is every accepted text of the cases, with its documents.
func serverQueries(t *testing.T) map[string][]*Document {
	t.Helper()
	texts := map[string][]*Document{}
	for _, file := range []string{"mongo.json", "pql.json"} {
		for _, c := range readServerCases(t, file) {
			if _, refused := c.wanted(); !refused {
				texts[c.Query] = c.documents(t)
			}
		}
	}
	return texts
}

// What a dialect prints is read back as the same tree.
func TestPrintThenParseIsTheSame(t *testing.T) {
	for text := range serverQueries(t) {
		q := mustParse(t, text)
		printed, err := Format(q, q.Dialect)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		again, err := Parse(printed, Options{})
		if err != nil {
			t.Errorf("%s is printed as %s: %v", text, printed, err)
			continue
		}
		if Tree(again.Filter) != Tree(q.Filter) || again.Dialect != q.Dialect {
			t.Errorf("%s is printed as %s:\ngot  %s\nwant %s", text, printed, Tree(again.Filter), Tree(q.Filter))
		}
		if twice, err := Format(again, q.Dialect); err != nil || twice != printed {
			t.Errorf("%s is printed as %s, then as %s: %v", text, printed, twice, err)
		}
	}
}

// A query in other words selects the same nodes.
func TestOtherDialectsSelectTheSameNodes(t *testing.T) {
	said := map[Dialect]int{}
	for text, docs := range serverQueries(t) {
		q := mustParse(t, text)
		for _, d := range []Dialect{"native", "mongo", "pql", "ast"} {
			printed, err := Format(q, d)
			if err != nil {
				continue
			}
			said[d]++
			other, err := Parse(printed, Options{Dialect: d})
			if err != nil {
				t.Errorf("%s is %s in %s: %v", text, printed, d, err)
				continue
			}
			if got, want := selected(other, docs), selected(q, docs); !slices.Equal(got, want) {
				t.Errorf("%s is %s in %s:\ngot  %s\nwant %s", text, printed, d, strings.Join(got, " "), strings.Join(want, " "))
			}
		}
	}
	for _, d := range []Dialect{"mongo", "pql", "ast"} {
		if said[d] < 50 {
			t.Errorf("only %d queries can be said in %s", said[d], d)
		}
	}
	t.Log(said)
}

func selected(q *Query, docs []*Document) []string {
	names := []string{}
	for _, doc := range docs {
		if Matches(q.Filter, doc, time.Unix(1_700_000_000, 0)) {
			names = append(names, doc.Identity)
		}
	}
	return names
}

func mustParse(t testing.TB, text string) *Query {
	t.Helper()
	q, err := Parse(text, Options{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q
}
