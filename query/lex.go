package query

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/lexer"
)

// The tokens of native and select.
const (
	tokWord   lexer.TokenType = iota + 1 // class or path, with its quotes
	tokKey                               // reserved word where one may stand, in lower case
	tokString                            // quoted text, with its quotes
	tokRegex                             // /pattern/flags
	tokOp                                // comparison
	tokPunct                             // ( ) [ ] { } , | !
	tokValue                             // text without quotes, where a value stands
	tokParam                             // $name or ?
	tokCall                              // name( without a blank between
	tokSaved                             // @name
	tokBad                               // what begins no token; Value says why
)

// nativeTokens names the tokens for the grammar.
type nativeTokens struct{}

func (nativeTokens) Symbols() map[string]lexer.TokenType {
	return map[string]lexer.TokenType{
		"EOF": lexer.EOF, "Word": tokWord, "Key": tokKey, "String": tokString, "Regex": tokRegex, "Op": tokOp,
		"Punct": tokPunct, "Value": tokValue, "Param": tokParam, "Call": tokCall, "Saved": tokSaved, "Bad": tokBad,
	}
}

// Lex is never asked: texts are cut into tokens, and those counted, before the
// grammar sees them.
func (nativeTokens) Lex(string, io.Reader) (lexer.Lexer, error) {
	return nil, fmt.Errorf("tokens are made beforehand")
}

// wants is what the next token can be; it decides how characters are read.
type wants int

const (
	wantOperand  wants = iota // a class, a path, not, a bracket
	wantOperator              // after an operand or a value
	wantValue                 // after an operator
	wantMember                // in a list
	wantIs                    // after is: null, not null
	wantHas                   // after has: key, all, any, or a value
	wantClause                // after a pipe: words, commas, calls
)

// tokens cuts a text into tokens. It never fails: what is no token is a tokBad,
// so that the first mistake is reported and not the last.
type tokens struct {
	text     string
	strict   bool // select: no upper-case keywords, lists or globs where the ancestor had text
	param    func(name string) bool
	pos      int
	want     wants
	between  bool   // the "and" of between is still to come
	brackets []byte // open ones: ( [ {, and l for a list's, c for a call's, p for a pipe
	braces   int    // how many of them are {
	out      []lexer.Token
}

func (t *tokens) run() []lexer.Token {
	for {
		for t.pos < len(t.text) && strings.IndexByte(blanks, t.text[t.pos]) >= 0 {
			t.pos++
		}
		if t.pos >= len(t.text) {
			return append(t.out, lexer.Token{Type: lexer.EOF, Pos: at(len(t.text))})
		}
		switch t.want {
		case wantValue, wantMember:
			t.value()
		case wantIs:
			t.is()
		case wantHas:
			t.has()
		case wantClause:
			t.clause()
		default:
			t.root()
		}
	}
}

func at(offset int) lexer.Position {
	return lexer.Position{Offset: offset, Line: 1, Column: offset + 1}
}

// emit adds the token that ends n bytes from here.
func (t *tokens) emit(typ lexer.TokenType, n int, next wants) {
	t.out = append(t.out, lexer.Token{Type: typ, Value: t.text[t.pos : t.pos+n], Pos: at(t.pos)})
	t.pos += n
	t.want = next
}

func (t *tokens) bad(n int, problem string) {
	t.out = append(t.out, lexer.Token{Type: tokBad, Value: problem, Pos: at(t.pos)})
	t.pos += n
	t.want = wantOperator
}

func (t *tokens) key(word string, next wants) {
	t.emit(tokKey, len(word), next)
	t.out[len(t.out)-1].Value = strings.ToLower(word)
}

// root reads outside of values.
func (t *tokens) root() {
	rest := t.text[t.pos:]
	switch c := rest[0]; {
	case c == '(' || c == '{':
		t.open(c, wantOperand)
	case c == '[':
		t.open(c, wantOperand)
	case c == ')' || c == ']' || c == '}':
		t.close()
	case c == '|':
		if strings.HasPrefix(rest, "||") {
			t.emit(tokWord, 2, wantOperand)
			return
		}
		t.brackets = append(t.brackets, 'p')
		t.emit(tokPunct, 1, wantClause)
	case c == ',':
		t.emit(tokPunct, 1, wantOperand)
	case c == '!' && (t.want == wantOperand || len(rest) < 2 || rest[1] != '=' && rest[1] != '~'):
		t.emit(tokPunct, 1, wantOperand)
	case strings.IndexByte("=<>~!", c) >= 0:
		if op := operatorAt(rest); op != "" {
			t.emit(tokOp, len(op), wantValue)
			return
		}
		t.emit(tokPunct, 1, wantOperand) // a lone "!"
	case c == '/':
		t.pattern(wantOperator)
	case c == '@' && t.want == wantOperand:
		t.emit(tokSaved, 1+wordLength(rest[1:], plainWord), wantOperator)
	default:
		t.word()
	}
}

func (t *tokens) open(c byte, next wants) {
	if c == '{' {
		t.braces++
	}
	t.brackets = append(t.brackets, c)
	t.emit(tokPunct, 1, next)
}

// close ends a bracket; what it stood in tells what may follow.
func (t *tokens) close() {
	if t.text[t.pos] == '}' && t.top() == 'p' {
		t.brackets = t.brackets[:len(t.brackets)-1]
	}
	if t.top() == '{' {
		t.braces--
	}
	if n := len(t.brackets); n > 0 {
		t.brackets = t.brackets[:n-1]
	}
	next := wantOperator
	switch t.top() {
	case 'l':
		next = wantMember
	case 'p':
		next = wantClause
	}
	t.emit(tokPunct, 1, next)
}

// top is the innermost open bracket, 0 if there is none.
func (t *tokens) top() byte {
	if len(t.brackets) == 0 {
		return 0
	}
	return t.brackets[len(t.brackets)-1]
}

// word reads a name, and tells reserved words by where they stand.
func (t *tokens) word() {
	rest := t.text[t.pos:]
	n, problem := operandLength(rest)
	if problem != "" {
		t.bad(n, problem)
		return
	}
	word := rest[:n]
	if word[0] == '"' || word[0] == '\'' {
		if closed := quotedLength(word); closed == n {
			t.emit(tokString, n, wantOperator)
			return
		}
		t.emit(tokWord, n, wantOperator)
		return
	}
	if next, ok := t.reserved(word, rest[n:]); ok {
		t.key(word, next)
		return
	}
	if strings.HasPrefix(rest[n:], "(") {
		t.brackets = append(t.brackets, 'c')
		t.emit(tokCall, n+1, wantOperand)
		return
	}
	t.emit(tokWord, n, wantOperator)
}

// reserved reports whether a word is a keyword where it stands, and what
// follows it then.
func (t *tokens) reserved(word, rest string) (next wants, ok bool) {
	lower := word
	if !t.strict {
		lower = strings.ToLower(word)
	}
	if t.want == wantOperand {
		switch lower {
		case "and", "or", "not":
			return wantOperand, true
		case "any", "all", "none", "exists", "missing", "changed":
			return wantOperand, operandFollows(rest)
		}
		return 0, false
	}
	switch lower {
	case "and":
		if t.between {
			t.between = false
			return wantValue, true
		}
		return wantOperand, true
	case "or":
		return wantOperand, true
	case "not":
		return wantOperator, true
	case "between":
		t.between = true
		return wantValue, true
	case "in", "before", "after", "within":
		return wantValue, true
	case "is":
		return wantIs, true
	case "has":
		return wantHas, true
	}
	return 0, false
}

// operandFollows reports whether what stands after any, exists and their like
// makes them keywords and not names themselves.
func operandFollows(rest string) bool {
	trimmed := strings.TrimLeft(rest, blanks)
	if trimmed == "" || trimmed == rest || strings.IndexByte("=<>~!)}],|/(", trimmed[0]) >= 0 {
		return false
	}
	switch n := wordLength(trimmed, plainWord); strings.ToLower(trimmed[:n]) {
	case "and", "or", "in", "is", "has", "between", "before", "after", "not":
		return false
	}
	return true
}

// value reads the right side of a comparison or a member of a list.
func (t *tokens) value() {
	rest, member := t.text[t.pos:], t.want == wantMember
	next := wantOperator
	if member {
		next = wantMember
	}
	switch c := rest[0]; {
	case c == '(' && (member || t.afterIn()), c == '[' && (!t.strict || member || t.afterIn()):
		t.open(c, wantMember)
		t.brackets[len(t.brackets)-1] = 'l'
	case c == '{' && !member && t.afterIn():
		t.open(c, wantOperand)
	case member && (c == ')' || c == ']'):
		t.close()
	case member && c == ',':
		t.emit(tokPunct, 1, wantMember)
	case c == '"' || c == '\'':
		n := quotedLength(rest)
		if n == 0 {
			t.bad(len(rest), "the quote is never closed")
			return
		}
		t.emit(tokString, n, next)
	case c == '/':
		t.pattern(next)
	case strings.IndexByte(")]}|", c) >= 0 && (c == ')' || len(t.brackets) > 0):
		t.want = wantOperator // the value is missing; the grammar will say so
		t.root()
	default:
		t.bare(rest, next)
	}
}

// afterIn reports whether the last token lets a list or a subquery follow.
func (t *tokens) afterIn() bool {
	if len(t.out) == 0 {
		return false
	}
	last := t.out[len(t.out)-1]
	return last.Type == tokKey && (last.Value == "in" || last.Value == "has" || last.Value == "all" || last.Value == "any")
}

// bare reads a value without quotes. It ends at a blank or ")", in a list also
// at "," and "]", and in braces at "}".
func (t *tokens) bare(rest string, next wants) {
	stops := blanks + "()"
	if next == wantMember {
		stops += ",]"
	}
	if t.braces > 0 {
		stops += "}"
	}
	n := strings.IndexAny(rest, stops)
	if n < 0 {
		n = len(rest)
	}
	if rest[:n] == "epoch" {
		if end := strings.IndexByte(rest, ')'); end > 0 {
			n = end + 1
		}
	}
	if n == 0 {
		t.bad(1, "a value can not begin with "+rest[:1])
		return
	}
	if word := rest[:n]; t.param(word) {
		t.emit(tokParam, n, next)
		return
	}
	t.emit(tokValue, n, next)
}

func (t *tokens) is() {
	word := t.text[t.pos:][:wordLength(t.text[t.pos:], plainWord)]
	switch strings.ToLower(word) {
	case "not":
		t.key(word, wantIs)
	case "null":
		t.key(word, wantOperator)
	default:
		t.want = wantOperator
		t.root()
	}
}

func (t *tokens) has() {
	word := t.text[t.pos:][:wordLength(t.text[t.pos:], plainWord)]
	t.want = wantValue
	switch strings.ToLower(word) {
	case "key", "all", "any":
		t.key(word, wantValue)
	}
}

// clause reads after a pipe: everything is a word, but for brackets and commas.
func (t *tokens) clause() {
	rest := t.text[t.pos:]
	switch rest[0] {
	case '}', ')':
		t.close()
	case '|', ',', '-':
		t.emit(tokPunct, 1, wantClause)
	default:
		n, problem := operandLength(rest)
		if problem != "" {
			t.bad(n, problem)
			return
		}
		if strings.HasPrefix(rest[n:], "(") {
			t.brackets = append(t.brackets, 'c')
			t.emit(tokCall, n+1, wantClause)
			return
		}
		switch word := strings.ToLower(rest[:n]); word {
		case "select", "group", "by", "order", "limit", "offset", "sample", "per", "asc", "desc":
			t.key(word, wantClause)
		default:
			t.emit(tokWord, n, wantClause)
		}
	}
}

// pattern reads /pattern/flags.
func (t *tokens) pattern(next wants) {
	rest := t.text[t.pos:]
	n := patternLength(rest)
	if n == 0 {
		t.bad(len(rest), `the regular expression is never closed with "/"`)
		return
	}
	for n < len(rest) && 'a' <= rest[n] && rest[n] <= 'z' {
		n++
	}
	t.emit(tokRegex, n, next)
}

// patternLength is the length of /pattern/ at the start of s, 0 if unclosed. A
// slash in a character class does not end it.
func patternLength(s string) int {
	inClass := false
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case inClass:
			inClass = c != ']'
		case c == '[':
			inClass = strings.IndexByte(s[i:], ']') >= 0
		case c == '/':
			return i + 1
		}
	}
	return 0
}

// quotedLength is the length of the quoted text at the start of s, 0 if unclosed.
func quotedLength(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	return 0
}

// operandLength is the length of a class or a path at the start of s: parts
// between dots, some of them quoted, and positions in brackets.
func operandLength(s string) (n int, problem string) {
	for n < len(s) {
		switch c := s[n]; {
		case (c == '"' || c == '\'') && (n == 0 || s[n-1] == '.'):
			quoted := quotedLength(s[n:])
			if quoted == 0 {
				return len(s), "the quote is never closed"
			}
			n += quoted
			if n == len(s) || s[n] != '.' && s[n] != '[' {
				return n, ""
			}
		case c == '[':
			end := n + 1
			for end < len(s) && '0' <= s[end] && s[end] <= '9' {
				end++
			}
			if end == n+1 || end == len(s) || s[end] != ']' {
				return max(n, 1), ""
			}
			n = end + 1
		case !plainWord(c):
			if n == 0 {
				_, size := utf8.DecodeRuneInString(s)
				return size, fmt.Sprintf("a query can not hold %q here", s[:size])
			}
			return n, ""
		default:
			n++
		}
	}
	return n, ""
}

// plainWord reports whether a word without quotes may hold c.
func plainWord(c byte) bool { return strings.IndexByte(" \t\r\n()[]{}=<>!~'\",|", c) < 0 }

func wordLength(s string, part func(byte) bool) int {
	n := 0
	for n < len(s) && part(s[n]) {
		n++
	}
	return n
}
