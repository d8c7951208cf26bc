package index

// hashed is a hash table of small numbers. What they stand for, and so their
// hash and whether they are the one looked for, its owner knows.
type hashed struct {
	cells []uint32 // number+1; 0: free
	used  int
}

// find returns the number with this hash for which same is true.
func (h *hashed) find(hash uint64, same func(uint32) bool) (uint32, bool) {
	if len(h.cells) == 0 {
		return 0, false
	}
	mask := uint64(len(h.cells) - 1)
	for i := hash & mask; h.cells[i] != 0; i = (i + 1) & mask {
		if n := h.cells[i] - 1; same(n) {
			return n, true
		}
	}
	return 0, false
}

// add puts in a number that is not there. rehash returns the hash of one that is.
func (h *hashed) add(hash uint64, n uint32, rehash func(uint32) uint64) {
	if (h.used+1)*8 > len(h.cells)*7 {
		old := h.cells
		h.cells = make([]uint32, max(8, 2*len(old)))
		for _, cell := range old {
			if cell != 0 {
				h.place(rehash(cell-1), cell)
			}
		}
	}
	h.place(hash, n+1)
	h.used++
}

func (h *hashed) place(hash uint64, cell uint32) {
	mask := uint64(len(h.cells) - 1)
	i := hash & mask
	for h.cells[i] != 0 {
		i = (i + 1) & mask
	}
	h.cells[i] = cell
}

// remove takes out a number that is there, and closes the gap.
func (h *hashed) remove(hash uint64, n uint32, rehash func(uint32) uint64) {
	mask := uint64(len(h.cells) - 1)
	gap := hash & mask
	for h.cells[gap] != n+1 {
		gap = (gap + 1) & mask
	}
	h.used--
	for i := (gap + 1) & mask; h.cells[i] != 0; i = (i + 1) & mask {
		home := rehash(h.cells[i]-1) & mask
		if (i-home)&mask >= (i-gap)&mask { // it may stand in the gap
			h.cells[gap] = h.cells[i]
			gap = i
		}
	}
	h.cells[gap] = 0
}
