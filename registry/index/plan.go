package index

import (
	"slices"
	"time"

	"muster/query"
)

// term is a part of a query, compiled. It is not changed any more: the shards
// are asked at the same time.
type term interface {
	// find returns the nodes of mask for which the term holds, and those of
	// which only their documents tell.
	find(v *visit, mask slots) found

	// cost tells the terms that need to look at each node from the others: of
	// an and, the cheap parts are asked first.
	cost() int
}

// found is an answer within a mask: the slots that are in it, and those that
// may be (nil: none). No slot is in both.
type found struct{ yes, maybe slots }

// visit is one question to one shard, whose lock is held.
type visit struct {
	shard *shard
	ask   *asker
	now   time.Time
	stop  func() bool // the answer is not wanted any more
}

func (v *visit) forest() *forest { return &v.shard.forest }

func (v *visit) none(mask slots) found { return found{yes: make(slots, len(mask))} }

// plan compiles an expression.
func plan(e query.Expr, now time.Time) term {
	switch e := e.(type) {
	case query.All:
		return constant(true)
	case query.And:
		return both(planned(e, now))
	case query.Or:
		return either(planned(e, now))
	case query.Not:
		return inverse{plan(e.Expr, now)}
	case *query.Compare:
		return planCompare(e, now)
	case *query.Has:
		return planHas(e, now)
	case *query.Subquery, *query.Changed:
		return constant(false) // as Matches has it
	}
	return constant(false)
}

func planned(parts []query.Expr, now time.Time) []term {
	terms := make([]term, len(parts))
	for i, part := range parts {
		terms[i] = plan(part, now)
	}
	slices.SortStableFunc(terms, func(a, b term) int { return a.cost() - b.cost() })
	return terms
}

type constant bool

func (constant) cost() int { return 0 }

func (c constant) find(v *visit, mask slots) found {
	if c {
		return found{yes: mask.clone()}
	}
	return v.none(mask)
}

type both []term

func (b both) cost() int { return dearest(b) }

func (b both) find(v *visit, mask slots) found {
	out := found{yes: mask.clone()}
	open := mask // what may be in the answer yet
	for _, part := range b {
		f := part.find(v, open)
		out.yes.keep(f.yes)
		open = f.yes
		if f.maybe != nil {
			open = f.yes.clone()
			open.join(f.maybe)
			out.maybe = f.maybe
		}
		if open.empty() {
			return v.none(mask)
		}
	}
	if out.maybe != nil {
		out.maybe = open.clone()
		out.maybe.without(out.yes)
	}
	return out
}

type either []term

func (e either) cost() int { return dearest(e) }

func (e either) find(v *visit, mask slots) found {
	out := v.none(mask)
	open := mask.clone() // what is not in the answer yet
	for _, part := range e {
		f := part.find(v, open)
		out.yes.join(f.yes)
		open.without(f.yes)
		if f.maybe != nil {
			if out.maybe == nil {
				out.maybe = make(slots, len(mask))
			}
			out.maybe.join(f.maybe)
		}
	}
	out.maybe.without(out.yes)
	return out
}

type inverse struct{ of term }

func (n inverse) cost() int { return n.of.cost() }

func (n inverse) find(v *visit, mask slots) found {
	f := n.of.find(v, mask)
	yes := mask.clone()
	yes.without(f.yes)
	yes.without(f.maybe)
	return found{yes, f.maybe}
}

func dearest(terms []term) int {
	cost := 0
	for _, t := range terms {
		cost = max(cost, t.cost())
	}
	return cost
}
