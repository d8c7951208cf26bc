package index

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

// codeCounter counts codes. It has a place for each of the usual number of
// values, and gives up a place to another value rather than search for one: what
// was counted there goes into rest.
type codeCounter struct {
	places [2048]codePlace
	rest   counter
	found  []counted
}

type codePlace struct {
	code  code
	nodes uint32
}

// place is where a code is counted, unless another is at the moment: see take.
func (t *codeCounter) place(c code) *codePlace { return &t.places[uint32(c)*2654435769>>21] }

// take makes a place one that counts c, of which there is one.
func (t *codeCounter) take(p *codePlace, c code) {
	if p.nodes > 0 {
		t.rest.add(uint64(p.code), int(p.nodes))
	}
	*p = codePlace{c, 1}
}

// counts returns what was counted, until counting begins anew.
func (t *codeCounter) counts() []counted {
	for i := range t.places {
		if p := &t.places[i]; p.nodes > 0 {
			t.take(p, 0)
			p.nodes = 0
		}
	}
	t.found = t.found[:0]
	for _, c := range t.rest.cells {
		if c.nodes > 0 {
			t.found = append(t.found, c)
		}
	}
	t.rest.reset()
	return t.found
}
