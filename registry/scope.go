package registry

import (
	"context"
	"fmt"
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
		parts := strings.Split(strings.Join(splitPath(text), "."), ".")
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
		if whole || strings.Contains(k, ".") && v.holds(strings.Split(k, ".")) {
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
	_, whole := v.along(path)
	return whole
}

// along is under for a path.
func (v volatility) along(path []string) (below volatility, whole bool) {
	for _, key := range path {
		if v, whole = v.under(key); whole || v == nil {
			return nil, whole
		}
	}
	return v, false
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
	keys, _ := namesIn(p) // what follows is seen only if everything from there on is
	return tree.holds(keys)
}

// namesIn are the keys with which a path begins, those with dots as the paths
// that they look like; whole: there is nothing else in it.
func namesIn(p query.Path) (keys []string, whole bool) {
	for _, step := range p.Steps {
		if step.Kind != "name" || step.Pos >= 0 {
			return keys, false
		}
		keys = append(keys, strings.Split(step.Key, ".")...)
	}
	return keys, true
}

// Found is a node of an answer as the reader sees it. Whether it is there is
// not looked at.
func (v *Sight) Found(f Found) Found {
	f.sight = v
	return f
}

// noFact is a path that leads nowhere: no name has a NUL.
var noFact = query.Path{Field: "facts", Steps: []query.Step{{Kind: "name", Key: "\x00", Pos: -1}}}

// hides reports whether nothing at all may be seen of what a path of names can
// lead to.
func (v *Sight) hides(p query.Path) bool {
	tree := v.facts
	switch p.Field {
	case "facts":
	case "trusted":
		tree = v.trusted
	default:
		return false
	}
	keys, only := namesIn(p)
	if !only {
		return false // it may lead to several
	}
	below, whole := tree.along(keys)
	return len(keys) > 0 && below == nil && !whole
}

// Query returns the question that, asked of whole nodes, is answered as q would
// be if there were only what the reader may see: what it hides is asked of a
// fact that no node has. It is false where there is no such question.
func (v *Sight) Query(q *query.Query) (*query.Query, bool) {
	if q == nil || len(v.Facts) == 0 {
		return q, true
	}
	if q.Entity != "" || q.Where != nil {
		return nil, false
	}
	ok := true
	part := func(p query.Path) query.Path {
		if v.hides(p) {
			return noFact
		}
		ok = ok && v.path(p)
		return p
	}
	asked := *q
	asked.Filter = query.Map(q.Filter, func(e query.Expr) query.Expr {
		switch e := e.(type) {
		case *query.Compare:
			c := *e
			c.Path = part(e.Path)
			return &c
		case *query.Has:
			h := *e
			h.Path = part(e.Path)
			return &h
		case *query.Changed:
			c := *e
			c.Path = part(e.Path)
			return &c
		case *query.Subquery:
			s := *e
			s.Path = part(e.Path)
			inner, plain := v.Query(e.Query)
			s.Query, ok = inner, ok && plain
			return &s
		case query.All, query.And, query.Or, query.Not:
		}
		return e
	})
	asked.OrderBy = slices.Clone(q.OrderBy)
	for i := range asked.OrderBy {
		asked.OrderBy[i].Path = part(q.OrderBy[i].Path)
	}
	// What is shown under its own name has to be seen.
	for _, c := range q.Select {
		ok = ok && (c.Func == "count" || v.path(c.Path))
	}
	for _, p := range q.GroupBy {
		ok = ok && v.path(p)
	}
	return &asked, ok && (q.Per == nil || v.path(*q.Per))
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

// NamesOf are the names in use on some nodes, all of which it unpacks.
func NamesOf(ctx context.Context, nodes []Found) (Names, error) {
	facts, classes, agents, collectives := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	for _, found := range nodes {
		if ctx.Err() != nil {
			return Names{}, context.Cause(ctx)
		}
		n, paths := found.Node(), map[string]bool{}
		factPaths(n.Facts, "", paths)
		for p := range paths {
			facts[p]++
		}
		tallyUp(classes, n.Classes)
		tallyUp(agents, n.Agents)
		tallyUp(collectives, n.Collectives)
	}
	return Names{Facts: counted(facts), Classes: counted(classes), Agents: counted(agents), Collectives: counted(collectives)}, nil
}

func tallyUp(counts map[string]int, names []string) {
	for _, name := range names {
		counts[name]++
	}
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
