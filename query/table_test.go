package query

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func smallFleet(t testing.TB) []*Document {
	day := func(d int) time.Time { return time.Date(2026, 1, d, 0, 0, 0, 0, time.UTC) }
	return []*Document{
		{
			Identity: "web1", Classes: []string{"apache", "Mysql::Client"}, Agents: []string{"puppet"}, Collectives: []string{"eu"}, State: "active", Auth: "cert", Seen: day(3),
			Facts:   facts(t, `{"site": "ams", "load": 0.5, "cpus": 4, "a.b": "flat", "a": {"b": "deep"}, "disks": [{"n": "sda", "gb": 10}, {"n": "sdb"}], "roles": ["x", "y"], "nil": null}`),
			Trusted: facts(t, `{"role": "front"}`),
		},
		{Identity: "web2", Facts: facts(t, `{"site": "ams", "load": 2, "cpus": "4", "disks": {"sda": {"gb": 20}}}`), Seen: day(2)},
		{Identity: "db1", Facts: facts(t, `{"site": "fra", "load": -1, "cpus": 12345678901234567890}`), Classes: []string{"mysql"}},
	}
}

// asTable is an answer as text, a line a row.
func asTable(names []string, rows [][]any) string {
	var b strings.Builder
	b.WriteString(strings.Join(names, " "))
	for _, row := range rows {
		texts := make([]string, len(row))
		for i, v := range row {
			if when, ok := v.(time.Time); ok {
				v = when.Format(time.DateOnly)
			}
			texts[i] = fmt.Sprint(v)
		}
		b.WriteString("; " + strings.Join(texts, " "))
	}
	return b.String()
}

func TestRows(t *testing.T) {
	for _, r := range []struct{ text, want string }{
		{`site = ams`, "identity; web1; web2"},
		{`exists site | select identity, site, load | order by load`, "identity site load; db1 fra -1; web1 ams 0.5; web2 ams 2"},
		{`exists site | select site, count() | group by site | order by -count()`, "site count; ams 2; fra 1"},
		{`exists site | group by site`, "site; ams; fra"},
		{`exists site | select count(), sum(load), avg(load), min(load), max(site)`, "count sum avg min max; 3 1.5 0.5 -1 fra"},
		{`site = nowhere | select count(), sum(load), max(load)`, "count sum max; 0 <nil> <nil>"},
		{`exists site | select identity | order by -identity | limit 1 offset 1`, "identity; web1"},
		{`exists site | select identity | offset 7`, "identity"},
		{`identity = web1 | select a.b, a."b", trusted.role, roles, roles[1], disks.n, disks.*.gb, nosuch, nil`,
			"a.b a.\"b\" trusted.role roles roles[1] disks.n disks.*.gb nosuch nil; flat deep front [x y] y [sda sdb] [10] <nil> <nil>"},
		{`identity = web2 | select disks.*.gb, disks.sda, disks.*.none`, "disks.*.gb disks.sda disks.*.none; [20] map[gb:20] <nil>"},
		{`identity = web1 | select class, agent, collective, state, auth, seen, identity`, "class agent collective state auth seen identity; [apache Mysql::Client] [puppet] [eu] active cert 2026-01-03 web1"},
		{`exists site | select max(seen), min(seen), count(seen)`, "max min count; 2026-01-03 2026-01-02 2"},
		{`exists site | select identity | order by seen`, "identity; web2; web1; db1"},
		{`exists site | select count(cpus), sum(cpus), min(cpus)`, "count sum min; 3 1.2345678901234567e+19 4"},
		{`inventory[] {}`, "identity; db1; web1; web2"},
		{`facts { name ~ 'load|site' and certname = 'web1' }`, "certname name value; web1 load 0.5; web1 site ams"},
		{`facts[name, count()] { certname ~ 'web' and name in ['site', 'a'] group by name }`, "name count; a 1; site 2"},
		{`fact_contents { path ~> ['disks', 0, '.*'] or path = ['a', 'b'] }`, "certname path value; web1 [a b] deep; web1 [disks 0 gb] 10; web1 [disks 0 n] sda"},
		{`fact_contents[value] { name = 'roles' and path in [['roles', 0], ['roles', 5]] }`, "value; x"},
		{`resources { title ~ 'My' }`, "certname type title; db1 Class Mysql; web1 Class Mysql::Client"},
		{`resources[title] { type = 'Class' and certname = 'web1' }`, "title; Apache; Mysql::Client"},
		{`["from", "facts", ["extract", ["value"], ["=", "name", "site"]], ["order_by", [["value", "desc"]]], ["limit", 1]]`, "value; fra"},
	} {
		q, err := Parse(r.text, Options{})
		if err != nil {
			t.Errorf("%s: %v", r.text, err)
			continue
		}
		names, rows := q.Rows(slices.Values(smallFleet(t)), time.Time{})
		if got := asTable(names, rows); got != r.want {
			t.Errorf("%s:\ngot  %s\nwant %s", r.text, got, r.want)
		}
	}
}

// Reading of an answer stops with its reader, and an order never depends on
// the order in which nodes come.
func TestRowsDoNotDependOnTheOrderOfNodes(t *testing.T) {
	fleet := smallFleet(t)
	slices.Reverse(fleet)
	q := mustParse(t, `exists site | select site, identity | order by site`)
	names, rows := q.Rows(slices.Values(fleet), time.Time{})
	if got := asTable(names, rows); got != "site identity; ams web1; ams web2; fra db1" {
		t.Error(got)
	}
}

// What PuppetDB's subqueries mean as a tree.
func TestSubqueriesAreFolded(t *testing.T) {
	for _, r := range []struct{ text, want string }{
		{`resources { type = 'Class' and title = 'Mysql::Master' }`, `(= classes "Mysql::Master" title)`},
		{`resources { type in ['Class', 'File'] and title in ['A', 'B'] }`, `(in classes ["A" "B"] title)`},
		{`resources { type = 'Class' and !(title = 'A') }`, `(has any classes (not (= element "A" title)))`},
		{`resources { type != 'Class' or title = 'A' }`, `(has any classes (or (in identity [] host) (= element "A" title)))`},
		{`resources { !(type = 'Class') }`, `(has any classes (in identity [] host))`},
		{`resources { type = 'Class' or title = 'A' }`, `(has any classes (all))`},
		{`resources {}`, `(has any classes (all))`},
		{`facts { name = 'a' }`, `(exists facts.a typed)`},
		{`facts { name = 'a' and value = 'x' }`, `(= facts.a "x" typed)`},
		{`facts { name = 'a.b' and value > 1 and value < 5 }`, `(and (> facts."a.b" 1 typed) (< facts."a.b" 5 typed))`},
		{`facts { name = 'a' and !(value = 1) }`, `(and (exists facts.a typed) (not (= facts.a 1 typed)))`},
		{`facts { name = 'a' and (value = 1 or value = 2 and certname = 'c') }`,
			`(and (exists facts.a typed) (or (= facts.a 1 typed) (and (= facts.a 2 typed) (= identity "c" host))))`},
		{`facts { name = 'a' and value != 1 }`, `(and (exists facts.a typed) (!= facts.a 1 all absent typed))`},
		{`facts { name = 'a' and name ~ 'b' }`, `(has any facts (and (= key "a" typed) (=~ key /b/ typed)))`},
		{`facts { name = 'a' and (name = 'b' or value = 1) }`, `(has any facts (and (= key "a" typed) (or (= key "b" typed) (= element 1 typed))))`},
		{`facts { name = 'a' and resources { title = 'A' } }`, `(and (exists facts.a typed) (= classes "A" title))`},
		{`facts { name = 'a' and facts { value = 1 } }`, `(has any facts (and (= key "a" typed) (has any facts (= element 1 typed))))`},
		{`fact_contents { path = ['a', 'b', 0] and value = 'x' }`, `(= facts/a/b/[0] "x" self typed)`},
		{`fact_contents { path = ['a'] }`, `(has any contents (= path ["a"] self))`},
		{`fact_contents { name = 'a' and value is null }`, `(has any contents (and (= key "a" typed) (= element null self typed)))`},
		{`certname in facts[certname] { name = 'a' }`, `(exists facts.a typed)`},
		{`certname in facts[certname] { name = 'a' limit 1 }`, `(among identity (exists facts.a typed) entity:facts where:(= key "a" typed) select:identity limit:1 host)`},
		{`facts.a in facts[value] { name = 'b' }`, `(among facts.a (exists facts.b typed) entity:facts where:(= key "b" typed) select:element typed)`},
		{`classes = ['A::B', '::c']`, `(and (= classes "a::b" class) (= classes "c" class))`},
		{`agents != ['a', 'b']`, `(not (and (= agents "a" agent) (= agents "b" agent)))`},
		{`facts.a != ['x']`, `(not (= facts.a ["x"] self typed))`},
		{`facts.a = /x/i and facts.a != /y/ and classes in ['A', /^b/]`, `(and (=~ facts.a /x/i typed) (!~ facts.a /y/ all absent typed) (in classes ["a" /^b/] class))`},
		{`facts.a == 1 and facts.a =~ 'x' and facts.b not in (1, 'x')`, `(and (= facts.a 1 typed) (=~ facts.a /x/ typed) (not (in facts.b [1 "x"] typed)))`},
		{`timestamp != '2026-01-01' and trusted.a.b is not null`, `(and (!= seen 2026-01-01T00:00:00Z all absent typed) (!= trusted/a/b null self typed))`},
	} {
		text := "inventory { " + r.text + " }"
		q, err := Parse(text, Options{})
		if err != nil {
			t.Errorf("%s: %v", r.text, err)
			continue
		}
		if got := Tree(q.Filter); got != r.want {
			t.Errorf("%s\ngot  %s\nwant %s", r.text, got, r.want)
		}
		for _, d := range []Dialect{"pql", "ast"} {
			printed, err := Format(q, d)
			if err != nil {
				if d == "pql" && !strings.Contains(r.text, "/^b/") {
					t.Errorf("%s: %v", r.text, err)
				}
				continue
			}
			if again := mustParse(t, printed); d == "pql" && Tree(again.Filter) != r.want {
				t.Errorf("%s is printed as %s: %s", r.text, printed, Tree(again.Filter))
			}
		}
	}
}

// What a dialect cannot say, and why.
func TestWhatCannotBeSaid(t *testing.T) {
	for _, r := range []struct {
		text    string
		dialect Dialect
		reason  string
	}{
		{`a = 4`, "mongo", "takes for one"}, {`a = 2026-01-01`, "pql", "takes for one"}, {`a = "4"`, "ast", "takes for one"},
		{`a > x`, "mongo", "orders text and numbers"}, {`a >~ 1.2.3`, "pql", "version order"}, {`count(a) > 1`, "mongo", "count()"},
		{`fold(a) = x`, "pql", "without case"}, {`a between 1 and 2`, "pql", "between"}, {`all a = x`, "mongo", "all of the values"},
		{`a = /4/`, "mongo", "could match numbers"}, {`a in (/4/)`, "mongo", "could match numbers"}, {`a = /x|4/`, "pql", "could match numbers"},
		{`a = /x*/`, "pql", "could match numbers"}, {`a = 10.0.0.0/8 and a in 10.0.0.0/8`, "pql", "no words for such a value"},
		{`a[0] = x`, "mongo", "cannot say the path"}, {`a.*.b = x`, "pql", "wildcards"}, {`"a.b" = x`, "mongo", "cannot say the path"},
		{`a."b" = x`, "mongo", "which dots"}, {`a.0.b = x`, "mongo", "digits"}, {`seen > 2h`, "mongo", "ages"}, {`seen > 2h`, "pql", "ages"},
		{`agent = mcollective`, "mongo", "everywhere"}, {`/^a/`, "mongo", "other spellings"}, {`any a { b = x }`, "mongo", "also into maps"},
		{`any a { b = x }`, "pql", "no field"}, {`fact = x`, "mongo", "no field"}, {`fact = x`, "pql", "no field"},
		{`site in { a = x | select site }`, "mongo", "no subqueries"}, {`site in { a = x | select site }`, "pql", "numbers apart"},
		{`changed a within 2d`, "mongo", "history"}, {`changed a within 2d`, "pql", "history"}, {`a = x | limit 3`, "mongo", "shows, orders and limits"},
		{`a = x | sample 3`, "pql", "sample"}, {`a = [x, y]`, "mongo", "as a whole"}, {`a.b is null`, "mongo", "whole value"}, {`exists class`, "pql", "no words"},
		{`none class = x`, "pql", "none of the values"}, {`class = a*`, "pql", "globs"}, {`agent = 4`, "pql", "numbers and text apart"},
		{`none identity = x`, "mongo", "none of the values"}, {`exists agent`, "pql", "no words"},
		{`mongo:{facts.a: {$size: 1}}`, "pql", "$size"}, {`mongo:{facts.a: null}`, "pql", "other rules"}, {`mongo:{facts.a: {$gt: true}}`, "pql", "does not order"},
		{`mongo:{classes: x}`, "pql", "as they are spelled"}, {`mongo:{lastseen: {$lt: ISODate('2026-01-01')}}`, "pql", "never seen"},
		{`mongo:{facts.a: ISODate('2026-01-01')}`, "pql", "dates"}, {`mongo:{facts.a: {$elemMatch: {b: 1}}}`, "pql", "no field"},
		{`mongo:{facts.0: 1}`, "pql", "digits"}, {`mongo:{facts.a: /4/}`, "pql", "searches text only"}, {`mongo:{facts.a: {$eq: /x/}}`, "pql", "searches text only"},
		{`pql:inventory { facts.a = ['x'] }`, "mongo", "whole value"}, {`pql:facts { name = 'x' }`, "mongo", "shows, orders"},
		{`pql:inventory { facts { value = 'x' } }`, "mongo", "also into maps"}, {`pql:inventory { classes in ['a', /b/] }`, "pql", "no patterns"},
		{`select:a=x`, "mongo", "keys"}, {`select:a=x`, "pql", "keys"},
	} {
		q, err := Parse(r.text, Options{})
		if err != nil {
			t.Errorf("%s: %v", r.text, err)
			continue
		}
		if printed, err := Format(q, r.dialect); err == nil {
			t.Errorf("%s is %s in %s", r.text, printed, r.dialect)
		} else if !strings.Contains(err.Error(), r.reason) {
			t.Errorf("%s in %s: %v; want %q", r.text, r.dialect, err, r.reason)
		}
	}
}

func TestASTTrees(t *testing.T) {
	for text, want := range map[string]string{
		`["!=", "facts.a", 1]`:                                              `(not (= facts.a 1 typed))`,
		`["!~", "facts.a", "x"]`:                                            `(not (=~ facts.a /x/ typed))`,
		`["null?", "facts.a", false]`:                                       `(!= facts.a null self typed)`,
		`["=", ["node", "active"], false]`:                                  `(in state ["deactivated" "expired"] typed)`,
		`["=", ["fact", "a.b"], "x"]`:                                       `(= facts."a.b" "x" typed)`,
		`["in", ["fact", "a"], ["array", ["x", 2]]]`:                        `(in facts.a ["x" 2] typed)`,
		`["in", ["certname"], ["extract", ["certname"], ["select_facts"]]]`: `(has any facts (all))`,
		`["subquery", "resources"]`:                                         `(has any classes (all))`,
		`["extract", "certname", ["=", "certname", "X"]]`:                   `(= identity "X" host)`,
		`["from", "inventory"]`:                                             `(all)`,
		`["from", "nodes", ["null?", "deactivated", true], ["limit", 2]]`:   `(not (= state "deactivated" typed))`,
	} {
		if got := Tree(mustParse(t, text).Filter); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
	}
}
