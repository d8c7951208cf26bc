package query

import (
	"github.com/alecthomas/participle/v2/lexer"
)

// relaxedMistake finds the first thing wrong in a text that the grammar has
// refused. It reads the tokens again with a stack of what is open: the
// parser's own message names its types and stands where it stopped trying.
func relaxedMistake(text string, tokens []lexer.Token) *SyntaxError {
	w := relaxedWalk{expect: expectValue}
	fail := func(pos, end int, problem, want, hint string) *SyntaxError {
		return &SyntaxError{Offset: pos, End: end, Problem: problem, Want: want, Hint: hint}
	}
	for _, t := range tokens {
		if t.EOF() || w.step(t) {
			continue
		}
		end := tokenEnd(t)
		switch {
		case t.Type == relUnclosed && t.Value[0] != '/':
			return fail(t.Pos.Offset, end, "unclosed quote", "a closing "+t.Value[:1], "")
		case t.Type == relUnclosed:
			return fail(t.Pos.Offset, end, "unterminated regex", "a closing /", "quote it if it is a path and not a regex")
		}
		if w.expect == expectEnd {
			return fail(t.Pos.Offset, end, "text after the filter", "nothing after the closing bracket", "")
		}
		return fail(t.Pos.Offset, end, quote(t.Value)+" cannot stand here", string(w.expect), w.hint(t))
	}
	if n := len(w.open); n > 0 {
		o := w.open[n-1]
		return fail(o.Pos.Offset, tokenEnd(o), "unclosed "+o.Value[len(o.Value)-1:], "its closing bracket", "")
	}
	return fail(len(text), len(text), "the query ends too soon", string(w.expect), "")
}

// expectation is what may follow, in the words of an error.
type expectation string

const (
	expectValue     expectation = "a value"
	expectItem      expectation = "a value or ]"
	expectArgument  expectation = "a value or )"
	expectKey       expectation = "a key or }"
	expectSeparator expectation = ": or => after the key"
	expectPairEnd   expectation = ", or }"
	expectItemEnd   expectation = ", or ]"
	expectArgsEnd   expectation = ", or )"
	expectEnd       expectation = "the end"
)

type relaxedWalk struct {
	open   []lexer.Token
	expect expectation
}

// step takes one token, or says that it cannot stand here.
func (w *relaxedWalk) step(t lexer.Token) bool {
	switch w.expect {
	case expectKey:
		if t.Type == relString || t.Type == relSymbol || t.Type == relKey {
			w.expect = expectSeparator
			return true
		}
		return t.Type == relDocClose && w.close()
	case expectSeparator:
		if t.Type == relSeparator {
			w.expect = expectValue
			return true
		}
	case expectValue, expectItem, expectArgument:
		if w.expect == expectItem && t.Type == relListClose || w.expect == expectArgument && t.Type == relCallClose {
			return w.close()
		}
		return w.value(t)
	case expectPairEnd, expectItemEnd, expectArgsEnd:
		if t.Type == relComma {
			w.expect = map[expectation]expectation{expectPairEnd: expectKey, expectItemEnd: expectItem, expectArgsEnd: expectArgument}[w.expect]
			return true
		}
		closing := map[expectation]lexer.TokenType{expectPairEnd: relDocClose, expectItemEnd: relListClose, expectArgsEnd: relCallClose}[w.expect]
		return t.Type == closing && w.close()
	case expectEnd:
	}
	return false
}

func (w *relaxedWalk) value(t lexer.Token) bool {
	switch t.Type {
	case relString, relWord, relSymbol, relRegex:
		w.after()
		return true
	case relDocOpen:
		w.expect = expectKey
	case relListOpen:
		w.expect = expectItem
	case relCall:
		w.expect = expectArgument
	default:
		return false
	}
	w.open = append(w.open, t)
	return true
}

// close takes the innermost bracket off, which the lexer has matched.
func (w *relaxedWalk) close() bool {
	w.open = w.open[:len(w.open)-1]
	w.after()
	return true
}

// after says what follows a whole value.
func (w *relaxedWalk) after() {
	w.expect = expectEnd
	if n := len(w.open); n > 0 {
		opener := w.open[n-1].Value
		w.expect = map[byte]expectation{'{': expectPairEnd, '[': expectItemEnd, '(': expectArgsEnd}[opener[len(opener)-1]]
	}
}

func (w *relaxedWalk) hint(t lexer.Token) string {
	switch {
	case w.expect == expectKey && t.Value == "/":
		return "a key is a field such as facts.os.name; a regex is a value"
	case w.expect == expectPairEnd && t.Type == relKey:
		return "separate conditions by commas; quote a value that holds blanks"
	}
	return ""
}
