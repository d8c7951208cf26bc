package index

// counter is a hash table that counts.
type counter struct {
	cells []counted
	used  int
}

type counted struct {
	key   uint64
	nodes int // 0: free
}

// add counts a key, and reports whether it is the first time.
func (t *counter) add(key uint64) (first bool) {
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
	c.nodes++
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
