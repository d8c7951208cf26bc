package query

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// regex compiles a pattern that stands at start in the text, for any dialect.
// Only RE2's subset is taken, and of it only what Ruby, PCRE and RE2 read
// alike: a pattern means one thing wherever it is run.
func (r *reader) regex(pattern, flags string, start int) (Value, error) {
	bad := func(offset int, problem, want string) (Value, error) {
		at := start + min(offset, len(pattern))
		return Value{}, &SyntaxError{Offset: at, End: max(at, start+len(pattern)), Problem: problem, Want: want, inPattern: true}
	}
	if len(pattern) > maxPattern {
		return bad(maxPattern, fmt.Sprintf("the regular expression is longer than %d bytes", maxPattern), "")
	}
	if r.patterns++; r.patterns > maxPatterns {
		return bad(0, fmt.Sprintf("there are more than %d regular expressions", maxPatterns), "")
	}
	if i := strings.IndexFunc(flags, func(f rune) bool { return !strings.ContainsRune("imsx", f) }); i >= 0 {
		return bad(len(pattern), fmt.Sprintf("there is no flag %q", flags[i]), "flags of i (any case), m (lines) or s (dot matches newlines)")
	}
	flags = sortedFlags(flags)
	if offset, problem, want := foreign(pattern); problem != "" {
		return bad(offset, problem, want)
	}
	source := pattern
	if strings.Contains(flags, "x") {
		source = unspaced(pattern)
	}
	if given := strings.ReplaceAll(flags, "x", ""); given != "" {
		source = "(?" + given + ")" + source
	}
	parsed, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		offset, problem := syntaxProblem(pattern, err)
		return bad(offset, problem, "")
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(program.Inst) > maxProgram {
		return bad(0, "the regular expression is too complex", "fewer or smaller repetitions")
	}
	compiled, err := regexp.Compile(source)
	if err != nil {
		return bad(0, "the regular expression can not be used", "")
	}
	return Value{Kind: "regex", Text: pattern, Flags: flags, Regexp: compiled}, nil
}

func sortedFlags(flags string) string {
	var b strings.Builder
	for _, f := range "imsx" {
		if strings.ContainsRune(flags, f) {
			b.WriteRune(f)
		}
	}
	return b.String()
}

// foreign finds what other engines read differently, or not at all, with the
// way to say it.
func foreign(pattern string) (offset int, problem, want string) {
	inClass := false
	for i := 0; i < len(pattern); i++ {
		rest := pattern[i:]
		switch {
		case rest[0] == '\\' && len(rest) > 1:
			if problem, want := foreignEscape(rest[1]); problem != "" {
				return i, problem, want
			}
			i++
		case inClass:
			if strings.HasPrefix(rest, "&&") {
				return i, "&& inside [] is read differently by other engines", `the intersection written out, or \& for the character`
			}
			if strings.HasPrefix(rest, "[:") {
				if end := strings.Index(rest, ":]"); end > 0 {
					i += end + 1
				}
			}
			inClass = rest[0] != ']'
		case rest[0] == '[':
			inClass = true
			i += len(classStart(rest)) - 1
		case strings.HasPrefix(rest, "{,"):
			if end := strings.IndexByte(rest, '}'); end > 2 && digitsAt(rest, 2) == end {
				return i, rest[:end+1] + " is read differently by other engines", "{0" + rest[1:end+1]
			}
		case strings.HasPrefix(rest, "(?"):
			if problem := foreignGroup(rest); problem != "" {
				return i, problem, ""
			}
		case strings.HasPrefix(rest, "++"), strings.HasPrefix(rest, "*+"), strings.HasPrefix(rest, "?+"):
			return i, rest[:2] + " (possessive repetition) is not supported", rest[:1]
		}
	}
	return 0, "", ""
}

// classStart is the opening of a character class with a "]" that stands first
// and so is a member.
func classStart(s string) string {
	for _, open := range [...]string{"[^]", "[]", "[^"} {
		if strings.HasPrefix(s, open) {
			return open
		}
	}
	return "["
}

func foreignEscape(c byte) (problem, want string) {
	switch {
	case '1' <= c && c <= '9':
		return `\` + string(c) + " (a back-reference) is not supported: RE2 patterns take time linear in the text, and back-references can not", ""
	case c == 'Z':
		return `\Z is not supported`, `\z`
	case c == 'h':
		return `\h is a hexadecimal digit in Ruby and a blank in PCRE`, `[0-9a-fA-F] or [ \t]`
	case c == 'Q', c == 'E':
		return `\` + string(c) + " is read differently by other engines", "each special character behind its own backslash"
	case c == 'u':
		return `\u is not supported`, `\x{263a} for U+263A`
	case strings.IndexByte("RXKGecC", c) >= 0:
		return `\` + string(c) + " is not supported", ""
	}
	return "", ""
}

func foreignGroup(s string) (problem string) {
	const reason = " is not supported: RE2 patterns take time linear in the text, and it can not"
	switch {
	case strings.HasPrefix(s, "(?="), strings.HasPrefix(s, "(?!"):
		return s[:3] + " (look-ahead)" + reason
	case strings.HasPrefix(s, "(?<="), strings.HasPrefix(s, "(?<!"):
		return s[:4] + " (look-behind)" + reason
	case strings.HasPrefix(s, "(?>"):
		return "(?> (an atomic group)" + reason
	case strings.HasPrefix(s, "(?#"):
		return "(?# (a comment) is not supported"
	case strings.HasPrefix(s, "(?~"):
		return "(?~ (an absence operator)" + reason
	}
	return ""
}

// syntaxProblem puts the words of Go's parser into ours and finds where they
// point to.
func syntaxProblem(pattern string, err error) (offset int, problem string) {
	syn, ok := errors.AsType[*syntax.Error](err)
	if !ok {
		return 0, "the regular expression can not be read"
	}
	offset = max(0, strings.LastIndex(pattern, syn.Expr))
	switch syn.Code {
	case syntax.ErrMissingParen:
		return unclosedParen(pattern), `the regular expression has a "(" that is never closed`
	case syntax.ErrUnexpectedParen:
		return len(pattern), `the regular expression has a ")" too many`
	case syntax.ErrMissingBracket:
		return offset, `the regular expression has a "[" that is never closed`
	case syntax.ErrMissingRepeatArgument:
		return offset, fmt.Sprintf("%s has nothing to repeat", syn.Expr)
	case syntax.ErrTrailingBackslash:
		return max(0, len(pattern)-1), "the regular expression ends with a lone backslash"
	case syntax.ErrInvalidRepeatSize, syntax.ErrLarge, syntax.ErrNestingDepth:
		return offset, "the regular expression repeats too much"
	default:
	}
	return offset, fmt.Sprintf("%s is not supported in a regular expression (%s)", syn.Expr, syn.Code)
}

func unclosedParen(pattern string) int {
	var open []int
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i++
		case '(':
			open = append(open, i)
		case ')':
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
		}
	}
	if len(open) == 0 {
		return 0
	}
	return open[len(open)-1]
}

// unspaced drops what flag x ignores: blanks and comments outside of classes.
func unspaced(pattern string) string {
	var b strings.Builder
	inClass := false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '\\' && i+1 < len(pattern):
			b.WriteString(pattern[i : i+2])
			i++
			continue
		case inClass:
			inClass = c != ']'
		case c == '[':
			inClass = true
			open := classStart(pattern[i:])
			b.WriteString(open)
			i += len(open) - 1
			continue
		case strings.IndexByte(" \t\r\n\v\f", c) >= 0:
			continue
		case c == '#':
			for i+1 < len(pattern) && pattern[i+1] != '\n' {
				i++
			}
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
