package index_test

import (
	"fmt"
	"testing"

	"muster/query"
)

// question writes a random query in a dialect.
func (d dice) question(dialect query.Dialect) string {
	value := one(d, "x", "web", "4", "4.0", "true", "Web")
	path := one(d, "a", "b", "c", "a.b", "b.c", "a.b.c")
	switch dialect {
	case "native":
		return "nq:" + one(d,
			path+" = "+value, path+" != "+value, "not "+path+" = "+value, path+" = /^w/", path+" !~ /w/", "exists "+path, "missing "+path, path+" > 3", path+" <= web",
			"none "+path+" = x", "all "+path+" = x", path+" in (x, web, 4)", path+" not in (x, 4)", path+"[1] = "+value, path+".* = "+value, "any "+path+" {a = 4}", "all "+path+" {a = 4 or b = x}",
			"any "+path+" {element = web}", path+" has key a", path+" has all (x, web)", path+" = [x, 4]", path+" is null", path+" >~ 1.2", path+" = 10.0.0.0/24",
			"class = mysql::master", "class != nginx", "class = /^my/", "identity = web*", "identity = /1/", "agent = mcollective", "collective != eu", "seen < 2h", "seen > 2h", "state != stale", "count("+path+") > 1",
			fmt.Sprintf("(%s = %s or class = apache) and not %s = x", path, value, one(d, "a", "b")))
	case "select":
		return one(d, path+"="+value, "not "+path+"="+value, path+"=/w/", "apache and "+path+"="+value, "/my/ or "+path+">3", path+"!="+value)
	case "with":
		return path + "=" + value + one(d, "", " apache", " /my/")
	case "mongo":
		return "{" + one(d, "facts.", "") + path + ": " + one(d,
			"'"+value+"'", "4", "null", "{$ne: '"+value+"'}", "{$in: [4, null, 'x']}", "{$nin: ['x', 4]}", "{$exists: true}", "{$exists: false}", "{$gt: 3}", "{$lte: 'web'}", "{$regex: '^w'}", "{$not: {$regex: 'w'}}",
			"{$all: ['x', 'web']}", "{$size: 2}", "{$type: 'string'}", "{$mod: [4, 0]}", "{$elemMatch: {a: 4}}", "{$elemMatch: {$gt: 3}}", "{a: 4}", "['x', 4]", "{$not: {$elemMatch: {b: {$exists: true}}}}", "{$gte: null}") +
			one(d, "", ", classes: 'apache'", ", classes: {$ne: 'nginx'}", ", state: {$in: ['active']}", ", lastseen: {$gt: ISODate('2026-01-04')}", ", identity: /^web/") + "}"
	}
	return "inventory { " + one(d,
		"facts."+path+" = 'x'", "facts."+path+" != 4", "!(facts."+path+" = 'web')", "facts."+path+" ~ '^w'", "facts."+path+" > 3", "facts."+path+" is null", "facts."+path+" in ['x', 4]", "facts."+path+" = ['x', 4]",
		"resources { type = 'Class' and title = 'Mysql::Master' }", "resources { title ~ '^M' }", "!(resources { type = 'Class' and title = 'Nginx' })", "facts { name = 'a' and value = 'x' }", "facts { name ~ 'a' and !(value = 4) }",
		"fact_contents { path = ['a', 'b'] and value = 'x' }", "fact_contents { path ~> ['a', '.*'] and value ~ 'w' }", "classes = 'apache'", "certname = 'WEB1.example'", "timestamp < '2026-01-04'") + " }"
}

// Whatever a front end makes of a text, the index answers as Matches does.
func TestEveryDialect(t *testing.T) {
	asked := map[query.Dialect]int{}
	for seed := range uint64(60) {
		d := rolled(seed)
		w := crowd(d, 60)
		for range 60 {
			dialect := one[query.Dialect](d, "native", "select", "with", "mongo", "pql")
			text := d.question(dialect)
			o := query.Options{Dialect: dialect}
			if dialect == "native" {
				o.Dialect = ""
			}
			q, err := query.Parse(text, o)
			if err != nil {
				continue // not everything can be said of every path
			}
			asked[dialect]++
			w.check(t, q.Filter)
		}
	}
	for _, dialect := range []query.Dialect{"native", "select", "with", "mongo", "pql"} {
		if asked[dialect] < 300 {
			t.Errorf("only %d queries were asked in %s", asked[dialect], dialect)
		}
	}
}
