package query

import (
	"fmt"
	"strings"
	"testing"
)

// foreignOperators are MongoDB's operators that are not on our list.
var foreignOperators = []string{
	"$where", "$expr", "$text", "$jsonSchema", "$function", "$accumulator", "$comment", "$rand", "$sampleRate", "$natural",
	"$bitsAllClear", "$bitsAllSet", "$bitsAnyClear", "$bitsAnySet", "$geoIntersects", "$geoWithin", "$near", "$nearSphere", "$within",
	"$box", "$center", "$centerSphere", "$geometry", "$maxDistance", "$minDistance", "$polygon", "$uniqueDocs",
	"$slice", "$meta", "$search", "$lookup", "$unionWith", "$out", "$merge", "$set", "$unset", "$inc", "$push", "$pull", "$rename", "$currentDate",
	"$add", "$concat", "$cond", "$filter", "$map", "$reduce", "$let", "$literal", "$switch", "$toString", "$regexMatch", "$strcasecmp", "$isNumber",
	"$ref", "$id", "$db", "$query", "$orderby", "$explain", "$hint", "$max", "$min", "$returnKey", "$showDiskLoc", "$snapshot", "$maxTimeMS",
	"$_internalExprEq", "$_internalSchemaType", "$alwaysTrue", "$alwaysFalse", "$gth", "$", "$eQ",
}

func TestForeignOperatorsAreRefused(t *testing.T) {
	for _, op := range foreignOperators {
		for _, text := range []string{
			fmt.Sprintf("{%s: 1}", op),
			fmt.Sprintf("{'facts.a': 1, %s: {x: 1}}", op),
			fmt.Sprintf("{'facts.a': {%s: 1}}", op),
			fmt.Sprintf("{'facts.a': {$gt: 1, %s: []}}", op),
			fmt.Sprintf("{'facts.a': {$not: {%s: 'x'}}}", op),
			fmt.Sprintf("{'facts.a': {$elemMatch: {%s: 'x'}}}", op),
			fmt.Sprintf("{$or: [{}, {$nor: [{%s: true}]}]}", op),
			fmt.Sprintf("{'facts.a': {b: {%s: 1}}}", op),
			fmt.Sprintf("{'facts.a': {$eq: {%s: 1}}}", op),
		} {
			q, err := Parse(text, Options{Dialect: "mongo"})
			if err == nil {
				t.Fatalf("%s is read as %s", text, Tree(q.Filter))
			}
			syn := checkRefusal(t, text, err)
			if at := strings.Index(text, op+":"); syn.Offset != at {
				t.Errorf("%s: the mistake is at %d, want %d: %v", text, syn.Offset, at, err)
			}
		}
	}
}

// The operators on the list are accepted; the list is complete.
func TestOperatorsOnTheList(t *testing.T) {
	operands := map[string]string{
		"$in": "[1]", "$nin": "[1]", "$regex": "'a'", "$not": "{$eq: 1}", "$all": "[1]", "$elemMatch": "{b: 1}", "$size": "1", "$type": "'int'", "$mod": "[2, 1]",
	}
	for op := range mongoOperators {
		operand := operands[op]
		if operand == "" {
			operand = "1"
		}
		text := fmt.Sprintf("{facts.a: {%s: %s}}", op, operand)
		if op == "$options" {
			text = "{facts.a: {$options: 'i', $regex: 'a'}}"
		}
		if _, err := Parse(text, Options{Dialect: "mongo"}); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	if len(mongoOperators) != 17 {
		t.Errorf("there are %d operators on fields", len(mongoOperators))
	}
}

// refusals are texts with a mistake, where it is, and a word of the reason.
var refusals = []struct {
	dialect Dialect
	text    string
	at      int
	reason  string
}{
	{"mongo", "", 0, "ends too soon"},
	{"mongo", "x", 0, "a filter is a document"},
	{"mongo", "[1]", 0, "a filter is a document"},
	{"mongo", "{facts.a: 1, 'facts.a': 2}", 13, "twice"},
	{"mongo", "{facts.a: {b: 1, c: 2, b: 3}}", 23, "twice"},
	{"mongo", "{facts.a: {a:1,b:1,c:1,d:1,e:1,f:1,g:1,h:1,i:1,j:1,a:2}}", 51, "twice"},
	{"mongo", "{facts.a: 'x}", 10, "unclosed quote"},
	{"mongo", `{facts.a: "x}`, 10, "unclosed quote"},
	{"mongo", "{'facts.a: 1}", 1, "unclosed quote"},
	{"mongo", "{facts.a: `x}", 10, "unclosed quote"},
	{"mongo", "{facts.a: /x}", 10, "unterminated regex"},
	{"mongo", "{facts.a: //}", 10, "unterminated regex"},
	{"mongo", "{facts.a: [1, 2}", 15, "cannot stand here"},
	{"mongo", "{facts.a: [1, 2", 10, "unclosed ["},
	{"mongo", "{facts.a: Date('x'", 10, "unclosed ("},
	{"mongo", "{facts.a: [1 2]}", 13, "cannot stand here"},
	{"mongo", "{facts.a}", 8, "cannot stand here"},
	{"mongo", "{facts.a:}", 9, "cannot stand here"},
	{"mongo", "{,}", 1, "cannot stand here"},
	{"mongo", "{/a/: 1}", 1, "cannot stand here"},
	{"mongo", "{},", 2, "text after the filter"},
	{"mongo", "{facts.a: web server}", 14, "cannot stand here"},
	{"mongo", "{facts.a: ISODate()}", 10, "takes one value"},
	{"mongo", "{facts.a: ISODate('soon')}", 18, "not a date"},
	{"mongo", "{facts.a: ISODate(12)}", 18, "not a date"},
	{"mongo", "{facts.a: NumberInt(3000000000)}", 20, "cannot hold"},
	{"mongo", "{facts.a: NumberLong('x')}", 21, "cannot hold"},
	{"mongo", "{facts.a: RegExp(1)}", 17, "takes text"},
	{"mongo", "{facts.a: RegExp('a', 'b', 'c')}", 10, "takes one value"},
	{"mongo", "{facts.a: ObjectId('5f')}", 10, "unknown function"},
	{"mongo", "{facts.a: new  Foo('5f')}", 10, "unknown function Foo"},
	{"mongo", "{facts.a: NaN}", 10, "no value of a fact"},
	{"mongo", "{facts.a: undefined}", 10, "no value of a fact"},
	{"mongo", `{facts.a: '\d'}`, 11, "is no escape"},
	{"mongo", `{facts.a: "\u12"}`, 11, "not complete"},
	{"mongo", `{facts.a: "\u{}"}`, 11, "not complete"},
	{"mongo", `{facts.a: "x\ud800"}`, 12, "surrogate"},
	{"mongo", `{facts.a: "\ude00\ud83d"}`, 11, "surrogate"},
	{"mongo", `{facts.a: "\u0000"}`, 11, "NUL"},
	{"mongo", `{facts.a: '\x00'}`, 11, "NUL"},
	{"mongo", `{facts.a: '\u{110000}'}`, 11, "no such character"},
	{"mongo", `{"facts.\ud800": 1}`, 8, "surrogate"},
	{"mongo", "{facts.a: 'x\x00y'}", 12, "NUL"},
	{"mongo", "{facts.a: 'x\xff'}", 12, "UTF-8"},
	{"mongo", "{facts.a: /(?=x)/}", 11, "RE2"},
	{"mongo", "{facts.a: {$regex: 'a(?<!x)'}}", 21, "RE2"},
	{"mongo", `{facts.a: /(a)\1/}`, 14, "RE2"},
	{"mongo", "{facts.a: /a/g}", 10, "invalid flag"},
	{"mongo", "{facts.a: {$in: [/(/]}}", 18, "never closed"},
	{"mongo", "{facts..a: 1}", 1, "is empty"},
	{"mongo", "{customer: acme}", 1, "no field"},
	{"mongo", "{clases: acme}", 1, "no field"},
	{"mongo", "{facts.a: {$gt: 1, b: 2}}", 19, "cannot be mixed"},
	{"mongo", "{facts.a: {b: 2, $gt: 1}}", 17, "cannot stand inside a value"},
	{"mongo", "{facts.a: {$options: 'i'}}", 11, "needs a $regex"},
	{"mongo", "{facts.a: {$regex: /a/i, $options: 's'}}", 35, "both"},
	{"mongo", "{facts.a: {$regex: 'a', $options: 5}}", 34, "has to be a string"},
	{"mongo", "{facts.a: {$regex: 5}}", 19, "has to be a string"},
	{"mongo", "{facts.a: {$gt: /a/}}", 16, "Can't have regex"},
	{"mongo", "{facts.a: {$in: {a: 1}}}", 16, "needs an array"},
	{"mongo", "{facts.a: {$in: $one}}", 16, "needs an array"},
	{"mongo", "{facts.a: $nobody}", 10, "no value is given for $nobody"},
	{"mongo", "{facts.a: ?, facts.b: ?}", 22, "no value is given for ?"},
	{"mongo", "{facts.a: {$param: 'nobody'}}", 10, "no value is given"},
	{"mongo", "{facts.a: $odd}", 10, "can not hold"},
	{"mongo", "{facts.a: {$all: [{$elemMatch: {b: 1}}, 1]}}", 40, "only $elemMatch"},
	{"mongo", "{facts.a: {$all: [{$gt: 1}]}}", 18, "no $ expressions"},
	{"mongo", "{facts.a: {$elemMatch: 1}}", 23, "needs a document"},
	{"mongo", "{facts.a: {$elemMatch: {$gt: 1, b: 2}}}", 32, "cannot be mixed"},
	{"mongo", "{facts.a: {$size: -1}}", 18, "negative"},
	{"mongo", "{facts.a: {$size: 'x'}}", 18, "whole number"},
	{"mongo", "{facts.a: {$type: []}}", 18, "at least one type"},
	{"mongo", "{facts.a: {$type: 99}}", 18, "Invalid numerical type code"},
	{"mongo", "{facts.a: {$type: 2.5}}", 18, "Invalid numerical type code"},
	{"mongo", "{facts.a: {$type: [[]]}}", 19, "number or a string"},
	{"mongo", "{facts.a: {$mod: [1, 2, 3]}}", 17, "too many"},
	{"mongo", "{facts.a: {$mod: ['x', 2]}}", 18, "not a number"},
	{"mongo", "{facts.a: {$mod: [0.5, 2]}}", 18, "cannot be 0"},
	{"mongo", "{facts.a: {$not: 5}}", 17, "needs a regex"},
	{"mongo", "{facts.a: {$not: {b: 5}}}", 18, "cannot be mixed"},
	{"mongo", "{facts.a: {$and: [{b: 1}]}}", 11, "stands on a field"},
	{"mongo", "{$gt: 5}", 1, "stands on no field"},
	{"mongo", "{$or: {a: 1}}", 6, "nonempty array"},
	{"mongo", "{$saved: 5}", 9, "name of a saved query"},
	{"mongo", "{$saved: 'nosuch'}", 9, "no saved query"},
	{"mongo", "{facts.a: {$elemMatch: {$or: [{$saved: 'x'}]}}}", 39, "name of a saved query"},
	{"mongo", `{lastseen: {"$date": "soon"}}`, 21, "not a date"},
	{"mongo", `{lastseen: {"$date": {"$numberLong": "x"}}}`, 37, "not a number"},
	{"mongo", `{lastseen: {"$date": {"$numberDouble": 0.5}}}`, 21, "not a date"},
	{"mongo", `{facts.a: {"$numberInt": true}}`, 25, "not a number"},
	{"mongo", `{facts.a: {"$regularExpression": {"pattern": 5}}}`, 45, "not text"},
	{"pql", "", 0, "ends too soon"},
	{"pql", "inventory { facts.a = 'x }", 22, "unclosed quote"},
	{"pql", `inventory { facts.a = "x }`, 22, "unclosed quote"},
	{"pql", "inventory { facts.a = 'x'", 25, "ends too soon"},
	{"pql", "inventory { facts.a = \"\\ud800\" }", 23, "surrogate"},
	{"pql", "inventory { facts.a = \"\\q\" }", 23, "is no escape"},
	{"pql", "inventory { facts.a = 'x\x00' }", 24, "NUL"},
	{"pql", "inventory { facts.a = '\xff' }", 23, "UTF-8"},
	{"pql", "inventory { facts.a ~ '(?=x)' }", 23, "RE2"},
	{"pql", "inventory { facts.a in [/(/] }", 23, "never closed"},
	{"pql", "inventory { facts.a ~ 4 }", 22, "is text"},
	{"pql", "inventory { facts.a ~ ['a'] }", 22, "is text"},
	{"pql", "inventory { facts.a = null }", 22, "nothing equals null"},
	{"pql", "inventory { facts.a = [] }", 22, "list is empty"},
	{"pql", "inventory { facts.a < true }", 22, "no order"},
	{"pql", "inventory { classes < 'x' }", 12, "no order"},
	{"pql", "inventory { facts.a ~> ['x'] }", 12, "~>"},
	{"pql", "inventory { certname is null }", 12, "never null"},
	{"pql", "inventory { facts.a is nothing }", 23, "cannot stand here"},
	{"pql", "inventory { facts.a in 'x' }", 23, "cannot stand here"},
	{"pql", "inventory { facts.a in $one }", 23, "needs a list"},
	{"pql", "inventory { facts.a = $nobody }", 22, "no value is given"},
	{"pql", "inventory { facts.a = ? and facts.b in ? }", 39, "no value is given"},
	{"pql", "inventory { facts.a = 1e99999 }", 22, "too large"},
	{"pql", "inventory { limit 99999999999 }", 18, "no number of rows"},
	{"pql", "inventory { limit 1.5 }", 18, "no number of rows"},
	{"pql", "inventory { offset -1 }", 19, "no number of rows"},
	{"pql", "inventory { order by nosuch }", 21, "not a field"},
	{"pql", "inventory { group by nosuch }", 21, "not a field"},
	{"pql", "inventory[certname, count()] {}", 10, "many values in a group"},
	{"pql", "inventory[sun(facts.a)] {}", 10, "no function"},
	{"pql", "inventory[sum()] {}", 10, "takes one field"},
	{"pql", "inventory[count(facts.a, facts.b)] {}", 10, "takes one field"},
	{"pql", "inventory[max(nosuch)] {}", 14, "not a field"},
	{"pql", "inventory { timestamp > 1700000000 }", 24, "no unit"},
	{"pql", "inventory { timestamp > 'soon' }", 24, "not a date"},
	{"pql", "inventory { timestamp ~ '2026' }", 12, "compared with a date"},
	{"pql", "inventory { timestamp = true }", 24, "not a date"},
	{"pql", "nodes { deactivated > '2026-01-01' }", 8, "not known here"},
	{"pql", "nodes { facts.kernel = 'Linux' }", 8, "not a field of nodes"},
	{"pql", "nodes { certname.x = 'Linux' }", 8, "not a field of nodes"},
	{"pql", "facts { title = 'x' }", 8, "not a field of facts"},
	{"pql", "catalogs { certname = 'x' }", 0, "not held here"},
	{"pql", "inventry { certname = 'x' }", 0, "no entity"},
	{"pql", "inventory { inventry { certname = 'x' } }", 12, "no entity"},
	{"pql", "inventory { resources { type = 'File' } }", 31, "not held here"},
	{"pql", "inventory { resources { type > 'File' } }", 24, "compared with"},
	{"pql", "inventory { resources { type ~ '(' } }", 32, "never closed"},
	{"pql", "inventory { resources { title = 'x' limit 1 } }", 12, "no order and no limit"},
	{"pql", "inventory { [certname, facts.a] in facts[certname] {} }", 12, "cannot be in"},
	{"pql", "inventory { [certname, facts.a] in facts[certname, value] {} }", 12, "several fields"},
	{"pql", "inventory { facts.a in nosuch[certname] {} }", 23, "no entity"},
	{"pql", "inventory { nosuch in facts[value] {} }", 12, "not a field"},
	{"pql", "fact_contents { path = 'x' }", 23, "a path is a list"},
	{"pql", "fact_contents { path > ['x'] }", 16, "compared with"},
	{"pql", "fact_contents { path ~> ['('] }", 25, "never closed"},
	{"ast", "{}", 0, "no documents"},
	{"ast", "[]", 0, "not an operator"},
	{"ast", "[1]", 0, "not an operator"},
	{"ast", "", 0, "ends too soon"},
	{"ast", `["=", 'certname', "x"]`, 6, "double quotes"},
	{"ast", `["=", certname, "x"]`, 6, "double quotes"},
	{"ast", `["=", "certname", nil]`, 18, "not JSON"},
	{"ast", `["=", "certname", /x/]`, 18, "not JSON"},
	{"ast", `["=", "certname", {"a": 1}]`, 18, "no documents"},
	{"ast", `["=", "certname", {"a": 1, "a": 2}]`, 27, "twice"},
	{"ast", `["=", "certname", null]`, 18, "nothing compares with null"},
	{"ast", `["=", "certname", "x"`, 0, "unclosed ["},
	{"ast", `["=", "certname", "x]`, 18, "unclosed quote"},
	{"ast", `["=", "certname", "\ud800"]`, 19, "surrogate"},
	{"ast", `["equals", "certname", "x"]`, 1, "no operator"},
	{"ast", `["nul?", "certname", true]`, 1, "no operator"},
	{"ast", `["and"]`, 0, "at least one"},
	{"ast", `["not", ["=", "certname", "a"], ["=", "certname", "b"]]`, 0, "exactly one"},
	{"ast", `["=", "certname"]`, 0, "exactly two"},
	{"ast", `["=", "facts..a", "x"]`, 6, "not a field"},
	{"ast", `["=", ["node", "x"], "x"]`, 6, "not a field"},
	{"ast", `["=", 5, "x"]`, 6, "not a field"},
	{"ast", `["=", ["node", "active"], "x"]`, 0, "true or false"},
	{"ast", `["null?", "facts.a", 1]`, 21, "true or false"},
	{"ast", `["in", "certname", "x"]`, 19, "not an operator"},
	{"ast", `["in", "certname", ["array", "x"]]`, 19, "takes one list"},
	{"ast", `["in", "certname", ["list", "x"]]`, 20, "needs an array"},
	{"ast", `["in", 5, ["array", ["x"]]]`, 7, "not a field"},
	{"ast", `["in", "certname", ["extract", "certname", ["nodes"]]]`, 19, "not a subquery"},
	{"ast", `["in", "certname", ["extract", 5, ["select_nodes"]]]`, 31, "no fields"},
	{"ast", `["subquery", 5, ["=", "certname", "x"]]`, 13, "an entity"},
	{"ast", `["from"]`, 0, "no entity"},
	{"ast", `["from", "nodes", 5]`, 18, "not an operator"},
	{"ast", `["from", "nodes", ["=", "certname", "a"], ["=", "certname", "b"]]`, 42, "a condition already"},
	{"ast", `["from", "nodes", ["limit", -1]]`, 18, "number of rows"},
	{"ast", `["from", "nodes", ["offset"]]`, 18, "number of rows"},
	{"ast", `["from", "nodes", ["order_by"]]`, 18, "names no field"},
	{"ast", `["from", "nodes", ["order_by", [["certname", "up"]]]]`, 45, "no direction"},
	{"ast", `["from", "nodes", ["order_by", [5]]]`, 32, "not a field"},
	{"ast", `["from", "nodes", ["extract"]]`, 18, "extract takes"},
	{"ast", `["from", "nodes", ["extract", [["function"]]]]`, 31, "names no function"},
	{"ast", `["from", "nodes", ["extract", [["function", "med", "certname"]]]]`, 44, "no function"},
	{"ast", `["from", "nodes", ["extract", [["function", "max", 5]]]]`, 51, "not a field"},
	{"ast", `["~", "certname", "(?!x)"]`, 19, "RE2"},
}

func TestRefusals(t *testing.T) {
	o := Options{Named: map[string]any{"one": 1, "odd": struct{}{}}, Positional: []any{"x"}, Saved: map[string]string{"x": "{}"}}
	for _, r := range refusals {
		o.Dialect = r.dialect
		q, err := Parse(r.text, o)
		if err == nil {
			t.Errorf("%s %q is read as %s", r.dialect, r.text, Tree(q.Filter))
			continue
		}
		if syn := checkRefusal(t, r.text, err); syn.Offset != r.at || !strings.Contains(syn.Problem, r.reason) || syn.Dialect != r.dialect {
			t.Errorf("%s %q: at %d: %v; want %d and %q", r.dialect, r.text, syn.Offset, err, r.at, r.reason)
		}
	}
}

// Each limit is tested at its edge and one past it.
func TestServerLimits(t *testing.T) {
	repeat := strings.Repeat
	for _, l := range []struct {
		name    string
		dialect Dialect
		text    func(n int) string
		edge    int
	}{
		{"depth", "mongo", func(n int) string { return repeat("{$or: [", n/2) + "{}" + repeat("]}", n/2) + repeat(" ", n%2) }, maxDepth - 2},
		{"depth of values", "mongo", func(n int) string { return "{facts.a: " + repeat("[", n-1) + repeat("]", n-1) + "}" }, maxDepth},
		{"depth", "pql", func(n int) string {
			return "inventory { " + repeat("(", n-1) + "certname = 'x'" + repeat(")", n-1) + " }"
		}, maxDepth},
		{"depth", "ast", func(n int) string { return repeat(`["not", `, n-1) + `["=", "certname", "x"]` + repeat("]", n-1) }, maxDepth},
		{"clauses", "mongo", func(n int) string { return "{$or: [" + repeat("{state: a},", n) + "]}" }, maxClauses},
		{"clauses", "pql", func(n int) string { return "inventory { " + repeat("state=1 or ", n-1) + "state=1 }" }, maxClauses},
		{"list", "mongo", func(n int) string { return "{facts.a: {$in: [" + repeat("1,", n) + "]}}" }, maxList},
		{"list", "pql", func(n int) string { return "inventory { facts.a in [" + repeat("1,", n-1) + "1] }" }, maxList},
		{"list", "ast", func(n int) string { return `["in", "facts.a", ["array", [` + repeat("1,", n-1) + "1]]]" }, maxList},
		{"patterns", "mongo", func(n int) string { return "{facts.a: {$in: [" + repeat("/x/,", n) + "]}}" }, maxPatterns},
		{"patterns", "pql", func(n int) string { return "inventory { " + repeat("facts.a ~ 'x' or ", n-1) + "facts.a ~ 'x' }" }, maxPatterns},
		{"pattern", "mongo", func(n int) string { return "{facts.a: /" + repeat("x", n) + "/}" }, maxPattern},
		{"pattern", "ast", func(n int) string { return `["~", "facts.a", "` + repeat("x", n) + `"]` }, maxPattern},
		{"text", "mongo", func(n int) string { return "{}" + repeat(" ", n-2) }, maxBytes},
		{"text", "pql", func(n int) string { return "nodes {" + repeat(" ", n-8) + "}" }, maxBytes},
	} {
		if _, err := Parse(l.text(l.edge), Options{Dialect: l.dialect}); err != nil {
			t.Errorf("%s of %s at the edge: %v", l.name, l.dialect, err)
		}
		past := l.edge + 1
		if l.name == "depth" && l.dialect == "mongo" {
			past = l.edge + 2
		}
		text := l.text(past)
		if _, err := Parse(text, Options{Dialect: l.dialect}); err == nil {
			t.Errorf("%s of %s past the edge is accepted", l.name, l.dialect)
		} else {
			_ = checkRefusal(t, text, err)
		}
	}
}

// A mistake is shown with a query that was most likely meant, and that parses.
func TestServerSuggestions(t *testing.T) {
	for _, r := range []struct{ text, want string }{
		{`{facts.a: {$gth: 1}}`, `{facts.a: {$gt: 1}}`},
		{`{facts.a: {$exist: true}}`, `{facts.a: {$exists: true}}`},
		{`{customer: 'acme'}`, `{facts.customer: 'acme'}`},
		{`{'clases': 'acme'}`, `{classes: 'acme'}`},
		{`{facts.a: {$type: 'strnig'}}`, `{facts.a: {$type: string}}`},
		{`{facts.a: 'x}`, `{facts.a: 'x'}`},
		{`{facts.a: {$in: ['x'`, `{facts.a: {$in: ['x']}}`},
		{`{facts.a: /x}`, `{facts.a: /x/}`},
		{`inventory { kernel = 'Linux' }`, `inventory { facts.kernel = 'Linux' }`},
		{`inventory { certnam = 'x' }`, `inventory { certname = 'x' }`},
		{`inventory { facts.a = 'x }`, `inventory { facts.a = 'x' }`},
		{`inventory { facts.a = 'x'`, `inventory { facts.a = 'x'}`},
		{`inventory { resources { type = 'Clas' } }`, `inventory { resources { type = 'Class' } }`},
		{`["=", "facts.a", 'x']`, `["=", "facts.a", "x"]`},
		{`["from", "inventry", ["=", "certname", "x"]]`, ``},
		{`["not", ["=", "facts.a", "x"`, `["not", ["=", "facts.a", "x"]]`},
	} {
		_, err := Parse(r.text, Options{})
		if err == nil {
			t.Errorf("%s is accepted", r.text)
			continue
		}
		if syn := checkRefusal(t, r.text, err); syn.Suggestion != r.want {
			t.Errorf("%s: suggests %q, want %q", r.text, syn.Suggestion, r.want)
		}
	}
}

func TestMongoWarnings(t *testing.T) {
	for text, want := range map[string]string{
		`{facts.a: {$in: []}}`:          "$in of nothing is always false",
		`{facts.a: {$nin: []}}`:         "$nin of nothing is always true",
		`{facts.a: {$all: []}}`:         "$all of nothing is always false",
		`{facts.a: {$not: {$eq: /x/}}}`: "$eq compares with the pattern itself, which is always false; without $eq it is searched for",
		`{facts.a: {$in: [1]}}`:         "",
	} {
		if q := mustParse(t, text); strings.Join(q.Warnings, "; ") != want {
			t.Errorf("%s warns of %q, want %q", text, q.Warnings, want)
		}
	}
	q := mustParse(t, "inventory { facts.a = bare }")
	if len(q.Warnings) != 1 || !strings.Contains(q.Warnings[0], "in quotes") {
		t.Errorf("a bare word in PQL warns of %q", q.Warnings)
	}
}
