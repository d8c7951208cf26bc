package index

import (
	"hash/maphash"
	"unsafe"
)

// code names a value: its kind in the upper bits, and which one of its shard's
// pool it is below them.
type code uint32

// The values that need no pool.
const (
	absent    code = iota
	null           // nil
	isFalse        // false
	isTrue         // true
	intHere        // an int64 that the column holds itself
	floatHere      // a float64 that the column holds itself
	tooBig         // a list or map that is not kept
)

// kind is the shape of a value.
type kind uint32

const (
	fixed   kind = iota // one of the codes above
	text                // a string
	cut                 // the beginning of a string longer than maxText
	scalar              // an int64, float64 or json.Number, as appendValue writes it
	moment              // a time.Time, as appendValue writes it
	list                // a list, as appendValue writes it
	members             // a list of names, by their numbers
	object              // the branches of a map, sorted, 4 bytes each
)

const kindShift = 29

func (c code) kind() kind { return kind(c >> kindShift) }
func (c code) at() uint32 { return uint32(c) & (1<<kindShift - 1) }

// Of longer values not all is kept: of a text its beginning, which is all that
// a regular expression may look at; of a list nothing.
const (
	maxText = 4 << 10
	maxList = 16 << 10
)

// pool holds each distinct value of a shard once, in few large pieces of
// memory, with the number of places that name it.
type pool struct {
	seed   maphash.Seed
	pages  [][]byte
	tail   int      // bytes used of the last page
	places []uint32 // by number: where the value is, page<<16 | offset
	refs   []uint32 // by number
	kinds  []uint8  // by number
	spare  []uint32 // numbers to use again
	free   map[int][]uint32
	known  hashed
	keys   keys // of lists
	kept   kept // of columns whose values are here
}

const pageSize = 64 << 10

func newPool() *pool {
	return &pool{seed: maphash.MakeSeed(), free: map[int][]uint32{}}
}

// bytes is what a value that is not fixed was interned with. They are the
// pool's and valid as long as something names the value.
func (p *pool) bytes(c code) []byte { return p.valueAt(p.places[c.at()]) }

func (p *pool) valueAt(place uint32) []byte {
	b := p.pages[place>>16][place&0xffff:]
	n := int(b[0])
	if n < 0x80 {
		return b[1 : 1+n : 1+n]
	}
	n = n&0x7f | int(b[1])<<7
	return b[2 : 2+n : 2+n]
}

// text is bytes as a string, with the same validity.
func (p *pool) text(c code) string { return view(p.bytes(c)) }

// warm reads from the values of up to 64 codes, of which those in mask will be
// looked at: together they come from memory in much less time than one by one.
//
//go:noinline
func (p *pool) warm(codes []code, mask uint64) (sum byte) {
	var places [64]uint32
	for i, c := range codes {
		if mask>>i&1 != 0 && c.kind() != fixed {
			places[i] = p.places[c.at()]
		}
	}
	for _, place := range places[:len(codes)] {
		sum += p.pages[place>>16][place&0xffff]
	}
	return sum
}

// view is b as a string that lives no longer than b stays as it is.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func (p *pool) hash(k kind, b []byte) uint64 {
	return maphash.Bytes(p.seed, b) + uint64(k)*0x9e3779b97f4a7c15
}

// find returns the code of a value that is there.
func (p *pool) find(k kind, b []byte) (code, bool) { return p.hashedAs(p.hash(k, b), k, b) }

func (p *pool) hashedAs(hash uint64, k kind, b []byte) (code, bool) {
	n, ok := p.known.find(hash, func(n uint32) bool {
		return string(p.valueAt(p.places[n])) == string(b) && kind(p.kinds[n]) == k
	})
	return code(k)<<kindShift | code(n), ok
}

// intern returns the code of a value, which is kept if somebody retains it.
func (p *pool) intern(k kind, b []byte) code {
	hash := p.hash(k, b)
	c, ok := p.hashedAs(hash, k, b)
	if ok {
		return c
	}
	var n uint32
	if last := len(p.spare) - 1; last >= 0 {
		n, p.spare = p.spare[last], p.spare[:last]
	} else {
		n = uint32(len(p.places))
		p.places, p.refs, p.kinds = append(p.places, 0), append(p.refs, 0), append(p.kinds, 0)
	}
	p.kinds[n] = uint8(k)
	p.places[n] = p.store(b)
	p.known.add(hash, n)
	p.keys.retain(k, b)
	return code(k)<<kindShift | code(n)
}

// span is how much room a value of n bytes takes.
func span(n int) int {
	if n < 0x80 {
		return (n + 1 + 3) &^ 3
	}
	return (n + 2 + 3) &^ 3
}

func (p *pool) store(b []byte) uint32 {
	size := span(len(b))
	var place uint32
	if free := p.free[size]; len(free) > 0 {
		place = free[len(free)-1]
		p.free[size] = free[:len(free)-1]
	} else {
		if len(p.pages) == 0 || p.tail+size > pageSize {
			p.pages, p.tail = append(p.pages, make([]byte, pageSize)), 0
		}
		place = uint32(len(p.pages)-1)<<16 | uint32(p.tail)
		p.tail += size
	}
	to := p.pages[place>>16][place&0xffff:]
	if len(b) < 0x80 {
		to[0] = byte(len(b))
		copy(to[1:], b)
	} else {
		to[0], to[1] = byte(len(b))|0x80, byte(len(b)>>7)
		copy(to[2:], b)
	}
	return place
}

func (p *pool) retain(c code) {
	if c.kind() != fixed {
		p.refs[c.at()]++
	}
}

// release gives up a place that named c; with the last one the value goes.
func (p *pool) release(c code) {
	if c.kind() == fixed {
		return
	}
	n := c.at()
	if p.refs[n]--; p.refs[n] > 0 {
		return
	}
	b := p.bytes(c)
	p.known.remove(p.hash(c.kind(), b), n)
	p.keys.release(c.kind(), b)
	size := span(len(b))
	p.free[size] = append(p.free[size], p.places[n])
	p.spare = append(p.spare, n)
}
