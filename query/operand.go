package query

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// operand is the left side of a comparison.
type operand struct {
	path  Path
	view  string // forced by ver(); empty otherwise
	fold  bool
	count bool

	// A function of the ancestor whose answer is true or false: the comparison
	// is with truth, and says whether yes holds.
	yes Expr
}

// operandPath is an operand that has to be a plain path.
func (l *lowerer) operandPath(n *operandNode) (p Path, end int, err error) {
	start := n.Pos.Offset
	if n.Call != nil {
		return Path{}, 0, l.fail(start, l.end(start), "a function can not stand here", "the path of a fact")
	}
	text := n.Word + n.String
	p, err = l.path(text, start)
	return p, start + len(text), err
}

func (l *lowerer) operand(n *operandNode) (operand, error) {
	if n.Call != nil {
		return l.call(n.Call, n.Pos.Offset)
	}
	p, _, err := l.operandPath(n)
	return operand{path: p}, err
}

// path reads a path as written. Without quotes and positions it is first tried
// as one flat name.
func (l *lowerer) path(text string, start int) (Path, error) {
	steps, quoted, err := splitPath(text, start)
	if err != nil {
		return Path{}, err
	}
	if l.inElement {
		if !quoted {
			switch {
			case len(steps) == 1 && (steps[0].Key == "key" || steps[0].Key == "element"):
				return Path{Field: steps[0].Key}, nil
			case steps[0].Key == "element":
				steps = steps[1:]
			}
		}
		return Path{Field: "element", Steps: steps}, nil
	}
	p := Path{Field: "facts", Steps: steps}
	if first := steps[0]; first.Kind == "name" && !strings.HasPrefix(text, `"`) && !strings.HasPrefix(text, "'") {
		if field := l.field(first.Key); field != "" && len(steps) == 1 {
			return Path{Field: field}, nil
		}
		if (first.Key == "facts" || first.Key == "trusted") && len(steps) > 1 {
			p.Field, p.Steps = first.Key, steps[1:]
		}
	}
	if p.Field == "facts" && !quoted && len(p.Steps) > 1 && p.plain() {
		p.Flat = flatName(p.Steps)
	}
	return p, nil
}

func flatName(steps []Step) string {
	var b strings.Builder
	for i, s := range steps {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(s.Key)
	}
	return b.String()
}

// field is what a reserved name stands for; empty for a fact. The ancestor had
// facts named state and auth, so select leaves those alone.
func (l *lowerer) field(name string) string {
	if l.onlyFacts {
		return ""
	}
	switch name {
	case "class":
		return "classes"
	case "agent":
		return "agents"
	case "collective":
		return "collectives"
	case "identity", "fact", "seen":
		return name
	case "state", "auth":
		if !l.strict {
			return name
		}
	}
	return ""
}

// splitPath cuts a path at the dots outside of quotes.
func splitPath(text string, start int) (steps []Step, quoted bool, err error) {
	bad := func(i int, problem, want string) ([]Step, bool, error) {
		return nil, false, &SyntaxError{Offset: start + i, End: start + len(text), Problem: problem, Want: want}
	}
	if text == "" {
		return bad(0, "the path is empty", "the name of a fact")
	}
	for i := 0; i < len(text); {
		switch text[i] {
		case '"', '\'':
			n := quotedLength(text[i:])
			if n == 0 {
				return bad(i, "the quote is never closed", "")
			}
			name, err := unquote(text[i:i+n], start+i)
			if err != nil {
				return nil, false, err
			}
			steps, quoted = append(steps, nameStep(name)), true
			i += n
		case '[':
			end := strings.IndexByte(text[i:], ']')
			n, err := strconv.Atoi(text[i+1 : i+max(end, 1)])
			if err != nil || i == 0 {
				return bad(i, "a position must be a number, as in disks[0]", "")
			}
			steps = append(steps, Step{Kind: "index", Pos: n})
			i += end + 1
		default:
			n := strings.IndexAny(text[i:], ".[")
			if n < 0 {
				n = len(text) - i
			}
			name := text[i : i+n]
			if name == "" {
				return bad(i, "a part of the path is empty", `a name, or "" in quotes`)
			}
			switch {
			case name == "*":
				steps = append(steps, Step{Kind: "any", Pos: -1})
			case !plainName(name):
				at := strings.IndexFunc(name, func(r rune) bool { return !nameRune(r) })
				r, _ := utf8.DecodeRuneInString(name[at:])
				return bad(i+at, fmt.Sprintf("a name can not hold %q without quotes", r), `quotes around that part, as in facts."a b"`)
			default:
				steps = append(steps, nameStep(name))
			}
			i += n
		}
		if i < len(text) && text[i] == '.' {
			if i++; i == len(text) {
				return bad(i-1, "the path ends with a dot", "a name after it")
			}
		}
	}
	return steps, quoted, nil
}

// unquote reads quoted text: in double quotes \\ \" \n \t \r \uXXXX, in single
// quotes only \\ and \'; before any other character a backslash protects it.
func unquote(s string, start int) (string, error) {
	if strings.IndexByte(s, '\\') < 0 {
		return s[1 : len(s)-1], nil
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; {
		case s[0] == '\'':
			if c != '\'' && c != '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		case c == 'n':
			b.WriteByte('\n')
		case c == 't':
			b.WriteByte('\t')
		case c == 'r':
			b.WriteByte('\r')
		case c == 'u':
			r, n, problem := unicodeEscape(s[i-1 : len(s)-1])
			if problem != "" {
				return "", &SyntaxError{Offset: start + i - 1, End: start + min(i+5, len(s)), Problem: problem, Want: `\u and four hexadecimal digits`}
			}
			b.WriteRune(r)
			i += n - 2
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// unicodeEscape reads \uXXXX, or two of them that are a surrogate pair.
func unicodeEscape(s string) (r rune, length int, problem string) {
	unit := func(s string) (rune, bool) {
		if len(s) < 6 || s[:2] != `\u` {
			return 0, false
		}
		n, err := strconv.ParseUint(s[2:6], 16, 16)
		return rune(n), err == nil
	}
	high, ok := unit(s)
	switch {
	case !ok:
		return 0, 0, "this escape is not complete"
	case high == 0:
		return 0, 0, "a query can not hold a NUL character"
	case high < 0xd800 || high > 0xdfff:
		return high, 6, ""
	}
	low, ok := unit(s[6:])
	if !ok || high > 0xdbff || low < 0xdc00 || low > 0xdfff {
		return 0, 0, "this half of a surrogate pair stands alone"
	}
	return (high-0xd800)<<10 + (low - 0xdc00) + 0x10000, 12, ""
}
