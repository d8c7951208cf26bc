package query

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Every limit holds at its edge and is refused one past it, with a position.
func TestLimits(t *testing.T) {
	patterns := func(n int) string { return strings.TrimSuffix(strings.Repeat("a=/x/ or ", n), " or ") }
	classes := func(n int) string { return strings.TrimSuffix(strings.Repeat("a or ", n), " or ") }
	nested := func(n int) string { return strings.Repeat("(", n) + "a" + strings.Repeat(")", n) }
	list := func(n int) string { return "a in (" + strings.TrimSuffix(strings.Repeat("b,", n), ",") + ")" }
	for _, limit := range []struct {
		name    string
		at      int
		text    func(n int) string
		problem string
		offset  int // in the text one past the limit
	}{
		{"bytes", maxBytes, func(n int) string { return strings.Repeat("a", n) }, "longer than 16384 bytes", maxBytes},
		{"depth", maxDepth, nested, "nested deeper than 100", maxDepth},
		{"depth of braces", maxDepth / 2, func(n int) string {
			return strings.Repeat("identity in { (", n) + "a" + strings.Repeat(") }", n)
		}, "nested deeper than 100", maxDepth/2*len("identity in { (") + len("identity in ")},
		{"clauses", maxClauses, classes, "more than 1000 clauses", maxClauses*len("a or ") - len("or ")},
		{"patterns", maxPatterns, patterns, "more than 16 regular expressions", maxPatterns*len("a=/x/ or ") + len("a=/")},
		{"pattern", maxPattern, func(n int) string { return "a=/" + strings.Repeat("x", n) + "/" }, "longer than 1024 bytes", len("a=/") + maxPattern},
		{"program", 1990, func(n int) string {
			if n > 1990 {
				n = 2100
			}
			return fmt.Sprintf("a=/x{%d}y{%d}z{%d}/", n/3, n/3, n/3)
		}, "too complex", 3},
		{"repeat", 1000, func(n int) string { return fmt.Sprintf("a=/x{%d}/", n) }, "repeats too much", 4},
		{"list", maxList, list, "more than 1000 members", len("a in (") + 2*maxList},
	} {
		t.Run(limit.name, func(t *testing.T) {
			if _, err := Parse(limit.text(limit.at), Options{Dialect: "native"}); err != nil {
				t.Errorf("at the limit: %v", clip(err.Error()))
			}
			_, err := Parse(limit.text(limit.at+1), Options{Dialect: "native"})
			syn, ok := errors.AsType[*SyntaxError](err)
			if !ok {
				t.Fatalf("one past the limit: %v", err)
			}
			if !strings.Contains(syn.Problem, limit.problem) || syn.Offset != limit.offset {
				t.Errorf("one past the limit: at %d: %s; want %q at %d", syn.Offset, syn.Problem, limit.problem, limit.offset)
			}
		})
	}
}

// What would overflow a stack or a clock is refused at once.
func TestMillions(t *testing.T) {
	for _, piece := range []string{"(", "!", "not ", "a or ", "[", "{", "any a {", "'", "/", "@a ", "$"} {
		for _, d := range Dialects() {
			text := strings.Repeat(piece, 1_000_000)
			if _, err := Parse(text, Options{Dialect: d}); err == nil {
				t.Errorf("%s takes a million %q", d, piece)
			}
			if text = text[:maxBytes]; d == "mongo" || d == "ast" || d == "pql" {
				continue
			}
			q, err := Parse(text, Options{Dialect: d})
			if syn, ok := errors.AsType[*SyntaxError](err); err != nil && !ok || err == nil && q == nil {
				t.Errorf("%s: %q to the limit: %v", d, piece, syn)
			}
		}
	}
}

// Only the first 4 KiB of a value are searched.
func TestLongValues(t *testing.T) {
	q, err := Parse("a =~ /end/", Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, padding := range []int{maxValue - 3, maxValue - 2} {
		doc := &Document{Facts: map[string]any{"a": strings.Repeat("x", padding) + "end"}}
		if got, want := Matches(q.Filter, doc, testNow), padding+3 <= maxValue; got != want {
			t.Errorf("a match that ends at byte %d: %v", padding+3, got)
		}
	}
}

// A filter over the deadline of the ancestor's regular expressions answers at
// once, because the engine is linear.
func TestPatternsAreLinear(t *testing.T) {
	q, err := Parse("a =~ /(a+)+$/", Options{})
	if err != nil {
		t.Fatal(err)
	}
	doc := &Document{Facts: map[string]any{"a": strings.Repeat("a", 5000) + "b"}}
	if Matches(q.Filter, doc, testNow) != true { // cut at 4 KiB, all a
		t.Error("the cut value ends in a and should match")
	}
}

// Limits are of a query as a whole, saved queries included.
func TestLimitsAreShared(t *testing.T) {
	saved := map[string]string{"many": strings.TrimSuffix(strings.Repeat("a=/x/ or ", 10), " or "), "deep": strings.Repeat("(", 60) + "a" + strings.Repeat(")", 60)}
	for i := range 120 {
		saved[fmt.Sprintf("s%d", i)] = fmt.Sprintf("@s%d", i+1)
	}
	saved["s120"] = "a"
	for text, problem := range map[string]string{
		"@many and @many": "more than 16 regular expressions",
		strings.Repeat("(", 60) + "@deep" + strings.Repeat(")", 60): "",
		"@s0":   "nested deeper",
		"@s100": "",
	} {
		_, err := Parse(text, Options{Saved: saved})
		if problem == "" && err != nil || problem != "" && (err == nil || !strings.Contains(err.Error(), problem)) {
			t.Errorf("%s: %v; want %q", clip(text), err, problem)
		}
	}
}
