package index

// hashed is a hash table of small numbers. What they stand for, and whether
// one is the one looked for, its owner knows.
type hashed struct {
	cells []uint64 // upper half of the hash<<32 | number+1; 0: free
	used  int
}

func entry(hash uint64, n uint32) uint64 { return hash&^(1<<32-1) | uint64(n+1) }

// home is where an entry belongs, if that is free.
func (h *hashed) home(entry uint64) int { return int(entry >> 32 & uint64(len(h.cells)-1)) }

func (h *hashed) next(i int) int { return (i + 1) & (len(h.cells) - 1) }

// find returns the number with this hash for which same is true.
func (h *hashed) find(hash uint64, same func(uint32) bool) (uint32, bool) {
	if len(h.cells) == 0 {
		return 0, false
	}
	for i := h.home(hash); h.cells[i] != 0; i = h.next(i) {
		if have := h.cells[i]; have>>32 == hash>>32 {
			if n := uint32(have) - 1; same(n) {
				return n, true
			}
		}
	}
	return 0, false
}

// add puts in a number that is not there.
func (h *hashed) add(hash uint64, n uint32) {
	if (h.used+1)*4 > len(h.cells)*3 {
		old := h.cells
		h.cells = make([]uint64, max(8, 2*len(old)))
		for _, have := range old {
			if have != 0 {
				h.place(have)
			}
		}
	}
	h.place(entry(hash, n))
	h.used++
}

func (h *hashed) place(have uint64) {
	i := h.home(have)
	for h.cells[i] != 0 {
		i = h.next(i)
	}
	h.cells[i] = have
}

// remove takes out a number that is there, and closes the gap.
func (h *hashed) remove(hash uint64, n uint32) {
	gap := h.home(hash)
	for h.cells[gap] != entry(hash, n) {
		gap = h.next(gap)
	}
	h.used--
	mask := len(h.cells) - 1
	for i := h.next(gap); h.cells[i] != 0; i = h.next(i) {
		if (i-h.home(h.cells[i]))&mask >= (i-gap)&mask { // it may stand in the gap
			h.cells[gap] = h.cells[i]
			gap = i
		}
	}
	h.cells[gap] = 0
}
