package registry

import (
	"context"
	"fmt"
	"slices"
	"time"

	"muster/query"
)

// Among answers discoveries over given nodes as [Registry.Find] and
// [Registry.Rows] would if there were no others. Their State must be filled in.
// It looks at each of them, which takes longer than an index.
type Among struct {
	Nodes   []Node
	Now     time.Time
	Changed func(q *query.Query, c *query.Changed) ([]string, error) // as in [Lookup]
}

// Find answers without warnings.
func (a Among) Find(ctx context.Context, d Discovery) (Answer, error) {
	nodes, _, err := a.named(ctx, d)
	if err != nil {
		return Answer{}, err
	}
	d = d.complete()
	out := Answer{Count: len(nodes)}
	nodes = d.page(d.ordered(nodes))
	out.Complete = len(nodes) == out.Count
	for i, n := range nodes {
		out.Nodes = append(out.Nodes, *n)
		if i == 0 || n.LastSeen.Before(out.Oldest) {
			out.Oldest = n.LastSeen
		}
	}
	return out, nil
}

// Rows answers without warnings.
func (a Among) Rows(ctx context.Context, d Discovery) (Table, error) {
	nodes, q, err := a.named(ctx, d)
	if err != nil {
		return Table{}, err
	}
	var t Table
	t.Columns, t.Rows = q.Rows(documentsOf(nodes), a.Now)
	return t, nil
}

// named returns the nodes of a discovery, by identity, and its query with all
// that it asks beyond single nodes answered.
func (a Among) named(ctx context.Context, d Discovery) ([]*Node, *query.Query, error) {
	d = d.complete()
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

func (a Among) matching(ctx context.Context, d Discovery, q *query.Query) ([]*Node, error) {
	var found []*Node
	var doc query.Document // one for all, since Matches keeps nothing of it
	for i := range a.Nodes {
		n := &a.Nodes[i]
		if i%32 == 0 && ctx.Err() != nil {
			return nil, fmt.Errorf("searching the nodes: %w", context.Cause(ctx))
		}
		if !slices.Contains(d.States, n.State) || !inOneOf(n.Collectives, d.Collectives) {
			continue
		}
		n.fill(&doc, n.State)
		if query.Matches(q.Filter, &doc, a.Now) {
			found = append(found, n)
		}
	}
	return sample(found, q), nil
}

func documentsOf(nodes []*Node) func(yield func(*query.Document) bool) {
	return func(yield func(*query.Document) bool) {
		for _, n := range nodes {
			if !yield(n.Document()) {
				return
			}
		}
	}
}
