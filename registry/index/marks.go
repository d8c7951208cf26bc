package index

import "encoding/binary"

// mark is two bits of 64, by the hash of a text.
func mark(text []byte) uint64 {
	hash := uint32(2166136261)
	for _, b := range text {
		hash = (hash ^ uint32(b)) * 16777619
	}
	return 1<<(hash>>26) | 1<<(hash>>20&63)
}

// marksOf joins the marks of all texts in a list that appendValue has written.
// A list without the mark of a text does not hold it.
func marksOf(b []byte) (marks uint64) {
	r := reader{b: b}
	r.marks(&marks)
	return marks
}

func (r *reader) marks(marks *uint64) {
	tag := r.b[0]
	r.b = r.b[1:]
	switch tag {
	case 's':
		*marks |= mark([]byte(r.text()))
	case 'n':
		r.text()
	case 'i':
		r.varint()
	case 'f':
		r.b = r.b[8:]
	case 't':
		r.varint()
		r.varint()
	case 'l', 'L':
		for range r.uvarint() {
			r.marks(marks)
		}
	case 'm':
		for range r.uvarint() {
			if id, size := binary.Uvarint(r.b); id > 0 {
				r.b = r.b[size:]
			} else {
				r.b = r.b[size:]
				r.text()
			}
			r.marks(marks)
		}
	}
}
