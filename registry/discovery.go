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
	Sort        string       // a path as of [Node.Value] to sort by, -path downwards; empty: as the query says, else by identity
	Limit       int          // at most so many nodes; 0: as the query says, else all
	Compiled    bool         // classes are those of the catalogs that Puppet servers compiled, not what nodes say
	Basis       *Basis       // learns what the answer of Find rests on; nil: nobody asks
}

// Answer is a discovery list.
type Answer struct {
	Nodes    []Found   // sorted; by identity unless asked otherwise
	Count    int       // how many nodes the query names; more than len(Nodes) where a limit cut
	Complete bool      // false: a limit cut
	Oldest   time.Time // the earliest LastSeen among Nodes; zero: no nodes, or one never seen
	Warnings []string  // for the asker, about the question or the answer
}

// Find answers a discovery. It sees every registration that was accepted
// before, and stops with an error when ctx is done: an answer is never short
// without saying so.
//
// Of a query about other rows than nodes it finds the nodes that have such a
// row; the query's order and limit are then for [Registry.Rows].
//
// The error is [ErrLoading], a [*query.SyntaxError] for what the registry can
// not answer, or about ctx.
func (r *Registry) Find(ctx context.Context, d Discovery) (Answer, error) {
	if err := r.usable(); err != nil {
		return Answer{}, err
	}
	d = d.complete()
	now := r.conf.Now()
	q, err := r.resolve(ctx, d, d.Query, now)
	if err != nil {
		return Answer{}, err
	}
	nodes, err := r.nodes(ctx, d, q, now)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Count: len(nodes), Complete: true, Warnings: r.vocabulary().Warnings(d.Query)}
	nodes = page(d, r.ordered(d, nodes))
	a.Complete = len(nodes) == a.Count
	a.Nodes = make([]Found, len(nodes))
	h := r.clock()
	a.Warnings = append(append(a.Warnings, h.warnings()...), r.outdated()...)
	for i, n := range nodes {
		a.Nodes[i] = Found{Head: n, State: r.conf.Lifecycle.state(n, h), compiled: d.Compiled}
		if i == 0 || n.LastSeen.Before(a.Oldest) {
			a.Oldest = n.LastSeen
		}
	}
	return a, nil
}

// Table is an answer in rows and columns.
type Table struct {
	Columns  []string
	Rows     [][]any // values as in [query.Document]; nil where there is nothing
	Warnings []string
}

// Rows answers a query that says what to show: its columns, groups and order,
// over the nodes that Find finds. Sort and Limit of d are not looked at.
func (r *Registry) Rows(ctx context.Context, d Discovery) (Table, error) {
	if err := r.usable(); err != nil {
		return Table{}, err
	}
	d = d.complete()
	now := r.conf.Now()
	q, err := r.resolve(ctx, d, d.Query, now)
	if err != nil {
		return Table{}, err
	}
	t := Table{Warnings: r.vocabulary().Warnings(d.Query)}
	t.Columns, t.Rows, err = r.rows(ctx, d, q, now)
	return t, err
}

// complete puts in what the zero value of a discovery stands for.
func (d Discovery) complete() Discovery {
	if d.Query == nil {
		d.Query = &query.Query{Filter: query.All{}}
	}
	if len(d.States) == 0 {
		d.States = []State{Active, Stale}
	}
	return d
}

// nodes returns the nodes that q, which is resolved, names in d's collectives
// and states, by identity.
func (r *Registry) nodes(ctx context.Context, d Discovery, q *query.Query, now time.Time) ([]*Head, error) {
	var found []*Head
	parts, h := d.byState(q.Filter, now), r.clock()
	for _, one := range parts {
		if r.direct.is() {
			some, err := r.searched(ctx, d, one, now, h)
			if err != nil {
				return nil, fmt.Errorf("searching the nodes: %w", err)
			}
			found = append(found, some...)
			continue
		}
		some, err := d.candidates(ctx, r.table, one.filter, now, r.conf.Lifecycle.want(one.states, h))
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("searching the nodes: %w", err)
		}
		if d.Basis.minded(len(some)) {
			everybody, err := d.candidates(ctx, r.table, one.filter, now, nil)
			if err != nil {
				return nil, fmt.Errorf("searching the nodes: %w", err)
			}
			d.Basis.found(d, everybody, h) // what changed since the first search is told by the changes
		}
		if len(d.Collectives) > 0 {
			some = slices.DeleteFunc(some, func(n *Head) bool { return !inOneOf(n.Collectives, d.Collectives) })
		}
		if len(parts) == 1 {
			found = some
		} else {
			found = append(found, some...)
		}
	}
	if len(parts) > 1 {
		slices.SortFunc(found, func(a, b *Head) int { return strings.Compare(a.key, b.key) })
	}
	return r.sample(d, found, q), nil
}

// asked is what is asked of nodes in some states.
type asked struct {
	filter query.Expr
	states []State
}

// byState returns what a filter asks of nodes in the states of d, which does not
// depend on their state any more.
func (d Discovery) byState(filter query.Expr, now time.Time) []asked {
	if !asksForState(filter) {
		return []asked{{filter, d.States}}
	}
	var list []asked
	for _, state := range slices.Compact(slices.Sorted(slices.Values(d.States))) {
		list = append(list, asked{inState(filter, state, now), []State{state}})
	}
	return list
}

func inOneOf(has, wanted []string) bool {
	return len(wanted) == 0 || slices.ContainsFunc(wanted, func(c string) bool { return slices.Contains(has, c) })
}

// resolve looks up what q asks beyond the node at hand, among the nodes that d
// reaches.
func (r *Registry) resolve(ctx context.Context, d Discovery, q *query.Query, now time.Time) (*query.Query, error) {
	d.Basis = nil // what is looked up is no part of the answer
	return Resolve(q, Lookup{
		Rows: func(q *query.Query) ([][]any, error) {
			_, rows, err := r.rows(ctx, d, q, now)
			return rows, err
		},
		Changed: func(q *query.Query, c *query.Changed) ([]string, error) {
			names, err := r.changed(ctx, c.Path, now.Add(-c.Within))
			if errors.Is(err, ErrNoHistory) {
				err = &query.SyntaxError{Dialect: q.Dialect, Text: q.Text, Offset: c.Start, End: c.End, Problem: err.Error()}
			}
			return names, err
		},
	})
}

// ordered sorts nodes, which are sorted by identity, as d or its query says.
func (r *Registry) ordered(d Discovery, nodes []*Head) []*Head {
	return ordered(d, nodes, func(n *Head) Identity { return n.Identity }, func(p query.Path) func(*Head) *query.Document { return r.view(d, []query.Path{p}) })
}

// ordered is that for whatever shows documents to who looks at one path.
func ordered[T any](d Discovery, nodes []T, identity func(T) Identity, view func(query.Path) func(T) *query.Document) []T {
	var columns []query.Column
	if d.Sort != "" {
		path, down := strings.CutPrefix(d.Sort, "-")
		columns = []query.Column{{Path: ParsePath(path), Desc: down}}
	} else if d.aboutNodes() {
		columns = d.Query.OrderBy
	}
	for _, c := range slices.Backward(columns) {
		keys := make(map[Identity]any, len(nodes))
		document := view(c.Path)
		for _, n := range nodes {
			if values := c.Path.Values(document(n)); len(values) > 0 {
				keys[identity(n)] = values[0]
			}
		}
		slices.SortStableFunc(nodes, func(a, b T) int { return d.Query.Order(c, keys[identity(a)], keys[identity(b)]) })
	}
	return nodes
}

// page cuts nodes to what is wanted of them.
func page[T any](d Discovery, nodes []T) []T {
	limit := len(nodes)
	if d.aboutNodes() {
		nodes = nodes[min(d.Query.Offset, len(nodes)):]
		if d.Query.Limit != nil {
			limit = *d.Query.Limit
		}
	}
	if d.Limit > 0 {
		limit = min(limit, d.Limit)
	}
	return nodes[:max(0, min(limit, len(nodes)))]
}

// aboutNodes reports whether a row of the query's answer is a node.
func (d Discovery) aboutNodes() bool {
	return d.Query.Entity == "" && len(d.Query.GroupBy) == 0 &&
		!slices.ContainsFunc(d.Query.Select, func(c query.Column) bool { return c.Func != "" })
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
