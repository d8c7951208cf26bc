package query

import (
	"errors"
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// pqlMistake says in words what the grammar found at its first mistake.
func pqlMistake(text string, tokens []lexer.Token, err error) *SyntaxError {
	e := &SyntaxError{Offset: len(text), End: len(text), Problem: "the query ends too soon"}
	if pe, ok := errors.AsType[participle.Error](err); ok {
		e.Offset = min(pe.Position().Offset, len(text))
	}
	var before, at lexer.Token
	for _, t := range tokens {
		if t.EOF() {
			break
		}
		if t.Pos.Offset >= e.Offset {
			at = t
			break
		}
		before = t
	}
	if at.Value != "" {
		e.End = tokenEnd(at)
		e.Problem = quote(at.Value) + " cannot stand here"
	}
	e.Want = pqlWant(before)
	switch {
	case at.Type == pqlUnclosed:
		e.Problem, e.Want = "unclosed quote", "a closing "+at.Value[:1]
	case before.Value == "is" && at.Value != "":
		e.Want = "null or not null"
	case strings.EqualFold(at.Value, "xor") || at.Value == "&" || at.Value == "|":
		e.Hint = "conditions are joined by and, or and !"
	}
	return e
}

// pqlWant is what may follow a token.
func pqlWant(before lexer.Token) string {
	switch {
	case before.Value == "":
		return "an entity: inventory, nodes, facts, fact_contents or resources"
	case before.Type == pqlOp:
		return "a value: a number, true, false, or text in quotes"
	case before.Type == pqlWord:
		return pqlWantAfterWord(strings.ToLower(before.Value))
	}
	switch before.Value {
	case "{":
		return "a condition, a clause such as order by, or }"
	case "(", "!":
		return "a condition"
	case "[", ",":
		return "a name or a value"
	}
	return "and, or, a clause such as order by, or the closing bracket"
}

func pqlWantAfterWord(word string) string {
	switch word {
	case "and", "or", "not":
		return "a condition"
	case "is":
		return "null or not null"
	case "in":
		return "a list in brackets, or a subquery"
	case "by":
		return "a field"
	case "limit", "offset":
		return "a number"
	case "null", "true", "false":
		return "and, or, a clause such as order by, or the closing bracket"
	}
	if slices.Contains(entities[:], word) {
		return "[ or {"
	}
	return "a comparison: =, !=, ~, !~, <, <=, >, >=, in, is null"
}
