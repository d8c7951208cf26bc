package shadow

import (
	"maps"
	"slices"
	"strings"
	"time"

	"muster/query"
)

// Difference is a node that one side names in its answer, and the other does not.
type Difference struct {
	Certname string
	InTheirs bool   // the PuppetDB names it
	Why      string // empty: nothing explains it
}

// Compare looks for the differences between two answers to a question. Theirs
// and ours are the certnames of the answers; the nodes are what each side says
// of its fleet, by certname in lower case.
func Compare(q Question, theirs, ours []string, theirNodes, ourNodes map[string]*Node) []Difference {
	inTheirs, inOurs := set(theirs), set(ours)
	all := maps.Clone(inTheirs)
	maps.Copy(all, inOurs)
	var out []Difference
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if inTheirs[name] == inOurs[name] {
			continue
		}
		d := Difference{Certname: name, InTheirs: inTheirs[name]}
		d.Why = q.explain(theirNodes[name], ourNodes[name], d.InTheirs)
		out = append(out, d)
	}
	return out
}

func set(names []string) map[string]bool {
	out := map[string]bool{}
	for _, name := range names {
		out[strings.ToLower(name)] = true
	}
	return out
}

// explain says why the answers differ about a node; empty if nothing is known
// that would make them.
func (q *Question) explain(theirs, ours *Node, inTheirs bool) string {
	switch {
	case theirs == nil:
		return "the PuppetDB does not have the node, or it is not active there"
	case ours == nil:
		return "muster does not have the node, or it is not alive there"
	}
	if what := q.where.saysOther(theirs, ours); what != "" {
		return what
	}
	if (q.where.holds(theirs) == isTrue) != inTheirs {
		return "" // PuppetDB's own rules would have it otherwise
	}
	rules := map[string]bool{}
	for _, leaf := range q.where.leaves() {
		is, rule := leaf.compared(theirs)
		if rule != "" && (is == isNull || (is == isTrue) != leaf.meant(ours)) {
			rules[rule] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(rules)), "; ")
}

// meant is what a comparison means in our language.
func (c *condition) meant(n *Node) bool {
	q, err := query.Parse("inventory[certname] { "+c.pql()+" }", query.Options{Dialect: "pql"})
	return err == nil && query.Matches(q.Filter, n.document(), time.Time{})
}

// saysOther reports what the two sides say differently of a node, of what the
// question asks about.
func (c *condition) saysOther(theirs, ours *Node) string {
	for _, leaf := range c.leaves() {
		switch leaf.about {
		case "fact", "row", "leaf":
			a, hasA := follow(theirs.Facts, leaf.path)
			b, hasB := follow(ours.Facts, leaf.path)
			if hasA != hasB || text(a) != text(b) {
				return "the fact " + leaf.field()[len("facts."):] + " is " + shown(a, hasA) + " in the PuppetDB and " + shown(b, hasB) + " in muster"
			}
		case "class":
			if !slices.Equal(theirs.Classes, ours.Classes) {
				return "the classes are others in the PuppetDB than in muster"
			}
		}
	}
	return ""
}

func shown(v any, there bool) string {
	if !there {
		return "not there"
	}
	text := literal(v)
	if len(text) > 60 {
		text = text[:60] + "…"
	}
	return text
}
