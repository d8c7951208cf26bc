package registry

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// minMass is how many nodes a mass change of state has at least.
const minMass = 10

// life is the lifecycle as it stands.
type life struct {
	now   atomic.Pointer[heard] // what readers count ages by, as of the last sweep
	swept atomic.Int64          // when sweep last ran, in nanoseconds since 1970

	mu       sync.Mutex
	deaf     bool // the registry can not hear: now stands still
	frozen   bool // now stands still because of a mass change of state
	accepted bool // by an operator: the mass change that is under way is true
	kept     time.Time
	moved    []Event // changes of state that are to be told
	counts   standing
}

// standing is what the last sweep found.
type standing struct {
	states     map[State]int
	collisions int
	overdue    int // nodes that are about to change state
	held       int // nodes that would be forgotten but for the brake
	purged     uint64
	window     time.Time // since when spent counts
	spent      int       // nodes forgotten since window
}

// Hearing tells the registry whether it can hear its nodes: whether it is
// connected to where they speak. While it is not, nobody grows older, and nor
// does anybody while the registry is not running. It hears from the start unless
// [Config.Deaf].
func (r *Registry) Hearing(can bool) {
	r.life.mu.Lock()
	defer r.life.mu.Unlock()
	if r.life.deaf == !can {
		return
	}
	now := r.conf.Now()
	if r.usable() != nil {
		r.life.deaf = !can // load takes it from there
		return
	}
	if can {
		r.life.deaf, r.life.frozen = false, false
		r.life.now.Store(r.life.now.Load().deafTo(now))
		r.conf.Log.Info("the registry hears its nodes again")
		return
	}
	r.sweepLocked(now)
	r.life.deaf = true
	r.life.now.Store(r.life.now.Load().stopped(isDeaf))
	r.conf.Log.Warn("the registry can not hear its nodes; nobody grows older until it can")
}

// Thaw says that the change of state for which the registry froze is true:
// these nodes are gone. It does nothing when it is not frozen.
func (r *Registry) Thaw() {
	r.life.mu.Lock()
	defer r.life.mu.Unlock()
	if r.life.frozen && r.usable() == nil {
		r.life.frozen, r.life.accepted = false, true
		r.sweepLocked(r.conf.Now())
	}
}

// begin starts the lifecycle over the nodes that were loaded, from what the
// store kept of the time before: the registry did not hear from then until now.
func (r *Registry) begin(ctx context.Context, nodes []*Head) error {
	now := r.conf.Now()
	h := &heard{at: now}
	for i, n := range nodes {
		if i == 0 || n.LastSeen.After(h.at) {
			h.at = n.LastSeen
		}
	}
	if h.at.IsZero() || h.at.After(now) {
		h.at = now
	}
	if keeper, ok := r.store.(Keeper); ok {
		text, err := keeper.Kept(ctx, hearingKey)
		if err != nil {
			return err
		}
		if text != nil {
			if h, err = parseHeard(text); err != nil {
				return err
			}
		}
	}
	if journal, ok := r.store.(Journal); ok {
		var err error
		if _, r.events.last, err = journal.EventBounds(ctx); err != nil {
			return err
		}
	}
	r.life.mu.Lock()
	defer r.life.mu.Unlock()
	if !r.life.deaf {
		h = h.deafTo(now)
	} else {
		h = h.stopped(isDeaf)
	}
	r.life.swept.Store(now.UnixNano())
	r.life.now.Store(h)
	r.life.counts.states = r.table.countStates(&r.conf.Lifecycle, h)
	return nil
}

// hearingKey is under which name a store keeps when the registry could hear.
const hearingKey = "hearing"

// keepHearing writes until when the registry heard to the store.
func (r *Registry) keepHearing(ctx context.Context) {
	keeper, ok := r.store.(Keeper)
	if !ok || r.usable() != nil {
		return
	}
	r.life.mu.Lock()
	defer r.life.mu.Unlock()
	h := r.life.now.Load()
	if h.at.Equal(r.life.kept) {
		return
	}
	text, err := h.marshal()
	if err == nil {
		err = r.written(keeper.Keep(ctx, hearingKey, text))
	}
	if err != nil {
		r.conf.Log.Warn("could not store until when nodes were heard", "error", err)
		return
	}
	r.life.kept = h.at
}

// clock returns what ages are counted by now. A mass change that no sweep has
// seen yet is not far: sweeps look an interval ahead.
func (r *Registry) clock() *heard {
	now := r.conf.Now()
	if since := now.UnixNano() - r.life.swept.Load(); since < 0 || since > 2*int64(r.conf.TouchEvery) {
		r.life.mu.Lock()
		defer r.life.mu.Unlock()
		if since := now.UnixNano() - r.life.swept.Load(); since < 0 || since > 2*int64(r.conf.TouchEvery) {
			r.sweepLocked(now)
		}
	}
	h := r.life.now.Load()
	if h.still != "" || !now.After(h.at) {
		return h
	}
	return h.until(now)
}

func (r *Registry) stateOf(n *Head) State { return r.conf.Lifecycle.state(n, r.clock()) }

func (r *Registry) lifeStats() LifeStats {
	r.events.mu.Lock()
	slow := r.events.dropped
	r.events.mu.Unlock()
	h := r.clock()
	r.life.mu.Lock()
	defer r.life.mu.Unlock()
	c := r.life.counts
	s := LifeStats{States: c.states, Collisions: c.collisions, Overdue: c.overdue, Purged: c.purged, PurgeHeld: c.held, Slow: slow}
	if r.life.deaf {
		s.DeafSince = h.at
	}
	if r.life.frozen {
		s.FrozenSince = h.at
	}
	return s
}
