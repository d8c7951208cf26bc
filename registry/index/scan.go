package index

import "encoding/binary"

// listsOnly leaves out what is no list: it is not where a path ends.
type listsOnly bool

func (only listsOnly) passes(c code) bool {
	return !bool(only) || c.kind() == list || c == tooBig
}

// scan adds to out the slots of mask whose cell the test holds for.
func (v *visit) scan(c *column, t *test, only listsOnly, mask slots, out *found) {
	if c.wide != nil && t.oneText() && int(c.types[textType]) == c.cells {
		for _, word := range t.words {
			if want, ok := v.forest().pool.find(text, []byte(word)); ok {
				equalCodes(c.wide, want, mask, out.yes)
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
	for w, m := range mask {
		if m == 0 || w*64 >= len(c.marks) {
			continue
		}
		for i, marks := range c.marks[w*64 : min(w*64+64, len(c.marks))] {
			if code := c.wide[w*64+i]; code == absent || code.kind() == list && t.unmarked(marks) {
				left[w] &^= 1 << i
			}
		}
	}
	return left
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
		for i, slot := range c.fewAt {
			if i%64 == 0 {
				p.warm(c.few[i:min(i+64, len(c.few))], 1<<64-1)
			}
			if mask.has(slot) {
				out.note(slot, tell(cell{code: c.few[i]}))
			}
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

// equalBytes adds the slots of mask at which b stands.
func equalBytes(column []uint8, b uint8, mask, out slots) {
	const low, high = 0x0101010101010101, 0x8080808080808080
	want := uint64(b) * low
	for w, m := range mask {
		if m == 0 || w*64 >= len(column) {
			continue
		}
		chunk := column[w*64:]
		if len(chunk) < 64 {
			for i, have := range chunk {
				if have == b {
					out[w] |= m & (1 << i)
				}
			}
			continue
		}
		var word uint64
		for i := 0; i < 64; i += 8 {
			x := binary.LittleEndian.Uint64(chunk[i:]) ^ want
			zero := ^((x&^high + ^uint64(high)) | x) & high // the top bit of each byte that is zero
			word |= (zero >> 7 * 0x0102040810204080 >> 56) << i
		}
		out[w] |= word & m
	}
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
		chunk := column[w*64 : min(w*64+64, len(column))]
		for from := 0; from < len(chunk); from += 8 {
			if b := chunk[from:]; len(b) >= 8 && b[0] != want && b[1] != want && b[2] != want && b[3] != want &&
				b[4] != want && b[5] != want && b[6] != want && b[7] != want {
				continue // the usual case, quickly
			}
			for i, have := range chunk[from:min(from+8, len(chunk))] {
				if have == want {
					out[w] |= m & (1 << (from + i))
				}
			}
		}
	}
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
