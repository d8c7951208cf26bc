package registry

import (
	"context"
	"fmt"
	"maps"
)

// maxAltered is of how many facts the values may differ for alter.
const maxAltered = 64

// alter does what register does, for a node of which one source speaks, and in
// what that says only the values of some facts differ: the others are not read.
// It is false, and has done nothing, where more is to be looked at. The node's
// lock is held.
func (r *Registry) alter(ctx context.Context, head *Head, next *Section, m moved, h *heard) (known bool, err error) {
	p := head.parts[0]
	sum, ok := parseSum(p.hash)
	key := beatKey{head.Identity.Key(), p.source}
	if _, packs := r.store.(Packed); !packs || !ok || r.shared != nil || p.source != Daemon || len(m.altered) > maxAltered || r.restless.nearly(key) {
		return false, nil
	}
	old := head.read(func(_ Source, fact string) bool { _, differs := m.facts[fact]; return differs || tellsOfMachine[fact] })
	said := old.Sections[p.source]
	now := overlaid(said.Facts, m.facts)
	if _, collides := r.claimed(head.with(p.touched(next)), claim{machineOf(said.Facts), p.received}, claim{machineOf(now), next.Received}); collides {
		return false, nil
	}
	for _, name := range m.altered {
		sum.remove(r.volatile.term(name, said.Facts[name]))
		sum.add(r.volatile.term(name, m.facts[name]))
	}
	next.Hash, next.stable, next.moving = sum.String(), 0, 0
	before, after := *said, *next
	before.Facts = map[string]any{}
	for name := range m.facts {
		before.Facts[name] = said.Facts[name]
	}
	after.Facts, after.verbatim = m.facts, m.all
	after.Classes, after.Agents, after.Collectives = said.Classes, said.Agents, said.Collectives
	if err := r.commitAltered(ctx, head, before, after, h); err != nil {
		return true, err
	}
	r.machines.knows(head.Identity, now, false)
	return true, nil
}

// overlaid is a set of facts with some others in place of theirs.
func overlaid(facts, others map[string]any) map[string]any {
	all := maps.Clone(facts)
	maps.Copy(all, others)
	return all
}

// commitAltered stores what the one source of a node says now in place of what
// it said before; both have but the facts that differ.
func (r *Registry) commitAltered(ctx context.Context, head *Head, before, after Section, h *heard) error {
	source := head.parts[0].source
	node := NewNode(head.Identity, head.FirstSeen, map[Source]*Section{source: &before})
	changed := node.with(source, &after)
	var happened []Event
	if e, any := r.eventOf(&node, &changed, h); any {
		happened = append(happened, e)
	}
	next := changed.head(ctx, r.packer)
	if err := r.record(ctx, happened, func() { r.table.move(next, after.Facts) }, changed); err != nil {
		r.counts.failed.Add(1)
		r.doubt(head, head.parts[0])
		return fmt.Errorf("storing the registration of %s: %w", head.Identity, err)
	}
	r.counts.changed.Add(1)
	r.restless.changed(beatKey{head.Identity.Key(), source})
	return nil
}
