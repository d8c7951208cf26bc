package index

import (
	"slices"
	"time"

	"muster/query"
)

func planCompare(c *query.Compare, now time.Time) term {
	if c.View == "mongo" && (c.Path.Field == "live" || c.Path.Field == "fact") {
		return constant(query.Matches(c, &query.Document{}, now)) // the server has none
	}
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
	deep := holdsObject(&c.Value)
	several := c.View != "mongo" && slices.ContainsFunc(steps, func(s query.Step) bool { return s.Kind == "any" || s.Kind == "deep" })
	switch {
	case len(steps) == 0 && c.Path.Flat == "" && !deep:
		return &rootTerm{c}
	case len(steps) == 0, several && (c.Count || deep || c.Path.Flat != ""):
		return whole(c)
	case several:
		return planWild(c, now)
	}
	named := len(steps)
	if at := slices.IndexFunc(steps, func(s query.Step) bool { return s.Kind != "name" }); at >= 0 && c.View != "mongo" {
		named = at
	}
	t := &pathTerm{path: c.Path, named: named, deep: deep, flat: c.View != "mongo" || c.Path.Field == "facts"}
	for i := range len(steps) + 1 {
		t.tests = append(t.tests, newTest(c, steps[i:], now))
	}
	t.gone = newAsker(now).absent(t.tests[0])
	return t
}

// holdsObject reports whether a map is compared with, so that more than its
// keys counts.
func holdsObject(v *query.Value) bool {
	return v.Kind == "object" || slices.ContainsFunc(v.List, func(m query.Value) bool { return holdsObject(&m) })
}

// pathTerm asks about what one path leads to. Of each node one cell decides:
// that of the flat name, else of the first list on the way, else of the path;
// or that there is none.
type pathTerm struct {
	path  query.Path
	named int     // the steps that lead from map to map; what follows is for the test
	tests []*test // by the number of steps that lead to the cell
	flat  bool    // the flat name counts
	deep  bool    // maps count with all that is in them
	gone  bool    // the answer where there is no cell
}

func (t *pathTerm) cost() int {
	switch test := t.tests[len(t.tests)-1]; {
	case t.deep:
		return 9
	case test.words != nil:
		return 1
	}
	return 3
}

func (t *pathTerm) find(v *visit, mask slots) found {
	out := v.none(mask)
	open := mask.clone() // the nodes of which no cell has decided yet
	decide := func(b *branch, with *test, only listsOnly) {
		switch {
		case b.column.cells == 0 || bool(only) && !b.column.lists():
			return
		case t.deep && !bool(only) && b.column.types[objectType] > 0:
			v.readEach(b, with, open, &out)
		default:
			v.scan(&b.column, with, only, open, &out)
		}
		if t.gone {
			have := make(slots, len(mask))
			b.column.presence(only, open, have)
			open.without(have)
		}
	}
	root := v.forest().root(t.path.Field)
	if b := root.under[t.path.Flat]; b != nil && t.flat && t.path.Flat != "" && (len(t.path.Steps) != 1 || t.path.Steps[0].Key != t.path.Flat) {
		decide(b, t.tests[len(t.tests)-1], false)
		have := make(slots, len(mask))
		b.column.presence(false, open, have)
		open.without(have)
	}
	b := root
	for i := 0; b != nil; i++ {
		if i == t.named {
			decide(b, t.tests[i], false)
			break
		}
		decide(b, t.tests[i], true)
		b = b.under[t.path.Steps[i].Key]
	}
	if t.gone {
		out.yes.join(open)
		out.yes.without(out.maybe)
	}
	return out
}

// readEach asks about all that stands below a branch.
func (v *visit) readEach(b *branch, t *test, mask slots, out *found) {
	have := make(slots, len(mask))
	b.column.presence(false, mask, have)
	for slot := range have.all() {
		if slot%64 == 0 && v.stop() {
			break
		}
		if value, known := v.forest().read(slot, b); !known {
			out.doubt(slot)
		} else if v.ask.holds(t, value) {
			out.note(slot, always)
		}
	}
}

// rootTerm asks about the names of all facts.
type rootTerm struct{ c *query.Compare }

func (t *rootTerm) cost() int { return 2 }

func (t *rootTerm) find(v *visit, mask slots) found {
	out := v.none(mask)
	column := &v.forest().root(t.c.Path.Field).column
	judge(column, v.forest().pool, nil, mask, &out, func(at cell) verdict {
		if at.code == tooBig {
			return unsure
		}
		m, _ := v.forest().value(at).(map[string]any)
		doc := query.Document{Facts: m, Trusted: m, Extra: m}
		return verdictOf(query.Matches(t.c, &doc, v.now))
	})
	if t.c.Path.Field == "trusted" {
		holds := query.Matches(t.c, &query.Document{}, v.now)
		for slot := range v.shard.untrusted.all() {
			if out.yes.drop(slot); holds && mask.has(slot) {
				out.note(slot, always)
			}
		}
	}
	return out
}

// wordTerm asks about a field that is one word.
type wordTerm struct{ c *query.Compare }

func (t *wordTerm) cost() int { return 1 }

func (t *wordTerm) find(v *visit, mask slots) found {
	out := v.none(mask)
	column := &v.shard.state
	if t.c.Path.Field == "auth" {
		column = &v.shard.auth
	}
	judge(column, v.forest().pool, nil, mask, &out, func(at cell) verdict {
		if at.code.kind() == cut {
			return unsure
		}
		word, _ := v.forest().value(at).(string)
		return verdictOf(query.Matches(t.c, &query.Document{State: word, Auth: word}, v.now))
	})
	return out
}
