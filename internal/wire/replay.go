package wire

import (
	"container/heap"
	"strings"
	"sync"
	"time"
)

// Requests are remembered until they expire. One sender can not use up the
// memory for all of them.
const (
	maxRequests       = 65_536
	maxRequestsOfOne  = 8_192
	tooManyRequests   = "too many requests are still valid, so a replayed one could not be told; try again later"
	tooManyOfOne      = "this sender has too many requests that are still valid; try again later"
	seenBeforeRequest = "this request was already received"
)

// requests remembers the requests that were opened, each until it expires.
type requests struct {
	mu    sync.Mutex
	until map[requestKey]struct{}
	count map[string]int // by sender
	queue expiries
}

type requestKey struct{ sender, id string }

type expiry struct {
	key requestKey
	at  time.Time
}

// admit remembers a request, or says why it must not be answered.
func (r *requests) admit(sender, id string, now, until time.Time) (refused string) {
	key := requestKey{strings.ToLower(sender), id}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(now)
	switch _, seen := r.until[key]; {
	case seen:
		return seenBeforeRequest
	case len(r.until) >= maxRequests:
		return tooManyRequests
	case r.count[key.sender] >= maxRequestsOfOne:
		return tooManyOfOne
	}
	if r.until == nil {
		r.until, r.count = make(map[requestKey]struct{}), make(map[string]int)
	}
	r.until[key] = struct{}{}
	r.count[key.sender]++
	heap.Push(&r.queue, expiry{key, until})
	return ""
}

// forget drops what has expired, and so would be refused anyway.
func (r *requests) forget(now time.Time) {
	for len(r.queue) > 0 && now.After(r.queue[0].at) {
		gone := heap.Pop(&r.queue).(expiry)
		delete(r.until, gone.key)
		if r.count[gone.key.sender]--; r.count[gone.key.sender] == 0 {
			delete(r.count, gone.key.sender)
		}
	}
}

// expiries is a heap, the soonest first.
type expiries []expiry

func (e expiries) Len() int           { return len(e) }
func (e expiries) Less(i, j int) bool { return e[i].at.Before(e[j].at) }
func (e expiries) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *expiries) Push(x any)        { *e = append(*e, x.(expiry)) }
func (e *expiries) Pop() any {
	last := len(*e) - 1
	out := (*e)[last]
	*e = (*e)[:last]
	return out
}
