package query

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// parsePQL reads PuppetDB's query language over the entities that we hold.
func (r *reader) parsePQL(text string) (*Query, error) {
	tokens := cutPQL(text)
	if err := pqlDepth(tokens); err != nil {
		return nil, err
	}
	if err := matchMistake(tokens); err != nil {
		return nil, err
	}
	peek, err := lexer.Upgrade(&tokenReader{tokens})
	if err != nil {
		return nil, err
	}
	parsed, err := pqlParser().ParseFromLexer(peek)
	if err != nil {
		return nil, pqlMistake(text, tokens, err)
	}
	p := &pqlReader{reader: r}
	q, err := p.query(parsed)
	if err != nil {
		return nil, err
	}
	if err := r.asked(q); err != nil {
		return nil, err
	}
	out, err := r.lowerPDB(q)
	if err != nil {
		return nil, err
	}
	out.Warnings = p.warnings
	return out, nil
}

// pqlReader turns the grammar's tree into a query to PuppetDB.
type pqlReader struct {
	*reader
	warnings []string
}

func (p *pqlReader) query(n *pqlQuery) (*pdbQuery, error) {
	q := &pdbQuery{entity: n.Entity.Value, pos: n.Entity.Pos.Offset, end: tokenEnd(n.Entity)}
	if n.Projection != nil {
		for _, f := range n.Projection.Fields {
			c, err := p.column(f)
			if err != nil {
				return nil, err
			}
			q.columns = append(q.columns, c)
		}
	}
	return q, p.body(n.Body, q)
}

func (p *pqlReader) body(n *pqlBody, q *pdbQuery) error {
	if n.Filter != nil {
		where, err := p.or(n.Filter)
		if err != nil {
			return err
		}
		q.where = where
	}
	for _, c := range n.Clauses {
		if err := p.clause(c, q); err != nil {
			return err
		}
	}
	return nil
}

func (p *pqlReader) clause(n *pqlClause, q *pdbQuery) error {
	for _, o := range n.Order {
		c, err := p.column(o.Column)
		if err != nil {
			return err
		}
		c.desc = strings.EqualFold(o.Direction.Value, "desc")
		q.order = append(q.order, c)
	}
	for _, g := range n.Group {
		c, err := p.column(g)
		if err != nil {
			return err
		}
		q.group = append(q.group, c)
	}
	if n.Limit.Value != "" {
		limit, err := pqlCount(n.Limit)
		q.limit = &limit
		return err
	}
	if n.Offset.Value != "" {
		offset, err := pqlCount(n.Offset)
		q.offset = offset
		return err
	}
	return nil
}

func pqlCount(t lexer.Token) (int, error) {
	n, err := strconv.Atoi(t.Value)
	if err != nil || n < 0 || n > math.MaxInt32 {
		return 0, &SyntaxError{Offset: t.Pos.Offset, End: tokenEnd(t), Problem: t.Value + " is no number of rows", Want: "a whole number"}
	}
	return n, nil
}

// pdbFunctions are the functions of columns.
var pdbFunctions = []string{"count", "sum", "avg", "min", "max"}

func (p *pqlReader) column(n *pqlColumn) (pdbColumn, error) {
	if n.Call == nil {
		return pdbColumn{field: splitField(n.Name.Value, n.Name.Pos.Offset)}, nil
	}
	c := pdbColumn{fn: n.Name.Value}
	if err := checkFunction(c.fn, len(n.Call.Args), n.Name.Pos.Offset, tokenEnd(n.Name)); err != nil {
		return c, err
	}
	if len(n.Call.Args) == 1 {
		c.field = splitField(n.Call.Args[0].Token.Value, n.Call.Args[0].Token.Pos.Offset)
	}
	return c, nil
}

func checkFunction(name string, args, pos, end int) error {
	e := &SyntaxError{Offset: pos, End: end, Problem: "there is no function " + quote(name), Want: "one of " + strings.Join(pdbFunctions, ", ")}
	if near := nearest(name, pdbFunctions); near != "" {
		e.Want = near
	}
	switch {
	case !slices.Contains(pdbFunctions, name):
		return e
	case args > 1, args == 0 && name != "count":
		e.Problem, e.Want = name+" takes one field", name+"(facts.a)"
		return e
	}
	return nil
}

func (p *pqlReader) or(n *pqlOr) (*pdbTest, error) {
	return pdbJoin(p, "or", n.Terms, p.and)
}

func (p *pqlReader) and(n *pqlAnd) (*pdbTest, error) {
	return pdbJoin(p, "and", n.Terms, p.not)
}

// pdbJoin reads the parts of "and" and "or"; one part alone is itself.
func pdbJoin[N any](p *pqlReader, op string, terms []N, read func(N) (*pdbTest, error)) (*pdbTest, error) {
	t := &pdbTest{op: op}
	for _, term := range terms {
		part, err := read(term)
		if err != nil {
			return nil, err
		}
		t.parts = append(t.parts, part)
	}
	if len(t.parts) == 1 {
		return t.parts[0], nil
	}
	t.pos, t.end = t.parts[0].pos, t.parts[len(t.parts)-1].end
	return t, nil
}

func (p *pqlReader) not(n *pqlNot) (*pdbTest, error) {
	var t *pdbTest
	var err error
	switch {
	case n.Group != nil:
		t, err = p.or(n.Group)
	case n.Tuple != nil:
		t, err = p.tuple(n.Tuple)
	default:
		t, err = p.leaf(n.Leaf)
	}
	if err == nil && len(n.Bangs)%2 == 1 {
		t = &pdbTest{op: "not", parts: []*pdbTest{t}, pos: t.pos, end: t.end}
	}
	return t, err
}

func (p *pqlReader) tuple(n *pqlTuple) (*pdbTest, error) {
	t := &pdbTest{op: "in", pos: n.Open.Pos.Offset}
	for _, f := range n.Fields {
		t.fields = append(t.fields, splitField(f.Token.Value, f.Token.Pos.Offset))
		t.end = tokenEnd(f.Token)
	}
	return t, p.source(n.Source, t)
}

func (p *pqlReader) leaf(n *pqlLeaf) (*pdbTest, error) {
	t := &pdbTest{pos: n.Name.Pos.Offset, end: tokenEnd(n.Name)}
	if n.Body != nil {
		t.op, t.query, t.end = "exists", &pdbQuery{entity: n.Name.Value, pos: t.pos, end: t.end}, tokenEnd(n.Body.Close)
		return t, p.body(n.Body, t.query)
	}
	t.fields = []pdbField{splitField(n.Name.Value, n.Name.Pos.Offset)}
	switch test := n.Test; {
	case test.Op.Value != "":
		return t, p.comparison(test, t)
	case test.Is.Value != "":
		t.op, t.end = "null", tokenEnd(test.Is)
		if test.IsNot {
			t.op = "notnull"
		}
		return t, nil
	default:
		t.op = "in"
		if test.Neg {
			t.op = "not in"
		}
		err := p.source(test.Source, t)
		if t.op == "not in" {
			in := *t
			in.op = "in"
			t = &pdbTest{op: "not", parts: []*pdbTest{&in}, pos: t.pos, end: t.end}
		}
		return t, err
	}
}

func (p *pqlReader) comparison(n *pqlTest, t *pdbTest) error {
	t.op = n.Op.Value
	switch t.op {
	case "=~":
		t.op = "~"
	case "==":
		t.op = "="
	}
	v, pos, end, err := p.value(n.Value)
	t.value, t.valuePos, t.valueEnd, t.end = v, pos, end, end
	return err
}

func (p *pqlReader) source(n *pqlSource, t *pdbTest) (err error) {
	switch {
	case n.Query != nil:
		t.query, err = p.query(n.Query)
		t.end = tokenEnd(n.Query.Body.Close)
	case n.List != nil:
		t.value, t.valuePos, t.valueEnd, err = p.list(n.List)
		t.end = t.valueEnd
	default:
		t.valuePos, t.valueEnd, t.end = n.Param.Pos.Offset, tokenEnd(n.Param), tokenEnd(n.Param)
		t.value, err = p.bound(n.Param.Value, t.valuePos, t.valueEnd)
	}
	return err
}

func (p *pqlReader) list(n *pqlList) (Value, int, int, error) {
	pos, end := n.Open.Pos.Offset, tokenEnd(n.Close)
	members := make([]Value, 0, len(n.Items))
	for i, item := range n.Items {
		v, at, stop, err := p.value(item)
		if err == nil && i == maxList {
			err = &SyntaxError{Offset: at, End: stop, Problem: fmt.Sprintf("the list has more than %d members", maxList), Want: "a parameter for a long list"}
		}
		if err != nil {
			return Value{}, pos, end, err
		}
		members = append(members, v)
	}
	return listValue(members), pos, end, nil
}

func (p *pqlReader) value(n *pqlValue) (v Value, pos, end int, err error) {
	if n.List != nil {
		return p.list(n.List)
	}
	t := n.Scalar
	pos, end = t.Pos.Offset, tokenEnd(t)
	switch t.Type {
	case pqlNumber:
		v = numberValue(t.Value)
		if !v.number.ok {
			err = &SyntaxError{Offset: pos, End: end, Problem: "the number is too large", Want: "a smaller one"}
		}
	case pqlParam:
		v, err = p.bound(t.Value, pos, end)
	case pqlRegex:
		last := strings.LastIndexByte(t.Value, '/')
		v = Value{Kind: "regex", Text: strings.ReplaceAll(t.Value[1:last], `\/`, `/`), Flags: t.Value[last+1:]}
	case pqlString:
		v, err = p.quoted(t)
	default:
		switch strings.ToLower(t.Value) {
		case "true", "false":
			v = boolValue(strings.EqualFold(t.Value, "true"))
		case "null":
			err = &SyntaxError{Offset: pos, End: end, Problem: "nothing equals null", Want: "is null"}
		default:
			v = textValue(t.Value)
			p.warnings = append(p.warnings, t.Value+" is read as text; PQL writes it in quotes")
		}
	}
	return v, pos, end, err
}

// quoted reads text in quotes: JSON's escapes in double quotes, only \' in single.
func (p *pqlReader) quoted(t lexer.Token) (Value, error) {
	inside := t.Value[1 : len(t.Value)-1]
	if t.Value[0] == '\'' {
		return textValue(strings.ReplaceAll(inside, `\'`, `'`)), nil
	}
	text, bad := unescape(inside)
	if bad != nil {
		at := t.Pos.Offset + 1
		return Value{}, &SyntaxError{Offset: at + bad.at, End: at + bad.end, Problem: bad.problem, Want: bad.want, Hint: bad.hint}
	}
	return textValue(text), nil
}
