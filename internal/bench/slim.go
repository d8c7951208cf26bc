//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"muster/query"
	"muster/registry"
	"muster/registry/index/indextest"
)

// nowhere is a store that keeps nothing, so that only the registry's own memory
// is measured.
type nowhere struct{}

func (nowhere) Load(context.Context, func(registry.Node) error) error { return nil }
func (nowhere) Put(context.Context, ...registry.Node) error           { return nil }
func (nowhere) Touch(context.Context, ...registry.Beat) error         { return nil }
func (nowhere) Delete(context.Context, ...registry.Identity) error    { return nil }
func (nowhere) Close() error                                          { return nil }

// slim measures a fleet of very many small nodes.
func slim(ctx context.Context, nodes int, t *table) error {
	if nodes == 0 {
		return nil
	}
	before := heap()
	r, err := registry.Open(ctx, registry.Config{Store: nowhere{}, Volatile: volatile()})
	if err != nil {
		return err
	}
	f := indextest.Fleet{Slim: true}
	cost, err := once(nodes, func() error {
		return together(nodes, func(i int) error {
			doc := f.Node(i)
			_, err := receive(ctx, r, doc.Identity, body(doc))
			return err
		})
	})
	if err != nil {
		return err
	}
	t.time(fmt.Sprintf("%d small nodes: made and registered", nodes), 0, cost, 0)
	each := float64(heap()-before) / float64(nodes)
	t.note("live heap a small node", "< 2.5 KB", fmt.Sprintf("%.2f KB", each/1000), each < 2500)
	const many = 500
	docs := make([]*query.Document, many)
	for i := range docs {
		docs[i] = f.Node(i)
	}
	for _, a := range []question{
		{"equality", "os.family=Debian", time.Millisecond, false}, {"equality", "rack=ams1-r07", time.Millisecond, false}, {"not", "not os.family=RedHat", 0, false},
		{"two facts and a class", "os.family=Debian and environment=production and class=role::web_nginx", 0, false}, {"regex, identities", `identity=/^web_nginx.*\.fra1\./`, 0, true},
	} {
		d := anyState(parse(a.text))
		var found int
		cost := measured(func() { found, err = r.Count(ctx, d) })
		if err != nil {
			return err
		}
		now := time.Now()
		scan := measured(func() {
			for _, doc := range docs {
				query.Matches(d.Query.Filter, doc, now)
			}
		})
		t.time(fmt.Sprintf("%s, small nodes: `%s` (%d)", a.kind, a.text, found), a.target, cost, scan.cpu*time.Duration(nodes)/many)
	}
	if err := unasked(ctx, r, t, "equality, small nodes", time.Millisecond); err != nil {
		return err
	}
	return r.Close()
}
