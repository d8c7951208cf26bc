package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"muster/query"
)

// EventKind is what happened to a node.
type EventKind string

// The kinds there are.
const (
	EventNew     EventKind = "new"     // it was heard of for the first time
	EventChanged EventKind = "changed" // what is known of it changed, or its state did
	EventGone    EventKind = "gone"    // it was silent for so long that it was forgotten
)

// Event is what happened to one node at once.
type Event struct {
	ID       uint64    `json:"id"` // later events have larger ones
	At       time.Time `json:"at"` // by the registry's clock
	Identity Identity  `json:"identity"`
	Kind     EventKind `json:"kind"`
	Changes  []Change  `json:"changes,omitempty"`
	More     int       `json:"more,omitempty"` // changes that were too many to be kept
}

// Change is one value that changed. Values are JSON, a nil one is not there;
// one that is too long to be kept is a text that says so.
type Change struct {
	Path string          `json:"path"` // as queries write it: os.release, trusted.role, classes, agents, collectives, state
	Old  json.RawMessage `json:"old,omitempty"`
	New  json.RawMessage `json:"new,omitempty"`
}

// Limits of what an event keeps.
const (
	maxChanges = 500     // changes of one event
	maxDaily   = 5000    // changes of one node within 24 hours
	maxValue   = 4 << 10 // bytes of a value
)

// differ collects the changes from one node to another.
type differ struct {
	changes []Change
	more    int
}

func (d *differ) add(path func() string, old, next any, had, has bool) {
	if len(d.changes) == maxChanges {
		d.more++
		return
	}
	c := Change{Path: path()}
	if had {
		c.Old = keptValue(old)
	}
	if has {
		c.New = keptValue(next)
	}
	d.changes = append(d.changes, c)
}

func keptValue(v any) json.RawMessage {
	text := appendValue(nil, v)
	if len(text) > maxValue {
		text = appendString(nil, fmt.Sprintf("%s… (%d bytes)", bytes.ToValidUTF8(text[:60], nil), len(text)))
	}
	return text
}

// changesOf lists what differs between two nodes, volatile facts apart.
func (v volatility) changesOf(old, next *Node) ([]Change, int) {
	d := &differ{}
	d.object("facts", nil, old.Facts, next.Facts, v)
	d.object("trusted", nil, old.Trusted, next.Trusted, nil)
	d.names("classes", old.Classes, next.Classes)
	d.names("agents", old.Agents, next.Agents)
	d.names("collectives", old.Collectives, next.Collectives)
	return d.changes, d.more
}

// object compares two objects by their keys. Lists count as one value.
func (d *differ) object(field string, steps []query.Step, old, next map[string]any, v volatility) {
	if len(old) == 0 && len(next) == 0 {
		return
	}
	keys := slices.AppendSeq(make([]string, 0, len(old)+4), maps.Keys(old))
	for k := range next {
		if _, ok := old[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		below, whole := v.under(k)
		if whole {
			continue
		}
		a, had := old[k]
		b, has := next[k]
		inner := append(slices.Clip(steps), query.Step{Kind: "name", Key: k, Pos: -1})
		x, isX := a.(map[string]any)
		y, isY := b.(map[string]any)
		if isX && isY || isX && !has || isY && !had {
			if len(x)+len(y) > 0 {
				d.object(field, inner, x, y, below)
				continue
			}
		}
		if had != has || !sameValue(a, b) {
			d.add(func() string { return pathText(field, inner) }, a, b, had, has)
		}
	}
}

// pathText is a path as a query writes it.
func pathText(field string, steps []query.Step) string {
	keys := make([]string, len(steps))
	for i, s := range steps {
		keys[i] = s.Key
	}
	p := query.Path{Field: field, Steps: steps}
	if !slices.ContainsFunc(keys, func(k string) bool { return strings.Contains(k, ".") }) {
		p.Flat = strings.Join(keys, ".") // the usual case needs no quotes
	}
	return p.String()
}

func (d *differ) names(field string, old, next []string) {
	path := func() string { return field }
	for _, name := range old {
		if _, found := slices.BinarySearch(next, name); !found {
			d.add(path, name, nil, true, false)
		}
	}
	for _, name := range next {
		if _, found := slices.BinarySearch(old, name); !found {
			d.add(path, nil, name, false, true)
		}
	}
}

func sameValue(a, b any) bool {
	switch a := a.(type) {
	case map[string]any, []any:
		return bytes.Equal(appendValue(nil, a), appendValue(nil, b))
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	}
	switch b.(type) {
	case map[string]any, []any:
		return false
	}
	return a == b
}

// eventOf is what happened when a node came in place of an old one. It is
// nothing if there is nothing to say.
func (r *Registry) eventOf(old, next *Node, h *heard) (Event, bool) {
	e := Event{Identity: next.Identity, Kind: EventChanged}
	if len(old.Sections) == 0 {
		e.Kind = EventNew
		return e, true
	}
	e.Changes, e.More = r.volatile.changesOf(old, next)
	if was, is := r.conf.Lifecycle.state(old, h), r.conf.Lifecycle.state(next, h); was != is {
		e.Changes = append(e.Changes, stateChange(was, is))
	}
	return e, len(e.Changes)+e.More > 0
}

func stateChange(was, is State) Change {
	return Change{Path: "state", Old: appendString(nil, string(was)), New: appendString(nil, string(is))}
}

// spending counts the changes of nodes, so that one that never rests can not
// push everybody else out of the history.
type spending struct {
	since  time.Time
	counts map[string]int // by identity
}

// within cuts an event to what its node may still spend.
func (s *spending) within(e Event, now time.Time) Event {
	if now.Sub(s.since) >= 24*time.Hour || s.counts == nil {
		s.since, s.counts = now, map[string]int{}
	}
	key := e.Identity.Key()
	left := max(0, maxDaily-s.counts[key])
	if len(e.Changes) > left {
		e.More += len(e.Changes) - left
		e.Changes = e.Changes[:left]
	}
	s.counts[key] += len(e.Changes)
	return e
}
