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

// parts are those of a body.
type parts struct {
	rest  uint64 // of all but the facts
	facts []member
	text  string // of the facts, as an object
}

// apart takes a body apart. It is false for bodies that are not as expected: for
// those that are not well-formed above all.
func (r *Registry) apart(body []byte) (p parts, ok bool) {
	c := newReader(body).cursor
	p.rest = 1
	ok = c.each(func(key string) bool {
		if key != "facts" {
			text, ok := c.raw()
			p.rest = mix(mix(p.rest, maphash.String(r.seed, key)), maphash.String(r.seed, text))
			return ok
		}
		if p.facts != nil { // twice
			return false
		}
		p.facts = make([]member, 0, 64)
		c.peek()
		start := c.at
		ok := c.each(func(name string) bool {
			text, ok := c.raw()
			p.facts = append(p.facts, member{name, text})
			return ok
		})
		p.text = c.s[start:c.at]
		return ok
	})
	c.peek()
	return p, ok && c.at == len(c.b)
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
	p, ok := r.apart(body)
	if !ok || len(p.facts) > maxOutline || len(s.Warnings) > 0 {
		return
	}
	o := &outline{rest: p.rest, names: 1, marks: make([]uint64, 0, len(p.facts)+8)}
	for _, f := range p.facts {
		s.order = append(s.order, f.name)
		o.names = mix(o.names, maphash.String(r.seed, f.name))
		o.marks = append(o.marks, maphash.String(r.seed, f.text))
	}
	for _, f := range p.facts {
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
	altered []string       // those of them in which more differs than what is volatile
	text    []byte         // all facts in which something is volatile, as an object
	all     string         // all facts, as an object
}

// movedIn compares a body with the last one of its source. It is false if more
// may differ than the values of facts, or there is anything to warn of.
func (r *Registry) movedIn(old *outline, body []byte) (m moved, ok bool) {
	p, ok := r.apart(body)
	if !ok || p.rest != old.rest || len(p.facts) > len(old.marks) {
		return m, false
	}
	names := uint64(1)
	for _, f := range p.facts {
		names = mix(names, maphash.String(r.seed, f.name))
	}
	if names != old.names {
		return m, false
	}
	m = moved{outline: &outline{p.rest, names, slices.Clone(old.marks)}, facts: make(map[string]any, 8), text: append(make([]byte, 0, 2<<10), '{'), all: p.text}
	stables := m.outline.marks[len(p.facts):]
	for i, f := range p.facts {
		below, whole := r.volatile.under(f.name)
		moves := below != nil || whole
		if moves && len(stables) == 0 {
			return m, false
		}
		if mark := maphash.String(r.seed, f.text); mark != old.marks[i] {
			v, ok := f.value()
			if !ok {
				return m, false
			}
			m.facts[strings.Clone(f.name)], m.outline.marks[i] = v, mark
			stable := uint64(0)
			if moves {
				stable = r.printer.stable(f.name, v)
			}
			if !moves || stable != stables[0] {
				m.altered = append(m.altered, f.name)
			}
			if moves {
				stables[0] = stable
			}
		}
		if moves {
			m.add(f)
			stables = stables[1:]
		}
	}
	m.text = append(m.text, '}')
	return m, r.blameless(m.facts)
}

// value decodes a fact.
func (f member) value() (any, bool) {
	r := newReader([]byte(f.text))
	v, err := r.value(MaxDepth)
	return v, err == nil && r.end() == nil
}

func (m *moved) add(f member) {
	if len(m.text) > 1 {
		m.text = append(m.text, ',')
	}
	m.text = append(append(appendString(m.text, f.name), ':'), f.text...)
}

// blameless reports whether nothing is left out of facts.
func (r *Registry) blameless(facts map[string]any) bool {
	if _, warnings := r.redact.facts(facts); len(warnings) > 0 {
		return false
	}
	_, warnings := trimFacts(facts)
	return len(warnings) == 0
}
