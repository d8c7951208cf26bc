package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"muster/query"
)

// Discovery names the nodes that are wanted. It is where a query meets what
// every reader wants besides: one collective, and nodes that are alive.
type Discovery struct {
	Query       *query.Query // nil: all nodes
	Collectives []string     // nodes in one of these; empty: all
	States      []State      // nodes in one of these states; empty: active and stale
	Sort        string       // a path as of [Node.Value] to sort by; empty: as the query says, else by identity
	Limit       int          // at most so many nodes; 0: as the query says, else all
}

// Answer is a discovery list.
type Answer struct {
	Nodes    []Node    // sorted; by identity unless asked otherwise
	Count    int       // how many nodes the query names; more than len(Nodes) where a limit cut
	Complete bool      // false: a limit cut
	Oldest   time.Time // the earliest LastSeen among Nodes; zero: no nodes, or one never seen
	Warnings []string  // for the asker, about the question or the answer
}

// Find answers a discovery. It sees every registration that was accepted
// before, and stops with an error when ctx is done: an answer is never short
// without saying so.
//
// The error is [ErrLoading], a [*query.SyntaxError] for what the registry can
// not answer, or about ctx.
func (r *Registry) Find(ctx context.Context, d Discovery) (Answer, error) {
	if err := r.usable(); err != nil {
		return Answer{}, err
	}
	if d.Query == nil {
		d.Query = &query.Query{Filter: query.All{}}
	}
	if len(d.States) == 0 {
		d.States = []State{Active, Stale}
	}
	nodes, err := r.nodes(ctx, d, d.Query, r.conf.Now())
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Count: len(nodes), Complete: true, Warnings: d.Query.Warnings}
	nodes = ordered(nodes, d)
	a.Nodes = page(nodes, d)
	a.Complete = len(a.Nodes) == len(nodes)
	for i := range a.Nodes {
		if seen := a.Nodes[i].LastSeen; i == 0 || seen.Before(a.Oldest) {
			a.Oldest = seen
		}
	}
	return a, nil
}

// nodes returns the nodes that q names in d's collectives and states, by
// identity.
func (r *Registry) nodes(ctx context.Context, d Discovery, q *query.Query, now time.Time) ([]Node, error) {
	if err := answerable(q); err != nil {
		return nil, err
	}
	filter, err := r.resolve(ctx, d, q, now)
	if err != nil {
		return nil, err
	}
	var found []Node
	for i, n := range r.table.candidates(filter, now) {
		if i%32 == 0 && ctx.Err() != nil {
			return nil, fmt.Errorf("searching the nodes: %w", context.Cause(ctx))
		}
		state := r.conf.Lifecycle.State(n, now)
		if !slices.Contains(d.States, state) || !inOneOf(n.Collectives, d.Collectives) {
			continue
		}
		doc := n.Document()
		doc.State = string(state)
		if query.Matches(filter, doc, now) {
			node := *n
			node.State = state
			found = append(found, node)
		}
	}
	return found, nil
}

func inOneOf(has, wanted []string) bool {
	return len(wanted) == 0 || slices.ContainsFunc(wanted, func(c string) bool { return slices.Contains(has, c) })
}

// resolve answers the subqueries of q, in the same collectives and states.
func (r *Registry) resolve(ctx context.Context, d Discovery, q *query.Query, now time.Time) (query.Expr, error) {
	var errs []error
	filter := query.Map(q.Filter, func(e query.Expr) query.Expr {
		switch e := e.(type) {
		case *query.Subquery:
			nodes, err := r.nodes(ctx, d, e.Query, now)
			errs = append(errs, err)
			return e.Resolve(selected(nodes, e.Query))
		case *query.Changed:
			errs = append(errs, cannot(q, e.Start, e.End, "changes are not remembered yet"))
		case query.All, query.And, query.Or, query.Not, *query.Compare, *query.Has:
			// Nothing to look up.
		}
		return e
	})
	return filter, errors.Join(errs...)
}

// selected are the values that a subquery yields.
func selected(nodes []Node, q *query.Query) []any {
	values := make([]any, 0, len(nodes))
	for i := range nodes {
		if len(q.Select) == 0 {
			values = append(values, string(nodes[i].Identity))
			continue
		}
		values = append(values, valuesAt(&nodes[i], q.Select[0].Path)...)
	}
	return values
}

// answerable refuses what is in the language and not in the registry yet.
func answerable(q *query.Query) error {
	switch {
	case q.Entity != "":
		return cannot(q, 0, len(q.Text), fmt.Sprintf("rows of %s are not answered yet", q.Entity))
	case len(q.GroupBy) > 0:
		return cannot(q, 0, len(q.Text), "groups are not answered yet")
	case q.Sample > 0:
		return cannot(q, 0, len(q.Text), "samples are not answered yet")
	}
	return nil
}

func cannot(q *query.Query, start, end int, problem string) error {
	return &query.SyntaxError{Dialect: q.Dialect, Text: q.Text, Offset: start, End: end, Problem: problem}
}

// ordered sorts nodes, which are sorted by identity, as d or its query says.
func ordered(nodes []Node, d Discovery) []Node {
	columns := d.Query.OrderBy
	if d.Sort != "" {
		columns = []query.Column{{Path: ParsePath(d.Sort)}}
	}
	for _, c := range slices.Backward(columns) {
		keys := make(map[Identity]any, len(nodes))
		for i := range nodes {
			if values := valuesAt(&nodes[i], c.Path); len(values) > 0 {
				keys[nodes[i].Identity] = values[0]
			}
		}
		slices.SortStableFunc(nodes, func(a, b Node) int {
			x, hasX := keys[a.Identity]
			y, hasY := keys[b.Identity]
			switch {
			case hasX != hasY && hasX: // nodes without a value come last, either way
				return -1
			case hasX != hasY:
				return 1
			case c.Desc:
				return compareValues(y, x)
			}
			return compareValues(x, y)
		})
	}
	return nodes
}

// page cuts nodes to what is wanted of them.
func page(nodes []Node, d Discovery) []Node {
	nodes = nodes[min(d.Query.Offset, len(nodes)):]
	limit := len(nodes)
	if d.Query.Limit != nil {
		limit = min(limit, *d.Query.Limit)
	}
	if d.Limit > 0 {
		limit = min(limit, d.Limit)
	}
	return nodes[:max(limit, 0)]
}

// Names returns the identities of the answer, in its order.
func (a *Answer) Names() []string {
	names := make([]string, len(a.Nodes))
	for i := range a.Nodes {
		names[i] = string(a.Nodes[i].Identity)
	}
	return names
}

// String is the answer as "db1 db2", for messages.
func (a *Answer) String() string { return strings.Join(a.Names(), " ") }
