package query

import "time"

// Expr is one node of a parsed query. The set is closed: [All], [And], [Or],
// [Not], *[Compare], *[Has], *[Subquery] and *[Changed]. Exprs are values;
// none is ever changed once built.
//
//sumtype:decl
type Expr interface{ expr() }

// All is true of every node.
type All struct{}

// And is true if every part is.
type And []Expr

// Or is true if at least one part is.
type Or []Expr

// Not is true if its part is not. The logic is two-valued: a comparison that
// is false because its fact is absent is true under Not.
type Not struct{ Expr Expr }

// Compare tests what a path leads to. It carries the whole policy of its
// dialect, so that an engine never has to know the dialect.
type Compare struct {
	Path Path

	// Op is one of = != < <= > >= =~ !~ in "not in" between exists, and in the
	// mongo view also what only the server has: type, size, mod. The value of in
	// is a list or a network, that of between a list of both bounds.
	Op string

	Value Value // the right side; unused by exists

	// Quant says how the elements of a list, or the values of several paths,
	// decide: "any" of them, "all" of them (also when there are none), "none" of
	// them, or "self": the value is compared whole.
	Quant string

	// Absent is the answer where the path leads nowhere.
	Absent bool

	// View is how both sides are read: "native" (typed, with numeric and boolean
	// text understood), "text" (as the ancestor's nodes did: every fact is text;
	// a map stands for its keys), "typed" (as PuppetDB), "mongo" (the server's
	// rules), "version" (version order), "class" (class names, spelled any way),
	// "title" (class names as resource titles), "host" (identities, without
	// case), "agent" (RPC agents; "mcollective" is everywhere).
	View string

	Fold  bool // compare text without case
	Count bool // compare the number of values instead of the values

	Start, End int // where it stands in the text, in bytes
}

// Has is true if any, all or none of the elements that Path leads to satisfy
// Expr, whose paths of field "element" and "key" are those of the element.
type Has struct {
	Path       Path
	Quant      string // "any", "all" or "none"
	Expr       Expr
	View       string // "native" or "mongo"
	Start, End int
}

// Subquery is true if Path leads to a value that Query selects: an identity,
// or the one column it names with select. Matches answers false; the caller
// runs Query and puts what Resolve returns in its place.
type Subquery struct {
	Path       Path
	Query      *Query
	View       string // as in Compare
	Start, End int
}

// Changed is true of nodes on which what Path leads to changed in the last
// Within. Matches answers false; the caller looks into its history and puts
// what Resolve returns in its place.
type Changed struct {
	Path       Path
	Within     time.Duration
	Start, End int
}

func (All) expr()       {}
func (And) expr()       {}
func (Or) expr()        {}
func (Not) expr()       {}
func (*Compare) expr()  {}
func (*Has) expr()      {}
func (*Subquery) expr() {}
func (*Changed) expr()  {}

// Resolve is the comparison that stands for the subquery once its answer is
// known.
func (s *Subquery) Resolve(values []any) Expr {
	return &Compare{Path: s.Path, Op: "in", Value: listOf(values), Quant: "any", View: s.View, Start: s.Start, End: s.End}
}

// Resolve is the comparison that stands for the change once the nodes on which
// it happened are known.
func (c *Changed) Resolve(identities []string) Expr {
	values := make([]any, len(identities))
	for i, id := range identities {
		values[i] = id
	}
	return &Compare{Path: Path{Field: "identity"}, Op: "in", Value: listOf(values), Quant: "any", View: "host", Start: c.Start, End: c.End}
}

// Map rebuilds e from its leaves up: every node is given to f after its parts
// were, and f returns what stands in its place. It also serves to look at
// every node: f returns what it was given. The parts of a Subquery's query are
// not visited, since they are about other nodes.
func Map(e Expr, f func(Expr) Expr) Expr {
	switch e := e.(type) {
	case And:
		parts := make(And, len(e))
		for i, part := range e {
			parts[i] = Map(part, f)
		}
		return f(parts)
	case Or:
		parts := make(Or, len(e))
		for i, part := range e {
			parts[i] = Map(part, f)
		}
		return f(parts)
	case Not:
		return f(Not{Map(e.Expr, f)})
	case *Has:
		has := *e
		has.Expr = Map(e.Expr, f)
		return f(&has)
	case All, *Compare, *Subquery, *Changed:
		return f(e)
	}
	return f(e)
}

// not negates e and never nests Not in Not.
func not(e Expr) Expr {
	if n, ok := e.(Not); ok {
		return n.Expr
	}
	return Not{e}
}

// and joins parts into the smallest expression that says it.
func and(parts ...Expr) Expr {
	var joined And
	for _, part := range parts {
		switch part := part.(type) {
		case All:
			// Says nothing.
		case And:
			joined = append(joined, part...)
		default:
			joined = append(joined, part)
		}
	}
	switch len(joined) {
	case 0:
		return All{}
	case 1:
		return joined[0]
	}
	return joined
}

// or joins parts, of which there is at least one.
func or(parts ...Expr) Expr {
	var joined Or
	for _, part := range parts {
		if nested, ok := part.(Or); ok {
			joined = append(joined, nested...)
		} else {
			joined = append(joined, part)
		}
	}
	if len(joined) == 1 {
		return joined[0]
	}
	return joined
}
