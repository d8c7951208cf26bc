package query

import (
	"errors"
	"strings"
	"testing"
)

// serverOptions are those of the laws, but without saved queries: their
// filters may be in another dialect's words, which mongo does not have.
func serverOptions(d Dialect) Options {
	o := options(d)
	o.Saved = map[string]string{"loop": "{$saved: 'loop'}"}
	return o
}

// checkServerText holds a text to the laws of mongo, pql and ast: an error is
// a *SyntaxError with a position inside of the text; what is printed is read
// as the same query, unless it has grown beyond a limit.
func checkServerText(t *testing.T, text string, d Dialect) {
	t.Helper()
	q, err := Parse(text, serverOptions(d))
	if err != nil {
		syn := checkRefusal(t, text, err)
		_ = syn.Snippet()
		if syn.Suggestion != "" {
			if _, err := Parse(syn.Suggestion, serverOptions(d)); err != nil {
				t.Fatalf("Parse(%q) suggests %q, which fails: %v", text, syn.Suggestion, err)
			}
		}
		return
	}
	printed, err := Format(q, d)
	if err != nil {
		if !errors.Is(err, errTooLarge) || !strings.Contains(err.Error(), " than ") {
			t.Fatalf("Parse(%q) is %s, which cannot be printed: %v", text, queryTree(q), err)
		}
		return
	}
	again, err := Parse(printed, Options{Dialect: d})
	if err != nil {
		t.Fatalf("Parse(%q) printed as %q, which does not parse: %v", text, printed, err)
	}
	if queryTree(again) != queryTree(q) {
		t.Fatalf("%q printed as %q:\nfirst  %s\nsecond %s", text, printed, queryTree(q), queryTree(again))
	}
	if twice, err := Format(again, d); err != nil || twice != printed {
		t.Fatalf("%q printed as %q, then as %q: %v", text, printed, twice, err)
	}
}

func seedCases(f *testing.F, file string, d Dialect) {
	for _, c := range readServerCases(f, file) {
		if c.dialect() == d || d == "mongo" {
			f.Add(c.Query)
		}
	}
}

func FuzzMongo(f *testing.F) {
	seedCases(f, "mongo.json", "mongo")
	for _, seed := range []string{
		`{:a => {'$in' => [nil, :b, /c/i, 0x1F, -1.5e3]}, "facts.x": {$not: {$elemMatch: {$all: ['x', /y/], $gt: 1}}}}`,
		`{facts.a: $cust, facts.b: ?, facts.c: {$in: $list}, facts.d: {$param: 'n'}, $saved: 'loop'}`,
		"{lastseen: {$gt: Date(1700000000000), $lt: 1800000000}, facts.a: `x`, facts.b: RegExp('a', 'im')}",
		`{"lastseen": {"$gt": {"$date": {"$numberLong": "1700000000000"}}}, "facts.a": {"$regularExpression": {"pattern": "a", "options": "x"}}}`,
		`{facts.a: {b: [1, {c: null}], d: 'e'}, trusted.x: {$type: [2, 'number'], $size: 3, $mod: [4, 1]}}`,
		`{facts.a: "\u00e9\ud83d\ude00\x41\u{1F600}", $nor: [{}, {$or: [{state: active}, {auth: cert}]}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { checkServerText(t, text, "mongo") })
}

func FuzzPQL(f *testing.F) {
	seedCases(f, "pql.json", "pql")
	for _, seed := range []string{
		`facts[certname, count(value), max(value)] { name ~ "^a" and !(value in [1, 'x', true]) group by certname order by count(value) desc limit 3 offset 1 }`,
		`fact_contents[path, value] { path ~> ["a", ".*", 0] or path in [['a'], ['b', 1]] or name = 'x' }`,
		`nodes { deactivated is null and expired is not null and facts_timestamp > '2026-01-01' and [certname] in resources[certname] { title != 'X' } }`,
		`inventory { facts."a.b"[0].c = $cust and facts.x in $list and facts.y == ? and facts.z not in ['a'] and classes = ['a', 'b'] }`,
		`inventory { facts.site in inventory[facts.site] { certname = 'x' limit 2 } and trusted.a.b =~ 'c' }`,
		`resources[title] { type ~ 'C' and (title = 'A::B' or title ~ 'c') }`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { checkServerText(t, text, "pql") })
}

func FuzzAST(f *testing.F) {
	seedCases(f, "pql.json", "ast")
	for _, seed := range []string{
		`["from", "facts", ["extract", ["name", ["function", "count"]], ["not", ["=", "value", 1]], ["group_by", "name"]], ["order_by", ["name"]], ["offset", 2]]`,
		`["and", ["subquery", "resources", ["~", "title", "^A"]], ["in", ["certname"], ["from", "nodes", ["extract", ["certname"]]]], ["=", ["node", "active"], true]]`,
		`["or", ["in", "facts.a", ["array", [1, "x"]]], ["null?", "facts.b", true], ["!=", "facts.c", $cust], ["~>", "path", ["a"]]]`,
		`["from", "fact_contents", ["~>", "path", ["a", ".*"]]]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { checkServerText(t, text, "ast") })
}
