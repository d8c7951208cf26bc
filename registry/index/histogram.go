package index

import (
	"cmp"
	"slices"
	"strings"

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
	counts, _, _ := s.tally(p, false)
	return counts
}

// Plain is Histogram for a path to facts, keys all the way, which on every node
// leads to one value or none. It is false for other paths, where the path goes
// through lists or to objects, and where values are too big to be kept whole.
func (s *Set) Plain(p query.Path) (counts []Count, plain bool) {
	counts, _, plain = s.tally(p, true)
	return counts, plain
}

// tally counts values, and the nodes whether they have one or not.
func (s *Set) tally(p query.Path, plain bool) (_ []Count, nodes int, ok bool) {
	t := Tally{codes: &codeCounter{}}
	for i := range s.parts {
		some, ok := s.histogram(i, p, plain, &t)
		if !ok {
			return nil, 0, false
		}
		nodes += some
	}
	return t.Counts(), nodes, true
}

// Tally counts values. Its zero value has counted none.
type Tally struct {
	texts  map[string]int // where each is in all
	others map[string]int // by keyText
	all    []tallied
	codes  *codeCounter // to be used again and again
}

// tallied is a value that was counted.
type tallied struct {
	Count

	key string // of a text the text itself, else its keyText
}

// Add counts a value on so many nodes; it keeps a copy. Null does not count.
func (t *Tally) Add(v any, nodes int) {
	if text, ok := v.(string); ok {
		t.addText(text, nodes)
		return
	}
	if v == nil {
		return
	}
	key := keyText(v)
	if at, ok := t.others[key]; ok {
		t.all[at].Nodes += nodes
		return
	}
	if t.others == nil {
		t.others = map[string]int{}
	}
	t.others[key] = len(t.all)
	t.all = append(t.all, tallied{Count{detached(v), nodes}, key})
}

// addText spares making a value of a text that was counted before.
func (t *Tally) addText(text string, nodes int) {
	if at, ok := t.texts[text]; ok {
		t.all[at].Nodes += nodes
		return
	}
	if t.texts == nil {
		t.texts, t.all = make(map[string]int, 256), slices.Grow(t.all, 256)
	}
	text = strings.Clone(text)
	t.texts[text] = len(t.all)
	t.all = append(t.all, tallied{Count{text, nodes}, text})
}

// Counts returns the values, those most frequent first, equally frequent ones in
// order: texts first.
func (t *Tally) Counts() []Count {
	isText := func(c *tallied) int {
		if _, ok := c.Value.(string); ok {
			return 0
		}
		return 1
	}
	order := make([]*tallied, len(t.all))
	for i := range t.all {
		order[i] = &t.all[i]
	}
	slices.SortFunc(order, func(a, b *tallied) int {
		if a.Nodes != b.Nodes {
			return b.Nodes - a.Nodes
		}
		return cmp.Or(cmp.Compare(isText(a), isText(b)), strings.Compare(a.key, b.key))
	})
	out := make([]Count, len(order))
	for i, c := range order {
		out[i] = c.Count
	}
	return out
}

// Distinct returns the number of different values that a path leads to.
func (s *Set) Distinct(p query.Path) int { return len(s.Histogram(p)) }

func (s *Set) histogram(i int, p query.Path, plain bool, t *Tally) (nodes int, ok bool) {
	shard := s.ix.shards[i]
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	k := shard.picker(p)
	if plain && k.plain == nil {
		return 0, false
	}
	members := s.parts[i].slots.clone()
	members.keep(shard.live)
	if shard.clock != s.parts[i].clock {
		clear(members)
		for slot := range s.each(i) {
			members[slot>>6] |= 1 << (slot & 63)
		}
	}
	nodes = members.count()
	switch p.Field {
	case "classes", "agents", "collectives":
		n := (&visit{shard: shard}).names(p.Field)
		for id := range n.of {
			if e := &n.of[id]; e.nodes > 0 {
				have := make(slots, len(members))
				e.into(have)
				have.keep(members)
				if nodes := have.count(); nodes > 0 {
					t.addText(e.text, nodes)
				}
			}
		}
		return nodes, true
	}
	if k.plain == nil {
		for slot := range members.all() {
			t.Add(k.value(slot), 1)
		}
		return nodes, true
	}
	k.plain.tally(shard.forest.pool, members, t.codes, func(at cell, nodes int) {
		k.lost = k.lost || at.partly()
		if at.code.kind() == text {
			t.addText(shard.forest.pool.text(at.code), nodes)
		} else {
			t.Add(shard.forest.value(at), nodes)
		}
	})
	return nodes, !plain || !k.lost
}

// tally counts the cells of members.
func (c *column) tally(p *pool, members slots, counter *codeCounter, add func(at cell, nodes int)) {
	if c.small != nil {
		c.tallySmall(members, add)
		return
	}
	for i, slot := range c.fewAt {
		if members.has(slot) {
			counter.count(c.few[i])
		}
	}
	for w, m := range members {
		if m != 0 && w*64 < len(c.wide) {
			counter.countIn(c.wide[w*64:min(w*64+64, len(c.wide))], m)
		}
	}
	for some := range slices.Chunk(counter.counts(), 64) {
		var codes [64]code
		for i, n := range some {
			codes[i] = code(n.key)
		}
		p.warm(codes[:len(some)], 1<<64-1)
		for i, n := range some {
			add(cell{code: codes[i]}, n.nodes)
		}
	}
}

func (c *column) tallySmall(members slots, add func(at cell, nodes int)) {
	var ints, floats counter
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
			switch {
			case m>>i&1 == 0:
			case b == smallInt:
				ints.add(c.nums[w*64+i], 1)
			case b == smallFloat:
				floats.add(c.nums[w*64+i], 1)
			default:
				bytes[b]++
			}
		}
	}
	for i, known := range c.dict {
		if n := bytes[i+firstLocal]; n > 0 {
			add(cell{code: known}, n)
		}
	}
	for _, n := range ints.cells {
		if n.nodes > 0 {
			add(cell{intHere, n.key}, n.nodes)
		}
	}
	for _, n := range floats.cells {
		if n.nodes > 0 {
			add(cell{floatHere, n.key}, n.nodes)
		}
	}
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

// Without returns the nodes of s but for some.
func (s *Set) Without(identities []string) *Set {
	rest := &Set{ix: s.ix}
	for i := range s.parts {
		rest.parts[i] = part{s.parts[i].slots.clone(), s.parts[i].clock}
	}
	for _, identity := range identities {
		key := keyOf(identity)
		i := s.ix.number(key)
		shard := s.ix.shards[i]
		shard.mu.RLock()
		if slot, ok := shard.find(key); ok {
			rest.parts[i].slots.drop(slot)
		}
		shard.mu.RUnlock()
	}
	return rest
}

// Holds reports whether the node at a place is in the set, much quicker than Has.
func (s *Set) Holds(p Place) bool {
	in := &s.parts[p.shard]
	return p.born != 0 && p.born <= in.clock && in.slots.has(p.slot)
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
