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
	Deactivated State = "deactivated" // by an operator, or silent since it got another name
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

// Rule says when a silent node changes state. The zero value is the rule that
// holds unless an operator changes it. Silence counts only while the registry
// could hear, see [Registry.Hearing].
type Rule struct {
	Interval       time.Duration // of nodes that did not tell theirs, until it is learnt; 0: 1 hour
	StaleIntervals int           // stale after so many intervals without a word; 0: 3
	ExpireAfter    time.Duration // expired after so long without a word; 0: 7 days
	PurgeAfter     time.Duration // forgotten after so long without a word; 0: 14 days; negative: never
}

// Lifecycle says when silent nodes change state, and what holds that up.
type Lifecycle struct {
	Rule

	// Collectives are rules for the nodes in some of them; what is zero there is
	// as in Rule. Of several rules for one node the most patient counts.
	Collectives map[string]Rule

	// FreezeShare is the share of the fleet, from 0 to 1, that must be about to
	// change state at the same time for the registry to take it for its own
	// deafness: all states freeze until enough nodes are heard again, or an
	// operator calls [Registry.Thaw]. 0: 0.2; negative: never. Below 10 nodes it
	// never is.
	FreezeShare float64

	// PurgeShare is the share of the fleet that may be forgotten within 24
	// hours; one node always may. 0: 0.1.
	PurgeShare float64
}

// complete puts in what the zero values stand for.
func (l Lifecycle) complete() Lifecycle {
	l.Rule = l.over(Rule{Interval: time.Hour, StaleIntervals: 3, ExpireAfter: 7 * 24 * time.Hour, PurgeAfter: 14 * 24 * time.Hour})
	l.FreezeShare = orDefault(l.FreezeShare, 0.2)
	l.PurgeShare = orDefault(l.PurgeShare, 0.1)
	return l
}

// over returns r with what is zero in it taken from another.
func (r Rule) over(other Rule) Rule {
	return Rule{
		Interval:       orDefault(r.Interval, other.Interval),
		StaleIntervals: orDefault(r.StaleIntervals, other.StaleIntervals),
		ExpireAfter:    orDefault(r.ExpireAfter, other.ExpireAfter),
		PurgeAfter:     orDefault(r.PurgeAfter, other.PurgeAfter),
	}
}

// rule is the one for a node in some collectives.
func (l *Lifecycle) rule(collectives []string) Rule {
	if len(l.Collectives) == 0 {
		return l.Rule
	}
	found, rule := false, Rule{}
	for _, c := range collectives {
		own, ok := l.Collectives[c]
		if !ok {
			continue
		}
		own = own.over(l.Rule)
		if !found {
			found, rule = true, own
			continue
		}
		rule = Rule{
			Interval:       max(rule.Interval, own.Interval),
			StaleIntervals: max(rule.StaleIntervals, own.StaleIntervals),
			ExpireAfter:    max(rule.ExpireAfter, own.ExpireAfter),
			PurgeAfter:     longer(rule.PurgeAfter, own.PurgeAfter),
		}
	}
	if !found {
		return l.Rule
	}
	return rule
}

// longer is the longer of two times of which a negative one never ends.
func longer(a, b time.Duration) time.Duration {
	if a < 0 || b < 0 {
		return -1
	}
	return max(a, b)
}

// state is the one place where what is known of a node becomes a state. A node
// that has never been heard of is expired.
func (l *Lifecycle) state(n *Head, h *heard) State {
	switch {
	case n.Deactivated != nil:
		return Deactivated
	case n.LastSeen.IsZero():
		return Expired
	}
	rule := l.rule(n.Collectives)
	state := rule.stateAt(h.age(n.LastSeen), n.interval(rule))
	if state != Active && n.RenamedTo != "" {
		return Deactivated
	}
	return state
}

// stateAt is what an age is called.
func (r Rule) stateAt(age, interval time.Duration) State {
	switch {
	case age >= r.ExpireAfter:
		return Expired
	case age >= r.staleAfter(interval):
		return Stale
	}
	return Active
}

func (r Rule) staleAfter(interval time.Duration) time.Duration {
	return time.Duration(r.StaleIntervals) * interval
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
