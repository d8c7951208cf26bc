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
	steps   []query.Step // to where it is
}

func (d *differ) add(path string, old, next any, had, has bool) {
	c := Change{Path: path}
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

// changesOf lists what differs between two nodes, volatile facts apart, and
// counts what is too much.
func (v volatility) changesOf(old, next *Node) (changes []Change, more int) {
	d := &differ{}
	d.object("facts", old.Facts, next.Facts, v)
	facts := len(d.changes)
	d.object("trusted", old.Trusted, next.Trusted, nil)
	for _, part := range [][]Change{d.changes[:facts], d.changes[facts:]} {
		slices.SortFunc(part, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	}
	d.names("classes", old.Classes, next.Classes)
	d.names("agents", old.Agents, next.Agents)
	d.names("collectives", old.Collectives, next.Collectives)
	kept := min(len(d.changes), maxChanges)
	return slices.Clip(d.changes[:kept]), len(d.changes) - kept
}

// object compares two objects by their keys, in any order. Most are alike, and
// cost no more than the looking. Lists count as one value.
func (d *differ) object(field string, old, next map[string]any, v volatility) {
	for k, b := range next {
		a, had := old[k]
		d.entry(field, k, a, b, had, true, v)
	}
	for k, a := range old {
		if _, has := next[k]; !has {
			d.entry(field, k, a, nil, true, false, v)
		}
	}
}

// entry compares what is under one key.
func (d *differ) entry(field, k string, a, b any, had, has bool, v volatility) {
	var below volatility
	if len(v) > 0 {
		var whole bool
		if below, whole = v.under(k); whole {
			return
		}
	}
	x, isX := a.(map[string]any)
	y, isY := b.(map[string]any)
	inside := (isX && isY || isX && !has || isY && !had) && len(x)+len(y) > 0
	if !inside && had == has && sameValue(a, b) {
		return
	}
	d.steps = append(d.steps, query.Step{Kind: "name", Key: k, Pos: -1})
	if inside {
		d.object(field, x, y, below)
	} else {
		d.add(pathText(field, d.steps), a, b, had, has)
	}
	d.steps = d.steps[:len(d.steps)-1]
}

func (d *differ) names(field string, old, next []string) {
	for _, name := range old {
		if _, found := slices.BinarySearch(next, name); !found {
			d.add(field, name, nil, true, false)
		}
	}
	for _, name := range next {
		if _, found := slices.BinarySearch(old, name); !found {
			d.add(field, nil, name, false, true)
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

func sameValue(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, sameValue)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, sameValue)
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	}
	switch b.(type) {
	case map[string]any, []any:
		return false // they can not be compared with ==
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
	if r.shared != nil {
		e.Changes = r.redact.changes(e.Changes) // another registry may have other rules
	}
	if was, is := r.conf.Lifecycle.state(old.Head(), h), r.conf.Lifecycle.state(next.Head(), h); was != is {
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
