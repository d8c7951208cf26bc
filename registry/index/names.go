package index

import (
	"encoding/binary"
	"slices"
	"strings"
)

// names holds a list of names of each node, such as its classes: the list as
// it is, and for each name the nodes that have it.
type names struct {
	ids    map[string]uint32
	of     []name   // by id
	folded []uint32 // by id: see fold
	spare  []uint32 // ids to use again
	lists  column   // of kind members
	big    slots    // those whose list is too big to be kept
	now    []uint32 // scratch
	forest *forest
}

// name is a name and the slots that have it, sorted while they are few.
type name struct {
	text  string
	nodes int
	few   []uint32
	many  slots
}

// maxNames is how long the ids of a list may be. Of longer lists nothing is kept.
const maxNames = 1<<15 - 1

// put makes entries what slot holds.
func (n *names) put(slot uint32, entries []string) {
	f := n.forest
	n.now, f.scratch = n.now[:0], f.scratch[:0]
	for _, text := range entries {
		id, ok := n.ids[text]
		if !ok {
			id = n.enter(text)
		}
		n.now = append(n.now, id)
		f.scratch = binary.AppendUvarint(f.scratch, uint64(id))
	}
	old := n.lists.get(slot).code
	if old.kind() == members && string(f.pool.bytes(old)) == string(f.scratch) {
		return
	}
	if old == absent && len(entries) == 0 {
		return
	}
	entered, v := n.now, cell{code: tooBig}
	switch {
	case len(entries) == 0:
	case len(f.scratch) <= maxNames:
		v.code = f.pool.intern(members, f.scratch)
	default:
		n.now = nil
	}
	slices.Sort(n.now)
	for id := range n.held(old) {
		if _, stays := slices.BinarySearch(n.now, id); !stays {
			n.take(id, slot)
		}
	}
	for _, id := range n.now {
		n.of[id].add(slot, f.total)
	}
	for _, id := range entered {
		n.forget(id)
	}
	if n.big.drop(slot); v.code == tooBig && len(entries) > 0 {
		n.big = n.big.with(slot)
	}
	if len(entries) == 0 {
		n.lists.clear(f.pool, slot)
		return
	}
	n.lists.set(f.pool, slot, v, f.total)
}

// fold is a hash that names share which differ in case only, and in "::" before
// them; 0 for a name that is more than ASCII.
func fold(text string) uint32 {
	if !ascii(text) {
		return 0
	}
	for strings.HasPrefix(text, "::") {
		text = text[2:]
	}
	hash := uint32(2166136261)
	for i := range len(text) {
		hash = (hash ^ uint32(lower(text[i]))) * 16777619
	}
	return max(hash, 1)
}

// held yields the ids of a list, in its order.
func (n *names) held(c code) func(yield func(uint32) bool) {
	return func(yield func(uint32) bool) {
		if c.kind() != members {
			return
		}
		for b := n.forest.pool.bytes(c); len(b) > 0; {
			id, size := binary.Uvarint(b)
			if !yield(uint32(id)) {
				return
			}
			b = b[size:]
		}
	}
}

// list is a list as documents hold it.
func (n *names) list(c code) []string {
	var entries []string
	for id := range n.held(c) {
		entries = append(entries, n.of[id].text)
	}
	return entries
}

// enter gives a name an id.
func (n *names) enter(text string) uint32 {
	if n.ids == nil {
		n.ids = map[string]uint32{}
	}
	n.forest.renamed.Add(1)
	var id uint32
	text = string([]byte(text)) // not the document's, of which it may be a part
	if last := len(n.spare) - 1; last >= 0 {
		id, n.spare = n.spare[last], n.spare[:last]
	} else {
		id = uint32(len(n.of))
		n.of, n.folded = append(n.of, name{}), append(n.folded, 0)
	}
	n.of[id], n.folded[id] = name{text: text}, fold(text)
	n.ids[text] = id
	return id
}

func (n *names) take(id, slot uint32) {
	n.of[id].drop(slot)
	n.forget(id)
}

// forget drops a name that no node has.
func (n *names) forget(id uint32) {
	e := &n.of[id]
	if known, ok := n.ids[e.text]; e.nodes == 0 && ok && known == id {
		n.forest.renamed.Add(1)
		delete(n.ids, e.text)
		*e = name{}
		n.spare = append(n.spare, id)
	}
}

func (e *name) add(slot uint32, total int) {
	if e.many != nil {
		if !e.many.has(slot) {
			e.many = grown(e.many, int(slot>>6), (total+63)/64)
			e.many[slot>>6] |= 1 << (slot & 63)
			e.nodes++
		}
		return
	}
	at, found := slices.BinarySearch(e.few, slot)
	if found {
		return
	}
	e.nodes++
	e.few = slices.Insert(e.few, at, slot)
	if 32*len(e.few) > total {
		e.many = newSlots(total + 1)
		for _, slot := range e.few {
			e.many = e.many.with(slot)
		}
		e.few = nil
	}
}

func (e *name) drop(slot uint32) {
	if at, found := slices.BinarySearch(e.few, slot); found {
		e.few = slices.Delete(e.few, at, at+1)
		e.nodes--
	} else if e.many.has(slot) {
		e.many.drop(slot)
		e.nodes--
	}
}

// outOf takes the slots that have the name out of s.
func (e *name) outOf(s slots) {
	for _, slot := range e.few {
		s.drop(slot)
	}
	s.without(e.many)
}

// into adds the slots that have the name to out.
func (e *name) into(out slots) {
	for _, slot := range e.few {
		out[slot>>6] |= 1 << (slot & 63)
	}
	out.join(e.many[:min(len(e.many), len(out))])
}
