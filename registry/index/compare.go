package index

import (
	"slices"
	"time"

	"muster/query"
)

func planCompare(c *query.Compare, now time.Time) term {
	switch c.Path.Field {
	case "facts", "trusted", "live":
		return planTree(c, now)
	case "fact":
		return &rootTerm{c}
	case "classes", "agents", "collectives":
		return planNames(c, now)
	case "identity":
		return planIdentity(c, now)
	case "state", "auth":
		return &wordTerm{c}
	case "seen":
		return planSeen(c, now)
	}
	return constant(query.Matches(c, &query.Document{}, now)) // about no node
}

// root is the branch below which a field stands.
func (f *forest) root(field string) *branch {
	switch field {
	case "trusted":
		return &f.trusted
	case "live":
		return &f.live
	}
	return &f.facts
}

// planTree compiles a comparison of facts.
func planTree(c *query.Compare, now time.Time) term {
	steps := c.Path.Steps
	several := func(s query.Step) bool { return s.Kind == "any" || s.Kind == "deep" }
	deep := holdsObject(&c.Value)
	switch {
	case len(steps) == 0 && c.Path.Flat == "":
		if deep {
			return &wholeTerm{expr: c, need: needOf(c)}
		}
		return &rootTerm{c}
	case c.View == "mongo" || !slices.ContainsFunc(steps, several):
		t := &pathTerm{c: c, now: now, deep: deep}
		t.compile()
		return t
	case c.Count || deep:
		return &wholeTerm{expr: c, need: needOf(c)}
	}
	return planWild(c, now)
}

// holdsObject reports whether a map is compared with, so that more than its
// keys counts.
func holdsObject(v *query.Value) bool {
	return v.Kind == "object" || slices.ContainsFunc(v.List, func(m query.Value) bool { return holdsObject(&m) })
}

// pathTerm is a comparison of what one path leads to. Of each node one cell
// decides: that of the flat name, else of the first list on the way, else of
// the path; or that there is none.
type pathTerm struct {
	c    *query.Compare
	now  time.Time
	deep bool    // maps count with what is in them
	flat *test   // of a value that stands alone
	rest []*test // by step: of a list that stands before it; the last is flat
	here int     // the steps that can lead from map to map
	gone bool    // the answer where there is no cell
}

func (t *pathTerm) compile() {
	steps := t.c.Path.Steps
	t.flat = newTest(t.c, nil, t.now)
	t.rest = make([]*test, len(steps)+1)
	for i := range steps {
		t.rest[i] = newTest(t.c, steps[i:], t.now)
	}
	t.rest[len(steps)] = t.flat
	t.here = len(steps)
	if t.c.View != "mongo" {
		if at := slices.IndexFunc(steps, func(s query.Step) bool { return s.Kind != "name" }); at >= 0 {
			t.here = at
		}
	}
	t.gone = newAsker(t.now).absent(t.flat)
}

func (t *pathTerm) cost() int {
	switch {
	case t.deep:
		return 9
	case t.flat.words != nil || t.c.Op == "exists":
		return 1
	}
	return 3
}

func (t *pathTerm) find(v *visit, mask slots) found {
	out := v.none(mask)
	open := mask.clone() // nodes of which nothing has decided yet
	decide := func(b *branch, with *test) {
		if b.column.cells == 0 {
			return
		}
		if t.deep && b.column.types[objectType] > 0 {
			v.readEach(b, with, open, &out)
		} else {
			v.scan(&b.column, with, open, &out)
		}
	}
	decided := func(b *branch) {
		have := make(slots, len(mask))
		b.column.presence(open, have)
		open.without(have)
	}
	root := v.forest().root(t.c.Path.Field)
	if b := root.under[t.c.Path.Flat]; b != nil && t.c.Path.Flat != "" && len(t.c.Path.Steps) != 1 {
		decide(b, t.flat)
		decided(b)
	}
	b := root
	for i := range t.here + 1 {
		if b.column.lists() && i < t.here || i == t.here && i < len(t.c.Path.Steps) {
			v.scanKept(&b.column, t.rest[i], open, &out)
		}
		if i == t.here {
			break
		}
		if b = b.under[t.c.Path.Steps[i].Key]; b == nil {
			break
		}
	}
	if b != nil && t.here == len(t.c.Path.Steps) {
		decide(b, t.flat)
	}
	if t.gone {
		t.absent(v, root, open, &out, decided)
	}
	return out
}
