package index

import (
	"math"
	"slices"
)

// column holds what a path leads to in each node of a shard, by slot. It has
// one of three forms, by what is in it:
//
//   - few: pairs of slot and code, for a path that few nodes have;
//   - small: a byte a slot, which is a number in the column's own dictionary;
//     numbers of many different values stand beside it in nums;
//   - wide: a code a slot, for texts of many different values.
type column struct {
	cells int // that are not absent
	types [typeCount]int32

	fewAt []uint32 // sorted
	few   []code

	small []uint8
	dict  []code // by byte, less firstLocal
	uses  []uint32
	nums  []uint64
	hints *hints

	wide  []code
	marks []uint64 // of lists in wide: see marksOf
}

// The bytes of a small column that are no number in its dictionary.
const (
	smallAbsent = iota
	smallInt
	smallFloat
	firstLocal
)

const maxLocal = 256 - firstLocal

// cell is a value in a column: its code, and for intHere and floatHere its bits.
type cell struct {
	code code
	bits uint64
}

// partly reports whether not all of a value is kept.
func (c cell) partly() bool { return c.code == tooBig || c.code.kind() == cut }

// valueType is the JSON type of a cell.
type valueType int

const (
	nullType valueType = iota
	boolType
	numberType
	textType
	timeType
	listType
	objectType
	typeCount
)

func (c code) valueType() valueType {
	switch c.kind() {
	case text, cut:
		return textType
	case scalar:
		return numberType
	case moment:
		return timeType
	case list, members:
		return listType
	case object:
		return objectType
	case fixed:
	}
	switch c {
	case intHere, floatHere:
		return numberType
	case tooBig:
		return listType
	case isTrue, isFalse:
		return boolType
	default:
		return nullType
	}
}

func (c *column) lists() bool { return c.types[listType] > 0 }

// get returns the cell of a slot.
func (c *column) get(slot uint32) cell {
	i := int(slot)
	switch {
	case c.wide != nil:
		if i < len(c.wide) {
			return cell{code: c.wide[i]}
		}
	case c.small != nil:
		if i < len(c.small) {
			return c.local(c.small[i], i)
		}
	default:
		if at, ok := slices.BinarySearch(c.fewAt, slot); ok {
			return cell{code: c.few[at]}
		}
	}
	return cell{}
}

func (c *column) local(b uint8, slot int) cell {
	switch b {
	case smallAbsent:
		return cell{}
	case smallInt:
		return cell{intHere, c.nums[slot]}
	case smallFloat:
		return cell{floatHere, c.nums[slot]}
	}
	return cell{code: c.dict[b-firstLocal]}
}

// holdsNumbers reports whether numbers need no pool here.
func (c *column) holdsNumbers() bool { return c.nums != nil }

// set puts a value into a slot, of which the shard has total.
func (c *column) set(p *pool, slot uint32, v cell, total int) {
	old := c.get(slot).code
	p.retain(v.code) // so that the old value does not take it along
	if old != absent {
		c.clear(p, slot)
	}
	if c.nums == nil && (v.code == intHere || v.code == floatHere) {
		v = outline(p, v)
		p.retain(v.code)
	}
	if old == absent && c.wide == nil && c.small == nil && 8*(c.cells+1) > total {
		c.widen(p, total)
	}
	c.place(p, slot, v, total)
	p.release(v.code)
	c.cells++
	c.types[v.code.valueType()]++
}

// place puts a value into an empty slot, and turns to another form where this
// one can not hold it.
func (c *column) place(p *pool, slot uint32, v cell, total int) {
	switch {
	case c.wide != nil:
		p.retain(v.code)
		c.wide = grown(c.wide, int(slot), total)
		c.wide[slot] = v.code
		if v.code.kind() == list {
			c.marks = grown(c.marks, int(slot), total)
			c.marks[slot] = marksOf(p.bytes(v.code))
		}
	case c.small != nil:
		b, ok := c.localOf(p, v)
		if !ok {
			c.outgrow(p, total)
			if c.nums != nil {
				v = c.inline(p, v)
			}
			c.place(p, slot, v, total)
			return
		}
		c.small = grown(c.small, int(slot), total)
		c.small[slot] = b
		if b == smallInt || b == smallFloat {
			c.nums = grown(c.nums, int(slot), total)
			c.nums[slot] = v.bits
		}
	default:
		p.retain(v.code)
		at, _ := slices.BinarySearch(c.fewAt, slot)
		c.fewAt, c.few = slices.Insert(c.fewAt, at, slot), slices.Insert(c.few, at, v.code)
	}
}

// localOf returns the byte for a value, entering it into the dictionary.
func (c *column) localOf(p *pool, v cell) (uint8, bool) {
	switch v.code {
	case intHere:
		return smallInt, true
	case floatHere:
		return smallFloat, true
	default: // it belongs into the dictionary
	}
	if i := c.hints.last; int(i) < len(c.dict) && c.dict[i] == v.code && c.uses[i] > 0 {
		c.uses[i]++
		return i + firstLocal, true
	}
	unused := -1
	for i, known := range c.dict {
		if known == v.code && c.uses[i] > 0 {
			c.uses[i]++
			c.hints.note(p, v.code, i)
			return uint8(i + firstLocal), true
		}
		if c.uses[i] == 0 {
			unused = i
		}
	}
	if unused < 0 {
		if len(c.dict) == maxLocal {
			return 0, false
		}
		unused = len(c.dict)
		c.dict, c.uses = append(c.dict, 0), append(c.uses, 0)
	}
	p.retain(v.code)
	c.dict[unused], c.uses[unused] = v.code, 1
	return uint8(unused + firstLocal), true
}

// clear empties a slot.
func (c *column) clear(p *pool, slot uint32) {
	old := c.get(slot).code
	if old == absent {
		return
	}
	c.cells--
	c.types[old.valueType()]--
	switch {
	case c.wide != nil:
		c.wide[slot] = absent
		p.release(old)
	case c.small != nil:
		if b := c.small[slot]; b >= firstLocal {
			if c.uses[b-firstLocal]--; c.uses[b-firstLocal] == 0 {
				p.release(old)
			}
		}
		c.small[slot] = smallAbsent
	default:
		at, _ := slices.BinarySearch(c.fewAt, slot)
		c.fewAt, c.few = slices.Delete(c.fewAt, at, at+1), slices.Delete(c.few, at, at+1)
		p.release(old)
	}
	if c.cells == 0 {
		*c = column{} // whatever was here: start small again
	}
}

// grown is s with room for slot, no more than the shard will need soon.
func grown[T any](s []T, slot, total int) []T {
	if slot < len(s) {
		return s
	}
	if slot >= cap(s) {
		s = append(make([]T, 0, max(total, slot+1)*17/16+16), s...)
	}
	return s[:slot+1]
}

// widen turns pairs into a small column.
func (c *column) widen(p *pool, total int) {
	at, few := c.fewAt, c.few
	c.fewAt, c.few = nil, nil
	c.small, c.hints = make([]uint8, 0, total+16), &hints{}
	for i, slot := range at {
		c.place(p, slot, cell{code: few[i]}, total)
		p.release(few[i])
	}
}

// outgrow makes room in a small column whose dictionary is full: numbers go
// out of it, or the column becomes wide.
func (c *column) outgrow(p *pool, total int) {
	numbers := 0
	for _, known := range c.dict {
		if _, ok := numberOf(p, known); ok {
			numbers++
		}
	}
	old := *c
	if c.nums == nil && numbers > maxLocal/2 {
		c.nums = make([]uint64, 0, total+16)
		c.dict, c.uses = nil, nil
		c.small, c.hints = make([]uint8, 0, total+16), &hints{}
	} else {
		c.small, c.dict, c.uses, c.nums, c.hints = nil, nil, nil, nil, nil
		c.wide = make([]code, 0, total+16)
	}
	for slot, b := range old.small {
		if b == smallAbsent {
			continue
		}
		v := old.local(b, slot)
		if c.nums != nil {
			v = c.inline(p, v)
		} else {
			v = outline(p, v)
		}
		c.place(p, uint32(slot), v, total)
	}
	for i, known := range old.dict {
		if old.uses[i] > 0 {
			p.release(known)
		}
	}
}

// inline takes a number out of the pool, outline puts it in.
func (c *column) inline(p *pool, v cell) cell {
	if n, ok := numberOf(p, v.code); ok {
		return n
	}
	return v
}

func outline(p *pool, v cell) cell {
	var space [16]byte
	switch v.code {
	case intHere:
		v.code = p.intern(scalar, appendValue(space[:0], int64(v.bits), nil))
	case floatHere:
		v.code = p.intern(scalar, appendValue(space[:0], math.Float64frombits(v.bits), nil))
	default: // it is there
	}
	return v
}

// numberOf returns an int64 or float64 of the pool as a column holds it.
func numberOf(p *pool, c code) (cell, bool) {
	if c.kind() != scalar {
		return cell{}, false
	}
	r := reader{b: p.bytes(c)}
	switch v := r.value().(type) {
	case int64:
		return cell{intHere, uint64(v)}, true
	case float64:
		return cell{floatHere, math.Float64bits(v)}, true
	}
	return cell{}, false
}
