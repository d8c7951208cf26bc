package registry

import (
	"maps"
	"slices"
	"time"
)

// MainCollective is where nodes are that name no collective.
const MainCollective = "mcollective"

// precedence is the order in which sources are believed about facts.
var precedence = [...]Source{Daemon, PuppetFacts, Catalog, Report, Import}

// NewNode merges sections into a node:
//
//   - facts by top-level name: the daemon's over Puppet's over imported ones;
//   - classes from the catalog or the daemon, whichever changed last, else
//     from Puppet's facts, else imported;
//   - agents, collectives, interval and auth from the first source, in the
//     order of facts, that tells;
//   - trusted facts from the trusted section alone;
//   - last seen is when any source but trusted last spoke;
//   - deactivation, another name and collisions from the registry's own marks.
//
// It keeps the sections, which must not be changed afterwards.
func NewNode(id Identity, first time.Time, sections map[Source]*Section) Node {
	n := Node{Identity: id, FirstSeen: first, Sections: sections, Collectives: []string{MainCollective}}
	if t := sections[Trusted]; t != nil {
		n.Trusted = t.Facts
		n.Warnings = append(n.Warnings, t.Warnings...)
	}
	var told []*Section // most believed first
	for _, source := range precedence {
		if s := sections[source]; s != nil {
			told = append(told, s)
		}
	}
	n.Facts = mergeFacts(told)
	n.Classes = mergeClasses(sections)
	for _, s := range slices.Backward(told) {
		if len(s.Agents) > 0 {
			n.Agents = s.Agents
		}
		if len(s.Collectives) > 0 {
			n.Collectives = s.Collectives
		}
		if s.Interval > 0 {
			n.Interval = s.Interval
		}
		n.Auth = s.Auth
		if s.Received.After(n.LastSeen) {
			n.LastSeen = s.Received
		}
	}
	for _, s := range told {
		n.Warnings = append(n.Warnings, s.Warnings...)
	}
	n.Learnt = learnt(sections)
	n.marked()
	return n
}

// learnt is from the first source, in the order of facts, of which it is known.
func learnt(sections map[Source]*Section) time.Duration {
	for _, source := range precedence {
		if s := sections[source]; s != nil && s.Learnt > 0 {
			return s.Learnt
		}
	}
	return 0
}

// marked reads the registry's own sections.
func (n *Node) marked() {
	for _, source := range []Source{retired, byOperator} {
		if s := n.Sections[source]; s != nil {
			n.Deactivated = &Deactivation{By: s.Auth, At: s.Changed}
		}
	}
	if s := n.Sections[renamed]; s != nil {
		n.RenamedTo = s.Auth
	}
	for _, source := range []Source{renamed, collision} {
		if s := n.Sections[source]; s != nil {
			n.Warnings = append(n.Warnings, s.Warnings...)
		}
	}
}

func mergeFacts(told []*Section) map[string]any {
	var all map[string]any
	shared := true // all is a section's own map
	for _, s := range slices.Backward(told) {
		switch {
		case len(s.Facts) == 0:
		case all == nil:
			all = s.Facts
		default:
			if shared {
				all, shared = maps.Clone(all), false
			}
			maps.Copy(all, s.Facts)
		}
	}
	return all
}

func mergeClasses(sections map[Source]*Section) []string {
	newest := sections[Catalog]
	if d := sections[Daemon]; d != nil && len(d.Classes) > 0 && (newest == nil || len(newest.Classes) == 0 || d.Changed.After(newest.Changed)) {
		newest = d
	}
	for _, s := range []*Section{newest, sections[PuppetFacts], sections[Report], sections[Import]} {
		if s != nil && len(s.Classes) > 0 {
			return s.Classes
		}
	}
	return nil
}

// with returns n with one section replaced.
func (n *Node) with(source Source, s *Section) Node {
	sections := maps.Clone(n.Sections)
	if sections == nil {
		sections = map[Source]*Section{}
	}
	sections[source] = s
	return NewNode(n.Identity, n.FirstSeen, sections)
}

// without returns n without some sections.
func (n *Node) without(sources ...Source) Node {
	sections := maps.Clone(n.Sections)
	for _, source := range sources {
		delete(sections, source)
	}
	return NewNode(n.Identity, n.FirstSeen, sections)
}
