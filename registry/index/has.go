package index

import (
	"slices"
	"time"

	"muster/query"
)

// planHas compiles a condition on the elements of what a path leads to.
func planHas(h *query.Has, now time.Time) term {
	switch {
	case !ownElements(h.Expr):
		return whole(query.And{h}) // it looks at the rest of the node too
	case h.Path.Field == "classes" || h.View == "mongo" && (h.Path.Field == "agents" || h.Path.Field == "collectives"):
		return &listTerm{field: h.Path.Field, expr: h}
	case h.Path.Field == "facts" || h.Path.Field == "trusted" || h.Path.Field == "contents":
	default:
		return constant(query.Matches(h, &query.Document{}, now)) // about no node
	}
	several := slices.ContainsFunc(h.Path.Steps, func(s query.Step) bool { return s.Kind != "name" })
	if h.Path.Field == "contents" || len(h.Path.Steps) == 0 || several && h.View != "mongo" {
		w := whole(h)
		w.narrow = narrowed(h, now)
		return w
	}
	t := &pathTerm{path: h.Path, named: len(h.Path.Steps), deep: h.View != "mongo", flat: h.Path.Field == "facts"}
	for i := range len(h.Path.Steps) + 1 {
		t.tests = append(t.tests, hasTest(h, h.Path.Steps[i:]))
	}
	t.gone = newAsker(now).absent(t.tests[0])
	narrow := narrowed(h, now)
	if narrow == nil || h.View == "mongo" {
		return t
	}
	return &narrowedTerm{narrow, t}
}

// ownElements reports whether an expression looks at nothing but elements.
func ownElements(e query.Expr) bool {
	own := true
	query.Map(e, func(e query.Expr) query.Expr {
		field := "element"
		switch e := e.(type) {
		case *query.Compare:
			field = e.Path.Field
		case *query.Has:
			field = e.Path.Field
		case query.All, query.And, query.Or, query.Not, *query.Subquery, *query.Changed:
		}
		own = own && (field == "element" || field == "key" || field == "path")
		return e
	})
	return own
}

func hasTest(h *query.Has, rest []query.Step) *test {
	about := *h
	about.Path = query.Path{Field: "facts", Steps: append([]query.Step{{Kind: "name", Key: "v", Pos: -1}}, rest...)}
	return &test{expr: &about}
}

// narrowed returns a term that holds for every node that h holds for, nil if
// there is none that is worth it.
func narrowed(h *query.Has, now time.Time) term {
	if h.Quant != "any" || h.Path.Field == "contents" || h.View == "mongo" || len(h.Path.Steps) == 0 && h.Path.Flat != "" {
		return nil
	}
	e := implied(h, h.Expr)
	if e == nil {
		return nil
	}
	return plan(e, now)
}

// implied is what holds of a node if one of the elements satisfies e; nil: nothing.
func implied(h *query.Has, e query.Expr) query.Expr {
	switch e := e.(type) {
	case query.And:
		var parts query.And
		for _, part := range e {
			if p := implied(h, part); p != nil {
				parts = append(parts, p)
			}
		}
		if len(parts) > 0 {
			return parts
		}
	case query.Or:
		var parts query.Or
		for _, part := range e {
			p := implied(h, part)
			if p == nil {
				return nil
			}
			parts = append(parts, p)
		}
		return parts
	case *query.Compare:
		if e.Path.Field != "element" || e.Absent || e.Count || e.View == "mongo" || e.Quant != "any" || holdsObject(&e.Value) {
			return nil
		}
		c := *e
		c.Path = query.Path{Field: h.Path.Field, Steps: slices.Concat(h.Path.Steps, []query.Step{{Kind: "any", Pos: -1}}, e.Path.Steps)}
		if h.Path.Flat == "" || len(h.Path.Steps) == 1 && h.Path.Steps[0].Key == h.Path.Flat {
			return &c
		}
		flat := c
		flat.Path.Steps = slices.Concat([]query.Step{{Kind: "name", Key: h.Path.Flat, Pos: -1}, {Kind: "any", Pos: -1}}, e.Path.Steps)
		return query.Or{&c, &flat}
	case query.All, query.Not, *query.Has, *query.Subquery, *query.Changed:
	}
	return nil
}

// narrowedTerm asks first where it is worth asking.
type narrowedTerm struct{ narrow, of term }

func (t *narrowedTerm) cost() int { return 8 }

func (t *narrowedTerm) find(v *visit, mask slots) found {
	f := t.narrow.find(v, mask)
	if f.maybe != nil {
		f.yes.join(f.maybe)
	}
	return t.of.find(v, f.yes)
}
