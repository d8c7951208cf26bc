package registry

import (
	"context"
	"slices"
	"time"
)

// leadSpan is how long a registry leads without being confirmed.
func (r *Registry) leadSpan() time.Duration { return 3 * r.conf.TouchEvery }

// leads reports whether this registry does what must be done once: record the
// changes of state, forget nodes and old events. Of registries that share a
// store it is one of those that hear.
func (r *Registry) leads(ctx context.Context) bool {
	if r.shared == nil {
		return true
	}
	if r.direct.is() {
		return false
	}
	r.life.mu.Lock()
	standing := r.life.deaf || r.life.frozen
	r.life.mu.Unlock()
	if standing {
		return false
	}
	now := r.conf.Now()
	leads, err := r.shared.Lead(ctx, now, r.leadSpan())
	if err != nil {
		r.conf.Log.Warn("could not settle with the other registries who looks after all", "error", err)
	}
	if !leads {
		r.holdMoved(now)
	}
	return leads
}

// holdMoved keeps changes of state for as long as the one who leads may have
// died before it recorded them.
func (r *Registry) holdMoved(now time.Time) {
	r.life.mu.Lock()
	defer r.life.mu.Unlock()
	r.life.moved = slices.DeleteFunc(r.life.moved, func(e Event) bool { return now.Sub(e.At) > 2*r.leadSpan() })
}

// untold are changes of state that no other registry has recorded.
func (r *Registry) untold(ctx context.Context, moved []Event) []Event {
	if r.shared == nil || len(moved) == 0 {
		return moved
	}
	told := map[string]bool{}
	since := eventID(r.conf.Now().Add(-3 * r.leadSpan()))
	err := r.shared.Events(ctx, EventRange{After: since}, func(e Event) error {
		for _, c := range e.Changes {
			if c.Path == "state" {
				told[e.Identity.Key()] = true
			}
		}
		return nil
	})
	if err != nil {
		r.conf.Log.Warn("could not see which changes of state are recorded", "error", err)
	}
	return slices.DeleteFunc(moved, func(e Event) bool { return told[e.Identity.Key()] })
}
