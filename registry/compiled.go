package registry

import (
	"context"
	"time"

	"muster/query"
)

// shown is a node as d sees it.
func (d Discovery) shown(h *Head) *Node {
	if d.Compiled {
		return h.node().compiled()
	}
	return h.node()
}

// narrowed is the part of a filter that the index can answer.
func (d Discovery) narrowed(filter query.Expr) query.Expr {
	if d.Compiled {
		return beyondClasses(filter)
	}
	return filter
}

// matching returns the nodes for which filter, which does not ask for the
// state, holds as d sees them.
func (d Discovery) matching(ctx context.Context, nodes []*Head, filter query.Expr, now time.Time) (found []*Head, err error) {
	var doc query.Document // one for all, since Matches keeps nothing of it
	for _, n := range nodes {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		d.shown(n).fill(&doc, "")
		if query.Matches(filter, &doc, now) {
			found = append(found, n)
		}
	}
	return found, nil
}

// compiled returns n with the classes of the catalog that a Puppet server
// compiled for it, and no others: a node says of itself what it likes.
func (n *Node) compiled() *Node {
	c := *n
	c.Classes = nil
	if s := n.Sections[Catalog]; s != nil {
		c.Classes = s.Classes
	}
	return &c
}

// beyondClasses is a condition that holds wherever e does, whatever the classes
// are: the part of e that the index can still narrow by.
func beyondClasses(e query.Expr) query.Expr {
	if and, ok := e.(query.And); ok {
		var rest query.And
		for _, part := range and {
			if part = beyondClasses(part); part != (query.All{}) {
				rest = append(rest, part)
			}
		}
		if len(rest) > 0 {
			return rest
		}
		return query.All{}
	}
	if aboutClasses(e) {
		return query.All{}
	}
	return e
}

func aboutClasses(e query.Expr) bool {
	found := false
	query.Map(e, func(e query.Expr) query.Expr {
		switch e := e.(type) {
		case *query.Compare:
			found = found || e.Path.Field == "classes"
		case *query.Has:
			found = found || e.Path.Field == "classes"
		}
		return e
	})
	return found
}
