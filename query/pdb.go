package query

import "strings"

// pdbQuery is a query to PuppetDB, as PQL and as AST say it. Both readers make
// one, and one lowering gives both the same meaning.
type pdbQuery struct {
	entity   string
	pos, end int // of the entity's name
	columns  []pdbColumn
	where    *pdbTest // nil: everything
	group    []pdbColumn
	order    []pdbColumn
	limit    *int
	offset   int
}

// plain reports whether the query is a filter alone.
func (q *pdbQuery) plain() bool {
	return len(q.group)+len(q.order)+q.offset == 0 && q.limit == nil
}

type pdbColumn struct {
	fn    string // "", "count", "sum", …
	field pdbField
	desc  bool
}

// pdbField is a name with what is below it: facts.os.name, certname.
type pdbField struct {
	text     string
	steps    []Step // the first is the name of the column
	flat     string // the steps after the first as one name; empty if quotes or positions rule that out
	pos, end int
}

func (f pdbField) name() string {
	if len(f.steps) == 0 {
		return ""
	}
	return f.steps[0].Key
}

// pdbTest is a condition. op is "and", "or" or "not" over parts; "exists" of a
// row in query; "in" with query or with the list value; "null" and "notnull";
// a comparison; or "~>".
type pdbTest struct {
	op       string
	parts    []*pdbTest
	fields   []pdbField // one, but for "in" with several
	value    Value
	valuePos int // where the value stands
	valueEnd int
	query    *pdbQuery
	pos, end int
}

// splitField reads a dotted name as PuppetDB writes it. A quoted part may hold
// quotes; \" and \\ are taken for the characters too.
func splitField(text string, pos int) pdbField {
	f := pdbField{text: text, pos: pos, end: pos + len(text)}
	quoted := false
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case matchLength(text[i:]) > 0:
			f.steps = append(f.steps, Step{Kind: "any", Pos: -1})
			quoted = true
			i += matchLength(text[i:])
		case c == '.':
			i++
		case c == '"' && i > 0:
			n := pdbQuoted(text[i:])
			f.steps = append(f.steps, nameStep(pdbUnquote(text[i+1:i+n-1])))
			quoted = true
			i += n
		case c == '[':
			n := strings.IndexByte(text[i:], ']')
			step := Step{Kind: "index", Pos: 0}
			for _, d := range text[i+1 : i+n] {
				step.Pos = min(step.Pos*10+int(d-'0'), 1<<30)
			}
			f.steps = append(f.steps, step)
			quoted = true
			i += n + 1
		default:
			n := strings.IndexAny(text[i:], ".[")
			if n < 0 {
				n = len(text) - i
			}
			f.steps = append(f.steps, nameStep(text[i:i+n]))
			i += n
		}
	}
	if !quoted && len(f.steps) > 2 {
		f.flat = text[len(f.steps[0].Key)+1:]
	}
	return f
}

// pdbQuoted is the length of the quoted part at the start of s: it ends at a
// quote before a dot, a bracket or the end.
func pdbQuoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '"' && (i+1 == len(s) || s[i+1] == '.' || s[i+1] == '['):
			return i + 1
		}
	}
	return len(s)
}

func pdbUnquote(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(s)
}
