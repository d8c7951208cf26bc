package index

import (
	"math/bits"
	"slices"
	"time"

	"muster/query"
)

// namesTerm asks about a list of names, such as the classes of a node, where
// each name counts for itself: what a name turns the answer for an empty list
// into, it turns the answer for every list with it into.
type namesTerm struct {
	c      *query.Compare
	base   bool   // the answer for an empty list
	folded uint32 // not 0: names of another fold, unless that is 0, are not what is asked for
	other  bool   // the answer for those
}

func planNames(c *query.Compare, now time.Time) term {
	if !eachName(c) {
		return &listTerm{field: c.Path.Field, expr: c}
	}
	t := &namesTerm{c: c, base: query.Matches(c, &query.Document{}, now)}
	if (c.Op == "=" || c.Op == "!=") && c.Value.Kind == "text" && c.View != "version" && ascii(c.Value.Text) && plainWord(c.Value.Text) {
		t.folded = fold(c.Value.Text)
		t.other = query.Matches(c, withNames(c.Path.Field, []string{c.Value.Text + "."}), now)
	}
	return t
}

// eachName reports whether what c says of a list follows from what it says of
// lists of one name.
func eachName(c *query.Compare) bool {
	if c.View != "mongo" {
		return !c.Count
	}
	if len(c.Path.Steps) > 0 || !slices.Contains([]string{"=", "!=", "in", "not in", "=~", "!~"}, c.Op) {
		return false
	}
	members := []query.Value{c.Value}
	if c.Value.Kind == "list" {
		members = c.Value.List
	}
	return len(members) > 0 && !slices.ContainsFunc(members, func(m query.Value) bool { return m.Kind != "text" && m.Kind != "regex" }) &&
		(c.Value.Kind == "list") == (c.Op == "in" || c.Op == "not in")
}

func (t *namesTerm) cost() int { return 1 }

func (v *visit) names(field string) *names {
	switch field {
	case "agents":
		return &v.shard.agents
	case "collectives":
		return &v.shard.collectives
	}
	return &v.shard.classes
}

func (t *namesTerm) find(v *visit, mask slots) found {
	n := v.names(t.c.Path.Field)
	out := v.none(mask)
	if t.base {
		out.yes.join(mask)
	}
	for id, folded := range n.folded {
		if t.folded != 0 && folded != 0 && folded != t.folded && t.other == t.base {
			continue // most of them
		}
		e := &n.of[id]
		switch {
		case e.nodes == 0 || t.holds(v, e, folded) == t.base:
			// A list with it is judged as one without.
		case t.base:
			e.outOf(out.yes)
		default:
			e.into(out.yes)
		}
	}
	out.yes.keep(mask)
	for slot := range n.big.all() {
		if mask.has(slot) {
			out.yes.drop(slot)
			out.doubt(slot)
		}
	}
	return out
}

// holds asks about the list of one name.
func (t *namesTerm) holds(v *visit, e *name, folded uint32) bool {
	if t.folded != 0 && folded != 0 && folded != t.folded {
		return t.other
	}
	return query.Matches(t.c, withNames(t.c.Path.Field, []string{e.text}), v.now)
}

func withNames(field string, list []string) *query.Document {
	switch field {
	case "agents":
		return &query.Document{Agents: list}
	case "collectives":
		return &query.Document{Collectives: list}
	}
	return &query.Document{Classes: list}
}

// listTerm asks about a list of names as a whole.
type listTerm struct {
	field string
	expr  query.Expr // that looks at nothing else
}

func (t *listTerm) cost() int { return 6 }

func (t *listTerm) find(v *visit, mask slots) found {
	out := v.none(mask)
	n := v.names(t.field)
	if query.Matches(t.expr, &query.Document{}, v.now) {
		have := make(slots, len(mask))
		n.lists.presence(false, mask, have)
		out.yes.join(mask)
		out.yes.without(have)
	}
	judge(&n.lists, v.forest().pool, nil, mask, &out, func(at cell) verdict {
		if at.code == tooBig {
			return unsure
		}
		return verdictOf(query.Matches(t.expr, withNames(t.field, n.list(at.code)), v.now))
	})
	return out
}

// identityTerm asks about the names of nodes.
type identityTerm struct {
	c     *query.Compare
	exact []string // not nil: the names are these or they are not, but for case
	test  *test
}

func planIdentity(c *query.Compare, now time.Time) term {
	t := &identityTerm{c: c, test: newTest(c, nil, now)}
	if c.View == "host" && !c.Count && (c.Op == "=" || c.Op == "in") && (c.Quant == "any" || c.Quant == "self") {
		t.exact = asciiTexts(c)
	}
	return t
}

// asciiTexts returns the right side if it is nothing but texts of ASCII.
func asciiTexts(c *query.Compare) []string {
	members := []query.Value{c.Value}
	if c.Value.Kind == "list" && c.Op == "in" {
		members = c.Value.List
	}
	texts := make([]string, 0, len(members))
	for i := range members {
		if members[i].Kind != "text" || !ascii(members[i].Text) {
			return nil
		}
		texts = append(texts, members[i].Text)
	}
	return texts
}

func (t *identityTerm) cost() int {
	if t.exact != nil {
		return 0
	}
	return 7
}

func (t *identityTerm) find(v *visit, mask slots) found {
	out := v.none(mask)
	names := &v.shard.identities
	if t.exact != nil && names.foreign == 0 {
		for _, name := range t.exact {
			if slot, ok := v.shard.find(keyOf(name)); ok && mask.has(slot) {
				out.note(slot, always)
			}
		}
		return out
	}
	doc := &query.Document{}
	_, told := t.test.text("")
	for w, m := range mask {
		var word uint64
		for ; m != 0; m &= m - 1 {
			name := names.at(uint32(w<<6 | bits.TrailingZeros64(m)))
			var holds bool
			if told {
				holds, _ = t.test.text(name)
				holds = t.test.single(holds) == always
			} else {
				doc.Identity = name
				holds = query.Matches(t.c, doc, v.now)
			}
			if holds {
				word |= m & -m
			}
		}
		out.yes[w] = word
	}
	return out
}

// seenTerm asks when nodes were last seen. Where the answer turns from one to
// the other, Matches was asked beforehand.
type seenTerm struct {
	c     *query.Compare
	at    []time.Time // ascending; nil: each node is asked
	steps [][2]int64  // at in seconds and nanoseconds
	holds []bool      // 2*len(at)+1: before the first, at it, after it, …
	never bool        // for a node that was never seen
}

func planSeen(c *query.Compare, now time.Time) term {
	t := &seenTerm{c: c}
	ask := func(at time.Time) bool { return query.Matches(c, &query.Document{Seen: at}, now) }
	t.never = ask(time.Time{})
	members := []query.Value{c.Value}
	if c.Value.Kind == "list" {
		members = c.Value.List
	}
	var at []time.Time
	for _, m := range members {
		switch m.Kind {
		case "time":
			at = append(at, m.Time)
		case "age":
			at = append(at, now.Add(-m.Age))
		default:
			return t
		}
	}
	if len(at) > maxSteps || len(at) == 0 || c.Count || c.View == "version" {
		return t
	}
	slices.SortFunc(at, time.Time.Compare)
	t.at = slices.CompactFunc(at, time.Time.Equal)
	for _, at := range t.at {
		t.steps = append(t.steps, [2]int64{at.Unix(), int64(at.Nanosecond())})
		t.holds = append(t.holds, ask(at.Add(-1)), ask(at))
	}
	t.holds = append(t.holds, ask(t.at[len(t.at)-1].Add(1)))
	return t
}

func (t *seenTerm) cost() int { return 2 }

func (t *seenTerm) find(v *visit, mask slots) found {
	out := v.none(mask)
	doc := &query.Document{}
	for w, m := range mask {
		var word uint64
		for ; m != 0; m &= m - 1 {
			slot := w<<6 | bits.TrailingZeros64(m)
			seconds, holds := v.shard.seconds[slot], t.never
			switch {
			case seconds == neverSeen:
			case t.at == nil:
				doc.Seen = v.shard.seen(uint32(slot))
				holds = query.Matches(t.c, doc, v.now)
			default:
				holds = t.holds[t.place(seconds, int64(v.shard.nanos[slot]))]
			}
			if holds {
				word |= m & -m
			}
		}
		out.yes[w] = word
	}
	return out
}

// neverSeen is the zero time in seconds.
const neverSeen = -62135596800

func (t *seenTerm) place(seconds, nanos int64) int {
	for i, step := range t.steps {
		switch {
		case seconds < step[0] || seconds == step[0] && nanos < step[1]:
			return 2 * i
		case seconds == step[0] && nanos == step[1]:
			return 2*i + 1
		}
	}
	return 2 * len(t.at)
}
