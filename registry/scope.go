package registry

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"muster/query"
)

// Scope is what of the registry a reader may know. The zero value is all of it.
type Scope struct {
	// Collectives are those whose nodes there are for the reader. Empty: all.
	Collectives []string `json:"collectives,omitempty"`

	// Facts are patterns of paths of facts that there are for the reader, such
	// as "os" or "networking.interfaces.*.ip": "*" is any one key, and a pattern
	// holds all below it. Trusted facts are named with "trusted." before them.
	// Empty: all facts.
	Facts []string `json:"facts,omitempty"`
}

// Limits reports whether there is anything that the reader may not know.
func (s Scope) Limits() bool { return len(s.Collectives)+len(s.Facts) > 0 }

// Sight is a scope that has been read. It makes of nodes what its reader sees.
type Sight struct {
	Scope

	facts, trusted volatility
}

// Sight reads the patterns of a scope.
func (s Scope) Sight() (*Sight, error) {
	v := &Sight{Scope: s, facts: volatility{}, trusted: volatility{}}
	for _, pattern := range s.Facts {
		tree, text := v.facts, strings.TrimPrefix(pattern, "facts.")
		if rest, ok := strings.CutPrefix(pattern, "trusted."); ok {
			tree, text = v.trusted, rest
		}
		parts := splitPath(text)
		if slices.Contains(parts, "") {
			return nil, fmt.Errorf("the pattern %s of facts has an empty part", quoted(pattern))
		}
		tree.add(parts)
	}
	return v, nil
}

// Collected reports whether a node with these collectives is there.
func (v *Sight) Collected(collectives []string) bool { return inOneOf(collectives, v.Collectives) }

// Of is a node as the reader sees it; false: it is not there. Where facts are
// hidden so is what would tell of them: hashes and warnings.
func (v *Sight) Of(n Node) (Node, bool) {
	if !v.Collected(n.Collectives) {
		return Node{}, false
	}
	if len(v.Facts) == 0 {
		return n, true
	}
	n.Facts, n.Trusted, n.Warnings = v.facts.only(n.Facts), v.trusted.only(n.Trusted), nil
	sections := make(map[Source]*Section, len(n.Sections))
	for source, s := range n.Sections {
		seen := *s
		seen.Facts, seen.Hash, seen.Warnings, seen.Changed = nil, "", nil, s.Received
		sections[source] = &seen
	}
	n.Sections = sections
	return n, true
}

// only returns of facts what the patterns hold. A name with dots counts as the
// path that it looks like, since queries take it for one; lists are looked
// through.
func (v volatility) only(facts map[string]any) map[string]any {
	kept := map[string]any{}
	for k, value := range facts {
		below, whole := v.under(k)
		if whole || strings.Contains(k, ".") && v.holds(splitPath(k)) {
			kept[k] = value
			continue
		}
		if below == nil {
			continue
		}
		if inner, any := below.inside(value); any {
			kept[k] = inner
		}
	}
	return kept
}

// inside is what the patterns hold below a value, if anything.
func (v volatility) inside(value any) (any, bool) {
	switch value := value.(type) {
	case map[string]any:
		kept := v.only(value)
		return kept, len(kept) > 0
	case []any:
		kept, found := make([]any, len(value)), false
		for i, e := range value {
			if inner, any := v.inside(e); any {
				kept[i], found = inner, true
			}
		}
		return kept, found
	}
	return nil, false
}

// holds reports whether everything at and below a path may be seen.
func (v volatility) holds(path []string) bool {
	for _, key := range path {
		below, whole := v.under(key)
		if whole {
			return true
		}
		if below == nil {
			return false
		}
		v = below
	}
	return false
}

// Fact reports whether all at and below a path of a fact may be seen.
func (v *Sight) Fact(path string) bool { return v.path(ParsePath(path)) }

func (v *Sight) path(p query.Path) bool {
	if len(v.Facts) == 0 {
		return true
	}
	tree := v.facts
	switch p.Field {
	case "identity", "state", "auth", "seen", "classes", "agents", "collectives", "element", "key":
		return true
	case "facts":
	case "trusted":
		tree = v.trusted
	default:
		return false
	}
	keys := []string{}
	for _, step := range p.Steps {
		if step.Kind != "name" || step.Pos >= 0 {
			break // the rest is seen only if everything from here on is
		}
		keys = append(keys, step.Key)
	}
	return tree.holds(keys)
}

// Query reports whether a query asks about nothing but single nodes and what may
// be seen of them: then it may be answered as if everything could be seen.
func (v *Sight) Query(q *query.Query) bool {
	if q == nil || len(v.Facts) == 0 {
		return true
	}
	if q.Entity != "" || q.Where != nil {
		return false
	}
	ok := true
	query.Map(q.Filter, func(e query.Expr) query.Expr {
		switch e := e.(type) {
		case *query.Compare:
			ok = ok && v.path(e.Path)
		case *query.Has:
			ok = ok && v.path(e.Path)
		case *query.Subquery, *query.Changed:
			ok = false
		case query.All, query.And, query.Or, query.Not:
		}
		return e
	})
	for _, c := range slices.Concat(q.Select, q.OrderBy) {
		ok = ok && (c.Func == "count" || v.path(c.Path))
	}
	for _, p := range q.GroupBy {
		ok = ok && v.path(p)
	}
	return ok && (q.Per == nil || v.path(*q.Per))
}

// Event is what the reader learns of an event; false: nothing.
func (v *Sight) Event(e Event) (Event, bool) {
	if len(v.Facts) == 0 {
		return e, true
	}
	e.Changes, e.More = v.Changes(e.Changes), 0
	return e, e.Kind != EventChanged || len(e.Changes) > 0
}

// Changes are those of what may be seen.
func (v *Sight) Changes(list []Change) []Change {
	return slices.DeleteFunc(slices.Clone(list), func(c Change) bool { return !v.Fact(c.Path) })
}

// Names are the names that there are for the reader, if all nodes are.
func (v *Sight) Names(n Names) Names {
	n.Facts = slices.DeleteFunc(slices.Clone(n.Facts), func(c Count) bool { return !v.Fact(c.Name) })
	return n
}

// NamesOf are the names in use on some nodes.
func NamesOf(nodes []Node) Names {
	facts, classes, agents, collectives := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	for _, n := range nodes {
		paths := map[string]bool{}
		factPaths(n.Facts, "", paths)
		for p := range maps.Keys(paths) {
			facts[p]++
		}
		for counts, list := range map[*map[string]int][]string{&classes: n.Classes, &agents: n.Agents, &collectives: n.Collectives} {
			for _, name := range list {
				(*counts)[name]++
			}
		}
	}
	return Names{Facts: counted(facts), Classes: counted(classes), Agents: counted(agents), Collectives: counted(collectives)}
}

func factPaths(v any, prefix string, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			into[prefix+k] = true
			factPaths(e, prefix+k+".", into)
		}
	case []any:
		for _, e := range v {
			factPaths(e, prefix, into)
		}
	}
}
