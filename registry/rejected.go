package registry

import (
	"maps"
	"sync"
	"time"
)

// keptRefusals is how many refusals can be listed.
const keptRefusals = 1000

// rejected remembers the last refusals, and counts all.
type rejected struct {
	mu     sync.Mutex
	ring   []Refusal
	next   int // where in ring the next one goes
	counts map[string]uint64
}

func (r *rejected) add(f Refusal, now time.Time) {
	f.At = now
	f.Identity, f.Detail, f.From = cut(f.Identity, MaxIdentity), cut(f.Detail, 512), cut(f.From, 256)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = map[string]uint64{}
	}
	r.counts[f.Reason]++
	if len(r.ring) < keptRefusals {
		r.ring = append(r.ring, f)
		return
	}
	r.ring[r.next] = f
	r.next = (r.next + 1) % keptRefusals
}

// list returns the refusals that are remembered, newest first.
func (r *rejected) list() []Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Refusal, 0, len(r.ring))
	for i := range r.ring {
		out = append(out, r.ring[(r.next+len(r.ring)-1-i)%len(r.ring)])
	}
	return out
}

func (r *rejected) byReason() map[string]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.counts)
}

// cut bounds what a stranger can make us remember.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
