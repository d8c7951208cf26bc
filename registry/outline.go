package registry

import (
	"hash/maphash"
	"maps"
	"slices"
	"strings"
)

// outline is a body taken apart but not read: by it a registration in which only
// volatile facts have moved is known at a fraction of what decoding costs.
//
// It is made of fingerprints, which mean nothing outside of this process, and
// which a sender can not aim at.
type outline struct {
	rest  uint64   // of all but the facts
	names uint64   // of the names of facts, in their order
	marks []uint64 // of the values of facts, in the same order; then of what is stable in those that move
}

// maxOutline is of how many top-level facts an outline is kept: of more it would
// take more than it saves.
const maxOutline = 1000

// member is a fact in a body.
type member struct {
	name string
	text string // its value
}

// apart takes a body apart. It is false for bodies that are not as expected: for
// those that are not well-formed above all.
func (r *Registry) apart(body []byte) (rest uint64, facts []member, ok bool) {
	c := newReader(body).cursor
	rest = 1
	ok = c.each(func(key string) bool {
		if key != "facts" {
			text, ok := c.raw()
			rest = mix(mix(rest, maphash.String(r.seed, key)), maphash.String(r.seed, text))
			return ok
		}
		if facts != nil { // twice
			return false
		}
		facts = make([]member, 0, 64)
		return c.each(func(name string) bool {
			text, ok := c.raw()
			facts = append(facts, member{name, text})
			return ok
		})
	})
	c.peek()
	return rest, facts, ok && c.at == len(c.b)
}

// each calls field for each key of an object, which must read the value.
func (c *cursor) each(field func(key string) bool) bool {
	if c.peek() != '{' {
		return false
	}
	c.at++
	if c.peek() == '}' {
		c.at++
		return true
	}
	for {
		key, ok := c.key()
		if !ok || !field(key) {
			return false
		}
		if more, ok := c.more('}'); !more {
			return ok
		}
	}
}

// raw reads over a value and returns its text, which is one if it is the text of
// one: the fingerprint or whoever decodes it tells.
func (c *cursor) raw() (string, bool) {
	c.peek()
	start := c.at
	ok := c.skim()
	return c.s[start:c.at], ok
}

// outlined notes the outline of a body that a section was decoded from, if it
// has one.
func (r *Registry) outlined(body []byte, s *Section) {
	rest, facts, ok := r.apart(body)
	if !ok || len(facts) > maxOutline || len(s.Warnings) > 0 {
		return
	}
	o := &outline{rest: rest, names: 1, marks: make([]uint64, 0, len(facts)+8)}
	for _, f := range facts {
		s.order = append(s.order, f.name)
		o.names = mix(o.names, maphash.String(r.seed, f.name))
		o.marks = append(o.marks, maphash.String(r.seed, f.text))
	}
	for _, f := range facts {
		if below, whole := r.volatile.under(f.name); below != nil || whole {
			o.marks = append(o.marks, r.printer.stable(f.name, s.Facts[f.name]))
		}
	}
	o.marks = slices.Clip(o.marks)
	s.outline = o
}

// differing lists the facts that differ between what a source said last and what
// it says now. It is false where more may differ than the values of facts.
func (h *Head) differing(source Source, next *Section) (names []string, ok bool) {
	old := h.part(source)
	if old == nil || len(h.parts) > 1 || old.outline == nil || next.outline == nil || len(old.warnings)+len(next.Warnings) > 0 ||
		old.auth != next.Auth || old.outline.rest != next.outline.rest || old.outline.names != next.outline.names {
		return nil, false
	}
	for i, name := range next.order {
		if old.outline.marks[i] != next.outline.marks[i] {
			names = append(names, name)
		}
	}
	return names, true
}

// before is the node as it was before a section in which only some facts
// differ: those are read, and the others are taken from what is said now.
func (h *Head) before(source Source, next *Section, differ []string) *Node {
	n := h.read(func(_ Source, fact string) bool { return slices.Contains(differ, fact) })
	s := n.Sections[source]
	all := maps.Clone(next.Facts)
	for _, name := range differ {
		all[name] = s.Facts[name]
	}
	s.Facts = all
	n = NewNode(n.Identity, n.FirstSeen, n.Sections)
	return &n
}

// stable is the fingerprint of what is not volatile in a fact.
func (p *printer) stable(name string, v any) uint64 {
	stable, _ := p.object(map[string]any{name: v}, p.volatile)
	return stable
}

// moved is what of a body differs from the last one of its source.
type moved struct {
	outline *outline
	facts   map[string]any // those that differ
	text    []byte         // all facts in which something is volatile, as an object
}

// movedIn compares a body with the last one of its source. It is false if more
// than volatile facts may have moved, or there is anything to warn of.
func (r *Registry) movedIn(old *outline, body []byte) (m moved, ok bool) {
	rest, facts, ok := r.apart(body)
	if !ok || rest != old.rest || len(facts) > len(old.marks) {
		return m, false
	}
	names := uint64(1)
	for _, f := range facts {
		names = mix(names, maphash.String(r.seed, f.name))
	}
	if names != old.names {
		return m, false
	}
	m = moved{outline: &outline{rest, names, slices.Clone(old.marks)}, facts: map[string]any{}, text: []byte{'{'}}
	stables := old.marks[len(facts):]
	for i, f := range facts {
		below, whole := r.volatile.under(f.name)
		moves := below != nil || whole
		mark := maphash.String(r.seed, f.text)
		if moves {
			if len(stables) == 0 {
				return m, false
			}
			m.add(f)
		}
		if mark != old.marks[i] {
			if !moves || !m.read(f, stables[0], &r.printer) {
				return m, false
			}
			m.outline.marks[i] = mark
		}
		if moves {
			stables = stables[1:]
		}
	}
	m.text = append(m.text, '}')
	return m, r.blameless(m.facts)
}

func (m *moved) add(f member) {
	if len(m.text) > 1 {
		m.text = append(m.text, ',')
	}
	m.text = append(append(appendString(m.text, f.name), ':'), f.text...)
}

// read decodes a fact that differs, and reports whether only what is volatile
// in it does.
func (m *moved) read(f member, stable uint64, p *printer) bool {
	r := newReader([]byte(f.text))
	v, err := r.value(MaxDepth)
	if err != nil || r.end() != nil || p.stable(f.name, v) != stable {
		return false
	}
	m.facts[strings.Clone(f.name)] = v
	return true
}

// blameless reports whether nothing is left out of facts.
func (r *Registry) blameless(facts map[string]any) bool {
	if _, warnings := r.redact.facts(facts); len(warnings) > 0 {
		return false
	}
	_, warnings := trimFacts(facts)
	return len(warnings) == 0
}
