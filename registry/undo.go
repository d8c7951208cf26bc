package registry

import (
	"encoding/json"
	"maps"
	"slices"

	"muster/query"
)

// undo makes of a document the one before some changes. It changes nothing
// that the document shares with others.
func undo(doc *query.Document, changes []Change) {
	for _, c := range slices.Backward(changes) {
		old, had := valueOf(c.Old)
		p := ParsePath(c.Path)
		switch p.Field {
		case "facts":
			doc.Facts = withValue(doc.Facts, p.Steps, old, had)
		case "trusted":
			doc.Trusted = withValue(doc.Trusted, p.Steps, old, had)
		case "state":
			doc.State, _ = old.(string)
		case "classes":
			doc.Classes = undoName(doc.Classes, c)
		case "agents":
			doc.Agents = undoName(doc.Agents, c)
		case "collectives":
			doc.Collectives = undoName(doc.Collectives, c)
		}
	}
}

// valueOf reads a value of a change.
func valueOf(text json.RawMessage) (any, bool) {
	if text == nil {
		return nil, false
	}
	v, err := newReader(text).value(MaxDepth)
	return v, err == nil
}

// withValue returns m with another value, or none, at the end of some steps.
func withValue(m map[string]any, steps []query.Step, v any, has bool) map[string]any {
	if len(steps) == 0 {
		return m
	}
	m = maps.Clone(m)
	if m == nil {
		m = map[string]any{}
	}
	key := steps[0].Key
	switch {
	case len(steps) > 1:
		inner, _ := m[key].(map[string]any)
		if inner = withValue(inner, steps[1:], v, has); len(inner) == 0 && !has {
			delete(m, key)
		} else {
			m[key] = inner
		}
	case has:
		m[key] = v
	default:
		delete(m, key)
	}
	return m
}

func undoName(list []string, c Change) []string {
	list = slices.Clone(list)
	if name, ok := valueOf(c.New); ok {
		list = slices.DeleteFunc(list, func(s string) bool { return s == name })
	}
	if name, ok := valueOf(c.Old); ok {
		if s, ok := name.(string); ok {
			list = append(list, s)
		}
	}
	slices.Sort(list)
	return list
}
