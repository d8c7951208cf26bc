//go:build linux

package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"muster/query"
	"muster/registry"
)

// question is one line of the table.
type question struct {
	kind, text string
	target     time.Duration
	onAll      bool // processors
}

// questions are those of the promise, first those that have no target.
var questions = []question{
	{"equality", "os.family=Debian", 100 * time.Microsecond, false},
	{"equality", "rack=ams1-r07", 100 * time.Microsecond, false},
	{"not", "not os.family=RedHat", 100 * time.Microsecond, false},
	{"two facts and a class", "os.family=Debian and environment=production and class=role::web_nginx", 200 * time.Microsecond, false},
	{"or of three", "customer=acme or customer=hooli or class=mysql::master", 200 * time.Microsecond, false},
	{"number range", "processors.count >= 32", 600 * time.Microsecond, false},
	{"number range", "memory.system.available_bytes < 1000000000", 600 * time.Microsecond, false},
	{"regex, few values", "kernelrelease=/el[789]/", 600 * time.Microsecond, false},
	{"regex, identities", `identity=/^web_nginx.*\.fra1\./`, 5 * time.Millisecond, true},
	{"regex, identities", `identity=/9[0-9]\.ams/`, 5 * time.Millisecond, true},
	{"value in a list", "monitoring.groups=web_nginx", 6 * time.Millisecond, false},
	{"wildcard", "networking.interfaces.*.ip=10.0.3.7", 6 * time.Millisecond, false},
	{"wildcard", "networking.interfaces.*.bindings.*.address=10.0.3.7", 6 * time.Millisecond, false},
	{"within one element", "any networking.interfaces {ip = 10.0.3.7 and mtu = 1500}", 0, false},
}

// anyState is a discovery that does not look at ages, as the targets do not.
func anyState(q *query.Query) registry.Discovery {
	return registry.Discovery{Query: q, States: []registry.State{registry.Active, registry.Stale, registry.Expired, registry.Deactivated}}
}

func parse(text string) *query.Query {
	q, err := query.Parse("nq:"+text, query.Options{})
	if err != nil {
		panic(err) // the texts stand in this program
	}
	return q
}

// queries measures the sets of nodes that are found, before they are named.
func (f *fleet) queries(ctx context.Context, t *table) error {
	const many = 500
	docs := make([]*query.Document, many)
	for i := range docs {
		docs[i] = f.Node(i)
	}
	for _, a := range questions {
		q := parse(a.text)
		d := anyState(q)
		found, err := f.registry.Count(ctx, d)
		if err != nil {
			return err
		}
		cost := measured(func() { _, err = f.registry.Count(ctx, d) })
		if err != nil {
			return err
		}
		now := time.Now()
		scan := measured(func() {
			for _, doc := range docs {
				query.Matches(q.Filter, doc, now)
			}
		})
		judge := t.time
		if a.onAll {
			judge = t.onAll
		}
		judge(fmt.Sprintf("%s: `%s` (%d)", a.kind, a.text, found), a.target, cost, scan.cpu*time.Duration(f.nodes)/many)
	}
	if err := unasked(ctx, f.registry, t, "equality", 100*time.Microsecond); err != nil {
		return err
	}
	return f.aggregates(ctx, t)
}

// unasked measures equalities of which none was asked lately: the index keeps the
// nodes of the last ones.
func unasked(ctx context.Context, r *registry.Registry, t *table, kind string, target time.Duration) error {
	values, err := r.Histogram(ctx, anyState(nil), "rack")
	if err != nil {
		return err
	}
	var asked []registry.Discovery
	for _, c := range values.Counts {
		asked = append(asked, anyState(parse(fmt.Sprint("rack=", c.Value))))
	}
	var failed error
	i := 0
	cost := measured(func() {
		i++
		_, err := r.Count(ctx, asked[i%len(asked)])
		failed = cmp.Or(failed, err)
	})
	t.time(fmt.Sprintf("%s: one of %d racks after the other", kind, len(asked)), target, cost, 0)
	return failed
}

// aggregates measures counts of values, and lists of names.
func (f *fleet) aggregates(ctx context.Context, t *table) error {
	var failed error
	all := anyState(nil)
	for _, path := range []string{"os.name", "rack"} {
		d := all
		cost := measured(func() { _, failed = f.registry.Histogram(ctx, d, path) })
		t.time("histogram: "+path, 600*time.Microsecond, cost, 0)
	}
	d := anyState(parse("os.family=Debian"))
	t.time("histogram: rack where os.family=Debian", 600*time.Microsecond, measured(func() { _, failed = f.registry.Histogram(ctx, d, "rack") }), 0)
	for _, text := range []string{"kernel=Linux | group by rack count()", "kernel=Linux | select os.name, count(), avg(processors.count), max(processors.count) | group by os.name"} {
		d := anyState(parse(text))
		t.time("rows: `"+text+"`", 0, measured(func() { _, failed = f.registry.Rows(ctx, d) }), 0)
	}
	few := registry.Discovery{Query: parse("os.family=Debian"), Limit: 100}
	t.time("100 names of `os.family=Debian`, active and stale ones", 0, measured(func() { _, failed = f.registry.Find(ctx, few) }), 0)
	t.time("all names, active and stale ones", 0, measured(func() { _, failed = f.registry.Find(ctx, registry.Discovery{}) }), 0)
	facts, err := once(1, func() error { _, err := f.registry.Facts(); return err })
	t.time("facts with types and cardinality", 0, facts, 0)
	return cmp.Or(failed, err)
}
