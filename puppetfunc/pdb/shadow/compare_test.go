package shadow_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/puppetfunc/pdb/shadow"
	"muster/query"
)

// answer is what our language answers about a node.
func answer(t require, q shadow.Question, n shadow.Node) []string {
	t.Helper()
	parsed, err := query.Parse(q.Text, query.Options{Whole: true})
	if err != nil {
		t.Fatalf("%s is not understood: %v", q.Text, err)
	}
	if query.Matches(parsed.Filter, &query.Document{Identity: n.Certname, Facts: n.Facts, Classes: n.Classes}, time.Time{}) {
		return []string{n.Certname}
	}
	return nil
}

type require interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Of two sides that say the same of a node, one answer is explained at most: if
// ours is, the opposite is not, unless a rule says why PuppetDB's is another.
func TestOnlyRulesExplain(t *testing.T) {
	nodes := fleet()[:60]
	rapid.Check(t, func(rt *rapid.T) {
		q := shadow.Questions(nodes, 1, rapid.Uint64().Draw(rt, "seed"))[0]
		n := nodes[rapid.IntRange(0, len(nodes)-1).Draw(rt, "node")]
		known := map[string]*shadow.Node{strings.ToLower(n.Certname): &n}
		ours := answer(rt, q, n)
		if d := shadow.Compare(q, ours, ours, known, known); len(d) > 0 {
			rt.Fatalf("%s: %v differs from itself", q.Text, d)
		}
		var other []string
		if ours == nil {
			other = []string{n.Certname}
		}
		d := shadow.Compare(q, other, ours, known, known)
		if len(d) != 1 {
			rt.Fatalf("%s: %v is not the difference between %v and %v", q.Text, d, other, ours)
		}
		if d[0].Why != "" && !strings.Contains(d[0].Why, "(PuppetDB: ") {
			rt.Fatalf("%s: %s is no rule", q.Text, d[0].Why)
		}
	})
}

// Both questions of a difference in what the sides say are told.
func TestWhatTheSidesSayExplains(t *testing.T) {
	node := func(customer string, classes ...string) *shadow.Node {
		return &shadow.Node{Certname: "a", Facts: map[string]any{"customer": customer}, Classes: classes}
	}
	asks := func(text string) shadow.Question {
		for seed := range uint64(5000) {
			for _, q := range shadow.Questions([]shadow.Node{*node("acme", "Apache")}, 20, seed) {
				if q.Text == text {
					return q
				}
			}
		}
		t.Fatalf("%s is never asked", text)
		return shadow.Question{}
	}
	for _, test := range []struct {
		question     string
		theirs, ours *shadow.Node
		why          string
	}{
		{`inventory[certname] { facts.customer = "acme" }`, node("acme"), node("zenith"), `the fact customer is "acme" in the PuppetDB and "zenith" in muster`},
		{`inventory[certname] { resources { type = "Class" and title = "Apache" } }`, node("acme", "Apache"), node("acme"), "the classes are others"},
		{`inventory[certname] { facts.customer = "acme" }`, node("acme"), nil, "muster does not have the node"},
		{`inventory[certname] { facts.customer = "acme" }`, node("acme"), node("acme"), ""},
	} {
		d := shadow.Compare(asks(test.question), []string{"a"}, nil, map[string]*shadow.Node{"a": test.theirs}, map[string]*shadow.Node{"a": test.ours})
		if len(d) != 1 || !d[0].InTheirs || !strings.Contains(d[0].Why, test.why) || (d[0].Why == "") != (test.why == "") {
			t.Errorf("%s: %+v, want %q", test.question, d, test.why)
		}
	}
}
