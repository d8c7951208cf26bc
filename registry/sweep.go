package registry

import (
	"context"
	"math"
	"slices"
	"time"
)

// sweep lets the nodes grow older, unless too many would change state at once.
func (r *Registry) sweep() {
	r.life.mu.Lock()
	defer r.life.mu.Unlock()
	r.sweepLocked(r.conf.Now())
}

func (r *Registry) sweepLocked(now time.Time) {
	l := &r.life
	l.swept.Store(now.UnixNano())
	if l.deaf {
		return
	}
	old := l.now.Load()
	c := r.census(old, old.until(now))
	l.counts.overdue, l.counts.collisions = c.overdue, c.collisions
	share := r.conf.Lifecycle.FreezeShare
	switch {
	case l.frozen && c.mass(share/2):
		return
	case l.frozen:
		l.frozen = false
		l.now.Store(old.deafTo(now))
		r.conf.Log.Info("enough nodes are heard again: states change again", "frozen", now.Sub(old.at))
		return
	case !c.mass(share):
		l.accepted = false
	case !l.accepted:
		l.frozen = true
		l.now.Store(old.stopped(isFrozen))
		r.conf.Log.Error("too many nodes fell silent at once: their states are frozen until they are heard again, or an operator says that they are gone",
			"silent", c.overdue, "live", c.live)
		return
	}
	l.now.Store(old.until(now))
	l.counts.states = c.states
	l.moved = append(l.moved, c.moved...)
}

// census is what a look at all nodes finds.
type census struct {
	states  map[State]int // at the later moment
	live    int           // nodes that were active or stale at the earlier moment
	active  int           // of these, the active ones
	late    int           // of the active, those that will be stale within an interval
	leaving int           // of the live, those that will be expired within an hour
	overdue int           // late or leaving

	collisions int
	moved      []Event // nodes whose state differs
}

// mass reports whether a share of the fleet is about to change state at once.
func (c *census) mass(share float64) bool {
	return share > 0 && (c.late >= minMass && float64(c.late) > share*float64(c.active) ||
		c.leaving >= minMass && float64(c.leaving) > share*float64(c.live))
}

// census compares what the nodes are by one clock and by a later one.
func (r *Registry) census(old, next *heard) census {
	c := census{states: map[State]int{}}
	for _, n := range r.table.all() {
		is := r.conf.Lifecycle.state(n, next)
		c.states[is]++
		if n.Collides() {
			c.collisions++
		}
		was := r.conf.Lifecycle.state(n, old)
		if was != is {
			c.moved = append(c.moved, Event{Identity: n.Identity, Kind: EventChanged, Changes: []Change{stateChange(was, is)}, At: next.at})
		}
		if was != Active && was != Stale || n.onlyImported() {
			continue
		}
		rule := r.conf.Lifecycle.rule(n.Collectives)
		interval, age := n.interval(rule), next.age(n.LastSeen)
		late := was == Active && age >= rule.staleAfter(interval)-interval
		leaving := age >= rule.ExpireAfter-time.Hour
		c.live++
		if was == Active {
			c.active++
		}
		if late {
			c.late++
		}
		if leaving {
			c.leaving++
		}
		if late || leaving {
			c.overdue++
		}
	}
	return c
}

// onlyImported reports whether nothing but imports speaks of a node: then its
// silence says nothing about who can be heard.
func (n *Head) onlyImported() bool {
	for _, p := range n.parts {
		if p.source.speaks() && p.source != Import {
			return false
		}
	}
	return true
}

// tellMoved records the changes of state that sweeps have found.
func (r *Registry) tellMoved(ctx context.Context) {
	const group = 1000
	r.life.mu.Lock()
	moved := r.life.moved
	r.life.moved = nil
	r.life.mu.Unlock()
	for some := range slices.Chunk(r.untold(ctx, moved), group) {
		if err := r.record(ctx, some, func() {}); err != nil {
			r.conf.Log.Warn("could not record changes of state", "nodes", len(some), "error", err)
		}
	}
}

// purge forgets nodes that were silent for too long, the longest first, and
// never more than a share of the fleet within 24 hours.
func (r *Registry) purge(ctx context.Context) {
	now := r.conf.Now()
	r.life.mu.Lock()
	standing, h := r.life.deaf || r.life.frozen, r.life.now.Load()
	if now.Sub(r.life.counts.window) >= 24*time.Hour {
		r.life.counts.spent = 0
	}
	left := -r.life.counts.spent
	r.life.mu.Unlock()
	if standing {
		return
	}
	all := r.table.all()
	left += max(1, int(math.Ceil(r.conf.Lifecycle.PurgeShare*float64(len(all)))))
	due := slices.DeleteFunc(all, func(n *Head) bool { return !r.purgeable(n, h) })
	slices.SortStableFunc(due, func(a, b *Head) int { return a.LastSeen.Compare(b.LastSeen) })
	gone := 0
	for _, n := range due[:min(len(due), max(0, left))] {
		if r.forget(ctx, n.Identity, h) {
			gone++
		}
	}
	r.life.mu.Lock()
	defer r.life.mu.Unlock()
	if r.life.counts.spent == 0 {
		r.life.counts.window = now
	}
	r.life.counts.spent += gone
	r.life.counts.purged += uint64(gone)
	r.life.counts.held = len(due) - gone
}

func (r *Registry) purgeable(n *Head, h *heard) bool {
	after := r.conf.Lifecycle.rule(n.Collectives).PurgeAfter
	return after > 0 && h.age(latest(n.LastSeen, n.FirstSeen)) >= after
}

// forget deletes one node, unless it was heard of in the meantime.
func (r *Registry) forget(ctx context.Context, id Identity, h *heard) bool {
	lock := r.lockOf(id)
	lock.Lock()
	defer lock.Unlock()
	n := r.table.head(id.Key())
	if n == nil || !r.purgeable(n, h) {
		return false
	}
	if err := r.remove(ctx, n); err != nil {
		r.conf.Log.Warn("could not forget a node that was silent for long", "node", id, "error", err)
		return false
	}
	r.machines.forget(n.node())
	r.restless.forget(id.Key())
	r.conf.Log.Info("forgot a node that was silent for long", "node", id, "lastseen", n.LastSeen)
	return true
}

// remove deletes a node from the store and from what readers see.
func (r *Registry) remove(ctx context.Context, n *Head) error {
	if r.shared != nil {
		return r.forgetShared(ctx, n)
	}
	if err := r.store.Delete(ctx, n.Identity); err != nil {
		return err
	}
	key := n.Identity.Key()
	if err := r.record(ctx, []Event{{Identity: n.Identity, Kind: EventGone}}, func() { r.table.remove(key) }); err != nil {
		r.table.remove(key)
		r.conf.Log.Warn("could not record that a node was forgotten", "node", n.Identity, "error", err)
	}
	return nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
