package shadow

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
)

// Question is one that both sides are asked, at /pdb/query/v4. Its answer is a
// list of objects with a certname each.
type Question struct {
	Text string // PQL, or AST

	where *condition
}

// Questions makes questions about a fleet, from what its nodes have.
func Questions(fleet []Node, n int, seed uint64) []Question {
	if len(fleet) == 0 {
		return nil
	}
	a := &asker{Rand: rand.New(rand.NewPCG(seed, 0)), fleet: fleet}
	questions := make([]Question, n)
	for i := range questions {
		questions[i] = a.question()
	}
	return questions
}

type asker struct {
	*rand.Rand
	fleet  []Node
	entity string // of the question being made
}

func (a *asker) node() *Node { return &a.fleet[a.IntN(len(a.fleet))] }

func (a *asker) question() Question {
	a.entity = []string{"nodes", "inventory", "inventory"}[a.IntN(3)]
	q := Question{where: a.condition(a.IntN(3))}
	if a.IntN(3) == 0 {
		q.Text = literal([]any{"from", a.entity, []any{"extract", []any{"certname"}, q.where.ast()}})
	} else {
		q.Text = fmt.Sprintf("%s[certname] { %s }", a.entity, q.where.pql())
	}
	return q
}

// condition makes one of at most so many levels.
func (a *asker) condition(depth int) *condition {
	if depth == 0 || a.IntN(4) == 0 {
		return a.leaf()
	}
	switch a.IntN(5) {
	case 0:
		return &condition{op: "not", parts: []*condition{a.condition(depth - 1)}}
	case 1, 2:
		return &condition{op: "or", parts: a.conditions(depth)}
	}
	return &condition{op: "and", parts: a.conditions(depth)}
}

func (a *asker) conditions(depth int) []*condition {
	parts := make([]*condition, 2+a.IntN(2))
	for i := range parts {
		parts[i] = a.condition(depth - 1)
	}
	return parts
}

func (a *asker) leaf() *condition {
	n := a.node()
	switch k := a.IntN(12); {
	case k == 0:
		return a.named("certname", n.Certname, a.node().Certname)
	case k <= 2 && len(n.Classes) > 0:
		return a.named("class", n.Classes[a.IntN(len(n.Classes))], a.node().class(a.Rand))
	}
	path, v := a.value(n)
	c := &condition{about: "fact", path: path, apart: a.entity == "nodes"}
	if a.IntN(8) == 0 {
		c.op = []string{"null", "notnull"}[a.IntN(2)]
		if strings.Contains(c.field(), `"`) { // PuppetDB 7.12 writes bad SQL for these
			c.op, c.value = "=", "x"
		}
		return c
	}
	switch isPlain := rank(v) < 4; {
	case isPlain && a.IntN(8) == 0 && len(path) == 1:
		c.about, c.apart = "row", true
	case isPlain && a.IntN(30) == 0: // it takes PuppetDB long to answer
		c.about, c.apart = "leaf", true
	}
	a.test(c, v)
	return c
}

func (n *Node) class(r *rand.Rand) string {
	if len(n.Classes) == 0 {
		return "None"
	}
	return n.Classes[r.IntN(len(n.Classes))]
}

// named asks for a name: this one, a part of it, this or another.
func (a *asker) named(about, name, other string) *condition {
	c := &condition{about: about, apart: about == "class"}
	switch a.IntN(3) {
	case 0:
		c.op, c.value = "=", name
	case 1:
		c.op, c.value = "~", a.pattern(name)
	default:
		c.op, c.value = "in", []any{name, other}
	}
	return c
}

// value picks a fact of a node, or what is somewhere below one.
func (a *asker) value(n *Node) (path []any, v any) {
	v = n.Facts
	for {
		switch at := v.(type) {
		case map[string]any:
			if len(at) == 0 || len(path) > 0 && a.IntN(12) == 0 {
				return path, v
			}
			keys := make([]string, 0, len(at))
			for k := range at {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			key := keys[a.IntN(len(keys))]
			if strings.ContainsAny(key, "\"\\'.") || len(path) == 0 && key == "trusted" {
				if len(path) > 0 {
					return path, v
				}
				continue
			}
			path, v = append(slices.Clip(path), any(key)), at[key]
		case []any:
			if len(at) == 0 || a.IntN(2) == 0 {
				return path, v
			}
			i := a.IntN(len(at))
			path, v = append(slices.Clip(path), any(int64(i))), at[i]
		default:
			return path, v
		}
	}
}

// test makes a comparison with a value, or with one of another type.
func (a *asker) test(c *condition, v any) {
	ops := []string{"=", "=", "=", "!=", "~", "!~", ">", "<=", "<", ">="}
	c.op = ops[a.IntN(len(ops))]
	if c.op == "!=" && c.about != "fact" {
		c.op = "="
	}
	switch at := v.(type) {
	case []any:
		if len(at) > 0 {
			v = at[a.IntN(len(at))]
		}
	case map[string]any:
		v = "x"
	}
	if rank(v) == 0 || rank(v) > 3 {
		v = "x"
	}
	if a.IntN(12) == 0 {
		v = []any{"10", int64(10), "x", 0.5}[a.IntN(4)]
	}
	isOrder := strings.ContainsAny(c.op[:1], "<>")
	switch c.value = v; {
	case strings.HasSuffix(c.op, "~"):
		c.value = a.pattern(text(v))
	case isOrder && (rank(v) == 3 || rank(v) == 1 && c.about != "fact"): // what has no order in a question
		c.op = "="
	}
}

// pattern is one that finds a text, in words that every engine reads alike.
func (a *asker) pattern(of string) string {
	runes := []rune(strings.ToValidUTF8(of, ""))
	if len(runes) > 12 {
		runes = runes[:12]
	}
	from := 0
	if len(runes) > 3 {
		from = a.IntN(3)
	}
	var b strings.Builder
	if from == 0 && a.IntN(2) == 0 {
		b.WriteByte('^')
	}
	for _, r := range runes[from:] {
		switch {
		case r < ' ' || r > '~' || a.IntN(12) == 0:
			b.WriteByte('.')
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	if b.Len() == 0 {
		return "."
	}
	return b.String()
}
