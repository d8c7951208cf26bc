package registry

import (
	"context"
	"maps"
	"slices"
)

// maxAltered is of how many facts the values may differ for alter.
const maxAltered = 64

// alter does what register does for a source whose facts no other one says of the
// node, and in what that says only the values of some facts differ: the others are
// not read. It is false, and has done nothing, where more is to be looked at. The
// node's lock is held.
func (r *Registry) alter(ctx context.Context, head *Head, source Source, next *Section, m moved, h *heard) (known bool, err error) {
	p := *head.part(source)
	sum, ok := parseSum(p.hash)
	if _, packs := r.store.(Packed); !packs || !ok || r.shared != nil || len(m.altered) > maxAltered || r.restless.nearly(beatKey{head.Identity.Key(), source}) {
		return false, nil
	}
	old := head.read(func(of Source, fact string) bool {
		_, differs := m.facts[fact]
		return of != source || differs || tellsOfMachine[fact]
	})
	said := old.Sections[source]
	now := overlaid(said.Facts, m.facts)
	if source == Daemon {
		was, is := claim{machineOf(said.Facts), p.received}, claim{machineOf(now), next.Received}
		if _, collides := r.claimed(head.with(p.touched(next)), was, is); collides {
			return false, nil
		}
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
	old = old.with(source, &before)
	changed := old.with(source, &after)
	if !slices.Equal(old.Classes, changed.Classes) {
		return false, nil // who spoke last of the classes is another one now
	}
	if err := r.change(ctx, head, &p, &old, changed, slices.Collect(maps.Keys(m.facts)), h); err != nil {
		return true, err
	}
	r.restless.changed(beatKey{head.Identity.Key(), source})
	if source == Daemon {
		r.machines.knows(head.Identity, now, false)
	}
	return true, nil
}

// overlaid is a set of facts with some others in place of theirs.
func overlaid(facts, others map[string]any) map[string]any {
	all := maps.Clone(facts)
	maps.Copy(all, others)
	return all
}
