package bus

import "sync"

// bounded is a queue with a limit in bytes. Adding never waits; the reader
// takes all there is at once.
type bounded[T interface{ size() int }] struct {
	limit int
	wake  chan struct{} // holds one token when there is something new

	mu     sync.Mutex
	items  []T
	bytes  int  // of items, and of those taken and not yet done
	ending bool // nothing more is added
}

func newBounded[T interface{ size() int }](limit int) *bounded[T] {
	return &bounded[T]{limit: limit, wake: make(chan struct{}, 1)}
}

// add reports whether there was room. What is added after the end is dropped.
func (q *bounded[T]) add(item T) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ending {
		return true
	}
	size := item.size()
	if q.bytes+size > q.limit {
		return false
	}
	q.bytes += size
	q.items = append(q.items, item)
	q.signal()
	return true
}

// end says that there will be nothing more than these last ones.
func (q *bounded[T]) end(last ...T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.ending {
		q.items = append(q.items, last...)
		q.ending = true
	}
	q.signal()
}

func (q *bounded[T]) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take returns everything queued, in exchange for a slice to fill next.
func (q *bounded[T]) take(spare []T) (items []T, ended bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	items, q.items = q.items, spare[:0]
	return items, q.ending
}

// finished gives back the room of one that was taken.
func (q *bounded[T]) finished(item T) {
	q.mu.Lock()
	q.bytes -= item.size()
	q.mu.Unlock()
}
