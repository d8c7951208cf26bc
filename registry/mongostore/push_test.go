package mongostore

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"muster/query"
	"muster/registry"
)

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

// Words from which fleets and queries are made: few, so that they meet.
var (
	someKeys  = []string{"a", "b", "a.b", "1", "$x", "os", `\n`}
	someWords = []string{
		"x", "X", "web", "Web\n1", "\u212a", "k", "4", "4.0", "04", "-1", "1e3", "true", "", "1.2.3", "1.10.3", "web",
		"2026-01-02T00:00:00Z", "10.0.0.7", strings.Repeat("w", 5000) + "z", "a", "mcollective",
	}
	someClasses  = []string{"mysql::master", "Mysql::Master", "::web", "apache", "Kafka", "K\u212aafka", "4"}
	somePatterns = []string{
		"^w", "w$", "(?i)WEB", "k", "(?i)k", "4", "^$", "(?m)^1", "w.*z", `(?s)b.1`, "[^a-z]", `\bweb\b`, "(a|x)+", "e{1,2}", ".", `\.2`, `\d`,
	}
)

func scalars() *rapid.Generator[any] {
	return rapid.OneOf(
		rapid.Map(rapid.SampledFrom(someWords), func(s string) any { return s }),
		rapid.SampledFrom([]any{
			int64(4), int64(-1), int64(1000), int64(1<<53 + 1), int64(math.MaxInt64), 4.0, 0.5, -1.0, 1e20, true, false, nil,
			json.Number("18446744073709551616"), json.Number("4.00"), time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
		}),
	)
}

func anyValue(depth int) *rapid.Generator[any] {
	if depth == 0 {
		return scalars()
	}
	return rapid.OneOf(
		scalars(), scalars(),
		rapid.Map(rapid.SliceOfN(rapid.Deferred(func() *rapid.Generator[any] { return anyValue(depth - 1) }), 0, 3), func(l []any) any { return l }),
		rapid.Map(objects(depth-1), func(m map[string]any) any { return m }),
	)
}

func objects(depth int) *rapid.Generator[map[string]any] {
	return rapid.MapOfN(rapid.SampledFrom(someKeys), rapid.Deferred(func() *rapid.Generator[any] { return anyValue(depth) }), 0, 3)
}

func someNodes(t *rapid.T) registry.Node {
	names := func(of []string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(of), 0, 3, rapid.ID[string]).Draw(t, "names")
	}
	s := &registry.Section{
		Facts: objects(2).Draw(t, "facts"), Classes: names(someClasses), Agents: names([]string{"puppet", "rpcutil", "mcollective"}),
		Collectives: names([]string{"eu", "mcollective"}), Received: noon.Add(-time.Duration(rapid.IntRange(0, 300).Draw(t, "age")) * time.Minute),
	}
	sections := map[registry.Source]*registry.Section{registry.Daemon: s}
	if rapid.Bool().Draw(t, "trusted") {
		sections[registry.Trusted] = &registry.Section{Facts: objects(1).Draw(t, "trusted facts")}
	}
	if rapid.IntRange(0, 9).Draw(t, "never seen") == 0 {
		s.Received = time.Time{}
	}
	return registry.NewNode(registry.Identity(rapid.SampledFrom([]string{"web1", "Web2.acme.net", "db-1", "K1"}).Draw(t, "identity")), noon, sections)
}

// operands are right sides as front ends make them.
func operands(t *rapid.T) query.Value {
	switch rapid.IntRange(0, 9).Draw(t, "operand") {
	case 0:
		re := rapid.SampledFrom(somePatterns).Draw(t, "pattern")
		return query.Value{Kind: "regex", Text: re, Regexp: regexp.MustCompile(re)}
	case 1:
		return query.Value{Kind: "glob", Text: rapid.SampledFrom([]string{"w*", "?", "*", "*1", "K*", "db-?"}).Draw(t, "glob")}
	case 2:
		return query.Value{Kind: "age", Age: time.Duration(rapid.IntRange(0, 5).Draw(t, "age")) * time.Hour}
	case 3:
		return query.Value{Kind: "time", Time: time.Date(2026, 1, rapid.IntRange(1, 6).Draw(t, "day"), 0, 0, 0, 0, time.UTC)}
	}
	return asValue(anyValue(1).Draw(t, "value"))
}

// asValue is what a document holds as the right side of a comparison.
func asValue(held ...any) query.Value {
	list := (&query.Subquery{}).Resolve(held).(*query.Compare).Value
	return list.List[0]
}

func somePaths(t *rapid.T, fields ...string) query.Path {
	p := query.Path{Field: rapid.SampledFrom(fields).Draw(t, "field")}
	var keys []string
	for range rapid.IntRange(1, 3).Draw(t, "steps") {
		kind := rapid.SampledFrom([]string{"name", "name", "name", "name", "name", "index", "any", "keys", "deep"}).Draw(t, "kind")
		s := query.Step{Kind: kind, Pos: -1}
		switch kind {
		case "name":
			s.Key = rapid.SampledFrom(someKeys).Draw(t, "key")
			if s.Key == "1" {
				s.Pos = 1
			}
		case "index":
			s.Pos = 1
		}
		p.Steps, keys = append(p.Steps, s), append(keys, s.Key)
	}
	if rapid.Bool().Draw(t, "flat") {
		p.Flat = strings.Join(keys, ".")
	}
	return p
}

// meeting is the path to a value that a node has, and an operand that may be
// equal to it in one view or another.
func meeting(t *rapid.T, n *registry.Node) (query.Path, query.Value) {
	p, v := query.Path{Field: "facts"}, any(n.Facts)
	var keys []string
	for {
		step := query.Step{Kind: "name", Pos: -1}
		switch held := v.(type) {
		case map[string]any:
			if len(held) > 0 && (len(keys) == 0 || rapid.IntRange(0, 3).Draw(t, "go on") > 0) {
				step.Key = rapid.SampledFrom(slices.Sorted(maps.Keys(held))).Draw(t, "key")
				v = held[step.Key]
			}
		case []any:
			if len(held) > 0 && len(keys) > 0 {
				at := rapid.IntRange(0, len(held)-1).Draw(t, "at")
				v = held[at]
				switch rapid.IntRange(0, 2).Draw(t, "by position") {
				case 0:
					step = query.Step{Kind: "index", Pos: at}
				case 1:
					step = query.Step{Kind: "name", Key: fmt.Sprint(at), Pos: at}
				default:
					continue // names and values below a list are looked for in all of it
				}
			}
		}
		if step.Key == "" && step.Kind == "name" {
			break
		}
		if step.Key == "1" {
			step.Pos = 1
		}
		p.Steps, keys = append(p.Steps, step), append(keys, step.Key)
	}
	if rapid.Bool().Draw(t, "flat") {
		p.Flat = strings.Join(keys, ".")
	}
	switch held := v.(type) {
	case map[string]any:
		if len(held) > 0 {
			v = slices.Sorted(maps.Keys(held))[0]
		}
	case time.Time:
		v = rapid.SampledFrom([]any{held, held.Format(time.RFC3339Nano)}).Draw(t, "date")
	case int64, float64, json.Number, bool:
		v = rapid.SampledFrom([]any{held, string(registry.AppendJSON(nil, held)), "4", "4.00", int64(4)}).Draw(t, "text of it")
	case string:
		v = rapid.SampledFrom([]any{held, strings.ToUpper(held), int64(4), int64(-1), 1000.0, true}).Draw(t, "reading of it")
	}
	return p, asValue(v)
}

func someCompare(t *rapid.T, n *registry.Node) query.Expr {
	draw := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }
	c := &query.Compare{
		Op:    draw("op", "=", "=", "=", "!=", "<", "<=", ">", ">=", "=~", "!~", "in", "not in", "between", "exists"),
		Quant: draw("quant", "any", "any", "any", "all", "none", "self"), Value: operands(t),
		Absent: rapid.IntRange(0, 3).Draw(t, "absent") == 0, Fold: rapid.IntRange(0, 7).Draw(t, "fold") == 0, Count: rapid.IntRange(0, 15).Draw(t, "count") == 0,
		View: draw("view", "native", "native", "text", "typed", "mongo", "mongo", "version"),
	}
	switch draw("about", "met", "met", "met", "met", "met", "met", "facts", "facts", "trusted", "names", "identity", "seen", "fact", "state") {
	case "met":
		if len(n.Facts) > 0 {
			c.Path, c.Value = meeting(t, n)
		}
	case "facts":
		c.Path = somePaths(t, "facts")
	case "trusted":
		c.Path = somePaths(t, "trusted")
	case "names":
		c.Path.Field = draw("list", "classes", "agents", "collectives")
		c.View = draw("view of names", "class", "title", "agent", "text", "mongo", "native")
		if rapid.Bool().Draw(t, "name") {
			c.Value = asValue(draw("class", append(someClasses, "puppet", "mcollective", "eu", "kafka")...))
		}
	case "identity":
		c.Path.Field, c.View = "identity", draw("view of identity", "host", "host", "native", "mongo")
		if rapid.Bool().Draw(t, "name") {
			c.Value = asValue(draw("identity", "WEB1", "web1", "\u212a1", "k1", "db-1"))
		}
	case "seen":
		c.Path.Field, c.View = "seen", "native"
	case "fact":
		c.Path.Field, c.View = "fact", "text"
		if rapid.Bool().Draw(t, "name") {
			c.Value = asValue(draw("fact", someKeys...))
		}
	case "state":
		c.Path.Field, c.View = "state", "text"
	}
	switch c.Op {
	case "in", "not in":
		var members []query.Value
		if c.Path.Field == "facts" && rapid.Bool().Draw(t, "met") {
			members = append(members, c.Value)
		}
		for range rapid.IntRange(0, 3).Draw(t, "members") {
			members = append(members, operands(t))
		}
		c.Value = query.Value{Kind: "list", List: members}
	case "between":
		c.Value = query.Value{Kind: "list", List: []query.Value{operands(t), operands(t)}}
	case "=~", "!~":
		re := rapid.SampledFrom(somePatterns).Draw(t, "pattern")
		c.Value = query.Value{Kind: "regex", Text: re, Regexp: regexp.MustCompile(re)}
	}
	if c.Count {
		c.Op, c.Value = "=", asValue(int64(1))
	}
	if c.View == "mongo" {
		c.Count = false
		for i, s := range c.Path.Steps {
			if s.Kind != "name" { // the server knows no other steps
				c.Path.Steps[i] = query.Step{Kind: "name", Key: "a", Pos: -1}
			}
		}
	}
	return c
}

func someExpr(t *rapid.T, n *registry.Node, depth int) query.Expr {
	shape := 0
	if depth > 0 {
		shape = rapid.IntRange(0, 6).Draw(t, "shape")
	}
	switch shape {
	case 1:
		return query.And{someExpr(t, n, depth-1), someExpr(t, n, depth-1)}
	case 2:
		return query.Or{someExpr(t, n, depth-1), someExpr(t, n, depth-1)}
	case 3:
		return query.Not{Expr: someExpr(t, n, depth-1)}
	case 4:
		h := &query.Has{Path: somePaths(t, "facts"), Quant: rapid.SampledFrom([]string{"any", "all", "none"}).Draw(t, "quant"), View: "native"}
		h.Expr = &query.Compare{Path: query.Path{Field: "element"}, Op: "=", Quant: "any", View: "native", Value: asValue(scalars().Draw(t, "element"))}
		return h
	}
	return someCompare(t, n)
}

// TestPushedLosesNobody is the law: whatever the query says, the server finds
// every node that it holds for.
func TestPushedLosesNobody(t *testing.T) {
	asked, narrowed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		n := someNodes(t)
		e := someExpr(t, &n, rapid.IntRange(0, 2).Draw(t, "depth"))
		doc := stored(t, &n)
		filter := pushed(e, noon)
		found := finds(filter, doc)
		if asked++; !found {
			narrowed++
		}
		if query.Matches(e, n.Document(), noon) && !found {
			t.Fatalf("the server does not find %v\nfor %#v\npushed as %v", doc, e, filter)
		}
	})
	if narrowed*50 < asked {
		t.Errorf("of %d questions the server could answer no to %d only", asked, narrowed)
	}
}

// stored is a node's document as a server holds it.
func stored(t rapid.TB, n *registry.Node) bson.D {
	raw, err := bson.Marshal(documentOf(n))
	if err != nil {
		t.Fatal(err)
	}
	var doc bson.D
	if err := bson.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestPushedFinds: pairs that are rare and easily lost.
func TestPushedFinds(t *testing.T) {
	long := strings.Repeat("w", 4096) + "z" // of which an expression sees the beginning
	for _, c := range []struct {
		facts   map[string]any
		classes []string
		text    string
	}{
		{facts: map[string]any{"a": "+4"}, text: "a = 4"},
		{facts: map[string]any{"a": "-1.0"}, text: "a = -1"},
		{facts: map[string]any{"a": json.Number("4.00")}, text: "a = 4"},
		{facts: map[string]any{"a": json.Number("18446744073709551616")}, text: "a > 5"},
		{facts: map[string]any{"a": "2.6.32"}, text: "a < 2.10.1"},
		{facts: map[string]any{"a": nil}, text: `text(a) = ""`},
		{facts: map[string]any{"a": nil}, text: "a is null"},
		{facts: map[string]any{"a": true}, text: "a = true"},
		{facts: map[string]any{"a": int64(42)}, text: "a =~ /2$/"},
		{facts: map[string]any{"a": long}, text: "a =~ /w$/"},
		{facts: map[string]any{"a": "x\ny"}, text: "a =~ /(?m)^y/"},
		{facts: map[string]any{"a": time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)}, text: `a = "2026-01-02T00:00:00Z"`},
		{facts: map[string]any{"a": []any{map[string]any{"b": "x"}}}, text: "a.b = x"},
		{facts: map[string]any{"a": []any{map[string]any{"1": "x"}}}, text: "not a.1 = x"},
		{facts: map[string]any{"a": []any{map[string]any{"1": "x"}}}, text: "missing a.1"},
		{facts: map[string]any{"a.b": "y", "a": map[string]any{"b": "x"}}, text: "not a.b = x"},
		{facts: map[string]any{"a": []any{}}, text: "all a = x"},
		{facts: map[string]any{"b": "x"}, text: `{"facts.a": {"$ne": "x"}}`},
		{facts: map[string]any{"b": "x"}, text: `{"facts.a": null}`},
		{facts: map[string]any{"a": map[string]any{"x": int64(1)}}, text: "a has key x"},
		{facts: map[string]any{"eth0.100": "up", "$set": "x"}, text: `"eth0.100" = up and "$set" = x`},
		{classes: []string{"::web"}, text: "class = web"},
		{classes: []string{"\u212aafka"}, text: "class = kafka"},
		{classes: []string{"Mysql::Master"}, text: "class = ::mysql::master and not class = mysql"},
		{classes: []string{"Mysql"}, text: "class =~ /^my/"},
		{text: "agent = mcollective and identity = DB*"},
		{text: "identity = \u212a1 or identity =~ /^D/"},
		{text: "seen < 1s and not seen > 1h and state = active"},
	} {
		n := registry.NewNode("DB1", noon, map[registry.Source]*registry.Section{
			registry.Daemon: {Facts: c.facts, Classes: c.classes, Received: noon},
		})
		n.State = registry.Active
		q, err := query.Parse(c.text, query.Options{})
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if !query.Matches(q.Filter, n.Document(), noon) {
			t.Errorf("%s does not hold for %v: this shows nothing", c.text, c.facts)
		}
		if filter := pushed(q.Filter, noon); !finds(filter, stored(t, &n)) {
			t.Errorf("%s is pushed as %v, which does not find %v %v", c.text, filter, c.facts, c.classes)
		}
	}
}

// TestPushed shows what the usual questions become.
func TestPushed(t *testing.T) {
	for text, want := range map[string]string{
		"customer=acme mysql::master": `{"$and":[{"$or":[{"facts.customer":{"$in":["acme"]}},{"facts.customer.acme":{"$exists":true}}]},` +
			`{"classes":{"$regex":"\\A(?:::)?[mM][yY][s\\x{17f}S][qQ][lL]\\x{3a}\\x{3a}[mM][aA][s\\x{17f}S][tT][eE][rR]\\z"}}]}`,
		"customer = acme":                   `{"facts.customer":{"$in":["acme"]}}`,
		"not customer = acme":               `{"$nor":[{"facts.customer":"acme"}]}`,
		"customer != acme":                  `{"facts.customer":{"$exists":true}}`,
		"identity = DB1.acme.net":           `{"_id":"db1.acme.net"}`,
		"seen < 2h":                         `{"seen":{"$gte":{"$date":{"$numberLong":"1767607199000"}}}}`,
		"os.family = Debian":                `{"$or":[{"facts.os．family":{"$in":["Debian"]}},{"facts.os.family":{"$in":["Debian"]}}]}`,
		`{"facts.customer": {"$ne": "x"}}`:  `{"$nor":[{"facts.customer":"x"}]}`,
		`{"facts.cores": {"$gt": 8}}`:       `{"$or":[{"facts.cores":{"$gte":{"$numberDouble":"8.0"}}},{"facts.cores.\\n":{"$exists":true}}]}`,
		`{"facts.name": /^web(1|2)[^x]+$/}`: `{"facts.name":{"$regex":"\\Aweb[1-2][\\x{0}-wy-\\x{10ffff}]+"}}`,
		"state = active":                    `{}`,
	} {
		q, err := query.Parse(text, query.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(pushed(q.Filter, noon)[1:]); got != want {
			t.Errorf("%s is pushed as\n%s\nwant\n%s", text, got, want)
		}
	}
}
