package index

import (
	"muster/query"
)

// wholeTerm asks Matches about each node, of which it puts together what the
// expression looks at.
type wholeTerm struct {
	expr   query.Expr
	look   look // what it looks at
	narrow term // not nil: holds for every node that expr holds for
}

func whole(e query.Expr) *wholeTerm {
	t := &wholeTerm{expr: e, look: look{facts: map[string]bool{}}}
	query.Map(e, func(e query.Expr) query.Expr {
		switch e := e.(type) {
		case *query.Compare:
			t.look.at(e.Path)
		case *query.Has:
			t.look.at(e.Path)
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
		doc, known := v.shard.document(slot, t.look)
		if !known {
			out.doubt(slot)
		} else if query.Matches(t.expr, doc, v.now) {
			out.note(slot, always)
		}
	}
	return out
}

// document is what is known of a node; of its facts, and besides, what is looked
// at. Known is false if not all of that is kept.
func (s *shard) document(slot uint32, l look) (doc *query.Document, known bool) {
	f := &s.forest
	doc = &query.Document{Identity: s.identities.at(slot), Seen: s.seen(slot)}
	known = true
	take := func(v any, ok bool) any {
		known = known && ok
		return v
	}
	doc.State, _ = take(f.read(slot, &branch{column: s.state})).(string)
	doc.Auth, _ = take(f.read(slot, &branch{column: s.auth})).(string)
	for _, list := range []struct {
		field string
		names *names
		to    *[]string
	}{{"classes", &s.classes, &doc.Classes}, {"agents", &s.agents, &doc.Agents}, {"collectives", &s.collectives, &doc.Collectives}} {
		if l.wants(list.field) {
			at := list.names.lists.get(slot).code
			known = known && at != tooBig
			*list.to = list.names.list(at)
		}
	}
	if l.wants("trusted") && !s.untrusted.has(slot) {
		doc.Trusted, _ = take(f.read(slot, &f.trusted)).(map[string]any)
	}
	if l.wants("live") {
		doc.Extra, _ = take(f.read(slot, &f.live)).(map[string]any)
	}
	if l.facts == nil || f.facts.column.get(slot).code == tooBig {
		doc.Facts, _ = take(f.read(slot, &f.facts)).(map[string]any)
		return doc, known
	}
	doc.Facts = map[string]any{}
	for name := range l.facts {
		if b := f.facts.under[name]; b != nil && b.column.get(slot).code != absent {
			doc.Facts[name] = take(f.read(slot, b))
		}
	}
	return doc, known
}
