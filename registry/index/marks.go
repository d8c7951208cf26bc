package index

// mark is two bits of 64, by the hash of a text.
func mark(text []byte) uint64 {
	hash := uint32(2166136261)
	for _, b := range text {
		hash = (hash ^ uint32(b)) * 16777619
	}
	hash ^= hash >> 15
	hash *= 0x2c1b3c6d // so that texts that differ at the end differ in the bits that count
	return 1<<(hash>>26) | 1<<(hash>>20&63)
}

// marksOf joins the marks of all texts in a list that appendValue has written.
// A list without the mark of a text does not hold it.
func marksOf(b []byte) (marks uint64) {
	r := reader{b: b}
	r.walk(func(text string) { marks |= mark([]byte(text)) }, func(int) {})
	return marks
}
