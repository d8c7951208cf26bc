package registry

import (
	"fmt"
	"time"
)

// State is a node's state by its age.
type State string

// The states there are.
const (
	Active      State = "active"      // heard within three of its own intervals
	Stale       State = "stale"       // late
	Expired     State = "expired"     // silent for a week
	Deactivated State = "deactivated" // by an operator
)

// ParseStates reads the value of --state: one of the states, "live" (active
// and stale) or "any". Empty means live.
func ParseStates(s string) ([]State, error) {
	switch s {
	case "", "live":
		return []State{Active, Stale}, nil
	case "any":
		return []State{Active, Stale, Expired, Deactivated}, nil
	case string(Active), string(Stale), string(Expired), string(Deactivated):
		return []State{State(s)}, nil
	}
	return nil, fmt.Errorf("no state %s; want active, stale, expired, deactivated, live or any", quoted(s))
}

// Lifecycle says when a silent node changes state. Its zero value is the rule
// that readers get unless an operator changes it.
type Lifecycle struct {
	Interval       time.Duration // of nodes that did not tell theirs; 0: 1 hour
	StaleIntervals int           // stale after so many intervals without a word; 0: 3
	ExpireAfter    time.Duration // expired after so long without a word; 0: 7 days
}

// State returns the state of a node at a moment. A node that has never been
// heard of is expired.
func (l Lifecycle) State(n *Node, now time.Time) State {
	if n.LastSeen.IsZero() {
		return Expired
	}
	return l.stateAt(now.Sub(n.LastSeen), n.Interval)
}

// stateAt is the one place where an age becomes a state.
func (l Lifecycle) stateAt(age, interval time.Duration) State {
	switch {
	case age >= orDefault(l.ExpireAfter, 7*24*time.Hour):
		return Expired
	case age >= time.Duration(orDefault(l.StaleIntervals, 3))*l.interval(interval):
		return Stale
	}
	return Active
}

// interval is the time between a node's registrations, as told or assumed.
func (l Lifecycle) interval(told time.Duration) time.Duration {
	return orDefault(told, orDefault(l.Interval, time.Hour))
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
