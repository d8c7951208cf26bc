package index

import "math/bits"

// counter is a hash table that counts. Its zero value is empty.
type counter struct {
	cells []counted
	used  int
}

type counted struct {
	key   uint64
	nodes int // 0: free
}

// add counts a key so many times, and reports whether it is the first.
func (t *counter) add(key uint64, nodes int) (first bool) {
	if 2*t.used >= len(t.cells) {
		old := t.cells
		t.cells = make([]counted, max(64, 4*len(old)))
		for _, c := range old {
			if c.nodes > 0 {
				t.cells[t.find(c.key)] = c
			}
		}
	}
	c := &t.cells[t.find(key)]
	if first = c.nodes == 0; first {
		c.key = key
		t.used++
	}
	c.nodes += nodes
	return first
}

// find returns where a key is counted, or will be.
func (t *counter) find(key uint64) int {
	mask := len(t.cells) - 1
	i := int(key*0x9e3779b97f4a7c15>>32) & mask
	for t.cells[i].nodes > 0 && t.cells[i].key != key {
		i = (i + 1) & mask
	}
	return i
}

// reset forgets what was counted.
func (t *counter) reset() {
	clear(t.cells)
	t.used = 0
}

// codeCounter counts codes. It has places for the usual number of values, two
// for each hash, and gives up one to another value rather than search for it:
// what was counted there goes into rest.
type codeCounter struct {
	places [1024][2]codePlace
	rest   counter
	found  []counted
}

type codePlace struct {
	code  code
	nodes uint32
}

// count counts a code.
func (t *codeCounter) count(c code) {
	pair := &t.places[uint32(c)*2654435769>>22]
	switch c {
	case pair[0].code:
		pair[0].nodes++
	case pair[1].code:
		pair[1].nodes++
	default:
		t.take(pair, c)
	}
}

// countIn counts those of up to 64 codes whose bits are in m.
func (t *codeCounter) countIn(some []code, m uint64) {
	if m == 1<<64-1 {
		for _, c := range some {
			t.count(c)
		}
		return
	}
	for ; m != 0; m &= m - 1 {
		i := bits.TrailingZeros64(m)
		if i >= len(some) {
			return
		}
		t.count(some[i])
	}
}

// take lets the first of two places count c, of which there is one, and what it
// counted go on at the second.
func (t *codeCounter) take(pair *[2]codePlace, c code) {
	if old := pair[1]; old.nodes > 0 {
		t.rest.add(uint64(old.code), int(old.nodes))
	}
	pair[1], pair[0] = pair[0], codePlace{c, 1}
}

// counts returns what was counted, until counting begins anew.
func (t *codeCounter) counts() []counted {
	t.found = t.found[:0]
	for i := range t.places {
		for j := range t.places[i] {
			p := &t.places[i][j]
			switch {
			case p.nodes == 0:
			case t.rest.used == 0: // no value was counted at two places
				t.found = append(t.found, counted{uint64(p.code), int(p.nodes)})
			default:
				t.rest.add(uint64(p.code), int(p.nodes))
			}
		}
	}
	clear(t.places[:])
	for _, c := range t.rest.cells {
		if c.nodes > 0 {
			t.found = append(t.found, c)
		}
	}
	t.rest.reset()
	return t.found
}
