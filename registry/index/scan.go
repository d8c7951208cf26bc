package index

import (
	"encoding/binary"
	"math/bits"
)

// listsOnly leaves out what is no list: it is not where a path ends.
type listsOnly bool

func (only listsOnly) passes(c code) bool {
	return !bool(only) || c.kind() == list || c == tooBig
}

// scan adds to out the slots of mask whose cell the test holds for.
func (v *visit) scan(c *column, t *test, only listsOnly, mask slots, out *found) {
	if t.oneText() && int(c.types[textType]) == c.cells {
		for _, word := range t.words {
			if want, ok := v.forest().pool.find(text, []byte(word)); ok {
				out.yes.joinWithin(v.holders(c, want), mask)
			}
		}
		return
	}
	if c.marks != nil && t.marks != nil && !t.other {
		mask = c.marked(t, mask)
	}
	numbers := t.numbers
	if t.other || bool(only) {
		numbers = nil
	}
	judge(c, v.forest().pool, numbers, mask, out, func(at cell) verdict {
		if !only.passes(at.code) {
			return never
		}
		return t.tell(v.forest(), at, v.ask)
	})
}

// marked is mask without the lists that fail by their marks.
func (c *column) marked(t *test, mask slots) slots {
	left := mask.clone()
	if c.wide == nil {
		for from := 0; from < len(c.few); from += 64 {
			fail := failing(c.marks[from:min(from+64, len(c.few))], t.marks)
			for ; fail != 0; fail &= fail - 1 {
				left.drop(c.fewAt[from+bits.TrailingZeros64(fail)])
			}
		}
		return left
	}
	for w, m := range mask {
		if m != 0 && w*64 < len(c.marks) {
			left[w] &^= failing(c.marks[w*64:min(w*64+64, len(c.marks))], t.marks)
		}
	}
	return left
}

// failing tells which of up to 64 have none of the marks that are wanted.
func failing(have, wanted []uint64) uint64 {
	fail := uint64(1)<<len(have) - 1 // all of them, if they are 64
	for _, want := range wanted {
		for i, marks := range have {
			if want&^marks == 0 {
				fail &^= 1 << i
			}
		}
	}
	return fail
}

// judge adds to out the slots of mask by what tell says of their cells. It is
// asked once, or not much oftener, about each different value. It is not asked
// about absent cells, nor about the numbers that numbers, if not nil, tells of.
func judge(c *column, p *pool, numbers *steps, mask slots, out *found, tell func(at cell) verdict) {
	switch {
	case c.wide != nil:
		scanWide(c, p, tell, mask, out)
	case c.small != nil:
		scanSmall(c, tell, numbers, mask, out)
	default:
		scanFew(c, p, tell, mask, out)
	}
}

func scanFew(c *column, p *pool, tell func(cell) verdict, mask slots, out *found) {
	for from := 0; from < len(c.few); from += 64 {
		at, some := c.fewAt[from:min(from+64, len(c.few))], c.few[from:min(from+64, len(c.few))]
		var m uint64
		for i, slot := range at {
			if mask.has(slot) {
				m |= 1 << i
			}
		}
		if m&(m-1) != 0 {
			p.warm(some, m)
		}
		for ; m != 0; m &= m - 1 {
			i := bits.TrailingZeros64(m)
			out.note(at[i], tell(cell{code: some[i]}))
		}
	}
}

// note adds a slot by its verdict.
func (f *found) note(slot uint32, is verdict) {
	switch is {
	case always:
		f.yes[slot>>6] |= 1 << (slot & 63)
	case unsure:
		f.doubt(slot)
	default: // it is not in the answer
	}
}

func (f *found) doubt(slot uint32) {
	if f.maybe == nil {
		f.maybe = make(slots, len(f.yes))
	}
	f.maybe[slot>>6] |= 1 << (slot & 63)
}

// scanSmall judges each value in the dictionary once.
func scanSmall(c *column, tell func(cell) verdict, numbers *steps, mask slots, out *found) {
	var table [256]verdict
	yes, last, doubts := 0, 0, false
	for i, known := range c.dict {
		if c.uses[i] == 0 {
			continue
		}
		is := tell(cell{code: known})
		table[i+firstLocal] = is
		doubts = doubts || is == unsure
		if is == always {
			yes, last = yes+1, i+firstLocal
		}
	}
	if doubts {
		for slot := range mask.all() {
			if int(slot) < len(c.small) && table[c.small[slot]] == unsure {
				out.doubt(slot)
			}
		}
	}
	switch {
	case yes == 1:
		equalBytes(c.small, uint8(last), mask, out.yes)
	case yes > 1:
		tabled(c.small, &table, mask, out.yes)
	}
	if c.nums != nil {
		scanNumbers(c, tell, numbers, mask, out)
	}
}

// holders returns the slots of a column that hold a code, which is not to be
// changed.
func (v *visit) holders(c *column, want code) slots {
	return v.forest().pool.kept.find(c, want, func() slots {
		out := newSlots(v.forest().total)
		switch {
		case c.wide != nil:
			equalCodes(c.wide, want, v.shard.live, out)
		case c.small != nil:
			for i, known := range c.dict {
				if known == want && c.uses[i] > 0 {
					equalBytes(c.small, uint8(i+firstLocal), v.shard.live, out)
				}
			}
		default:
			for i, slot := range c.fewAt {
				if c.few[i] == want {
					out = out.with(slot)
				}
			}
		}
		return out
	})
}

// equalBytes adds the slots of mask at which b stands.
func equalBytes(column []uint8, b uint8, mask, out slots) {
	for w, m := range mask {
		if m == 0 || w*64 >= len(column) {
			continue
		}
		if chunk := column[w*64:]; len(chunk) >= 64 {
			out[w] |= m & equalIn((*[64]uint8)(chunk), b)
			continue
		}
		for i, have := range column[w*64:] {
			if have == b {
				out[w] |= m & (1 << i)
			}
		}
	}
}

// equalIn tells at which of 64 places b stands.
func equalIn(column *[64]uint8, b uint8) uint64 {
	const low, high = 0x7f7f7f7f7f7f7f7f, 0x8080808080808080
	want := uint64(b) * 0x0101010101010101
	var differ uint64 // bit j of byte k: at 8*j+k
	for j := range 8 {
		x := binary.LittleEndian.Uint64(column[8*j:]) ^ want
		differ = differ>>1 | ((x&low+low)|x)&high // the top bit of each byte that is not zero
	}
	x := ^differ
	if x == 0 {
		return 0
	}
	// Hacker's Delight, 7-3: an 8x8 matrix of bits is turned about its diagonal.
	x = x&0xAA55AA55AA55AA55 | x&0x00AA00AA00AA00AA<<7 | x>>7&0x00AA00AA00AA00AA
	x = x&0xCCCC3333CCCC3333 | x&0x0000CCCC0000CCCC<<14 | x>>14&0x0000CCCC0000CCCC
	return x&0xF0F0F0F00F0F0F0F | x&0x00000000F0F0F0F0<<28 | x>>28&0x00000000F0F0F0F0
}

// tabled adds the slots of mask at which a byte stands that always holds.
func tabled(column []uint8, table *[256]verdict, mask, out slots) {
	for w, m := range mask {
		if m == 0 || w*64 >= len(column) {
			continue
		}
		chunk := column[w*64 : min(w*64+64, len(column))]
		var word uint64
		for i, b := range chunk {
			word |= uint64(table[b]&always) << i
		}
		out[w] |= word & m
	}
}

// scanNumbers judges the numbers that a small column holds itself.
func scanNumbers(c *column, tell func(cell) verdict, numbers *steps, mask slots, out *found) {
	for w, m := range mask {
		if m == 0 || w*64 >= len(c.small) {
			continue
		}
		if numbers != nil {
			out.yes[w] |= numbers.scan(c, w*64, m)
			continue
		}
		var word uint64
		for i, b := range c.small[w*64 : min(w*64+64, len(c.small))] {
			if (b == smallInt || b == smallFloat) && m>>i&1 != 0 {
				word |= uint64(tell(c.local(b, w*64+i))&always) << i
			}
		}
		out.yes[w] |= word
	}
}

// scanWide judges a code at a time, and remembers the last ones.
func scanWide(c *column, p *pool, tell func(cell) verdict, mask slots, out *found) {
	var last [256]struct {
		code code
		is   verdict
	}
	for w, m := range mask {
		if m == 0 || w*64 >= len(c.wide) {
			continue
		}
		chunk := c.wide[w*64 : min(w*64+64, len(c.wide))]
		if m&(m-1) != 0 {
			p.warm(chunk, m)
		}
		for i, code := range chunk {
			if code == absent || m>>i&1 == 0 {
				continue
			}
			l := &last[code&255]
			if l.code != code {
				l.code, l.is = code, tell(cell{code: code})
			}
			if l.is != never {
				out.note(uint32(w*64+i), l.is)
			}
		}
	}
}

// equalCodes adds the slots of mask at which want stands.
func equalCodes(column []code, want code, mask, out slots) {
	for w, m := range mask {
		if m == 0 || w*64 >= len(column) {
			continue
		}
		if chunk := column[w*64:]; len(chunk) >= 64 {
			out[w] |= m & equalCodesIn((*[64]code)(chunk), want)
			continue
		}
		for i, have := range column[w*64:] {
			if have == want {
				out[w] |= m & (1 << i)
			}
		}
	}
}

// equalCodesIn tells at which of 64 places want stands.
func equalCodesIn(b *[64]code, want code) (word uint64) {
	for i := 0; i < 64; i += 8 {
		if b[i] != want && b[i+1] != want && b[i+2] != want && b[i+3] != want && b[i+4] != want && b[i+5] != want && b[i+6] != want && b[i+7] != want {
			continue // the usual case, quickly
		}
		for j := i; j < i+8; j++ {
			if b[j] == want {
				word |= 1 << j
			}
		}
	}
	return word
}

// presence adds the slots of mask that have a cell.
func (c *column) presence(only listsOnly, mask, out slots) {
	switch {
	case c.wide != nil:
		for w, m := range mask {
			if m == 0 || w*64 >= len(c.wide) {
				continue
			}
			for i, have := range c.wide[w*64 : min(w*64+64, len(c.wide))] {
				if have != absent && only.passes(have) {
					out[w] |= m & (1 << i)
				}
			}
		}
	case c.small != nil:
		var table [256]verdict
		for i := range table {
			table[i] = verdictOf(i != smallAbsent && !bool(only))
			if i >= firstLocal && i < firstLocal+len(c.dict) {
				table[i] = verdictOf(only.passes(c.dict[i-firstLocal]))
			}
		}
		tabled(c.small, &table, mask, out)
	default:
		for i, slot := range c.fewAt {
			if mask.has(slot) && only.passes(c.few[i]) {
				out[slot>>6] |= 1 << (slot & 63)
			}
		}
	}
}
