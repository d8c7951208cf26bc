package api

import "sync"

// flights counts the requests that each principal has under way.
type flights struct {
	most int

	mu     sync.Mutex
	counts map[string]int
}

func newFlights(most int) *flights { return &flights{most: most, counts: map[string]int{}} }

// take reports whether the principal may have one more; each that was taken
// must be given back.
func (f *flights) take(who string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts[who] >= f.most {
		return false
	}
	f.counts[who]++
	return true
}

func (f *flights) give(who string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts[who]--; f.counts[who] == 0 {
		delete(f.counts, who)
	}
}
