package query

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/lexer"
)

// The tokens of relaxed documents.
const (
	relWord      lexer.TokenType = iota + 1 // a value without quotes
	relString                               // with its quotes
	relSymbol                               // :name
	relRegex                                // /pattern/flags
	relKey                                  // a key without quotes
	relSeparator                            // : or =>
	relComma
	relDocOpen
	relDocClose
	relListOpen
	relListClose
	relCall // name(
	relCallClose
	relUnclosed // a quote or a regex that never ends
	relBad      // a character that begins no token
)

// relaxedTokens cuts a text into tokens. Whether a colon separates or belongs
// to a word depends on where it stands, so there are states. It never fails, so that the first mistake is reported and not the
// last.
type relaxedTokens struct {
	text   string
	pos    int
	states []relaxedState
	out    []lexer.Token
}

type relaxedState byte

const (
	stateText      relaxedState = iota // outside of everything
	stateDoc                           // where a key may stand
	stateSeparator                     // after a key
	stateValue                         // after a separator; left with the value
	stateList
	stateCall
)

// relaxedNames names the tokens for the grammar.
var relaxedNames = tokenNames{
	"EOF": lexer.EOF, "Word": relWord, "String": relString, "Symbol": relSymbol, "Regex": relRegex, "Key": relKey,
	"Separator": relSeparator, "Comma": relComma, "DocOpen": relDocOpen, "DocClose": relDocClose,
	"ListOpen": relListOpen, "ListClose": relListClose, "Call": relCall, "CallClose": relCallClose, "Unclosed": relUnclosed, "Bad": relBad,
}

// tokenNames tells the grammar the names of tokens.
type tokenNames map[string]lexer.TokenType

// Symbols are the names.
func (n tokenNames) Symbols() map[string]lexer.TokenType { return n }

// Lex is never asked: a text is cut into tokens, and their depth is checked,
// before the grammar sees them.
func (tokenNames) Lex(string, io.Reader) (lexer.Lexer, error) {
	return nil, errors.New("tokens are made beforehand")
}

func cutRelaxed(text string) []lexer.Token {
	t := &relaxedTokens{text: text, states: []relaxedState{stateText}, out: make([]lexer.Token, 0, 8+len(text)/4)}
	for {
		for t.pos < len(text) && isSpace(text[t.pos]) {
			t.pos++
		}
		if t.pos == len(text) {
			return append(t.out, lexer.Token{Type: lexer.EOF, Pos: at(len(text))})
		}
		switch t.state() {
		case stateDoc:
			t.key()
		case stateSeparator:
			t.separator()
		default:
			t.value()
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' }

func (t *relaxedTokens) state() relaxedState { return t.states[len(t.states)-1] }

func (t *relaxedTokens) push(s relaxedState) { t.states = append(t.states, s) }

func (t *relaxedTokens) pop() { t.states = t.states[:len(t.states)-1] }

func (t *relaxedTokens) emit(typ lexer.TokenType, n int) {
	t.out = append(t.out, lexer.Token{Type: typ, Value: t.text[t.pos : t.pos+n], Pos: at(t.pos)})
	t.pos += n
}

func (t *relaxedTokens) bad() {
	_, n := utf8.DecodeRuneInString(t.text[t.pos:])
	t.emit(relBad, n)
}

func (t *relaxedTokens) key() {
	rest := t.text[t.pos:]
	switch c := rest[0]; {
	case c == '}':
		t.pop()
		t.emit(relDocClose, 1)
	case c == ',':
		t.emit(relComma, 1)
	case c == '"' || c == '\'' || c == '`':
		t.quoted(rest, stateSeparator)
	case c == ':' && symbolLength(rest) > 0:
		t.emit(relSymbol, symbolLength(rest))
		t.push(stateSeparator)
	default:
		n := spanOf(rest, "{}[]()'\":=`/,")
		if n == 0 {
			t.bad()
			return
		}
		t.emit(relKey, n)
		t.push(stateSeparator)
	}
}

// spanOf is how much of s holds neither blanks nor any of stops.
func spanOf(s, stops string) int {
	for i := range len(s) {
		if isSpace(s[i]) || strings.IndexByte(stops, s[i]) >= 0 {
			return i
		}
	}
	return len(s)
}

// quoted reads a text in quotes; next is the state after it, stateText to leave one.
func (t *relaxedTokens) quoted(rest string, next relaxedState) {
	n := quotedLength(rest)
	if n == 0 {
		t.emit(relUnclosed, len(rest))
		return
	}
	t.emit(relString, n)
	if next != stateText {
		t.push(next)
	}
}

// symbolLength is the length of Ruby's :name or :"name" at the start of s.
func symbolLength(s string) int {
	if len(s) < 2 {
		return 0
	}
	switch c := s[1]; {
	case c == '"' || c == '\'':
		if n := quotedLength(s[1:]); n > 0 {
			return n + 1
		}
	case c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
		return 1 + spanOf(s[1:], "{}[]()'\"=,")
	}
	return 0
}

func (t *relaxedTokens) separator() {
	switch rest := t.text[t.pos:]; {
	case strings.HasPrefix(rest, "=>"):
		t.emit(relSeparator, 2)
	case rest[0] == ':':
		t.emit(relSeparator, 1)
	default:
		t.pop()
		return
	}
	t.push(stateValue)
}

// closings end the states that hold values.
var closings = [...]struct {
	state relaxedState
	close byte
	token lexer.TokenType
}{{stateList, ']', relListClose}, {stateCall, ')', relCallClose}}

func (t *relaxedTokens) value() {
	rest, state := t.text[t.pos:], t.state()
	for _, c := range closings {
		if state == c.state && rest[0] == c.close {
			t.pop()
			t.emit(c.token, 1)
			return
		}
		if state == c.state && rest[0] == ',' {
			t.emit(relComma, 1)
			return
		}
	}
	if t.opening(rest) {
		return
	}
	before := len(t.out)
	t.scalar(rest)
	if state == stateValue {
		t.pop() // with its value, or because there is none
	} else if len(t.out) == before {
		t.bad()
	}
}

// opening reads a bracket or the name of a constructor with its bracket.
func (t *relaxedTokens) opening(rest string) bool {
	switch n := callLength(rest); {
	case rest[0] == '{':
		t.emit(relDocOpen, 1)
		t.push(stateDoc)
	case rest[0] == '[':
		t.emit(relListOpen, 1)
		t.push(stateList)
	case n > 0:
		t.emit(relCall, n)
		t.push(stateCall)
	default:
		return false
	}
	return true
}

// callLength is the length of name( or new name( at the start of s.
func callLength(s string) int {
	start := 0
	if strings.HasPrefix(s, "new") {
		for start = len("new"); start < len(s) && isSpace(s[start]); {
			start++
		}
		if start == len("new") {
			start = 0
		}
	}
	end := start
	for end < len(s) && (s[end] == '_' || s[end] >= 'A' && s[end] <= 'Z' || s[end] >= 'a' && s[end] <= 'z' ||
		end > start && (s[end] == '.' || s[end] == ':' || s[end] >= '0' && s[end] <= '9')) {
		end++
	}
	if end == start || end == len(s) || s[end] != '(' {
		return 0
	}
	return end + 1
}

// scalar reads a value that is no bracket, if there is one.
func (t *relaxedTokens) scalar(rest string) {
	switch c := rest[0]; {
	case c == '"' || c == '\'' || c == '`':
		t.quoted(rest, stateText)
	case c == '/':
		n := patternLength(rest)
		if n <= len("//") {
			t.emit(relUnclosed, len(rest))
			return
		}
		for n < len(rest) && (rest[n] >= 'a' && rest[n] <= 'z' || rest[n] >= 'A' && rest[n] <= 'Z') {
			n++
		}
		t.emit(relRegex, n)
	case c == ':' && symbolLength(rest) > 0:
		t.emit(relSymbol, symbolLength(rest))
	case c != ':' || strings.HasPrefix(rest, "::"):
		if n := spanOf(rest, "{}[]()'\"`,"); n > 0 {
			t.emit(relWord, n)
		}
	}
}

// relaxedDepth refuses nesting beyond maxDepth before the grammar, which
// recurses, sees the tokens.
func relaxedDepth(tokens []lexer.Token) error {
	depth := 0
	for _, t := range tokens {
		switch {
		case slices.Contains([]lexer.TokenType{relDocOpen, relListOpen, relCall}, t.Type):
			if depth++; depth > maxDepth {
				return &SyntaxError{Offset: t.Pos.Offset, End: tokenEnd(t), Problem: fmt.Sprintf("brackets are nested deeper than %d", maxDepth), Want: "a flatter query"}
			}
		case slices.Contains([]lexer.TokenType{relDocClose, relListClose, relCallClose}, t.Type):
			depth--
		}
	}
	return nil
}
