package query

import (
	"slices"
	"testing"
	"time"
)

// A bound parameter selects as equality with that text does, whatever the text
// looks like: it is never read as a number, a pattern, an operator or a name.
func TestBoundTextIsOnlyText(t *testing.T) {
	texts := []string{"", "x", "4", "4.0", "true", "null", "/x/", "x*", "$where", "$p", "?", "{$gt: 1}", "it's", `"q"`, `\`, `\'`, "a b", "é\n", "2026-01-01", "10.0.0.0/8", "::x", "] or 1=1"}
	var docs []*Document
	for _, text := range texts {
		docs = append(docs, &Document{Identity: text, Facts: map[string]any{"a": text}})
	}
	docs = append(docs, &Document{Identity: "number", Facts: map[string]any{"a": int64(4)}}, &Document{Identity: "none"})
	for _, text := range texts {
		o := Options{Named: map[string]any{"p": text, "l": []string{text}}, Positional: []any{text}}
		for _, query := range []string{
			"{facts.a: $p}", "{facts.a: ?}", "{facts.a: {$eq: {$param: p}}}", "{facts.a: {$in: $l}}", "{facts.a: {$in: [?]}}", "{facts.a: {$all: $l}}",
			"inventory { facts.a = $p }", "inventory { facts.a in $l }", "inventory { facts.a in [?] }",
			`["=", "facts.a", $p]`, `["in", "facts.a", $l]`, `["in", "facts.a", ["array", [?]]]`,
			"{facts.a: " + jsonString(text) + "}", "inventory { facts.a = " + jsonString(text) + " }", `["=", "facts.a", ` + jsonString(text) + "]",
		} {
			q, err := Parse(query, o)
			if err != nil {
				t.Fatalf("%s with %q: %v", query, text, err)
			}
			if got := selected(q, docs); !slices.Equal(got, []string{text}) {
				t.Errorf("%s with %q selects %q", query, text, got)
			}
		}
	}
}

// Parameters of other types keep them.
func TestBoundTypes(t *testing.T) {
	doc := &Document{Facts: map[string]any{"n": int64(4), "b": true, "l": []any{"x", int64(1)}, "m": map[string]any{"k": nil}, "t": time.Unix(9, 0).UTC()}, Seen: time.Unix(9, 0)}
	o := Options{Named: map[string]any{
		"n": 4, "f": 4.0, "b": true, "l": []any{"x", 1}, "m": map[string]any{"k": nil}, "t": time.Unix(9, 0), "regex": "^x",
	}}
	for _, query := range []string{
		"{facts.n: $n}", "{facts.n: {$gte: $f}}", "{facts.b: $b}", "{facts.l: $l}", "{facts.m: $m}", "{facts.t: $t, lastseen: $t}", "{facts.n: {$in: $l}}",
		"inventory { facts.n = $n and facts.b = $b and facts.l = $l and timestamp = $t and facts.l ~ $regex }",
		`["and", ["=", "facts.n", $f], [">=", "timestamp", $t], ["~", "facts.l", $regex]]`,
	} {
		q, err := Parse(query, o)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		want := query != "{facts.n: {$in: $l}}"
		if Matches(q.Filter, doc, time.Unix(10, 0)) != want {
			t.Errorf("%s does not find its node: %s", query, Tree(q.Filter))
		}
	}
}
