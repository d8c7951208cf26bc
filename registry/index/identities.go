package index

// identities holds the name of each slot's node, in one piece of memory so
// that all can be searched quickly.
type identities struct {
	text    []byte
	start   []uint32 // by slot
	length  []uint16
	dead    int // bytes of text that are no slot's
	foreign int // names that hold more than ASCII
}

// maxIdentity is the length of the longest identity; what is longer is cut.
const maxIdentity = 1<<16 - 1

func (t *identities) at(slot uint32) string {
	return view(t.text[t.start[slot]:][:t.length[slot]])
}

// put names slot, which is at most one beyond the last.
func (t *identities) put(slot uint32, name string) {
	name = name[:min(len(name), maxIdentity)]
	if int(slot) == len(t.start) {
		t.start, t.length = append(t.start, 0), append(t.length, 0)
	}
	if !ascii(t.at(slot)) {
		t.foreign--
	}
	if !ascii(name) {
		t.foreign++
	}
	t.dead += int(t.length[slot])
	t.start[slot], t.length[slot] = uint32(len(t.text)), uint16(len(name))
	t.text = append(t.text, name...)
	if t.dead > len(t.text)/2 && t.dead > 4096 {
		t.compact()
	}
}

func (t *identities) compact() {
	text := make([]byte, 0, len(t.text)-t.dead)
	for slot := range t.start {
		name := t.at(uint32(slot))
		t.start[slot] = uint32(len(text))
		text = append(text, name...)
	}
	t.text, t.dead = text, 0
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
