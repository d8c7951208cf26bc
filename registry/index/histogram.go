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
	var scratch []byte
	add := func(v any, nodes int) {
		if text, ok := v.(string); ok { // as JSON has it, but for what it escapes
			scratch = append(append(scratch[:0], '"'), text...)
		} else {
			scratch = append(scratch[:0], keyText(v)...)
		}
		if c := joined[string(scratch)]; c != nil {
			c.Nodes += nodes
		} else {
			joined[string(scratch)] = &Count{detached(v), nodes}
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
	members := s.parts[i].slots.clone()
	members.keep(shard.live)
	if shard.clock != s.parts[i].clock {
		clear(members)
		for slot := range s.each(i) {
			members[slot>>6] |= 1 << (slot & 63)
		}
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
	k.plain.tally(members, func(at cell, nodes int) {
		if v := shard.forest.value(at); v != nil {
			add(v, nodes)
		}
	})
}

// tally counts the cells of members.
func (c *column) tally(members slots, add func(at cell, nodes int)) {
	if c.small == nil {
		var counts tally
		for slot := range members.all() {
			counts.add(c.get(slot).code)
		}
		for i, n := range counts.nodes {
			if n > 0 {
				add(cell{code: counts.codes[i]}, n)
			}
		}
		return
	}
	counts := map[cell]int{} // of numbers
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
			add(cell{code: known}, n)
		}
	}
	for at, n := range counts {
		add(at, n)
	}
}

// tally is a hash table that counts codes.
type tally struct {
	codes []code
	nodes []int // 0: free
	used  int
}

func (t *tally) add(c code) {
	if 2*t.used >= len(t.codes) {
		old := *t
		*t = tally{make([]code, max(256, 4*len(old.codes))), make([]int, max(256, 4*len(old.codes))), old.used}
		for i, n := range old.nodes {
			if n > 0 {
				t.nodes[t.find(old.codes[i])] = n
			}
		}
	}
	i := t.find(c)
	if t.nodes[i] == 0 {
		t.used++
	}
	t.nodes[i]++
}

// find returns where a code is counted, or will be.
func (t *tally) find(c code) int {
	mask := len(t.codes) - 1
	i := int(uint32(c)*2654435769>>7) & mask
	for t.nodes[i] > 0 && t.codes[i] != c {
		i = (i + 1) & mask
	}
	t.codes[i] = c
	return i
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
