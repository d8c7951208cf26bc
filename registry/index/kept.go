package index

import "sync"

// kept remembers which slots of a column hold a value that was asked for, so
// that whoever asks again need not look at each. Few are kept: the last ones.
// Writers keep them true, see column.set and column.clear.
//
// Readers use it at the same time; a writer is alone, as the lock of the shard
// says, and takes no other.
type kept struct {
	mu    sync.Mutex
	of    map[keptKey]*keptSlots
	clock int
}

type keptKey struct {
	column *column
	code   code
}

type keptSlots struct {
	slots slots
	asked int // what clock showed
}

// maxKept is how many sets are kept, of one bit a slot each.
const maxKept = 64

// find returns the slots of a column that hold a code, as find says unless that
// is known. They are not to be changed.
func (k *kept) find(c *column, want code, find func() slots) slots {
	key := keptKey{c, want}
	k.mu.Lock()
	k.clock++
	known := k.of[key]
	if known != nil {
		known.asked = k.clock
	}
	k.mu.Unlock()
	if known != nil {
		return known.slots
	}
	found := find()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.of == nil {
		k.of = map[keptKey]*keptSlots{}
	}
	if len(k.of) >= maxKept {
		k.evict()
	}
	k.of[key] = &keptSlots{found, k.clock}
	return found
}

// evict drops what was not asked for the longest.
func (k *kept) evict() {
	var oldest keptKey
	asked := k.clock + 1
	for key, known := range k.of {
		if known.asked < asked {
			oldest, asked = key, known.asked
		}
	}
	delete(k.of, oldest)
}

// came notes that a slot of a column holds a code.
func (k *kept) came(c *column, slot uint32, now code) {
	if len(k.of) == 0 {
		return
	}
	if known := k.of[keptKey{c, now}]; known != nil {
		known.slots = known.slots.with(slot)
	}
}

// went notes that a slot of a column holds a code no more.
func (k *kept) went(c *column, slot uint32, old code) {
	if len(k.of) == 0 {
		return
	}
	if known := k.of[keptKey{c, old}]; known != nil {
		known.slots.drop(slot)
	}
}
