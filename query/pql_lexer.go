package query

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/lexer"
)

// The tokens of PQL.
const (
	pqlWord     lexer.TokenType = iota + 1 // a name with what is below it, or a keyword
	pqlString                              // with its quotes
	pqlNumber                              // digits, with sign, point and exponent
	pqlOp                                  // a comparison
	pqlPunct                               // a bracket, a comma or !
	pqlParam                               // $name or ?
	pqlRegex                               // /pattern/flags
	pqlUnclosed                            // a quote that never ends
	pqlBad                                 // a character that begins no token
)

// pqlNames names the tokens for the grammar.
var pqlNames = tokenNames{
	"EOF": lexer.EOF, "Word": pqlWord, "String": pqlString, "Number": pqlNumber, "Op": pqlOp, "Punct": pqlPunct,
	"Param": pqlParam, "Regex": pqlRegex, "Unclosed": pqlUnclosed, "Bad": pqlBad,
}

// cutPQL cuts a text into the tokens of PQL. It never fails, so that the first
// mistake is reported and not the last.
func cutPQL(text string) []lexer.Token {
	out := make([]lexer.Token, 0, 8+len(text)/4)
	for pos := 0; ; {
		for pos < len(text) && isSpace(text[pos]) {
			pos++
		}
		if pos == len(text) {
			return append(out, lexer.Token{Type: lexer.EOF, Pos: at(pos)})
		}
		typ, n := pqlToken(text[pos:])
		out = append(out, lexer.Token{Type: typ, Value: text[pos : pos+n], Pos: at(pos)})
		pos += n
	}
}

// pqlOps are tried in this order, so that none hides a longer one.
var pqlOps = [...]string{"~>", "=~", "!~", "!=", "==", "<=", ">=", "=", "<", ">", "~"}

// pqlToken is the token at the start of s.
func pqlToken(s string) (lexer.TokenType, int) {
	c := s[0]
	switch c {
	case '"', '\'':
		if n := quotedLength(s); n > 0 {
			return pqlString, n
		}
		return pqlUnclosed, len(s)
	case '/':
		if n := patternLength(s); n > 0 {
			return pqlRegex, n + lettersAt(s[n:])
		}
	case '?':
		return pqlParam, 1
	case '$':
		if n := 1 + lettersAt(s[1:]); n > 1 {
			for n < len(s) && isWordByte(s[n]) {
				n++
			}
			return pqlParam, n
		}
	}
	if n := fieldLength(s); n > 0 {
		return pqlWord, n
	}
	if n := numberLength(s); n > 0 {
		return pqlNumber, n
	}
	for _, op := range pqlOps {
		if strings.HasPrefix(s, op) {
			return pqlOp, len(op)
		}
	}
	if strings.IndexByte("[](){},!", c) >= 0 {
		return pqlPunct, 1
	}
	_, n := utf8.DecodeRuneInString(s)
	return pqlBad, n
}

func lettersAt(s string) int {
	n := 0
	for n < len(s) && (s[n] == '_' || 'a' <= s[n] && s[n] <= 'z' || 'A' <= s[n] && s[n] <= 'Z') {
		n++
	}
	return n
}

func isWordByte(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func numberLength(s string) int {
	n := 0
	if s[0] == '-' {
		n = 1
	}
	end := digitsAt(s, n)
	if end == n {
		return 0
	}
	if end < len(s) && s[end] == '.' {
		if frac := digitsAt(s, end+1); frac > end+1 {
			end = frac
		}
	}
	if end < len(s) && (s[end] == 'e' || s[end] == 'E') {
		from := end + 1
		if from < len(s) && (s[from] == '+' || s[from] == '-') {
			from++
		}
		if exp := digitsAt(s, from); exp > from {
			end = exp
		}
	}
	return end
}

// fieldLength is the length of a name at the start of s, with the parts and
// positions below it.
func fieldLength(s string) int {
	if lettersAt(s[:1]) == 0 {
		return 0
	}
	n := 1
	for n < len(s) && (isWordByte(s[n]) || s[n] == ':' || s[n] == '-') {
		n++
	}
	if n < len(s) && s[n] == '?' {
		n++
	}
	for n < len(s) {
		more := 0
		switch s[n] {
		case '.':
			if more = matchLength(s[n:]); more > 0 {
				break
			}
			if more = partLength(s[n+1:]); more > 0 {
				more++
			}
		case '[':
			if end := digitsAt(s, n+1); end > n+1 && end < len(s) && s[end] == ']' {
				more = end + 1 - n
			}
		}
		if more == 0 {
			break
		}
		n += more
	}
	return n
}

// partLength is the length of one part of a name, in quotes or without. Quotes
// inside of quotes need no backslash: a part ends at a quote that something
// other than a name follows.
func partLength(s string) int {
	if !strings.HasPrefix(s, `"`) {
		return plainPart(s)
	}
	for i := 1; i < len(s); {
		switch s[i] {
		case '\\':
			i += 2
		case '"':
			for i < len(s) && s[i] == '"' {
				i++
			}
			if i == len(s) || isSpace(s[i]) || strings.IndexByte(`.[]=!<>~,(){}\`, s[i]) >= 0 {
				return i
			}
		default:
			i++
		}
	}
	return 0
}

// plainPart is how much of s is a part that needs no quotes.
func plainPart(s string) int {
	for i, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) && !strings.ContainsRune("_$@/+%:-", r) {
			return i
		}
	}
	return len(s)
}

// pqlDepth refuses nesting beyond maxDepth before the grammar, which recurses,
// sees the tokens.
func pqlDepth(tokens []lexer.Token) error {
	depth := 0
	for _, t := range tokens {
		if t.Type != pqlPunct {
			continue
		}
		switch t.Value {
		case "(", "[", "{":
			if depth++; depth > maxDepth {
				return &SyntaxError{Offset: t.Pos.Offset, End: tokenEnd(t), Problem: fmt.Sprintf("brackets are nested deeper than %d", maxDepth), Want: "a flatter query"}
			}
		case ")", "]", "}":
			depth--
		}
	}
	return nil
}
