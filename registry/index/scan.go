package index

import "encoding/binary"

// scan adds to out the slots of mask whose cell the test holds for.
func (v *visit) scan(c *column, t *test, mask slots, out *found) {
	switch {
	case c.cells == 0:
	case c.wide != nil:
		v.scanWide(c, t, mask, out)
	case c.small != nil:
		v.scanSmall(c, t, mask, out)
	default:
		for i, slot := range c.fewAt {
			if mask.has(slot) {
				out.note(slot, t.tell(v.forest(), cell{code: c.few[i]}, v.ask))
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
	}
}

func (f *found) doubt(slot uint32) {
	if f.maybe == nil {
		f.maybe = make(slots, len(f.yes))
	}
	f.maybe[slot>>6] |= 1 << (slot & 63)
}

// scanSmall judges each value in the dictionary once.
func (v *visit) scanSmall(c *column, t *test, mask slots, out *found) {
	var table [256]verdict
	yes, last, doubts := 0, 0, false
	for i, known := range c.dict {
		if c.uses[i] == 0 {
			continue
		}
		is := t.tell(v.forest(), cell{code: known}, v.ask)
		table[i+firstLocal] = is
		switch is {
		case always:
			yes++
			last = i + firstLocal
		case unsure:
			doubts = true
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
		v.scanNumbers(c, t, mask, out)
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
func (v *visit) scanNumbers(c *column, t *test, mask slots, out *found) {
	for w, m := range mask {
		if m == 0 || w*64 >= len(c.small) {
			continue
		}
		var word uint64
		for i, b := range c.small[w*64 : min(w*64+64, len(c.small))] {
			if b != smallInt && b != smallFloat || m>>i&1 == 0 {
				continue
			}
			at := c.local(b, w*64+i)
			is, ok := verdict(0), false
			if t.numbers != nil {
				is, ok = t.numbers.tell(at)
			}
			if !ok {
				is = t.tell(v.forest(), at, v.ask)
			}
			word |= uint64(is&always) << i
		}
		out.yes[w] |= word
	}
}

// scanWide judges a code at a time, and remembers the last ones.
func (v *visit) scanWide(c *column, t *test, mask slots, out *found) {
	if t.words != nil && int(c.types[textType]) == c.cells && !t.negated && t.ask.Quant != "none" {
		for _, word := range t.words {
			if want, ok := v.forest().pool.find(text, []byte(word)); ok {
				equalCodes(c.wide, want, mask, out.yes)
			}
		}
		return
	}
	var last [256]struct {
		code code
		is   verdict
	}
	for w, m := range mask {
		if m == 0 || w*64 >= len(c.wide) {
			continue
		}
		for i, code := range c.wide[w*64 : min(w*64+64, len(c.wide))] {
			if code == absent || m>>i&1 == 0 {
				continue
			}
			l := &last[code&255]
			if l.code != code {
				l.code, l.is = code, t.tell(v.forest(), cell{code: code}, v.ask)
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
		var word uint64
		for i, have := range column[w*64 : min(w*64+64, len(column))] {
			var bit uint64
			if have == want {
				bit = 1
			}
			word |= bit << i
		}
		out[w] |= word & m
	}
}

// presence adds the slots of mask that have a cell.
func (c *column) presence(mask, out slots) {
	switch {
	case c.wide != nil:
		for w, m := range mask {
			if m == 0 || w*64 >= len(c.wide) {
				continue
			}
			for i, have := range c.wide[w*64 : min(w*64+64, len(c.wide))] {
				if have != absent {
					out[w] |= m & (1 << i)
				}
			}
		}
	case c.small != nil:
		var table [256]verdict
		for i := range table {
			table[i] = verdictOf(i != smallAbsent)
		}
		tabled(c.small, &table, mask, out)
	default:
		for _, slot := range c.fewAt {
			if mask.has(slot) {
				out[slot>>6] |= 1 << (slot & 63)
			}
		}
	}
}
