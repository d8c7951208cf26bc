package bus

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// queue keeps messages until a subscription takes each, and again if that one
// goes away without acknowledging it. It stands behind /queue destinations,
// behind a reply-to, and behind a subscription that acknowledges.
type queue struct {
	limit  int     // bytes waiting
	budget *budget // for what waits, shared with other queues
	own    bool    // belongs to one subscription or connection and ends with it

	mu        sync.Mutex
	waiting   []waiting // no subscription with room wants any of them
	bytes     int
	consumers []*subscription
	next      int // whose turn it is
}

type waiting struct {
	message *message
	again   bool
}

// offer hands a message to a subscription or keeps it. It reports false when
// there is no room to keep it.
func (q *queue) offer(m *message, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.consumers {
		s := q.consumers[(q.next+i)%len(q.consumers)]
		if s.ack != ackAuto && len(q.waiting) > 0 {
			q.feed(s, now) // first come, first served
		}
		if s.room() && s.wants(m) {
			q.next = (q.next + i + 1) % len(q.consumers)
			s.hand(waiting{message: m})
			return true
		}
	}
	if q.full(m) {
		q.purge(now)
	}
	if q.full(m) {
		return false
	}
	q.keep(m.size)
	q.waiting = append(q.waiting, waiting{message: m})
	return true
}

func (q *queue) full(m *message) bool {
	return q.bytes+m.size > q.limit || q.budget.used.Load()+int64(m.size) > int64(q.budget.limit)
}

// keep counts bytes that wait from now on, or no longer.
func (q *queue) keep(bytes int) {
	q.bytes += bytes
	q.budget.used.Add(int64(bytes))
}

// budget bounds what may wait in several queues together.
type budget struct {
	limit int
	used  atomic.Int64
}

// purge drops what has expired. The caller holds mu.
func (q *queue) purge(now time.Time) {
	q.waiting = slices.DeleteFunc(q.waiting, func(w waiting) bool {
		if !w.message.expired(now) {
			return false
		}
		q.keep(-w.message.size)
		return true
	})
}

// idle reports whether nothing waits and nobody listens.
func (q *queue) idle(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.purge(now)
	return len(q.waiting) == 0 && len(q.consumers) == 0
}

func (q *queue) add(s *subscription, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.consumers = append(q.consumers, s)
	q.purge(now)
	q.feed(s, now)
}

// feed hands s all that waits for it, while it has room. The caller holds mu.
func (q *queue) feed(s *subscription, now time.Time) {
	if !s.room() {
		return
	}
	kept := q.waiting[:0]
	for i, w := range q.waiting {
		if !s.room() {
			kept = append(kept, q.waiting[i:]...)
			break
		}
		switch {
		case w.message.expired(now):
			q.keep(-w.message.size)
		case s.wants(w.message):
			q.keep(-w.message.size)
			s.hand(w)
		default:
			kept = append(kept, w)
		}
	}
	clear(q.waiting[len(kept):])
	q.waiting = kept
}

// remove takes s away; what it has not acknowledged waits again, in front.
func (q *queue) remove(s *subscription, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.consumers = slices.DeleteFunc(q.consumers, func(other *subscription) bool { return other == s })
	unacked := s.unacked
	s.unacked = nil
	for _, m := range unacked {
		s.peer.unacked.used.Add(-int64(m.size))
	}
	if q.own {
		q.keep(-q.bytes)
		q.waiting = nil
		return
	}
	q.back(unacked, now)
}

// back puts messages in front of the queue and offers them. The caller holds mu.
func (q *queue) back(messages []*message, now time.Time) {
	again := make([]waiting, 0, len(messages)+len(q.waiting))
	for _, m := range messages {
		again = append(again, waiting{message: m, again: true})
		q.keep(m.size)
	}
	q.waiting = append(again, q.waiting...)
	for _, s := range q.consumers {
		q.feed(s, now)
	}
}

// settle acknowledges (or, if not ok, gives back) a message that s was handed,
// and in client mode all before it. It reports whether s had it.
func (q *queue) settle(s *subscription, id uint64, ok bool, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	at := slices.IndexFunc(s.unacked, func(m *message) bool { return m.id == id })
	if at < 0 {
		return false
	}
	from := at
	if s.ack == ackClient {
		from = 0
	}
	settled := slices.Clone(s.unacked[from : at+1])
	s.unacked = slices.Delete(s.unacked, from, at+1)
	for _, m := range settled {
		s.peer.unacked.used.Add(-int64(m.size))
	}
	if ok {
		q.feed(s, now)
	} else {
		q.back(settled, now)
	}
	return true
}

// release hands s everything that waits for it, however much it already has:
// a broker that stops keeps nothing back.
func (q *queue) release(s *subscription, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s.all = true
	q.feed(s, now)
}
