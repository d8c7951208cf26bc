package index

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// branch is a path below a document's maps, and what the nodes hold there.
type branch struct {
	id     uint32
	key    string
	parent *branch // nil: a root, or pruned
	under  map[string]*branch
	first  *branch // which came first in the map here, when one was last filled; a guess
	next   *branch // which came after it; a guess
	column column
	inside map[string]int // nodes by path inside of lists that stand here, such as ".address"
}

// forest is the trees of a shard's facts, and of what else is a map of values,
// and what they share.
type forest struct {
	facts, trusted, live branch // the roots

	pool     *pool
	total    int            // slots
	renamed  *atomic.Uint64 // counts changes of which names there are
	branches []*branch
	spare    []uint32 // ids to use again
	scratch  []byte
	ids      []uint32 // a stack
}

func (t *forest) child(b *branch, key string) *branch {
	if child := b.under[key]; child != nil {
		return child
	}
	child := &branch{key: string([]byte(key)), parent: b}
	t.renamed.Add(1)
	if last := len(t.spare) - 1; last >= 0 {
		child.id, t.spare = t.spare[last], t.spare[:last]
		t.branches[child.id] = child
	} else {
		child.id = uint32(len(t.branches))
		t.branches = append(t.branches, child)
	}
	if b.under == nil {
		b.under = map[string]*branch{}
	}
	b.under[child.key] = child
	return child
}

// put makes v what slot holds at b, and below it.
func (t *forest) put(slot uint32, b *branch, v any) {
	if m, ok := v.(map[string]any); ok {
		t.putMap(slot, b, m)
		return
	}
	old := b.column.get(slot)
	if old.code.kind() == object {
		t.clearUnder(slot, b, old.code)
	}
	if v, same := t.leaf(&b.column, old, v); !same {
		t.pool.retain(v.code)
		t.countInside(b, old.code, -1)
		b.column.set(t.pool, slot, v, t.total)
		t.countInside(b, v.code, 1)
		t.pool.release(v.code)
	}
}

// countInside counts, or with -1 no longer counts, the paths inside of a list.
func (t *forest) countInside(b *branch, c code, by int) {
	if c.kind() != list || !hasMaps(list, t.pool.bytes(c)) {
		return
	}
	paths := map[string]bool{}
	r := reader{b: t.pool.bytes(c), keys: &t.pool.keys}
	pathsInside(paths, "", r.value())
	for path := range paths {
		if b.inside == nil {
			b.inside = map[string]int{}
		}
		was := b.inside[path]
		if b.inside[path] += by; b.inside[path] == 0 {
			delete(b.inside, path)
		}
		if was == 0 || was+by == 0 {
			t.renamed.Add(1)
		}
	}
}

// pathsInside adds the paths of maps below v; positions in lists are left out.
func pathsInside(paths map[string]bool, prefix string, v any) {
	switch v := v.(type) {
	case []any:
		for _, el := range v {
			pathsInside(paths, prefix, el)
		}
	case map[string]any:
		for key, el := range v {
			paths[prefix+"."+key] = true
			pathsInside(paths, prefix+"."+key, el)
		}
	}
}

// leaf returns a value that is no map as a cell, unless it is the same as old.
func (t *forest) leaf(c *column, old cell, v any) (_ cell, same bool) {
	fix := func(c code) (cell, bool) { return cell{code: c}, old.code == c }
	k := scalar
	switch v := v.(type) {
	case nil:
		return fix(null)
	case bool:
		if v {
			return fix(isTrue)
		}
		return fix(isFalse)
	case string:
		k = t.text(v)
	case int64:
		if c.holdsNumbers() {
			return cell{intHere, uint64(v)}, old == cell{intHere, uint64(v)}
		}
		t.scratch = appendValue(t.scratch[:0], v, nil)
	case float64:
		if math.IsNaN(v) {
			return fix(null) // JSON has none
		}
		if n := (cell{floatHere, math.Float64bits(v)}); c.holdsNumbers() {
			return n, old == n
		}
		t.scratch = appendValue(t.scratch[:0], v, nil)
	case json.Number:
		if len(v) > maxText {
			return cell{code: tooBig}, false
		}
		t.scratch = appendValue(t.scratch[:0], v, nil)
	case time.Time:
		k, t.scratch = moment, appendValue(t.scratch[:0], v, nil)
	case []any:
		if size(v) > maxList {
			return cell{code: tooBig}, false
		}
		t.pool.keys.maps = false
		k, t.scratch = list, appendValue(t.scratch[:0], v, &t.pool.keys)
		if t.pool.keys.maps {
			t.scratch[0] = 'L' // so that those need not be read to know
		}
	default:
		return fix(null) // a document holds nothing else
	}
	if old.code.kind() == k && string(t.pool.bytes(old.code)) == string(t.scratch) {
		return old, true
	}
	return cell{code: t.intern(c, k)}, false
}

// text puts as much of a text into scratch as is kept of it.
func (t *forest) text(v string) kind {
	if len(v) > maxText {
		t.scratch = append(t.scratch[:0], v[:maxText]...)
		return cut
	}
	t.scratch = append(t.scratch[:0], v...)
	return text
}

// size is about how long a value is when written, at least while that is
// below maxList.
func size(v any) int {
	n := 10
	switch v := v.(type) {
	case string:
		n += len(v)
	case json.Number:
		n += len(v)
	case []any:
		for _, el := range v {
			if n += size(el); n > maxList {
				break
			}
		}
	case map[string]any:
		for key, el := range v {
			if n += len(key) + size(el); n > maxList {
				break
			}
		}
	}
	return n
}

// putMap puts what is in m below b. At b itself stand the branches that are in
// m: in most fleets there are few such sets.
func (t *forest) putMap(slot uint32, b *branch, m map[string]any) {
	if tooMany(len(m)) {
		t.putTooBig(slot, b)
		return
	}
	first := len(t.ids)
	for key, v := range m {
		child := t.child(b, key)
		t.ids = append(t.ids, child.id)
		t.put(slot, child, v)
	}
	t.putShape(slot, b, first)
}

// tooMany is true of as many members of a map that nothing of it is kept.
func tooMany(members int) bool { return 4*members > maxList }

// putTooBig notes that slot holds a map at b of which nothing is kept.
func (t *forest) putTooBig(slot uint32, b *branch) {
	old := b.column.get(slot).code
	if old.kind() == object {
		t.clearUnder(slot, b, old)
	}
	t.countInside(b, old, -1)
	b.column.set(t.pool, slot, cell{code: tooBig}, t.total)
}

// putShape puts at b which branches a map has, whose ids are on the stack from
// first on, and takes away those that it has no longer.
func (t *forest) putShape(slot uint32, b *branch, first int) {
	slices.Sort(t.ids[first:])
	t.scratch = t.scratch[:0]
	for _, id := range t.ids[first:] {
		t.scratch = binary.LittleEndian.AppendUint32(t.scratch, id)
	}
	old := b.column.get(slot).code
	if old.kind() == object {
		if string(t.pool.bytes(old)) == string(t.scratch) {
			t.ids = t.ids[:first]
			return
		}
		now := t.ids[first:]
		for id := range t.shape(old) {
			if _, stays := slices.BinarySearch(now, id); !stays {
				t.clear(slot, t.branches[id])
			}
		}
		t.scratch = t.scratch[:0] // clear may have used it
		for _, id := range now {
			t.scratch = binary.LittleEndian.AppendUint32(t.scratch, id)
		}
	}
	t.ids = t.ids[:first]
	shape := t.intern(&b.column, object)
	t.pool.retain(shape)
	t.countInside(b, old, -1)
	b.column.set(t.pool, slot, cell{code: shape}, t.total)
	t.pool.release(shape)
}

// intern returns the code of the value in scratch, which is to stand in c.
func (t *forest) intern(c *column, k kind) code {
	if known, ok := c.hinted(t.pool, k, t.scratch); ok {
		return known
	}
	return t.pool.intern(k, t.scratch)
}

// shape yields the branches that a map has.
func (t *forest) shape(c code) func(yield func(uint32) bool) {
	return func(yield func(uint32) bool) {
		for b := t.pool.bytes(c); len(b) > 0; b = b[4:] {
			if !yield(binary.LittleEndian.Uint32(b)) {
				return
			}
		}
	}
}

// clear takes away what slot holds at b and below it, and branches that
// nothing is left of.
func (t *forest) clear(slot uint32, b *branch) {
	if old := b.column.get(slot).code; old.kind() == object {
		t.clearUnder(slot, b, old)
	}
	t.countInside(b, b.column.get(slot).code, -1)
	b.column.clear(t.pool, slot)
	t.prune(b)
}

func (t *forest) clearUnder(slot uint32, b *branch, old code) {
	for id := range t.shape(old) {
		t.clear(slot, t.branches[id])
	}
}

func (t *forest) prune(b *branch) {
	if b.parent == nil || b.column.cells > 0 || len(b.under) > 0 {
		return
	}
	t.renamed.Add(1)
	delete(b.parent.under, b.key)
	if len(b.parent.under) == 0 {
		b.parent.under = nil
	}
	t.branches[b.id] = nil
	t.spare = append(t.spare, b.id)
	b.parent, b.first, b.next = nil, nil, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// read returns what slot holds at b; known is false if not all of it is kept.
func (t *forest) read(slot uint32, b *branch) (v any, known bool) {
	at := b.column.get(slot)
	if at.code.kind() != object {
		return t.value(at), at.code != tooBig && at.code.kind() != cut
	}
	m := map[string]any{}
	known = true
	for id := range t.shape(at.code) {
		child := t.branches[id]
		el, ok := t.read(slot, child)
		m[child.key] = el
		known = known && ok
	}
	return m, known
}

// value is a cell as documents hold it; of a map only the keys.
func (t *forest) value(at cell) any {
	switch at.code.kind() {
	case fixed:
		switch at.code {
		case isFalse:
			return false
		case isTrue:
			return true
		case intHere:
			return int64(at.bits)
		case floatHere:
			return math.Float64frombits(at.bits)
		default:
			return nil
		}
	case text, cut:
		return t.pool.text(at.code)
	case object:
		m := map[string]any{}
		for id := range t.shape(at.code) {
			m[t.branches[id].key] = nil
		}
		return m
	default:
		r := reader{b: t.pool.bytes(at.code), keys: &t.pool.keys}
		return r.value()
	}
}
