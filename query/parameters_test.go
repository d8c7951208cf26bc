package query

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// A bound parameter selects as equality does, whatever the text looks like.
func FuzzParameter(f *testing.F) {
	for _, seed := range []string{"x", "a*", "/x/", "$y", "?", "' or a=1 or '", "10.0.0.0/8", "true", "4", "2h", "null", "@acme", "", "é\n\"", "{}", "]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
			return
		}
		docs := []*Document{
			{Identity: "same", Facts: map[string]any{"a": value}}, {Identity: "other", Facts: map[string]any{"a": value + "x"}},
			{Identity: "list", Facts: map[string]any{"a": []any{"q", value}}}, {Identity: "none"},
		}
		o := Options{Named: map[string]any{"v": value}, Positional: []any{value}}
		for _, c := range []struct {
			dialect    Dialect
			text, want string
		}{
			{"native", "a = $v", "same list"}, {"native", "a in $v", "same list"}, {"native", "a = ?", "same list"}, {"native", "exists a and a != $v", "other"},
			{"select", "a = $v", "same list"}, {"with", "a=$v", "same list"}, {"with", "a=?", "same list"}, {"mongo", "{facts.a: $v}", "same list"}, {"mongo", "{facts.a: ?}", "same list"},
		} {
			o.Dialect = c.dialect
			q, err := Parse(c.text, o)
			if err != nil {
				t.Fatalf("%s %s with %q: %v", c.dialect, c.text, value, err)
			}
			if got := strings.Join(selected(q, docs), " "); got != c.want {
				t.Fatalf("%s %s with %q: %q, want %q; read as %s", c.dialect, c.text, value, got, c.want, Tree(q.Filter))
			}
		}
	})
}

// Values of every type can be bound where they mean something.
func TestParameters(t *testing.T) {
	named := map[string]any{
		"text": "ams", "int": 4, "long": int64(4), "float": 4.0, "number": json.Number("4"), "true": true, "null": nil,
		"list": []any{"ams", 4, true}, "names": []string{"WEB1.acme.net"}, "map": map[string]any{"a": 1},
		"age": 2 * time.Hour, "agetext": "2h", "date": time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC), "pattern": "^a", "class": "::MYSQL::Master",
		"classes": []string{"Mysql::Master"}, "bad": struct{}{}, "badlist": []any{1, struct{}{}}, "badmap": map[string]any{"a": struct{}{}}, "nan": math.NaN(), "badnumber": json.Number("x"),
	}
	for text, want := range map[string]string{
		"site = $text": "web1", "cpus = $int": "web1", "cpus = $long": "web1", "cpus = $float": "web1", "cpus = $number": "web1", "virtual = $true": "web1 db1",
		"site in $list": "web1", "cpus in $list": "web1", "identity in $names": "web1", "identity in $text": "",
		"seen > $age": "db1 bare", "seen > $agetext": "db1 bare", "seen before $date": "db1 bare", "site =~ $pattern": "web1",
		"class = $class": "db1", "class in $classes": "db1", "class not in $classes": "web1 bare", "agent = $text": "", "identity = $int": "", "text(cpus) = $int": "web1",
		"identity in (web1.acme.net, $text)": "web1", "retired = $null": "web1", "ver(kernelversion) > $int": "",
		"text(site) in $list": "web1",
		"site = $bad":         "!a parameter can not hold a struct {}", "site in $badlist": "!can not hold", "site = $badmap": "!can not hold", "cpus = $nan": "!NaN is not a number",
		"cpus = $badnumber": `!"x" is not a number`, "site = $nosuch": "!no value is given for $nosuch", "site = ? and cpus = ?": "!more ? than values", "site = $map": "",
		"seen > $text": "!neither an age nor a date", "site = ?": "web1",
	} {
		q, err := Parse(text, Options{Dialect: "native", Named: named, Positional: []any{"ams"}})
		if problem, ok := strings.CutPrefix(want, "!"); ok {
			if syn, ok := errors.AsType[*SyntaxError](err); !ok || !strings.Contains(syn.Problem, problem) {
				t.Errorf("%s: %v; want %q", text, err, problem)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := who(q); got != want {
			t.Errorf("%s: %q, want %q; read as %s", text, got, want, Tree(q.Filter))
		}
	}
}

// Several filters are one: all hold, and of the identities one does.
func TestFilters(t *testing.T) {
	for _, c := range []struct {
		filters Filters
		want    string // who, or the problem behind "!"
	}{
		{Filters{}, "web1 db1 bare"},
		{Filters{With: []string{""}}, "web1 db1 bare"},
		{Filters{With: []string{"settings", "site=ams"}}, "web1"},
		{Filters{Select: []string{"settings", "not site=ams"}}, "db1"},
		{Filters{Identity: []string{"web1.acme.net", "/^db/", "/1/"}}, "web1 db1"},
		{Filters{Fact: []string{"site=ams", "cpus>=4"}, Class: []string{"settings"}, Agent: []string{"puppet"}, Identity: []string{"*"}}, "web1"},
		{Filters{Query: "settings | limit 1", Class: []string{"/master$/"}}, "db1"},
		{Filters{Query: "{'facts.site': 'fra'}"}, "db1"},
		{Filters{Query: "site = $s", Fact: []string{"cpus=$n"}, Named: map[string]any{"s": "ams", "n": 4}}, "web1"},
		{Filters{Fact: []string{"site=?", "cpus=?"}, Positional: []any{"ams", 4}}, "web1"},
		{Filters{Query: "@x", Saved: map[string]string{"x": "settings", "y": "a"}}, "web1 db1"},
		{Filters{Fact: []string{" site = ams "}}, "web1"}, {Filters{Fact: []string{"class=fact"}}, "web1"},
		{Filters{Fact: []string{"roles!=web"}}, "web1 db1"}, {Filters{Fact: []string{"site=/^A/i"}}, "web1"}, {Filters{Fact: []string{"site==/a/"}}, ""},
		{Filters{Fact: []string{"kernelversion>~2.6.9"}}, "web1"}, {Filters{Fact: []string{`"os.family"=flat`}}, "web1"},
		{Filters{Class: []string{"::Mysql::MASTER"}}, "db1"}, {Filters{Class: []string{"mysql::*"}}, "web1 db1"}, {Filters{Class: []string{`"settings"`}}, "web1 db1"},
		{Filters{Agent: []string{"mcollective"}}, "web1 db1 bare"}, {Filters{Agent: []string{"/^pup/"}}, "web1"},
		{Filters{Query: "a and", Dialect: "select"}, "!select query: column 6"}, {Filters{Select: []string{""}}, "!the query is empty"}, {Filters{With: []string{"a or b"}}, "!no place"},
		{Filters{Fact: []string{"site"}}, "!fact query: column 5: this is not a comparison"}, {Filters{Fact: []string{"=x"}}, "!name of the fact is missing"}, {Filters{Fact: []string{"a="}}, "!value is missing"},
		{Filters{Fact: []string{"a='x"}}, "!quote is never closed"}, {Filters{Fact: []string{"a b=x"}}, "!not a comparison"}, {Filters{Fact: []string{"a=\x00"}}, "!NUL"}, {Filters{Fact: []string{"a=\xff"}}, "!UTF-8"},
		{Filters{Fact: []string{"a;=x"}}, "!can not hold"}, {Filters{Class: []string{"/x"}}, "!never closed"}, {Filters{Class: []string{""}}, "!name is empty"}, {Filters{Class: []string{"!x"}}, "!can not hold"},
		{Filters{Agent: []string{"//"}}, "!expression is empty"}, {Filters{Identity: []string{"a b"}}, "!can not hold"}, {Filters{Identity: []string{strings.Repeat("a", maxBytes+1)}}, "!longer than"},
		{Filters{Class: []string{"'x"}}, "!can not hold"}, {Filters{Query: "x", Dialect: "sql"}, "!there is no dialect"},
	} {
		q, err := c.filters.Parse()
		if problem, ok := strings.CutPrefix(c.want, "!"); ok {
			if err == nil || !strings.Contains(err.Error(), problem) {
				t.Errorf("%+v: %v; want %q", c.filters, err, problem)
			} else if _, ok := errors.AsType[*SyntaxError](err); !ok {
				t.Errorf("%+v: the error is a %T", c.filters, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%+v: %v", c.filters, err)
			continue
		}
		if got := who(q); got != c.want {
			t.Errorf("%+v: %q, want %q; read as %s", c.filters, got, c.want, Tree(q.Filter))
		}
	}
	if !(Filters{}).Empty() || (Filters{Agent: []string{"x"}}).Empty() || (Filters{Query: "x"}).Empty() {
		t.Error("Empty is wrong")
	}
}

// The answers of other queries take the place of what asks for them.
func TestResolve(t *testing.T) {
	q, err := Parse("identity in { mysql::master } and site in { settings | select site } and not changed os within 1d", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := who(q); got != "" {
		t.Errorf("unresolved it selects %q", got)
	}
	q.Filter = Map(q.Filter, func(e Expr) Expr {
		switch e := e.(type) {
		case *Subquery:
			var values []any
			for _, doc := range fleet() {
				switch {
				case !Matches(e.Query.Filter, doc, testNow):
				case len(e.Query.Select) == 0:
					values = append(values, doc.Identity)
				default:
					values = append(values, e.Query.Select[0].Path.Values(doc)...)
				}
			}
			return e.Resolve(values)
		case *Changed:
			return e.Resolve([]string{"web1.acme.net"})
		case All, And, Or, Not, *Compare, *Has:
		}
		return e
	})
	if got := who(q); got != "db1" {
		t.Errorf("resolved it selects %q; %s", got, Tree(q.Filter))
	}
}
