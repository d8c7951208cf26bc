package index

import (
	"time"

	"muster/query"
)

// wildTerm asks about what a path with wildcards leads to. Many cells of a node
// can decide; what is known of each is joined before the quantifier counts.
type wildTerm struct {
	c       *query.Compare
	some    []*test // by the number of steps: one value satisfies the comparison
	failed  []*test // not nil: one value does not
	present []*test // not nil: there is a value
}

func planWild(c *query.Compare, now time.Time) term {
	t := &wildTerm{c: c}
	tests := func(change func(*query.Compare)) []*test {
		c := *c
		change(&c)
		list := make([]*test, len(c.Path.Steps)+1)
		for i := range list {
			list[i] = newTest(&c, c.Path.Steps[i:], now)
		}
		return list
	}
	exists := func(c *query.Compare) { c.Op, c.Quant, c.Absent = "exists", "any", false }
	switch {
	case c.Op == "exists":
		t.some = tests(exists)
		return t
	case c.Quant == "all":
		t.failed = tests(func(c *query.Compare) { c.Absent = true })
		for _, test := range t.failed {
			test.invert()
		}
	case c.Quant == "none":
		t.some = tests(func(c *query.Compare) { c.Quant, c.Absent = "any", false })
	default:
		t.some = tests(func(c *query.Compare) { c.Absent = false })
	}
	if c.Absent || t.failed != nil || c.Quant == "none" {
		t.present = tests(exists)
	}
	return t
}

func (t *wildTerm) cost() int { return 5 }

func (t *wildTerm) find(v *visit, mask slots) found {
	some, failed, present := v.none(mask), v.none(mask), v.none(mask)
	t.walk(v, v.forest().root(t.c.Path.Field), 0, func(c *column, only listsOnly, step int) {
		for _, part := range []struct {
			tests []*test
			out   *found
		}{{t.some, &some}, {t.failed, &failed}, {t.present, &present}} {
			if part.tests != nil {
				v.scan(c, part.tests[step], only, mask, part.out)
			}
		}
	})
	if t.present == nil {
		some.maybe.without(some.yes)
		return some
	}
	out := found{yes: present.yes.clone()}
	switch t.c.Quant {
	case "all":
		out.yes.without(failed.yes)
	case "none":
		out.yes.without(some.yes)
	default:
		out.yes = some.yes
	}
	if t.c.Absent {
		gone := mask.clone()
		gone.without(present.yes)
		out.yes.join(gone)
	}
	for _, maybe := range []slots{some.maybe, failed.maybe, present.maybe} {
		if maybe != nil {
			if out.maybe == nil {
				out.maybe = make(slots, len(mask))
			}
			out.maybe.join(maybe)
		}
	}
	out.yes.without(out.maybe)
	return out
}

// walk visits the columns that the steps from step on lead to from b.
func (t *wildTerm) walk(v *visit, b *branch, step int, visit func(c *column, only listsOnly, step int)) {
	steps := t.c.Path.Steps
	if step == len(steps) {
		visit(&b.column, false, step)
		return
	}
	if b.column.lists() {
		visit(&b.column, true, step)
	}
	switch s := steps[step]; s.Kind {
	case "name":
		if child := b.under[s.Key]; child != nil {
			t.walk(v, child, step+1, visit)
		}
	case "any":
		for _, child := range b.under {
			t.walk(v, child, step+1, visit)
		}
	case "keys":
		visit(&b.column, false, step)
	case "deep":
		t.walk(v, b, step+1, visit)
		for _, child := range b.under {
			t.walk(v, child, step, visit)
		}
	}
}
