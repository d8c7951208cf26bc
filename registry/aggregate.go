package registry

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"muster/query"
	"muster/registry/index"
)

// Values are what a path leads to on the nodes of a discovery.
type Values struct {
	Nodes    int // of the discovery
	Missing  int // of these, the ones on which the path leads nowhere, or to null
	Counts   []index.Count
	Warnings []string
}

// Histogram counts the values that a path, as of [Node.Value], leads to on the
// nodes that Find finds: those of most nodes first. Lists and objects count as
// the values that they are. Sort and Limit of d, and the limit of its query, are
// not looked at. Errors are those of Find.
func (r *Registry) Histogram(ctx context.Context, d Discovery, path string) (Values, error) {
	if err := r.usable(); err != nil {
		return Values{}, err
	}
	d = d.complete()
	now := r.conf.Now()
	q, err := r.resolve(ctx, d, d.Query, now)
	if err != nil {
		return Values{}, err
	}
	warnings := append(r.vocabulary().Warnings(d.Query), r.clock().warnings()...)
	p := ParsePath(path)
	if set, err := r.set(ctx, d, q, now); err != nil {
		return Values{}, err
	} else if set != nil {
		if counts, plain := set.Plain(p); plain {
			return NewValues(set.Len(), counts, warnings), nil
		}
	}
	nodes, err := r.nodes(ctx, d, q, now)
	if err != nil {
		return Values{}, err
	}
	tally := index.Tally{}
	for doc := range r.documents(ctx, d, nodes, []query.Path{p}) {
		if values := p.Values(doc); len(values) > 0 {
			tally.Add(values[0], 1)
		}
	}
	if ctx.Err() != nil {
		return Values{}, fmt.Errorf("counting values: %w", context.Cause(ctx))
	}
	return NewValues(len(nodes), tally.Counts(), warnings), nil
}

// NewValues is what was counted on so many nodes.
func NewValues(nodes int, counts []index.Count, warnings []string) Values {
	v := Values{Nodes: nodes, Missing: nodes, Counts: counts, Warnings: warnings}
	for _, c := range counts {
		v.Missing -= c.Nodes
	}
	return v
}

// Count returns how many nodes a discovery names. Limits are not looked at;
// errors are those of Find.
func (r *Registry) Count(ctx context.Context, d Discovery) (int, error) {
	if err := r.usable(); err != nil {
		return 0, err
	}
	d = d.complete()
	now := r.conf.Now()
	q, err := r.resolve(ctx, d, d.Query, now)
	if err != nil {
		return 0, err
	}
	set, err := r.set(ctx, d, q, now)
	if err != nil {
		return 0, err
	}
	if set != nil {
		return set.Len(), nil
	}
	nodes, err := r.nodes(ctx, d, q, now)
	return len(nodes), err
}

// Facts describes every path of facts, over nodes in any state. It counts
// different values up to a number, and takes some tenths of a second in a large
// fleet.
func (r *Registry) Facts() ([]index.Fact, error) {
	if err := cmp.Or(r.usable(), r.needsMemory()); err != nil {
		return nil, err
	}
	return r.table.index.Facts(), nil
}

// set is the nodes of nodes as the index has them. It is nil where the index
// can not tell.
func (r *Registry) set(ctx context.Context, d Discovery, q *query.Query, now time.Time) (*index.Set, error) {
	if d.Compiled || q.Sample > 0 || asksForState(q.Filter) || r.direct.is() {
		return nil, nil
	}
	filter := q.Filter
	if len(d.Collectives) > 0 {
		filter = query.And{filter, inCollectives(d.Collectives)}
	}
	others := r.notIn(d.States)
	set, err := r.table.index.Find(ctx, filter, now)
	if err != nil || len(others) == 0 {
		return set, err
	}
	return set.Without(others), nil
}

// inCollectives is the condition that inOneOf checks.
func inCollectives(names []string) query.Expr {
	var any query.Or
	for _, name := range names {
		any = append(any, &query.Compare{
			Path: query.Path{Field: "collectives"}, Op: "=", Value: query.Value{Kind: "text", Text: name}, Quant: "any", View: "text",
		})
	}
	return any
}

// notIn lists the nodes that are in none of some states.
func (r *Registry) notIn(states []State) (names []string) {
	if all, _ := ParseStates("any"); !slices.ContainsFunc(all, func(s State) bool { return !slices.Contains(states, s) }) {
		return nil
	}
	want := r.conf.Lifecycle.want(states, r.clock())
	for _, n := range r.table.list(0, func(n row) bool { return !want.row(n) }) {
		names = append(names, string(n.Identity))
	}
	return names
}

// rows answers q, which is resolved, over the nodes of d: from the index alone
// where that says the same.
func (r *Registry) rows(ctx context.Context, d Discovery, q *query.Query, now time.Time) (columns []string, rows [][]any, err error) {
	aboutState := slices.ContainsFunc(lookedAt(q), func(p query.Path) bool { return p.Field == "state" }) // only time tells
	if aggregates, ok := q.Aggregates(); ok && !aboutState {
		set, err := r.set(ctx, d, q, now)
		if err != nil {
			return nil, nil, err
		}
		if set != nil {
			if groups, exact := set.Group(q.GroupBy, aggregates, q.Read); exact {
				columns, rows = arranged(q, groups)
				return columns, rows, nil
			}
		}
	}
	nodes, err := r.nodes(ctx, d, q, now)
	if err != nil {
		return nil, nil, err
	}
	shown := *q
	shown.Filter = query.All{} // it has been asked
	columns, rows = shown.Rows(r.documents(ctx, d, nodes, lookedAt(q)), now)
	if ctx.Err() != nil {
		return nil, nil, fmt.Errorf("reading the nodes: %w", context.Cause(ctx))
	}
	return columns, rows, nil
}

func arranged(q *query.Query, groups []index.Group) (columns []string, rows [][]any) {
	var by, of [][]any
	var nodes []int
	for _, g := range groups {
		by, nodes, of = append(by, g.Values), append(nodes, g.Nodes), append(of, g.Of)
	}
	return q.Arrange(by, nodes, of)
}

// lookedAt is what rows of q show of a node; nil: it may be anything.
func lookedAt(q *query.Query) []query.Path {
	if q.Where != nil || q.Entity != "" {
		return nil
	}
	paths := append([]query.Path{{Field: "identity"}}, q.GroupBy...)
	for _, c := range slices.Concat(q.Select, q.OrderBy) {
		paths = append(paths, c.Path)
	}
	return paths
}

// documents are nodes as a query sees them that looks at some paths; nil: at
// all. They end early when ctx is done.
func (r *Registry) documents(ctx context.Context, d Discovery, nodes []*Head, paths []query.Path) iter.Seq[*query.Document] {
	h := r.clock()
	view := r.view(d, paths)
	return func(yield func(*query.Document) bool) {
		for i, n := range nodes {
			if i%32 == 0 && ctx.Err() != nil {
				return
			}
			doc := view(n)
			doc.State = string(r.conf.Lifecycle.state(n, h))
			if !yield(doc) {
				return
			}
		}
	}
}

// view returns what makes documents of nodes for whoever looks at some paths;
// nil: at all. The index knows most of them, without a node being unpacked. The
// state is left out.
func (r *Registry) view(d Discovery, paths []query.Path) func(*Head) *query.Document {
	whole := func(n *Head) *query.Document {
		doc := &query.Document{}
		d.shown(n).fill(doc, "")
		return doc
	}
	if paths == nil || d.Compiled || r.direct.is() {
		return whole
	}
	reader := r.table.index.Reader(paths)
	return func(n *Head) *query.Document {
		doc := reader.Document(string(n.Identity))
		if doc == nil {
			return whole(n)
		}
		doc.Seen, doc.Auth = n.LastSeen, n.Auth
		return doc
	}
}
