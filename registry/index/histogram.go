package index

import (
	"cmp"
	"slices"

	"muster/query"
)

// Count is a value and how many nodes have it.
type Count struct {
	Value any // as in a [query.Document]
	Nodes int
}

// Histogram counts the values that a path leads to: those most frequent first,
// equally frequent ones in order. A list counts as the value that it is, but
// each class, agent and collective counts for itself. Nodes without a value,
// or with null, do not count.
func (s *Set) Histogram(p query.Path) []Count {
	joined := map[string]*Count{}
	add := func(v any, nodes int) {
		key := keyText(v)
		if c := joined[key]; c != nil {
			c.Nodes += nodes
		} else {
			joined[key] = &Count{detached(v), nodes}
		}
	}
	for i := range s.parts {
		s.histogram(i, p, add)
	}
	out := make([]Count, 0, len(joined))
	for _, key := range sortedKeys(joined) {
		out = append(out, *joined[key])
	}
	slices.SortStableFunc(out, func(a, b Count) int { return cmp.Compare(b.Nodes, a.Nodes) })
	return out
}

// Distinct returns the number of different values that a path leads to.
func (s *Set) Distinct(p query.Path) int { return len(s.Histogram(p)) }

func (s *Set) histogram(i int, p query.Path, add func(v any, nodes int)) {
	shard := s.ix.shards[i]
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	members := make(slots, len(shard.live))
	for slot := range s.each(i) {
		members[slot>>6] |= 1 << (slot & 63)
	}
	switch p.Field {
	case "classes", "agents", "collectives":
		n := (&visit{shard: shard}).names(p.Field)
		for id := range n.of {
			if e := &n.of[id]; e.nodes > 0 {
				have := make(slots, len(members))
				e.into(have)
				have.keep(members)
				if nodes := have.count(); nodes > 0 {
					add(e.text, nodes)
				}
			}
		}
		return
	}
	k := shard.picker(p)
	if k.plain == nil {
		for slot := range members.all() {
			if v := k.value(slot); v != nil {
				add(v, 1)
			}
		}
		return
	}
	for at, nodes := range k.plain.tally(members) {
		if v := shard.forest.value(at); v != nil {
			add(v, nodes)
		}
	}
}

// tally counts the cells of members.
func (c *column) tally(members slots) map[cell]int {
	counts := map[cell]int{}
	if c.small == nil {
		for slot := range members.all() {
			counts[c.get(slot)]++
		}
		return counts
	}
	var bytes [256]int
	for w, m := range members {
		if m == 0 || w*64 >= len(c.small) {
			continue
		}
		chunk := c.small[w*64 : min(w*64+64, len(c.small))]
		if m == 1<<64-1 && c.nums == nil {
			for _, b := range chunk {
				bytes[b]++
			}
			continue
		}
		for i, b := range chunk {
			if m>>i&1 == 0 {
				continue
			}
			if bytes[b]++; b == smallInt || b == smallFloat {
				counts[c.local(b, w*64+i)]++
			}
		}
	}
	for i, known := range c.dict {
		if n := bytes[i+firstLocal]; n > 0 {
			counts[cell{code: known}] += n
		}
	}
	return counts
}

// And returns the nodes that are in both sets, which are of one index.
func (s *Set) And(o *Set) *Set {
	both := &Set{ix: s.ix}
	for i := range s.parts {
		p := part{s.parts[i].slots.clone(), min(s.parts[i].clock, o.parts[i].clock)}
		p.slots.keep(o.parts[i].slots)
		both.parts[i] = p
	}
	return both
}

// Has reports whether a node is in the set.
func (s *Set) Has(identity string) bool {
	key := keyOf(identity)
	i := s.ix.number(key)
	shard := s.ix.shards[i]
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	slot, ok := shard.find(key)
	return ok && s.parts[i].slots.has(slot) && shard.born[slot] <= s.parts[i].clock
}
