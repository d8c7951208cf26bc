package query

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// rich writes a condition of native with all that it has, about facts of few
// names and values.
func (d dice) rich(depth int) string {
	n := d.IntN(8)
	if depth == 0 {
		n = min(n, 4)
	}
	switch n {
	case 5, 6:
		return "(" + d.rich(depth-1) + pickOne(d, " and ", " or ") + d.rich(depth-1) + ")"
	case 7:
		return "not " + d.rich(depth-1)
	}
	if d.IntN(4) == 0 {
		return d.richOdd()
	}
	path := pickOne(d, "a", "b", "c", "a.b", `"a.b"`, `a."b"`, "trusted.role", "a[0]", "a.*", "b.1")
	quant := pickOne(d, "", "", "", "any ", "all ", "none ")
	return quant + d.dressed(path) + d.richTest()
}

func (d dice) dressed(path string) string {
	switch d.IntN(12) {
	case 0:
		return "text(" + path + ")"
	case 1:
		return "typed(" + path + ")"
	case 2:
		return "fold(" + path + ")"
	}
	return path
}

func (d dice) richTest() string {
	value := pickOne(d, "x", "y", "web", "WEB", "4", "4.0", "'4'", "true", `""`, "-1", "0.5", "w*", "?", "'Wëb \\'q\\' \"r\" \\\\'", "/var", "2026-01-02T00:00:00Z")
	if value == "?" || value == "/var" {
		value = "z"
	}
	switch d.IntN(7) {
	case 0:
		return " != " + value
	case 1:
		return pickOne(d, " < ", " <= ", " > ", " >= ") + pickOne(d, "4", "0", "web", "'4'", "a")
	case 2:
		return pickOne(d, " =~ ", " !~ ") + pickOne(d, "/^w/", "/4/", "/X/i", "'e b'", "/^$/")
	case 3:
		return pickOne(d, " in ", " not in ") + pickOne(d, "(x, 4)", "('4', /^w/, y)", "(true, web, z, a, b, c, d, e, f)")
	case 4:
		return pickOne(d, " is null", " is not null", " has key a", " has all (x, 4)", " = [x, 4]", " between 0 and 4", " between 4 and 9")
	}
	return " = " + value
}

// richOdd writes a condition about what is no fact, or about parts of one.
func (d dice) richOdd() string {
	return pickOne(d,
		"mysql::master", "Web", "/^My/", "class != nginx", "class in (web, apache)", "class = m*", "text(class) =~ /^My/", "title(class) = 'Mysql::Master'",
		"identity = web*", "identity = WEB1.example", "identity != db0.example", "identity =~ /^web/", "identity in (web0.example, db1.example)",
		"agent = puppet", "agent != puppet", "agent = mcollective", "collective = eu", "collective != eu", "state = active", "auth != psk",
		"seen > 2d", "seen < 2d", "seen before 2026-01-05", "seen after 2026-01-05", "exists seen", "missing a", "exists a.b", "exists b", "fact = a",
		"count(a) > 1", "count(b) = 0", "any a { element = x or a = 4 }", "all b { key = a }", "ver(a) > 3", "a >~ 1",
		"a before 2026-01-05", "exists identity", "missing identity", "any a { b = x and c = 4 }")
}

// withPieces writes a text of with.
func (d dice) withPieces() string {
	var pieces []string
	for range d.IntN(4) + 1 {
		pieces = append(pieces, pickOne(d, "", "", "!")+pickOne(d,
			"mysql::master", "/^my/", "Web", pickOne(d, "a", "b", "c", "a.b", `"a.b"`)+pickOne(d, "=", "!=", ">", "<=", "=~", "==")+pickOne(d, "x", "web", "4", "true", "'a b'", "4.0", "''"),
			"identity=web*", "agent=puppet", "class!=nginx", "a=/^w/", "collective=eu"))
	}
	return strings.Join(pieces, " ")
}

// sayable counts how many queries each pair of dialects could say.
type sayable map[[2]Dialect]int

// check holds one query to the law: said in another dialect it selects the
// same nodes of the fleet, and said again in its own it is the same.
func (s sayable) check(t *testing.T, text string, d Dialect, fleet []*Document) {
	t.Helper()
	q, err := Parse(text, Options{Dialect: d})
	if err != nil {
		return
	}
	want := selected(q, fleet)
	for _, other := range Dialects()[1:] {
		printed, err := Format(q, other)
		if err != nil {
			if other == d {
				t.Errorf("%s: %s can not be printed: %v", d, text, err)
			}
			continue
		}
		s[[2]Dialect{d, other}]++
		again, err := Parse(printed, Options{Dialect: other})
		if err != nil {
			t.Errorf("%s: %s\nis in %s: %s\nwhich fails: %v", d, text, other, printed, err)
			continue
		}
		if other == d && queryTree(again) != queryTree(q) {
			t.Errorf("%s: %s\nis printed as %s\ngot  %s\nwant %s", d, text, printed, queryTree(again), queryTree(q))
		}
		if got := selected(again, fleet); !slices.Equal(got, want) {
			t.Errorf("%s: %s\nis in %s: %s\ngot  %v\nwant %v", d, text, other, printed, got, want)
		}
	}
}

func TestEveryDialectSaysTheSame(t *testing.T) {
	said := sayable{}
	for seed := range uint64(500) {
		d := rolled(seed)
		fleet := d.fleet(40)
		said.check(t, d.rich(2), "native", fleet)
		said.check(t, d.rich(2), "select", fleet)
		said.check(t, d.withPieces(), "with", fleet)
		said.check(t, d.native(2), "native", fleet)
		said.check(t, d.mongo(2), "mongo", fleet)
		said.check(t, "inventory {"+d.pql(2)+"}", "pql", fleet)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	var report []string
	for _, from := range []Dialect{"native", "select", "with", "mongo", "pql"} {
		var line strings.Builder
		line.WriteString(string(from) + ":")
		for _, to := range Dialects()[1:] {
			fmt.Fprintf(&line, " %s %d", to, said[[2]Dialect{from, to}])
		}
		report = append(report, line.String())
		for _, to := range []Dialect{"native", from} {
			if said[[2]Dialect{from, to}] < 100 {
				t.Errorf("only %d queries of %s can be said in %s", said[[2]Dialect{from, to}], from, to)
			}
		}
	}
	t.Log(strings.Join(report, "\n"))
}
