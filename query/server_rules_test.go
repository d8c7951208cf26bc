package query

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// facts reads facts as JSON for a test.
func facts(t testing.TB, text string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return plainJSON(m).(map[string]any)
}

// The server's rules that the cases leave out.
func TestServerRules(t *testing.T) {
	seen := time.Date(2026, 1, 2, 3, 4, 5, 500_000_000, time.UTC)
	for _, r := range []struct {
		facts, query string
		want         bool
	}{
		// Documents are ordered field by field: type, name, value, number of fields.
		{`{"v": {"a": 1, "b": 2}}`, `{facts.v: {b: 2, a: 1}}`, true},
		{`{"v": {"a": 1}}`, `{facts.v: {a: 1, b: 2}}`, false},
		{`{"v": {"a": 1}}`, `{facts.v: {b: 1}}`, false},
		{`{"v": {"a": 1}}`, `{facts.v: {$lt: {a: 2}}}`, true},
		{`{"v": {"a": 3}}`, `{facts.v: {$lt: {a: 2}}}`, false},
		{`{"v": {"a": "x"}}`, `{facts.v: {$gt: {a: 2}}}`, true},
		{`{"v": {"b": 1}}`, `{facts.v: {$gt: {a: 1}}}`, true},
		{`{"v": {"a": 1}}`, `{facts.v: {$lt: {a: 1, b: 0}}}`, true},
		{`{"v": {"a": [1, true]}}`, `{facts.v: {$gte: {a: [1, false]}}}`, true},
		{`{"v": {"a": null}}`, `{facts.v: {$lte: {a: null}}}`, true},
		// A list is a document by its positions inside of $elemMatch.
		{`{"v": [[5, {"b": 7}]]}`, `{facts.v: {$elemMatch: {'0': 5}}}`, true},
		{`{"v": [[5, {"b": 7}]]}`, `{facts.v: {$elemMatch: {'1.b': 7}}}`, true},
		{`{"v": [[5]]}`, `{facts.v: {$elemMatch: {'3': 5}}}`, false},
		{`{"v": [[5]]}`, `{facts.v: {$elemMatch: {b: null}}}`, true},
		{`{"v": [5]}`, `{facts.v: {$elemMatch: {b: null}}}`, false},
		{`{"v": [[1, 5], [9]]}`, `{facts.v: {$elemMatch: {$elemMatch: {$gt: 5}}}}`, true},
		{`{"v": [[1, 5]]}`, `{facts.v: {$elemMatch: {$elemMatch: {$gt: 5}}}}`, false},
		{`{"v": [{"a": 1}]}`, `{facts.v: {$elemMatch: {}}}`, true},
		{`{"v": [1]}`, `{facts.v: {$elemMatch: {}}}`, false},
		{`{"v": [1, 7]}`, `{facts.v: {$elemMatch: {$in: [7, 8], $gt: 5}}}`, true},
		{`{"v": [{"a": {"b": [3]}}]}`, `{facts.v: {$elemMatch: {'a.b': 3, $or: [{c: 1}, {c: {$exists: false}}]}}}`, true},
		{`{"v": [1, 2]}`, `{facts.v: {$elemMatch: {$not: {$gt: 1}}}}`, true},
		// Positions through lists of lists.
		{`{"v": [[1, [2, 3]]]}`, `{'facts.v.0.1': 2}`, false},
		{`{"v": [[1, [2, 3]]]}`, `{'facts.v.0.1': [2, 3]}`, true},
		{`{"v": [[1, [2, 3]]]}`, `{'facts.v.0.1.0': 2}`, true},
		{`{"v": [[{"b": 4}]]}`, `{'facts.v.b': 4}`, false},
		{`{"v": [[{"b": 4}]]}`, `{'facts.v.0.b': 4}`, true},
		{`{"v": [5]}`, `{'facts.v.0.b': null}`, false},
		// Types.
		{`{"v": 3000000000}`, `{facts.v: {$type: 'long'}}`, true},
		{`{"v": 3}`, `{facts.v: {$type: 16}}`, true},
		{`{"v": 3.5}`, `{facts.v: {$type: 1.0}}`, true},
		{`{"v": true}`, `{facts.v: {$type: ['bool', 'date']}}`, true},
		{`{"v": [null]}`, `{facts.v: {$type: 10}}`, true},
		{`{"v": 1}`, `{facts.v: {$type: 'binData'}}`, false},
		// Remainders.
		{`{"v": -5}`, `{facts.v: {$mod: [3, -2]}}`, true},
		{`{"v": -5.9}`, `{facts.v: {$mod: [3, -2]}}`, true},
		{`{"v": "4"}`, `{facts.v: {$mod: [2, 0]}}`, false},
		// Numbers are exact.
		{`{"v": 9007199254740993}`, `{facts.v: 9007199254740993}`, true},
		{`{"v": 9007199254740993}`, `{facts.v: {$gt: 9007199254740992}}`, true},
		{`{"v": 0.1}`, `{facts.v: 1e-1}`, true},
		// What has no order, and what is never equal.
		{`{"v": "x"}`, `{facts.v: {$eq: /x/}}`, false},
		{`{"v": null}`, `{facts.v: {$gte: null}}`, true},
		{`{}`, `{facts.v: {$gte: null}}`, true},
		{`{}`, `{facts.v: {$in: [1, null]}}`, true},
		{`{"v": true}`, `{facts.v: {$lt: true}}`, false},
		{`{"v": false}`, `{facts.v: {$lt: true}}`, true},
		{`{"v": []}`, `{facts.v: {$all: []}}`, false},
		{`{"v": [{"b": 1}, {"b": 3}]}`, `{'facts.v.b': {$all: [1, 3]}}`, true},
		// Long lists of text are looked up without losing a spelling.
		{`{"v": "H"}`, `{facts.v: {$in: [a, b, c, d, e, f, g, h, i]}}`, false},
		{`{"v": "h"}`, `{facts.v: {$in: [a, b, c, d, e, f, g, h, i]}}`, true},
		{`{"v": ["q", "h"]}`, `{facts.v: {$nin: [a, b, c, d, e, f, g, h, i]}}`, false},
		// A name with dots, as one name first.
		{`{"a.b": 1, "a": {"b": 2}}`, `{facts.a.b: 1}`, true},
		{`{"a.b": 1, "a": {"b": 2}}`, `{facts.a.b: 2}`, false},
		// The fields of a node.
		{`{}`, `{classes: 'web', 'classes.1': 'Db', agentlist: 'puppet', collectives: {$size: 1}}`, true},
		{`{}`, `{classes: ['web', 'Db'], 'classes.7': {$exists: false}, 'classes.0.x': {$exists: false}}`, true},
		{`{}`, `{classes: {$type: 'array'}, agents: {$type: 'string'}}`, true},
		{`{}`, `{classes: {$gt: ['a']}, agents: {$in: [['puppet']]}}`, true},
		{`{}`, `{classes: {$elemMatch: {$regex: '^D'}}}`, true},
		{`{}`, `{_id: n1, fqdn: n1, identity: {$exists: true}, 'identity.x': {$exists: false}, state: active, auth: cert}`, true},
		{`{}`, `{lastseen: {$gt: 1767323045, $lt: 1767323046}, 'lastseen.x': null}`, true},
		{`{}`, `{lastseen: {$in: [1, 1767323045.5]}}`, true},
		{`{}`, `{seen: ISODate('2026-01-02T03:04:05.5Z')}`, true},
		{`{}`, `{lastseen: {$type: 'date'}, trusted: null, trusted.x: {$exists: false}}`, true},
		{`{"v": 5}`, `{facts: {v: 5}}`, true},
		{`{"v": [{"$date": 1}]}`, `{facts.v: {$size: 1}}`, true},
	} {
		q, err := Parse(r.query, Options{Dialect: "mongo"})
		if err != nil {
			t.Errorf("%s: %v", r.query, err)
			continue
		}
		doc := &Document{
			Identity: "n1", State: "active", Auth: "cert", Seen: seen, Facts: facts(t, r.facts),
			Classes: []string{"web", "Db"}, Agents: []string{"puppet"}, Collectives: []string{"eu"},
		}
		if got := Matches(q.Filter, doc, seen); got != r.want {
			t.Errorf("%s on %s is %v: %s", r.query, r.facts, got, Tree(q.Filter))
		}
	}
	trusted := &Document{Trusted: map[string]any{"role": "db"}}
	q := mustParse(t, `{trusted.role: db, lastseen: null, 'trusted.extensions.x': {$exists: false}}`)
	if !Matches(q.Filter, trusted, seen) {
		t.Error("a node that was never seen is not found by its trusted facts")
	}
}

// Every way to write a filter, and how it is printed.
func TestRelaxedTexts(t *testing.T) {
	o := Options{
		Named:      map[string]any{"cust": "a'c\"m{e}", "list": []string{"x", "y"}, "one": 1},
		Positional: []any{"p0", true}, Saved: map[string]string{"mine": "{facts.s: 1}"},
	}
	for _, r := range []struct{ text, want string }{
		{`{}`, `{}`},
		{`{facts.a: 1,}`, `{"facts.a": 1}`},
		{`{:'facts.a' => :b, :"facts.b" => :'c d', facts.c: ::d::e}`, `{"facts.a": "b", "facts.b": "c d", "facts.c": "::d::e"}`},
		{"{facts.a: `x`, facts.b: '\\'\\n\\t\\r\\b\\f\\v\\\\', facts.c: 'a\\\nb', facts.d: '\\é'}", `{"facts.a": "x", "facts.b": "'\n\t\r\b\f\u000b\\", "facts.c": "ab", "facts.d": "é"}`},
		{`{facts.a: '\x41\u0042\u{43}\ud83d\ude00'}`, `{"facts.a": "ABC😀"}`},
		{`{facts.a: 0x1f, facts.b: +5, facts.c: .5, facts.d: 1.e2, facts.e: -0x2}`, `{"facts.a": 31, "facts.b": 5, "facts.c": 0.5, "facts.d": 100, "facts.e": -2}`},
		{`{facts.a: 10.0.0.9, facts.b: 007, facts.c: 1-2, facts.d: e5, facts.e: -, facts.f: 1e999}`, `{"facts.a": "10.0.0.9", "facts.b": "007", "facts.c": "1-2", "facts.d": "e5", "facts.e": "-", "facts.f": "1e999"}`},
		{`{facts.a: 12345678901234567890}`, `{"facts.a": 12345678901234567890}`},
		{`{facts.a: [nil, null, true, false, 'x',]}`, `{"facts.a": [null, null, true, false, "x"]}`},
		{`{facts.a: NumberInt('7'), facts.b: NumberLong(8.0), facts.c: new RegExp('a/b', 'i')}`, `{"facts.a": 7, "facts.b": 8, "facts.c": {"$regex": "a/b", "$options": "i"}}`},
		{`{facts.a: Date(1767323045000), facts.b: ISODate("2026-01-02")}`, `{"facts.a": {"$date": "2026-01-02T03:04:05Z"}, "facts.b": {"$date": "2026-01-02T00:00:00Z"}}`},
		{`{facts.a: {"$date": {"$numberLong": "1767323045000"}}, facts.b: {"$date": 0}, facts.c: {"$date": "2026-01-02"}}`,
			`{"facts.a": {"$date": "2026-01-02T03:04:05Z"}, "facts.b": {"$date": "1970-01-01T00:00:00Z"}, "facts.c": {"$date": "2026-01-02T00:00:00Z"}}`},
		{`{facts.a: {"$numberDouble": "1.5"}, facts.b: {"$regularExpression": {"pattern": "x", "options": "u"}}}`, `{"facts.a": 1.5, "facts.b": {"$regex": "x"}}`},
		{`{facts.a: $cust, facts.b: ?, facts.c: {$in: $list}, facts.d: {$all: $list}, facts.e: {$param: one}, facts.f: '$cust', facts.g: ?}`,
			`{"$and": [{"facts.a": "a'c\"m{e}"}, {"facts.b": "p0"}, {"facts.c": {"$in": ["x", "y"]}}, {"facts.d": "x"}, {"facts.d": "y"}, {"facts.e": 1}, {"facts.f": "$cust"}, {"facts.g": true}]}`},
		{`{facts.a: {$nin: $list}, $saved: mine}`, `{"facts.a": {"$nin": ["x", "y"]}, "facts.s": 1}`},
		{`{facts.a: {$gt: 1, $lt: 5}, facts.a.b: {$not: {$gt: 1}}}`, `{"facts.a": {"$gt": 1, "$lt": 5}, "facts.a.b": {"$not": {"$gt": 1}}}`},
		{`{$and: [{facts.a: 1}, {facts.b: 2}, {facts.a: 3}]}`, `{"$and": [{"facts.a": 1}, {"facts.b": 2}, {"facts.a": 3}]}`},
		{`{$or: [{facts.a: 1, facts.b: 2}, {$nor: [{}]}, {$nor: [{state: a}, {state: b}]}, {$nor: [{state: a, auth: b}]}]}`,
			`{"$or": [{"facts.a": 1, "facts.b": 2}, {"$nor": [{}]}, {"$nor": [{"state": "a"}, {"state": "b"}]}, {"$nor": [{"state": "a", "auth": "b"}]}]}`},
		{`{$or: [{}, {state: a}]}`, `{"$or": [{}, {"state": "a"}]}`},
		{`{facts.a: {$exists: 0}, facts.b: {$exists: null}, facts.c: {$exists: 0.0}}`, `{"facts.a": {"$exists": false}, "facts.b": {"$exists": false}, "facts.c": {"$exists": false}}`},
		{`{facts.a: {$elemMatch: {$all: [1, /x/], $gt: 0, $exists: true}}}`, `{"facts.a": {"$elemMatch": {"$all": [1, {"$regularExpression": {"pattern": "x", "options": ""}}], "$gt": 0, "$exists": true}}}`},
		{`{facts.a: {$elemMatch: {$exists: false, $not: {$exists: true}}}}`, `{"facts.a": {"$elemMatch": {"$exists": false}}}`},
		{`{facts.a: {$type: [2, -1]}, facts.b: {$type: 'number'}}`, `{"facts.a": {"$type": ["string", "minKey"]}, "facts.b": {"$type": "number"}}`},
		{`{facts.a: {b: [1, {c: nil}], 'd e': {}}}`, `{"facts.a": {"b": [1, {"c": null}], "d e": {}}}`},
	} {
		o.Dialect = "mongo"
		q, err := Parse(r.text, o)
		if err != nil {
			t.Errorf("%s: %v", r.text, err)
			continue
		}
		got, err := Format(q, "mongo")
		if err != nil || got != r.want {
			t.Errorf("%s is printed as\n     %s\nwant %s\n%v", r.text, got, r.want, err)
		}
	}
}

// The policy of the server is in the tree, for engines that never see the text.
func TestMongoTrees(t *testing.T) {
	for text, want := range map[string]string{
		`{facts.a: {$ne: 1}}`:                               `(!= facts.a 1 all absent mongo)`,
		`{facts.a: {$nin: [1]}}`:                            `(not-in facts.a [1] all absent mongo)`,
		`{facts.a: {$not: {$gt: 1}}}`:                       `(not (> facts.a 1 mongo))`,
		`{facts.a.b: {$exists: false}}`:                     `(not (exists facts.a.b mongo))`,
		`{classes: /x/i}`:                                   `(=~ classes /x/i mongo)`,
		`{facts.a: {$elemMatch: {b: 1, c: {$in: [null]}}}}`: `(has any facts.a (and (= element.b 1 mongo) (in element.c [null] mongo)) mongo)`,
	} {
		if got := Tree(mustParse(t, text).Filter); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
	}
}
