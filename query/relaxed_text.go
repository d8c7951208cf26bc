package query

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// badEscape is a mistake inside a quoted text, by byte offsets in its inside.
type badEscape struct {
	at, end             int
	problem, want, hint string
}

// unescape replaces the backslash sequences of JSON and JavaScript.
func unescape(s string) (string, *badEscape) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, nil
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			next := strings.IndexByte(s[i:], '\\')
			if next < 0 {
				next = len(s) - i
			}
			out.WriteString(s[i : i+next])
			i += next
			continue
		}
		text, n, bad := escape(s[i:])
		if bad != nil {
			bad.at, bad.end = i, i+max(n, 2)
			return "", bad
		}
		out.WriteString(text)
		i += n
	}
	return out.String(), nil
}

// escape reads one backslash sequence at the start of s, which holds at least
// one byte after the backslash, and says how long it is.
func escape(s string) (string, int, *badEscape) {
	switch c := s[1]; c {
	case 'b':
		return "\b", 2, nil
	case 'f':
		return "\f", 2, nil
	case 'n':
		return "\n", 2, nil
	case 'r':
		return "\r", 2, nil
	case 't':
		return "\t", 2, nil
	case 'v':
		return "\v", 2, nil
	case '\n':
		return "", 2, nil
	case 'x', 'u':
		return codePoint(s)
	default:
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			return "", 2, &badEscape{problem: `\` + string(c) + " is no escape", want: `\n, \t, \uXXXX, or a doubled backslash`,
				hint: `in quotes a backslash is written \\; between slashes, /\` + string(c) + `/, it stands as it is`}
		}
		_, size := utf8.DecodeRuneInString(s[1:])
		return s[1 : 1+size], 1 + size, nil
	}
}

// codePoint reads \xHH, \uHHHH, a surrogate pair of these, or \u{H…}.
func codePoint(s string) (string, int, *badEscape) {
	r, n, ok := hexEscape(s)
	if !ok {
		return "", n, &badEscape{problem: "this escape is not complete", want: `\xHH, \uHHHH or \u{H}, with hexadecimal digits`}
	}
	if utf16.IsSurrogate(r) {
		low, m, ok := hexEscape(s[n:])
		if both := utf16.DecodeRune(r, low); ok && both != utf8.RuneError {
			return string(both), n + m, nil
		}
		return "", n, &badEscape{problem: "half of a surrogate pair is not a character", want: `both halves, or \u{1F600}`}
	}
	switch {
	case r == 0:
		return "", n, &badEscape{problem: "a NUL character", want: "text without NUL"}
	case !utf8.ValidRune(r):
		return "", n, &badEscape{problem: "there is no such character", want: `at most \u{10FFFF}`}
	}
	return string(r), n, nil
}

func hexEscape(s string) (rune, int, bool) {
	switch {
	case strings.HasPrefix(s, `\x`) && len(s) >= 4:
		r, ok := hexRune(s[2:4])
		return r, 4, ok
	case strings.HasPrefix(s, `\u{`):
		inside, _, closed := strings.Cut(s[3:], "}")
		r, ok := hexRune(inside)
		return r, 4 + len(inside), closed && ok
	case strings.HasPrefix(s, `\u`) && len(s) >= 6:
		r, ok := hexRune(s[2:6])
		return r, 6, ok
	}
	return 0, min(len(s), 2), false
}

func hexRune(digits string) (rune, bool) {
	if len(digits) > 6 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	return rune(n), err == nil
}
