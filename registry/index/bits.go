package index

import (
	"iter"
	"math/bits"
)

// slots is a set of slots, one bit each. nil is the empty set.
type slots []uint64

func newSlots(n int) slots { return make(slots, (n+63)/64) }

func (s slots) has(i uint32) bool {
	w := int(i >> 6)
	return w < len(s) && s[w]>>(i&63)&1 != 0
}

// with adds i, growing as needed.
func (s slots) with(i uint32) slots {
	for int(i>>6) >= len(s) {
		s = append(s, 0)
	}
	s[i>>6] |= 1 << (i & 63)
	return s
}

func (s slots) drop(i uint32) {
	if w := int(i >> 6); w < len(s) {
		s[w] &^= 1 << (i & 63)
	}
}

func (s slots) empty() bool {
	for _, w := range s {
		if w != 0 {
			return false
		}
	}
	return true
}

func (s slots) count() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// keep leaves in s what is in o too.
func (s slots) keep(o slots) {
	n := min(len(s), len(o))
	for i := range n {
		s[i] &= o[i]
	}
	clear(s[n:])
}

// without takes out of s what is in o.
func (s slots) without(o slots) {
	for i := range min(len(s), len(o)) {
		s[i] &^= o[i]
	}
}

// join adds what is in o, which is no longer than s.
func (s slots) join(o slots) {
	for i := range o {
		s[i] |= o[i]
	}
}

// joinWithin adds what is in both o and mask, which is no longer than s.
func (s slots) joinWithin(o, mask slots) {
	for i := range min(len(o), len(mask)) {
		s[i] |= o[i] & mask[i]
	}
}

func (s slots) clone() slots { return append(make(slots, 0, len(s)), s...) }

// all yields the members in order.
func (s slots) all() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for i, w := range s {
			for ; w != 0; w &= w - 1 {
				if !yield(uint32(i<<6 | bits.TrailingZeros64(w))) {
					return
				}
			}
		}
	}
}
