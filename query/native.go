package query

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

func (r *reader) parseNative(text string) (*Query, error) { return r.read(text, false) }

func (r *reader) parseSelect(text string) (*Query, error) { return r.read(text, true) }

// read parses native, or select, which is the same grammar with the ancestor's
// meaning of values: every fact is text.
func (r *reader) read(text string, strict bool) (*Query, error) {
	d := dialectNative
	if strict {
		d = dialectSelect
	}
	toks := r.tokens(text, strict)
	if err := r.count(toks, d); err != nil {
		return nil, err
	}
	if len(toks) == 1 {
		return nil, &SyntaxError{Dialect: d, Offset: len(text), End: len(text), Problem: "the query is empty", Want: wantedOperand}
	}
	peek, err := lexer.Upgrade(&tokenReader{toks})
	if err != nil {
		return nil, err
	}
	node, err := nativeParser().ParseFromLexer(peek)
	if err != nil {
		return nil, explain(d, text, toks, offsetOf(err))
	}
	l := &lowerer{reader: r, text: text, strict: strict, tokens: toks}
	q, err := l.query(node)
	if err != nil {
		return nil, err
	}
	q.Warnings = l.warnings
	return q, nil
}

func (r *reader) tokens(text string, strict bool) []lexer.Token {
	t := &tokens{text: text, strict: strict, param: func(word string) bool {
		if name, ok := strings.CutPrefix(word, "$"); ok {
			_, bound := r.Named[name]
			return bound || !strict && name != "" && plainName(name)
		}
		return word == "?" && (len(r.Positional) > 0 || !strict)
	}}
	return t.run()
}

// tokenReader hands out tokens that were made beforehand.
type tokenReader struct{ rest []lexer.Token }

func (t *tokenReader) Next() (lexer.Token, error) {
	next := t.rest[0]
	if len(t.rest) > 1 {
		t.rest = t.rest[1:]
	}
	return next, nil
}

// count refuses what is nested too deep or has too many clauses, before the
// grammar, which recurses, sees it.
func (r *reader) count(toks []lexer.Token, d Dialect) error {
	depth := r.depth
	r.clauses++
	for _, tok := range toks {
		switch tok.Type {
		case tokPunct:
			switch tok.Value {
			case "(", "{", "[":
				depth++
			case ")", "}", "]":
				depth--
			}
		case tokCall:
			depth++
		case tokKey:
			if tok.Value == "and" || tok.Value == "or" {
				r.clauses++
			}
		default:
		}
		if depth > maxDepth {
			return &SyntaxError{Dialect: d, Offset: tok.Pos.Offset, End: tok.Pos.Offset + 1, Problem: fmt.Sprintf("the query is nested deeper than %d", maxDepth)}
		}
		if r.clauses > maxClauses {
			return &SyntaxError{
				Dialect: d, Offset: tok.Pos.Offset, End: tok.Pos.Offset + len(tok.Value),
				Problem: fmt.Sprintf("the query has more than %d clauses", maxClauses), Want: "in (…) for a list of values",
			}
		}
	}
	return nil
}

func offsetOf(err error) int {
	if at, ok := errors.AsType[participle.Error](err); ok {
		return at.Position().Offset
	}
	return 0
}

// lowerer turns the grammar's nodes into the tree.
type lowerer struct {
	*reader
	text      string
	strict    bool
	inElement bool // inside the braces of any PATH {…}: names are those of the element
	onlyFacts bool // -F: no name is reserved
	tokens    []lexer.Token
	warnings  []string
}

func (l *lowerer) fail(start, end int, problem, want string) error {
	return &SyntaxError{Offset: start, End: end, Problem: problem, Want: want}
}

// end is where the token that begins at start ends.
func (l *lowerer) end(start int) int {
	i := l.index(start)
	if i == len(l.tokens) || l.tokens[i].Pos.Offset != start {
		return start
	}
	return start + len(l.tokens[i].Value)
}

// index is the first token from offset start on.
func (l *lowerer) index(start int) int {
	i, _ := slices.BinarySearchFunc(l.tokens, start, func(t lexer.Token, start int) int { return t.Pos.Offset - start })
	return i
}

func (l *lowerer) query(n *queryNode) (*Query, error) {
	q := &Query{Filter: All{}}
	if n.Filter != nil {
		filter, err := l.or(n.Filter)
		if err != nil {
			return nil, err
		}
		q.Filter = filter
	}
	return q, l.clauses(q, n.Pipes)
}

func (l *lowerer) or(n *orNode) (Expr, error) {
	var parts []Expr
	for _, term := range n.Terms {
		part, err := l.and(term)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return or(parts...), nil
}

func (l *lowerer) and(n *andNode) (Expr, error) {
	var parts []Expr
	for _, term := range n.Terms {
		part, err := l.term(term)
		if err != nil {
			return nil, err
		}
		if len(term.Nots)%2 == 1 {
			part = not(part)
		}
		parts = append(parts, part)
	}
	return and(parts...), nil
}

func (l *lowerer) term(n *notNode) (Expr, error) {
	start := n.Pos.Offset
	if len(n.Nots) > 0 {
		start = l.tokens[l.index(start)+len(n.Nots)].Pos.Offset
	}
	switch {
	case n.Group != nil:
		return l.or(n.Group)
	case n.Regex != "":
		v, err := l.pattern(n.Regex, start)
		if err != nil {
			return nil, err
		}
		return l.classPattern(v, start, start+len(n.Regex)), nil
	case n.Saved != "":
		return l.savedFilter(n.Saved[1:], start, start+len(n.Saved))
	case n.Exists != nil:
		return l.exists(n.Exists, start)
	case n.Change != nil:
		return l.changed(n.Change, start)
	case n.Quant != nil:
		return l.quantified(n.Quant, start)
	}
	of := &operandNode{Pos: at(start), Word: n.Word, String: n.String, Call: n.Call}
	if n.Test != nil {
		return l.compare(of, n.Test, "", start)
	}
	return l.bareClass(of, start)
}

func (l *lowerer) exists(n *existsNode, start int) (Expr, error) {
	o, err := l.operand(n.Of)
	if err != nil {
		return nil, err
	}
	if o.yes != nil || o.fold || o.count {
		return nil, l.fail(start, l.after(start), n.Word+" takes a path", n.Word+" fact")
	}
	e := existsExpr(o.path, start, l.after(start))
	if c, ok := e.(*Compare); ok && o.view != "" {
		c.View = o.view
	}
	if n.Word == "missing" {
		return not(e), nil
	}
	return e, nil
}

// existsExpr says that path leads somewhere; every node has an identity, which
// is how native writes "every node".
func existsExpr(path Path, start, end int) Expr {
	if path.Field == "identity" {
		return All{}
	}
	return &Compare{Path: path, Op: "exists", Quant: "any", View: viewOf(path, false), Start: start, End: end}
}

func (l *lowerer) changed(n *changeNode, start int) (Expr, error) {
	path, _, err := l.operandPath(n.Of)
	if err != nil {
		return nil, err
	}
	age, ok := parseAge(n.Age)
	if !ok {
		at := l.text[start:]
		at = at[strings.LastIndex(at[:strings.Index(at, n.Age)+len(n.Age)], n.Age):]
		offset := len(l.text) - len(at)
		return nil, l.fail(offset, offset+len(n.Age), fmt.Sprintf("%q is not an age", n.Age), "an age such as 90s, 15m, 2h, 7d or 1d12h")
	}
	return &Changed{Path: path, Within: age, Start: start, End: l.after(start)}, nil
}

// after is where the last token before the next and, or or bracket ends,
// counted from start.
func (l *lowerer) after(start int) int {
	end := start
	for _, tok := range l.tokens[l.index(start):] {
		if tok.Type == tokKey && (tok.Value == "or" || tok.Value == "and") || tok.Type == tokPunct && end > start || tok.EOF() {
			break
		}
		end = tok.Pos.Offset + len(tok.Value)
	}
	return end
}

func (l *lowerer) quantified(n *quantNode, start int) (Expr, error) {
	if n.Test != nil {
		return l.compare(n.Of, n.Test, n.Quant, start)
	}
	path, _, err := l.operandPath(n.Of)
	if err != nil {
		return nil, err
	}
	switch path.Field {
	case "facts", "trusted", "element":
	default:
		return nil, l.fail(start, start+len(n.Quant), fmt.Sprintf("%s holds names, not things with parts", path), "a comparison, as in any "+path.String()+" = NAME")
	}
	outer := l.inElement
	l.inElement = true
	inside, err := l.or(n.Inside)
	l.inElement = outer
	if err != nil {
		return nil, err
	}
	return &Has{Path: path, Quant: n.Quant, Expr: inside, View: "native", Start: start, End: l.after(start)}, nil
}

// bareClass is an operand that stands alone.
func (l *lowerer) bareClass(n *operandNode, start int) (Expr, error) {
	switch {
	case n.Call != nil:
		return nil, l.fail(start, l.end(start), "a function needs a comparison", "an operator such as = after it")
	case l.inElement:
		return nil, l.fail(start, l.end(start), "a class can not stand inside of any … { }", "a comparison of a part of the element")
	case n.String != "":
		name, err := unquote(n.String, start)
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(name, "/") && l.strict {
			v, err := l.quotedPattern(name, start)
			return l.classPattern(v, start, start+len(n.String)), err
		}
		if i := strings.IndexAny(name, "=<>"); i > 0 && l.strict {
			return l.quotedFact(name, i, n, start)
		}
		return classExpr(textValue(classKey(name)), start, start+len(n.String)), nil
	}
	word := n.Word
	if i := strings.IndexFunc(word, func(r rune) bool { return !nameRune(r) && !strings.ContainsRune(".*?", r) }); i >= 0 {
		return nil, l.badName(word, start, i)
	}
	if word == "?" {
		return nil, l.fail(start, start+1, "a parameter stands where an operand is needed", wantedOperand)
	}
	if strings.ContainsAny(word, "*?") {
		return classExpr(globValue(classKey(word)), start, start+len(word)), nil
	}
	return classExpr(textValue(classKey(word)), start, start+len(word)), nil
}

func classExpr(v Value, start, end int) Expr {
	return &Compare{Path: Path{Field: "classes"}, Op: "=", Value: v, Quant: "any", View: "class", Start: start, End: end}
}

func (l *lowerer) classPattern(v Value, start, end int) Expr {
	return &Compare{Path: Path{Field: "classes"}, Op: "=~", Value: v, Quant: "any", View: l.patternView("class"), Start: start, End: end}
}

// quotedFact reads a comparison that stands in quotes as a whole, as the
// ancestor did.
func (l *lowerer) quotedFact(text string, i int, n *operandNode, start int) (Expr, error) {
	if i > 1 && text[i-1:i+1] == "!=" {
		i--
	}
	op := operatorAt(text[i:])
	name, value := strings.TrimRight(text[:i], blanks), strings.TrimLeft(text[i+len(op):], blanks)
	e, err := l.fact(name, op, value, start, start)
	if c, ok := e.(*Compare); ok {
		c.End = start + len(n.String)
	}
	if _, ok := errors.AsType[*SyntaxError](err); ok {
		return nil, l.fail(start, start+len(n.String), "the comparison in quotes can not be read", "fact='value'")
	}
	return e, err
}

// patternView is the view in which a pattern is searched. The ancestor's
// dialects search a class only as it is spelled.
func (l *lowerer) patternView(view string) string {
	if l.strict && view == "class" {
		return "text"
	}
	return view
}

func (l *lowerer) badName(word string, start, i int) error {
	err := &SyntaxError{Offset: start + i, End: start + len(word), Problem: fmt.Sprintf("a name can not hold %q without quotes", word[i:i+1])}
	if word == "&&" || word == "||" || word == "&" {
		err.Offset, err.Problem = start, fmt.Sprintf("%q is not an operator", word)
	}
	return err
}
