package registry

import (
	"context"
	"slices"
	"strings"
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

// narrowed is the part of a filter that can be asked of who knows the classes
// that count.
func (d Discovery) narrowed(filter query.Expr) query.Expr {
	if d.Compiled {
		return beyondClasses(filter)
	}
	return filter
}

// spoken is whose classes those of a node are.
type spoken uint8

const (
	nobodys  spoken = iota // no Puppet server compiled classes for the node
	puppets                // the catalog's
	anothers               // a Puppet server compiled some, and others count
)

func (n *Node) spoken() spoken {
	s := n.Sections[Catalog]
	switch {
	case s == nil || len(s.Classes) == 0:
		return nobodys
	case slices.Equal(n.Classes, s.Classes):
		return puppets
	}
	return anothers
}

// candidates returns, by identity, the nodes that a filter, which does not ask
// for the state, holds for as d sees them. The index knows the classes that
// count; only nodes of which catalogs say others are looked at one by one.
func (d Discovery) candidates(ctx context.Context, t *table, filter query.Expr, now time.Time) ([]*Head, error) {
	if !d.Compiled {
		return t.candidates(ctx, filter, now)
	}
	var found []*Head
	for of, known := range []query.Expr{nobodys: withoutClasses(filter, now), puppets: filter, anothers: d.narrowed(filter)} {
		some, err := t.candidates(ctx, known, now)
		if err != nil {
			return nil, err
		}
		some = slices.DeleteFunc(some, func(n *Head) bool { return n.spoken != spoken(of) })
		if spoken(of) == anothers {
			if some, err = d.matching(ctx, some, filter, now); err != nil {
				return nil, err
			}
		}
		found = append(found, some...)
	}
	slices.SortFunc(found, func(a, b *Head) int { return strings.Compare(a.Identity.Key(), b.Identity.Key()) })
	return found, nil
}

// withoutClasses is what e asks of a node that has no classes.
func withoutClasses(e query.Expr, now time.Time) query.Expr {
	return query.Map(e, func(e query.Expr) query.Expr {
		switch {
		case !isAboutClasses(e):
			return e
		case query.Matches(e, &query.Document{}, now):
			return query.All{}
		}
		return query.Not{Expr: query.All{}}
	})
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
	if asks(e, isAboutClasses) {
		return query.All{}
	}
	return e
}

func isAboutClasses(e query.Expr) bool {
	switch e := e.(type) {
	case *query.Compare:
		return e.Path.Field == "classes"
	case *query.Has:
		return e.Path.Field == "classes"
	case query.All, query.And, query.Or, query.Not, *query.Subquery, *query.Changed:
	}
	return false
}
