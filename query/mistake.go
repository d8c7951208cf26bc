package query

import (
	"fmt"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

const (
	wantedOperand = `a class, a comparison such as fact=value, or "("`
	wantedValue   = "a value"
	wantedTest    = "an operator such as =, != or in, or else and, or, or the end"
	wantedNext    = "and, or, or the end"
)

// explain says in words what is wrong at offset: what stands there, and what
// may follow the token before it.
func explain(d Dialect, text string, toks []lexer.Token, offset int) *SyntaxError {
	i := 0
	for i < len(toks)-1 && toks[i].Pos.Offset < offset {
		i++
	}
	found := toks[i]
	e := &SyntaxError{Dialect: d, Text: text, Offset: found.Pos.Offset, End: found.Pos.Offset + len(found.Value)}
	if open, ok := unbalanced(toks); ok && (found.EOF() || open.Pos.Offset == found.Pos.Offset) {
		e.Offset, e.End = open.Pos.Offset, open.Pos.Offset+len(open.Value)
		e.Problem = fmt.Sprintf("%q is never closed", open.Value)
		if strings.ContainsAny(open.Value, ")]}") {
			e.Problem = fmt.Sprintf("%q closes nothing", open.Value)
		}
		return e
	}
	e.Want = wantedAfter(toks, i)
	switch {
	case found.EOF():
		e.Problem = "the query ends too soon"
	case found.Type == tokBad:
		e.Problem, e.Want = found.Value, ""
		e.End = len(text)
	case found.Type == tokKey && e.Want == wantedOperand:
		e.Problem = fmt.Sprintf("the reserved word %q stands where an operand is needed", found.Value)
	default:
		e.Problem = fmt.Sprintf("%q can not stand here", clip(found.Value))
	}
	return e
}

func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}

// wantedAfter is what may stand at token i, which follows from the one before.
func wantedAfter(toks []lexer.Token, i int) string {
	if i == 0 {
		return wantedOperand
	}
	switch last := toks[i-1]; last.Type {
	case tokOp:
		return wantedValue
	case tokValue, tokParam, tokRegex, tokSaved:
		if i > 1 && toks[i-2].Type == tokKey && toks[i-2].Value == "between" {
			return "and, then the upper bound"
		}
		return wantedNext
	case tokCall:
		return `a name in quotes, then ")"`
	case tokKey:
		switch last.Value {
		case "in":
			return "a list such as (a, b), a network such as 10.0.0.0/8, or a query in braces"
		case "between", "before", "after", "within", "has", "key":
			return wantedValue
		case "is":
			return "null or not null"
		case "null":
			return wantedNext
		case "exists", "missing", "any", "all", "none", "changed":
			return "the path of a fact"
		}
		return wantedOperand
	case tokPunct:
		switch last.Value {
		case ")", "]", "}":
			return wantedNext
		case "|":
			return "select, group by, order by, limit, offset or sample"
		}
		return wantedOperand
	case tokString:
		if i > 1 && toks[i-2].Type == tokOp {
			return wantedNext
		}
	default:
	}
	return wantedTest
}

// unbalanced finds a bracket without its partner: the first that closes
// nothing, or the last that is never closed.
func unbalanced(toks []lexer.Token) (lexer.Token, bool) {
	var open []lexer.Token
	for _, tok := range toks {
		switch {
		case tok.Type == tokCall || tok.Type == tokPunct && (tok.Value == "(" || tok.Value == "[" || tok.Value == "{"):
			open = append(open, tok)
		case tok.Type == tokPunct && (tok.Value == ")" || tok.Value == "]" || tok.Value == "}"):
			if len(open) == 0 {
				return tok, true
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) == 0 {
		return lexer.Token{}, false
	}
	return open[len(open)-1], true
}
