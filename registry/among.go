package registry

import (
	"context"
	"fmt"
	"slices"
	"time"

	"muster/query"
)

// Among answers discoveries over given nodes as [Registry.Find] and
// [Registry.Rows] would if there were no others. It looks at each of them, which
// takes far longer than an index.
type Among struct {
	Nodes   []Found
	Now     time.Time
	Changed func(q *query.Query, c *query.Changed) ([]string, error) // as in [Lookup]
}

// picked is a node that was looked at.
type picked struct {
	found Found
	doc   *query.Document
}

func (p picked) identity() Identity        { return p.found.Identity }
func (p picked) document() *query.Document { return p.doc }

// Find answers without warnings.
func (a Among) Find(ctx context.Context, d Discovery) (Answer, error) {
	d = d.complete()
	nodes, _, err := a.named(ctx, d)
	if err != nil {
		return Answer{}, err
	}
	out := Answer{Count: len(nodes)}
	nodes = page(d, ordered(d, nodes, picked.identity, func(query.Path) func(picked) *query.Document { return picked.document }))
	out.Complete = len(nodes) == out.Count
	for i, n := range nodes {
		out.Nodes = append(out.Nodes, n.found)
		if i == 0 || n.found.LastSeen.Before(out.Oldest) {
			out.Oldest = n.found.LastSeen
		}
	}
	return out, nil
}

// Rows answers without warnings.
func (a Among) Rows(ctx context.Context, d Discovery) (Table, error) {
	nodes, q, err := a.named(ctx, d.complete())
	if err != nil {
		return Table{}, err
	}
	var t Table
	t.Columns, t.Rows = q.Rows(documentsOf(nodes), a.Now)
	return t, nil
}

// named returns the nodes of a discovery, by identity, and its query with all
// that it asks beyond single nodes answered.
func (a Among) named(ctx context.Context, d Discovery) ([]picked, *query.Query, error) {
	q, err := Resolve(d.Query, Lookup{
		Rows: func(q *query.Query) ([][]any, error) {
			nodes, err := a.matching(ctx, d, q)
			if err != nil {
				return nil, err
			}
			_, rows := q.Rows(documentsOf(nodes), a.Now)
			return rows, nil
		},
		Changed: a.Changed,
	})
	if err != nil {
		return nil, nil, err
	}
	nodes, err := a.matching(ctx, d, q)
	return nodes, q, err
}

func (a Among) matching(ctx context.Context, d Discovery, q *query.Query) ([]picked, error) {
	var all []picked
	for _, found := range a.Nodes {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("searching the nodes: %w", context.Cause(ctx))
		}
		if !slices.Contains(d.States, found.State) || !inOneOf(found.Collectives, d.Collectives) {
			continue
		}
		n := found.Node()
		if doc := n.Document(); query.Matches(q.Filter, doc, a.Now) {
			all = append(all, picked{found, doc})
		}
	}
	return sampled(all, q, func(p picked) string { return p.identity().Key() }, picked.document), nil
}

func documentsOf(nodes []picked) func(yield func(*query.Document) bool) {
	return func(yield func(*query.Document) bool) {
		for _, n := range nodes {
			if !yield(n.doc) {
				return
			}
		}
	}
}
