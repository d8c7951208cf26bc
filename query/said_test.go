package query

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// What a dialect has no words for it refuses to say, with the reason.
func TestCanNotBeSaid(t *testing.T) {
	fact := factPath("a")
	compare := func(op string, v Value) *Compare {
		return &Compare{Path: fact, Op: op, Value: v, Quant: "any", View: "native"}
	}
	with := func(c *Compare, change func(*Compare)) *Compare {
		change(c)
		return c
	}
	regex := func(text, flags string) Value {
		v, err := (&reader{}).regex(text, flags, 0)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	one := textValue("x")
	for _, c := range []struct {
		e     Expr
		d     Dialect
		wants string
	}{
		{compare("size", numberValue("2")), "native", "$size"}, {compare("=", Value{Kind: "object"}), "native", "a document"}, {compare("in", listValue([]Value{nullValue()})), "native", "null"},
		{compare("=", networkValue(netip.MustParsePrefix("10.0.0.0/8"))), "native", "network"}, {compare(">=", timeValue(testNow)), "native", "before and after"},
		{compare("=", globValue("a b*")), "native", "pattern"}, {compare("in", listValue(nil)), "native", "list"}, {compare("in", listValue([]Value{listValue([]Value{one})})), "native", "list in a list"},
		{compare("=~", regex("a/b", "i")), "native", "this pattern"}, {compare("<", regex("a", "")), "native", "before a pattern"},
		{with(compare("=", one), func(c *Compare) { c.Quant = "self" }), "native", "the whole"}, {with(compare("=", one), func(c *Compare) { c.Fold, c.View = true, "text" }), "native", "more than one"},
		{with(compare("=", one), func(c *Compare) { c.Path.Field = "element" }), "native", "about the element"}, {with(compare("=", one), func(c *Compare) { c.Path.Field = "key" }), "native", "rows"},
		{with(compare("=", one), func(c *Compare) { c.Path.Steps = []Step{{Kind: "deep"}} }), "native", "every depth"},
		{with(compare("!=", one), func(c *Compare) { c.Path.Steps = append(c.Path.Steps, Step{Kind: "keys"}) }), "native", "keys"},
		{&Has{Path: fact, Quant: "any", Expr: All{}, View: "native"}, "native", "every element"}, {&Has{Path: fact, Quant: "any", Expr: compare("=", one), View: "mongo"}, "native", "server"},
		{&Has{Path: Path{Field: "classes"}, Quant: "any", Expr: All{}, View: "native"}, "native", "rows"},
		{with(compare("=", one), func(c *Compare) { c.Path = Path{Field: "state"}; c.View = "text" }), "select", "name of a fact"},
		{with(compare("<", textValue("/x")), func(c *Compare) { c.View = "text" }), "select", "slash"},
		{with(compare("=", listValue([]Value{one})), func(c *Compare) { c.View, c.Quant = "text", "self" }), "select", "list"},
		{Or{compare("=", one), compare("=", one)}, "with", "all of some"}, {compare("in", listValue([]Value{one})), "with", "words for in"}, {compare("=", one), "with", "as text"},
		{with(compare("=", one), func(c *Compare) { c.View, c.Quant = "text", "all" }), "with", "how this compares"}, {&Has{Path: fact, Quant: "any", Expr: All{}}, "with", "all of some"},
		{with(compare("<", timeValue(testNow)), func(c *Compare) { c.View = "text" }), "with", "dates"}, {with(compare("=", nullValue()), func(c *Compare) { c.View = "text" }), "with", "this value"},
		{with(compare("=~", regex("a/b c", "i")), func(c *Compare) { c.View = "text" }), "with", "this pattern"},
		{&Subquery{Path: fact, Query: &Query{Filter: compare("size", one)}, View: "native"}, "native", "$size"},
		{with(compare("=", one), func(c *Compare) {
			c.Path = Path{Field: "live", Steps: []Step{nameStep("f"), nameStep("a"), nameStep("o")}}
			c.View = "typed"
		}), "native", "live answer"},
	} {
		text, err := Format(&Query{Filter: c.e}, c.d)
		if err == nil || !strings.Contains(err.Error(), c.wants) {
			t.Errorf("%s in %s is %q (%v); want a refusal with %q", Tree(c.e), c.d, text, err, c.wants)
		}
	}
	limit := 1
	for _, q := range []*Query{{Filter: All{}, Entity: "facts"}, {Filter: All{}, Limit: &limit}} {
		if text, err := Format(q, "with"); err == nil {
			t.Errorf("with says %q", text)
		}
	}
	if text, err := Format(&Query{Filter: All{}, Entity: "facts"}, "native"); err == nil {
		t.Errorf("native says %q of facts", text)
	}
	if _, err := Format(&Query{Filter: All{}}, "sql"); err == nil || !strings.Contains(err.Error(), "known are") {
		t.Errorf("sql: %v", err)
	}
}

// Trees that no text makes, but other dialects do, are said all the same.
func TestSaidOtherwise(t *testing.T) {
	fact := &Compare{Path: factPath("a"), Op: "=", Value: textValue("x"), Quant: "any", View: "native"}
	absent, negated := *fact, *fact
	absent.Absent = true
	negated.Op, negated.Quant, negated.View, negated.Value = "!=", "self", "typed", listValue([]Value{textValue("x")})
	for _, c := range []struct {
		e    Expr
		want string
	}{
		{&absent, "missing a or a = x"}, {And{fact, &absent}, "a = x and (missing a or a = x)"}, {&negated, `exists typed(a) and typed(a) != [x]`},
		{And{}, "exists identity"}, {Or{}, "missing identity"}, {And{Or{fact, fact}, fact}, "(a = x or a = x) and a = x"}, {Not{And{fact, fact}}, "not (a = x and a = x)"},
		{&Compare{Path: Path{Field: "facts", Steps: []Step{nameStep("a"), nameStep("b")}}, Op: "exists", Quant: "any", View: "native"}, `exists a."b"`},
		{&Compare{Path: factPath("and"), Op: "exists", Quant: "any", View: "native"}, `exists facts.and`}, {&Compare{Path: factPath("a b"), Op: "exists", Quant: "any", View: "native"}, `exists "a b"`},
		{&Compare{Path: factPath("/x", "", "*", "é"), Op: "exists", Quant: "any", View: "native"}, `exists "/x"."".*."é"`[:0] + `exists "/x".""."*".é`},
		{&Compare{Path: Path{Field: "trusted"}, Op: "exists", Quant: "any", View: "native"}, "exists trusted"},
	} {
		got, err := Format(&Query{Filter: c.e}, "native")
		if err != nil || got != c.want {
			t.Errorf("%s is %s (%v); want %s", Tree(c.e), got, err, c.want)
		}
		if _, err := Parse(got, Options{Dialect: "native"}); err != nil {
			t.Errorf("%s: %v", got, err)
		}
	}
}

// A marker or the caller says the dialect; else the text does.
func TestWhichDialect(t *testing.T) {
	for _, c := range []struct {
		text  string
		given Dialect
		want  Dialect
	}{
		{"nginx", "", "native"}, {" \n nginx", "auto", "native"}, {"a=b c", "", "with"}, {"a=b /c/", "", "with"}, {"a b", "", "with"}, {`a="b c" d`, "", "with"}, {"a=b !c", "", ""}, {"a=b and c", "", "native"},
		{"a = b", "", "native"}, {"exists a", "", "native"}, {"a in (b, c)", "", "native"}, {"a is null", "", "native"}, {"a && b", "", ""},
		{"{a: 1", "", ""}, {" {'facts.a': 1}", "", "mongo"}, {`["=", "certname", "a"]`, "", "ast"}, {"nodes", "", "native"}, {"nodes {}", "", "pql"}, {"inventory[certname] {}", "", "pql"}, {"facts=x", "", "native"},
		{"mongo:{}", "", "mongo"}, {"mongo::server", "", "native"}, {"mongo:{}", "mongo", "mongo"}, {"ast: [\"=\", \"certname\", \"a\"]", "", "ast"}, {"pql:nodes {}", "", "pql"}, {"nq:nginx", "", "native"}, {"native: nginx", "", "native"},
		{"select:nginx", "", "select"}, {"with:nginx", "", "with"}, {"pql:nginx", "native", "native"}, {"nginx", "SELECT", "select"}, {"nginx", "with", "with"}, {"nginx", "sql", ""}, {"mongo:x", "", "native"},
	} {
		q, err := Parse(c.text, Options{Dialect: c.given})
		switch {
		case c.want == "" && err == nil:
			t.Errorf("%q as %q is read as %s", c.text, c.given, q.Dialect)
		case c.want != "" && err != nil:
			t.Errorf("%q as %q: %v", c.text, c.given, err)
		case c.want != "" && q.Dialect != c.want:
			t.Errorf("%q as %q is read as %s, want %s", c.text, c.given, q.Dialect, c.want)
		}
	}
}

// Offsets are those of the text as given, marker and all.
func TestMarkerKeepsOffsets(t *testing.T) {
	for _, text := range []string{"nq: a and", "select:a and", "mongo: {a", "pql: nodes {"} {
		_, err := Parse(text, Options{})
		syn, ok := errors.AsType[*SyntaxError](err)
		if !ok || syn.Text != text || syn.Offset < strings.Index(text, ":") {
			t.Errorf("%q: %+v", text, err)
		}
	}
}

// Dates from MongoDB and ages from callers are compared like those of texts.
func TestDatesInFacts(t *testing.T) {
	doc := &Document{Facts: map[string]any{"d": time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), "text": "2026-11-20", "n": int64(5), "zero": time.Time{}}}
	for text, want := range map[string]bool{
		"d before 2026-11-21": true, "d after 2026-11-21": false, "d before 5d": true, "d after 30d": true, "text before 2026-11-21": true, "n before 2026-11-21": false, "n before 5d": false,
		"d = $when": true, "d != $when": false, "text = $when": true, "zero before 2026-01-01": false, "d =~ /^2026/": true, "d = $age": false,
	} {
		q, err := Parse(text, Options{Dialect: "native", Named: map[string]any{"when": doc.Facts["d"], "age": time.Hour}})
		if err != nil || Matches(q.Filter, doc, testNow) != want {
			t.Errorf("%s: want %v (%v)", text, want, err)
		}
	}
}

// Whole documents are compared field by field.
func TestObjects(t *testing.T) {
	doc := &Document{Facts: map[string]any{"os": map[string]any{"name": "Debian", "major": int64(12)}, "l": []any{map[string]any{"a": "x"}}, "s": "x"}}
	for text, want := range map[string]bool{
		"os = $same": true, "os = $part": false, "os = $other": false, "s = $same": false, "typed(os) = $part": true, "l = $list": true, "any l = $element": true, "os in $many": true,
	} {
		q, err := Parse(text, Options{Dialect: "native", Named: map[string]any{
			"same": map[string]any{"name": "Debian", "major": 12}, "part": map[string]any{"name": "Debian"}, "other": map[string]any{"name": "x", "major": 12},
			"list": []any{map[string]any{"a": "x"}}, "element": map[string]any{"a": "x"}, "many": []any{map[string]any{"name": "Debian", "major": 12}},
		}})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if Matches(q.Filter, doc, testNow) != want {
			t.Errorf("%s: want %v; %s", text, want, Tree(q.Filter))
		}
	}
}
