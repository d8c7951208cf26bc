package index

import (
	"muster/query"
)

// Filler takes the facts of a node one after the other, in any order, none
// twice. Nothing of them is kept. See [Index.Fill].
type Filler struct {
	forest *forest
	slot   uint32
	maps   []filled // that are open, the facts first
}

// filled is a map that is being filled.
type filled struct {
	branch *branch
	first  int     // of its branches on the stack of ids
	last   *branch // that was filled
}

// Fill is [Index.Put] for a node whose facts need not be at hand as a map:
// doc.Facts is left aside, and facts hands them over. It takes a fraction of
// the time where the index does not have the node yet, and nodes have the same
// facts in the same order. An error of facts leaves the node half filled: then
// it is to be put anew, or deleted.
func (ix *Index) Fill(doc *query.Document, facts func(*Filler) error) (Place, error) {
	i := ix.number(keyOf(doc.Identity))
	s := ix.shards[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	without := *doc
	without.Facts = nil
	slot := s.put(&without)
	f := Filler{forest: &s.forest, slot: slot, maps: make([]filled, 0, 8)}
	f.open(&s.forest.facts)
	err := facts(&f)
	for range f.maps {
		f.Leave()
	}
	return Place{uint32(i), slot, s.born[slot]}, err
}

func (f *Filler) open(b *branch) {
	f.maps = append(f.maps, filled{branch: b, first: len(f.forest.ids)})
}

// Enter begins a map: what follows is in it until Leave.
func (f *Filler) Enter(key string) { f.open(f.child(key)) }

// Leave ends a map.
func (f *Filler) Leave() {
	last := len(f.maps) - 1
	m := f.maps[last]
	f.maps = f.maps[:last]
	t := f.forest
	if ids := t.ids[m.first:]; tooMany(len(ids)) {
		for _, id := range ids {
			t.clear(f.slot, t.branches[id])
		}
		t.ids = t.ids[:m.first]
		t.putTooBig(f.slot, m.branch)
		return
	}
	t.putShape(f.slot, m.branch, m.first)
}

// child is the branch of a key in the map that is open, which is mostly the one
// that came next when another node was filled.
func (f *Filler) child(key string) *branch {
	m := &f.maps[len(f.maps)-1]
	guess := &m.branch.first
	if m.last != nil {
		guess = &m.last.next
	}
	b := *guess
	if b == nil || b.parent != m.branch || b.key != key {
		b = f.forest.child(m.branch, key)
		*guess = b
	}
	m.last = b
	f.forest.ids = append(f.forest.ids, b.id)
	return b
}

// Text takes a text.
func (f *Filler) Text(key, text string) {
	t, b := f.forest, f.child(key)
	k := t.text(text)
	f.set(b, cell{code: t.intern(&b.column, k)})
}

// Int takes a whole number.
func (f *Filler) Int(key string, n int64) {
	t, b := f.forest, f.child(key)
	if b.column.holdsNumbers() {
		f.set(b, cell{intHere, uint64(n)})
		return
	}
	t.scratch = appendInt(t.scratch[:0], n)
	f.set(b, cell{code: t.intern(&b.column, scalar)})
}

// Value takes any value.
func (f *Filler) Value(key string, v any) { f.forest.put(f.slot, f.child(key), v) }

func (f *Filler) set(b *branch, v cell) { b.column.set(f.forest.pool, f.slot, v, f.forest.total) }
