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
	of    map[keptKey]*slots
	order [maxKept]keptKey // in which they came, around from next
	next  int
}

type keptKey struct {
	column *column
	code   code
}

// maxKept is how many sets are kept, of one bit a slot each.
const maxKept = 64

// find returns the slots of a column that hold a code, as find says unless that
// is known. They are not to be changed.
func (k *kept) find(c *column, want code, find func() slots) slots {
	key := keptKey{c, want}
	k.mu.Lock()
	known := k.of[key]
	k.mu.Unlock()
	if known != nil {
		return *known
	}
	found := find()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.of == nil {
		k.of = map[keptKey]*slots{}
	}
	if k.of[key] == nil {
		delete(k.of, k.order[k.next])
		k.order[k.next], k.next = key, (k.next+1)%maxKept
		k.of[key] = &found
	}
	return found
}

// came notes that a slot of a column holds a code.
func (k *kept) came(c *column, slot uint32, now code) {
	if len(k.of) == 0 {
		return
	}
	if known := k.of[keptKey{c, now}]; known != nil {
		*known = known.with(slot)
	}
}

// went notes that a slot of a column holds a code no more.
func (k *kept) went(c *column, slot uint32, old code) {
	if len(k.of) == 0 {
		return
	}
	if known := k.of[keptKey{c, old}]; known != nil {
		known.drop(slot)
	}
}
