package query

import (
	"fmt"
	"strings"
)

// parseWith reads facts and classes with blanks between, all of which must
// hold: environment=development customer=acme mysql::master. A "!" before a
// piece negates it; an operator standing alone joins its neighbours.
func (r *reader) parseWith(text string) (*Query, error) {
	l := &lowerer{reader: r, text: text, strict: true}
	var parts []Expr
	for i := skipBlanks(text, 0); i < len(text); i = skipBlanks(text, i) {
		part, next, err := l.piece(i)
		if err != nil {
			return nil, err
		}
		if r.clauses++; r.clauses > maxClauses {
			return nil, l.fail(i, next, fmt.Sprintf("the query has more than %d clauses", maxClauses), "")
		}
		parts = append(parts, part)
		i = next
	}
	return &Query{Filter: and(parts...), Warnings: l.warnings}, nil
}

func skipBlanks(text string, i int) int {
	for i < len(text) && strings.IndexByte(blanks, text[i]) >= 0 {
		i++
	}
	return i
}

// piece reads one piece that begins at i and says where the next can begin.
func (l *lowerer) piece(i int) (e Expr, next int, err error) {
	negated := false
	for i < len(l.text) && l.text[i] == '!' {
		negated = !negated
		i = skipBlanks(l.text, i+1)
	}
	start := i
	n, problem := operandLength(l.text[i:])
	if n > 1 && l.text[i] == '/' {
		n = max(n, patternLength(l.text[i:]))
	}
	word := l.text[i : i+n]
	switch {
	case i == len(l.text):
		return nil, 0, l.fail(i, i, `nothing follows "!"`, "a class or a comparison")
	case problem != "":
		return nil, 0, l.badPiece(i, n, problem)
	case word == "and" || word == "or" || word == "not":
		want := map[string]string{"and": "the pieces side by side", "or": "--select for a choice", "not": `"!" before the piece`}[word]
		return nil, 0, &SyntaxError{
			Offset: i, End: i + n, Problem: fmt.Sprintf("%q has no place in this dialect, where all pieces must hold", word), Want: want,
			Hint: "and, or and not are read by --select",
		}
	}
	i += n
	opAt := skipBlanks(l.text, i)
	if op := operatorAt(l.text[opAt:]); op != "" && word[0] != '/' {
		from := skipBlanks(l.text, opAt+len(op))
		next = from + l.pieceValue(from)
		e, err = l.fact(word, op, l.text[from:next], start, from)
	} else {
		next = i
		e, err = l.pieceName(word, start)
	}
	if err != nil {
		return nil, 0, err
	}
	if next < len(l.text) && strings.IndexByte(blanks, l.text[next]) < 0 {
		return nil, 0, l.badPiece(next, 1, fmt.Sprintf("%q can not stand here", l.text[next:next+1]))
	}
	if negated {
		e = not(e)
	}
	return e, next, nil
}

func (l *lowerer) badPiece(i, n int, problem string) error {
	err := &SyntaxError{Offset: i, End: i + n, Problem: problem, Want: "a class or a comparison such as fact=value"}
	if strings.ContainsAny(l.text[i:i+n], "()|&") {
		err.Hint = "and, or, not and brackets are read by --select"
	}
	return err
}

// pieceValue is the length of the value at i: quoted, a pattern, or up to the
// next blank. A slash begins a pattern only if one ends it before a blank.
func (l *lowerer) pieceValue(i int) int {
	rest := l.text[i:]
	n := 0
	switch {
	case rest == "":
		return 0
	case rest[0] == '"' || rest[0] == '\'':
		n = quotedLength(rest)
	case rest[0] == '/':
		n = patternLength(rest)
		for n > 0 && n < len(rest) && strings.IndexByte("ims", rest[n]) >= 0 {
			n++
		}
	}
	if n > 0 && (n == len(rest) || strings.IndexByte(blanks, rest[n]) >= 0) {
		return n
	}
	if n = strings.IndexAny(rest, blanks); n < 0 {
		n = len(rest)
	}
	return n
}

// pieceName reads a piece without an operator: a class, or a saved query.
func (l *lowerer) pieceName(word string, start int) (Expr, error) {
	if name, ok := strings.CutPrefix(word, "@"); ok {
		return l.savedFilter(name, start, start+len(word))
	}
	return l.name("classes", word, start)
}

// name reads a class, an RPC agent or an identity: /pattern/, a name with * or
// ?, or a plain name, with or without quotes.
func (l *lowerer) name(field, word string, start int) (Expr, error) {
	end := start + len(word)
	c := &Compare{Path: Path{Field: field}, Op: "=", Quant: "any", View: viewOf(Path{Field: field}, true), Start: start, End: end}
	fail := func(problem, want string) (Expr, error) { return nil, l.fail(start, end, problem, want) }
	if strings.HasPrefix(word, "/") {
		body, flags, ok := splitPattern(word)
		switch {
		case !ok:
			return fail(`the regular expression is never closed with "/"`, word+"/")
		case body == "":
			return fail("the regular expression is empty", "a pattern")
		}
		v, err := l.regex(body, flags, start+1)
		c.Op, c.Value, c.View = "=~", v, l.patternView(c.View)
		return c, err
	}
	literal := word != "" && (word[0] == '"' || word[0] == '\'') && quotedLength(word) == len(word)
	if literal {
		text, err := unquote(word, start)
		if err != nil {
			return nil, err
		}
		word = text
	}
	if word == "" || word == "?" && !literal {
		return fail("the name is empty", "a name or /pattern/")
	}
	if i := strings.IndexFunc(word, func(r rune) bool { return !nameRune(r) && !strings.ContainsRune(".*?", r) }); i >= 0 && !literal {
		return nil, l.fail(start+i, end, fmt.Sprintf("a name can not hold %q without quotes", word[i:i+1]), "")
	}
	if field == "classes" {
		word = classKey(word)
	}
	c.Value = textValue(word)
	if !literal && strings.ContainsAny(word, "*?") {
		c.Value = globValue(word)
	}
	return c, nil
}

// splitPattern cuts /pattern/flags at its outer slashes; only these are
// delimiters.
func splitPattern(word string) (body, flags string, ok bool) {
	end := strings.LastIndexByte(word, '/')
	if end <= 0 {
		return "", "", false
	}
	return word[1:end], word[end+1:], true
}

// fact reads a comparison as -F has it: value begins at from.
func (l *lowerer) fact(name, op, value string, start, from int) (Expr, error) {
	end := from + len(value)
	path, err := l.path(name, start)
	switch {
	case err != nil:
		return nil, err
	case value == "":
		return nil, l.fail(end, end, "the value is missing", `a value, or "" for empty text`)
	}
	if (value[0] == '"' || value[0] == '\'') && quotedLength(value) == 0 {
		return nil, l.fail(from, end, "the quote is never closed", "")
	}
	n := &opNode{Op: op, Value: &valueNode{}}
	n.Value.Pos.Offset = from
	body, flags, isPattern := splitPattern(value)
	switch quoted := quotedLength(value) == len(value) && strings.ContainsAny(value[:1], `"'`); {
	case l.bound(value):
		n.Value.Param = value
	case value[0] == '/' && isPattern && op != "==" && strings.Trim(flags, "ims") == "":
		if body == "" {
			return nil, l.fail(from, end, "the regular expression is empty", "a pattern")
		}
		n.Value.Regex = value
	case quoted && op != "=~" && op != "!~" && op != "~" && strings.ContainsAny(op, "<>"):
		if n.Value.Text, err = unquote(value, from); err != nil {
			return nil, err
		}
	case quoted:
		n.Value.String = value
		switch op { // text in quotes is never a pattern
		case "=":
			n.Op = "=="
		case "!=":
			n.Op = "!=="
		}
	default:
		n.Value.Text = value
	}
	c := Compare{Path: path, View: viewOf(path, true), Start: start, End: end}
	if (op == "!=" || op == "!==") && (path.Field == "facts" || path.Field == "trusted") {
		c.Quant = "any" // of a list, one other element is enough, as the ancestor has it
	}
	return l.operator(c, operand{path: path}, n)
}

// bound reports whether a value stands for a parameter.
func (l *lowerer) bound(value string) bool {
	if name, ok := strings.CutPrefix(value, "$"); ok {
		_, ok = l.Named[name]
		return ok
	}
	return value == "?" && len(l.Positional) > l.positional
}

// sideBySide reports whether a text reads as with: two operands follow each
// other, and there is nothing that only native has.
func sideBySide(text string) bool {
	toks := (&reader{}).tokens(text[:min(len(text), maxBytes)], false)
	found := false
	for i, tok := range toks[:len(toks)-1] {
		switch tok.Type {
		case tokKey, tokPunct, tokCall, tokBad:
			return false
		case tokWord:
			if strings.Trim(tok.Value, "&|") == "" {
				return false
			}
		default:
		}
		found = found || i > 0 && tok.Type != tokOp && toks[i-1].Type != tokOp
	}
	return found
}
