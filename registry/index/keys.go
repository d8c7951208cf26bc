package index

// keys numbers the keys of maps inside of lists, which repeat. A key has its
// number for as long as a list in the pool has the key, so that equal lists
// are written alike.
type keys struct {
	ids   map[string]uint32
	names []string // by id
	refs  []uint32 // by id: places in lists of the pool
	spare []uint32 // ids to use again
	maps  bool     // appendValue has seen a map
}

// id returns the number of a key. A new one is kept if a list that has it is
// interned next.
func (k *keys) id(name string) uint32 {
	if id, ok := k.ids[name]; ok {
		return id
	}
	if k.ids == nil {
		k.ids = map[string]uint32{}
	}
	var id uint32
	name = string([]byte(name)) // not the document's, of which it may be a part
	if last := len(k.spare) - 1; last >= 0 {
		id, k.spare = k.spare[last], k.spare[:last]
		k.names[id] = name
	} else {
		id = uint32(len(k.names))
		k.names, k.refs = append(k.names, name), append(k.refs, 0)
	}
	k.ids[name] = id
	return id
}

// retain counts the keys in a value that comes into the pool.
func (k *keys) retain(c kind, b []byte) {
	if hasMaps(c, b) {
		r := reader{b: b}
		r.walk(func(string) {}, func(id int) { k.refs[id]++ })
	}
}

// release gives up the keys in a value that goes from the pool.
func (k *keys) release(c kind, b []byte) {
	if hasMaps(c, b) {
		r := reader{b: b}
		r.walk(func(string) {}, k.drop)
	}
}

func (k *keys) drop(id int) {
	if k.refs[id]--; k.refs[id] == 0 {
		delete(k.ids, k.names[id])
		k.names[id] = ""
		k.spare = append(k.spare, uint32(id))
	}
}

// hasMaps reports whether a value of the pool is a list with maps in it.
func hasMaps(k kind, b []byte) bool { return k == list && b[0] == 'L' }
