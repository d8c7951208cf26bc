package query

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// dice makes random fleets and random queries about them, from few names and
// values, so that they meet.
type dice struct{ *rand.Rand }

func rolled(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 7))} }

func pickOne[T any](d dice, of ...T) T { return of[d.IntN(len(of))] }

func (d dice) fleet(n int) []*Document {
	docs := make([]*Document, n)
	for i := range docs {
		docs[i] = &Document{
			Identity: fmt.Sprintf("%s%d.Example", pickOne(d, "web", "db"), i),
			Facts:    map[string]any{}, Trusted: map[string]any{},
			State: pickOne(d, "active", "stale", "deactivated"), Auth: pickOne(d, "cert", "psk"),
			Classes: d.some("mysql::master", "Mysql::Master", "::web", "apache", "nginx"),
			Agents:  d.some("puppet", "rpcutil"), Collectives: d.some("mcollective", "eu"),
			Seen: pickOne(d, time.Time{}, time.Date(2026, 1, d.IntN(9)+1, 0, 0, 0, 0, time.UTC)),
		}
		for range d.IntN(5) {
			docs[i].Facts[pickOne(d, "a", "b", "c", "a.b", "b.c")] = d.value(2)
		}
		if d.IntN(2) == 0 {
			docs[i].Trusted["role"] = d.value(0)
		}
	}
	return docs
}

func (d dice) some(of ...string) []string {
	var out []string
	for _, name := range of {
		if d.IntN(3) == 0 {
			out = append(out, name)
		}
	}
	return out
}

var words = []string{"x", "y", "web", "4", "4.0", "true", "", "Wëb 'q' \"r\" \\", "2026-01-02T00:00:00Z"}

func (d dice) value(depth int) any {
	n := d.IntN(14)
	switch {
	case n < 5 || depth == 0 && n > 8:
		return pickOne(d, words...)
	case n < 7:
		return pickOne[any](d, int64(4), int64(-1), int64(5), 4.0, 0.5)
	case n == 7:
		return pickOne(d, true, false)
	case n == 8:
		return nil
	case n < 11:
		list := []any{}
		for range d.IntN(4) {
			list = append(list, d.value(depth-1))
		}
		return list
	case n == 13:
		return time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	}
	m := map[string]any{}
	for range d.IntN(3) + 1 {
		m[pickOne(d, "a", "b", "c", "1")] = d.value(depth - 1)
	}
	return m
}

// mongo writes a random filter.
func (d dice) mongo(depth int) string {
	n := d.IntN(8)
	if depth == 0 {
		n = min(n, 4)
	}
	switch n {
	case 5:
		return fmt.Sprintf("{%s: [%s, %s]}", pickOne(d, "$or", "$nor", "$and"), d.mongo(depth-1), d.mongo(depth-1))
	case 6:
		a, b := d.mongoField(depth), d.mongoField(depth)
		if strings.SplitN(a, ":", 2)[0] == strings.SplitN(b, ":", 2)[0] {
			return "{" + a + "}"
		}
		return "{" + a + ", " + b + "}"
	case 7:
		return "{}"
	}
	return "{" + d.mongoField(depth) + "}"
}

func (d dice) mongoField(depth int) string {
	switch d.IntN(8) {
	case 0:
		return "classes: " + pickOne(d, "apache", "/^m/", "'Mysql::Master'", "{$ne: nginx}")
	case 1:
		return "identity: " + pickOne(d, "web1.Example", "/^db/", "{$in: ['web0.Example']}")
	case 2:
		return "lastseen: {" + pickOne(d, "$gt", "$lt", "$gte", "$lte") + ": ISODate('2026-01-05')}"
	case 3:
		return "state: " + pickOne(d, "active", "{$ne: stale}")
	}
	field := pickOne(d, "facts.a", "facts.b", "facts.a.b", "facts.b.c", "facts.a.1", "facts.c", "trusted.role", "facts.a.b.c")
	if d.IntN(3) == 0 {
		return field + ": " + d.literal()
	}
	return field + ": {" + d.mongoOperator(depth) + "}"
}

func (d dice) mongoOperator(depth int) string {
	switch d.IntN(10) {
	case 0:
		return pickOne(d, "$gt", "$gte", "$lt", "$lte") + ": " + d.literal()
	case 1:
		return "$ne: " + d.literal()
	case 2:
		return pickOne(d, "$in", "$nin") + ": [" + d.literal() + ", " + d.literal() + "]"
	case 3:
		return "$exists: " + pickOne(d, "true", "false")
	case 4:
		return "$regex: " + pickOne(d, "'^w'", "'b$', $options: 'i'", "'4'", "'k|w'")
	case 5:
		return "$all: [" + d.literal() + ", " + d.literal() + "]"
	case 6:
		return pickOne(d, "$size: 2", "$type: 'string'", "$type: ['number', 'null']", "$mod: [4, 0]")
	case 7:
		if depth > 0 {
			return "$not: {" + d.mongoOperator(depth-1) + "}"
		}
	case 8:
		if depth > 0 {
			return "$elemMatch: {" + pickOne(d, "a: "+d.literal(), d.mongoOperator(depth-1), "$or: [{a: 1}, {b: {$exists: true}}]") + "}"
		}
	}
	return "$eq: " + d.literal()
}

// literal is a value as mongo writes it.
func (d dice) literal() string {
	return pickOne(d, "'x'", "'web'", "4", "'4'", "true", "'true'", "null", "0.5", "['x', 4]", "{a: 4}", `"Wëb 'q' \"r\" \\"`, "''")
}

// pql writes a random condition.
func (d dice) pql(depth int) string {
	n := d.IntN(7)
	if depth == 0 {
		n = min(n, 3)
	}
	switch n {
	case 4:
		return "(" + d.pql(depth-1) + pickOne(d, " and ", " or ") + d.pql(depth-1) + ")"
	case 5:
		return "!" + d.pql(depth-1)
	case 6:
		return pickOne(d,
			"resources { type = 'Class' and title = 'Mysql::Master' }", "resources { title ~ '^M' }", "resources { type = 'Class' and !(title = 'Nginx') }",
			"facts { name = 'a' }", "facts { name = 'a' and value = 'x' }", "facts { name ~ 'a' and !(value = 4) }", "facts { name = 'b' and value > 1 and value < 5 }",
			"fact_contents { path = ['a', 'b'] and value = 'x' }", "fact_contents { path ~> ['a', '.*'] and value ~ 'w' }", "certname in nodes[certname] { certname ~ 'web' }")
	}
	return d.pqlTest()
}

func (d dice) pqlTest() string {
	switch d.IntN(6) {
	case 0:
		return pickOne(d, "classes = 'mysql::master'", "classes != '::Web'", "classes ~ '^my'", "certname = 'WEB1.example'", "certname ~ 'web'", "agents = 'puppet'", "collectives != 'eu'", "state in ['active', 'stale']")
	case 1:
		return "timestamp " + pickOne(d, "<", "<=", ">", ">=") + " '2026-01-05'"
	}
	field := pickOne(d, "facts.a", "facts.b", "facts.a.b", `facts.a."b"`, `facts."a.b"`, "facts.b.c", "facts.a[1]", "trusted.role", "facts.c")
	return field + pickOne(d, " = 'x'", " = 4", " != 'web'", " = true", " ~ '^w'", " !~ 'k'", " > 3", " <= 'web'", " is null", " is not null", " in ['x', 4, true]", " = ['x', 4]", ` = "Wëb 'q' \"r\" \\"`, " = ''")
}

// native writes a random condition.
func (d dice) native(depth int) string {
	n := d.IntN(6)
	if depth == 0 {
		n = min(n, 3)
	}
	switch n {
	case 4:
		return "(" + d.native(depth-1) + pickOne(d, " and ", " or ") + d.native(depth-1) + ")"
	case 5:
		return "not " + d.native(depth-1)
	}
	if d.IntN(4) == 0 {
		return pickOne(d, "mysql::master", "/^my/", "class != nginx", "identity = web*", "identity = WEB1.example", "agent = puppet", "collective != eu", "state = active", "seen before 2026-01-05", "seen after 2026-01-05")
	}
	path := pickOne(d, "a", "b", "a.b", `a."b"`, `"a.b"`, "c", "trusted.role", "a[1]")
	return pickOne(d, path+" = x", path+" != web", path+" = true", path+" = 4", path+" = w*", path+" = /^w/", path+" in (x, web)", path+" not in (x, y)", "exists "+path, path+" is null", path+" is not null", "none "+path+" = x", path+" > 3")
}

// However a random query is written in another dialect, it selects the same
// nodes of a random fleet; and printing is undone by parsing.
func TestRandomQueriesInEveryDialect(t *testing.T) {
	said := map[string]int{}
	for seed := range uint64(300) {
		d := rolled(seed)
		docs := d.fleet(12)
		for _, text := range []string{d.mongo(2), "inventory { " + d.pql(2) + " }", "nq:" + d.native(2)} {
			q, err := Parse(text, Options{})
			if err != nil {
				t.Fatalf("seed %d: %s: %v", seed, text, err)
			}
			want := selected(q, docs)
			for _, other := range []Dialect{"native", "mongo", "pql", "ast"} {
				printed, err := Format(q, other)
				if err != nil {
					if other == q.Dialect {
						t.Fatalf("seed %d: %s cannot be printed: %v", seed, text, err)
					}
					continue
				}
				said[string(q.Dialect)+" in "+string(other)]++
				again, err := Parse(printed, Options{Dialect: other})
				if err != nil {
					t.Fatalf("seed %d: %s is %s in %s: %v", seed, text, printed, other, err)
				}
				if got := selected(again, docs); !slices.Equal(got, want) {
					t.Fatalf("seed %d: %s is %s in %s:\ngot  %s\nwant %s\n%s\n%s", seed, text, printed, other, got, want, Tree(q.Filter), Tree(again.Filter))
				}
				if other == q.Dialect && Tree(again.Filter) != Tree(q.Filter) {
					t.Fatalf("seed %d: %s is printed as %s:\ngot  %s\nwant %s", seed, text, printed, Tree(again.Filter), Tree(q.Filter))
				}
			}
		}
	}
	for _, pair := range []string{"mongo in pql", "mongo in native", "pql in mongo", "pql in native", "native in mongo", "native in pql", "native in ast"} {
		if said[pair] < 20 {
			t.Errorf("only %d queries were said of %s", said[pair], pair)
		}
	}
	t.Log(said)
}
