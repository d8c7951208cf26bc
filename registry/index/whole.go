package index

import (
	"muster/query"
)

// wholeTerm asks Matches about each node, of which it puts together what the
// expression looks at.
type wholeTerm struct {
	expr   query.Expr
	facts  map[string]bool // the top-level facts it looks at; nil: all
	narrow term            // not nil: holds for every node that expr holds for
}

func whole(e query.Expr) *wholeTerm {
	t := &wholeTerm{expr: e, facts: map[string]bool{}}
	look := func(p query.Path) {
		switch {
		case p.Field == "fact", p.Field == "contents", p.Field == "facts" && (len(p.Steps) == 0 || p.Steps[0].Kind != "name"):
			t.facts = nil
		case p.Field == "facts" && t.facts != nil:
			t.facts[p.Steps[0].Key], t.facts[p.Flat] = true, true
		}
	}
	query.Map(e, func(e query.Expr) query.Expr {
		switch e := e.(type) {
		case *query.Compare:
			look(e.Path)
		case *query.Has:
			look(e.Path)
		case query.All, query.And, query.Or, query.Not, *query.Subquery, *query.Changed:
		}
		return e
	})
	return t
}

func (t *wholeTerm) cost() int { return 10 }

func (t *wholeTerm) find(v *visit, mask slots) found {
	if t.narrow != nil {
		f := t.narrow.find(v, mask)
		mask = f.yes
		if f.maybe != nil {
			mask.join(f.maybe)
		}
	}
	out := v.none(mask)
	for slot := range mask.all() {
		if slot%64 == 0 && v.stop() {
			break
		}
		doc, known := v.shard.document(slot, t.facts)
		if !known {
			out.doubt(slot)
		} else if query.Matches(t.expr, doc, v.now) {
			out.note(slot, always)
		}
	}
	return out
}

// document is what is known of a node; of its facts only those named, unless
// facts is nil. Known is false if not all of that is kept.
func (s *shard) document(slot uint32, facts map[string]bool) (doc *query.Document, known bool) {
	f := &s.forest
	doc = &query.Document{
		Identity: s.identities.at(slot),
		Classes:  s.classes.list(s.classes.lists.get(slot).code),
		Agents:   s.agents.list(s.agents.lists.get(slot).code), Collectives: s.collectives.list(s.collectives.lists.get(slot).code),
		Seen: s.seen(slot),
	}
	known = true
	take := func(v any, ok bool) any {
		known = known && ok
		return v
	}
	doc.State, _ = take(f.read(slot, &branch{column: s.state})).(string)
	doc.Auth, _ = take(f.read(slot, &branch{column: s.auth})).(string)
	for _, n := range []*names{&s.classes, &s.agents, &s.collectives} {
		known = known && n.lists.get(slot).code != tooBig
	}
	if !s.untrusted.has(slot) {
		doc.Trusted, _ = take(f.read(slot, &f.trusted)).(map[string]any)
	}
	doc.Extra, _ = take(f.read(slot, &f.live)).(map[string]any)
	if facts == nil || f.facts.column.get(slot).code == tooBig {
		doc.Facts, _ = take(f.read(slot, &f.facts)).(map[string]any)
		return doc, known
	}
	doc.Facts = map[string]any{}
	for name := range facts {
		if b := f.facts.under[name]; b != nil && b.column.get(slot).code != absent {
			doc.Facts[name] = take(f.read(slot, b))
		}
	}
	return doc, known
}
