package registry

import (
	"math"
	"slices"
)

// inStates tells which nodes are in some states at a moment: of most, which are
// active or stale, by when they were heard alone, without their heads, which lie
// all over the memory. nil is all states.
type inStates struct {
	states []State
	rules  *Lifecycle
	at     *heard
	after  uint32 // in seconds since 1970: who was heard after this is among them
}

// want returns the test for some states.
func (l *Lifecycle) want(states []State, h *heard) *inStates {
	w := &inStates{states: states, rules: l, at: h, after: math.MaxUint32}
	if !slices.Contains(states, Active) || !slices.Contains(states, Stale) {
		return w
	}
	patience := l.ExpireAfter
	for _, own := range l.Collectives {
		patience = min(patience, own.over(l.Rule).ExpireAfter)
	}
	// Deafness makes nodes younger than that, never older.
	w.after = seconds(h.at.Add(-patience).Unix())
	return w
}

func seconds(unix int64) uint32 { return uint32(min(max(unix, 0), math.MaxUint32)) }

// heardAt is when a node was heard, in whole seconds since 1970; 0 where its
// state depends on more than its age.
func (h *Head) heardAt() uint32 {
	if h.Deactivated != nil || h.RenamedTo != "" || h.LastSeen.IsZero() {
		return 0
	}
	return seconds(h.LastSeen.Unix())
}

func (w *inStates) row(n row) bool { return w == nil || n.heard > w.after || w.head(n.head) }

func (w *inStates) head(n *Head) bool {
	return w == nil || slices.Contains(w.states, w.rules.state(n, w.at))
}
