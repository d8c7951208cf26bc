package query

import "strings"

// serverCorrections are texts of mongo, pql or ast that the author may have
// meant: with the wanted name instead of the wrong one, or with what was never
// closed closed at the end.
func serverCorrections(e *SyntaxError) []string {
	var fixed []string
	for want := range strings.SplitSeq(e.Want, ", or ") {
		if want != "" && !strings.ContainsAny(want, " …") {
			fixed = append(fixed, e.Text[:e.Offset]+want+e.Text[e.End:])
		}
	}
	ending := ""
	switch {
	case strings.HasPrefix(e.Problem, "unclosed quote"):
		ending = e.Text[e.Offset : e.Offset+1]
	case strings.HasPrefix(e.Problem, "unterminated regex"):
		ending = "/"
	case strings.HasPrefix(e.Problem, "unclosed "), strings.HasSuffix(e.Problem, "ends too soon"):
	default:
		return fixed
	}
	// A quote that was forgotten most likely ended before the brackets did.
	if cut := strings.TrimRight(e.Text, "}]) "); ending != "" && len(cut) > e.Offset+1 {
		fixed = append(fixed, cut+ending+e.Text[len(cut):])
	}
	text := strings.TrimRight(e.Text, blanks) + ending
	return append(fixed, text+openBrackets(text))
}

// openBrackets is what closes the brackets that text leaves open.
func openBrackets(text string) string {
	var closing []byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"', '\'', '`':
			if n := quotedLength(text[i:]); n > 0 {
				i += n - 1
			}
		case '{', '[':
			closing = append(closing, c+2)
		case '(':
			closing = append(closing, ')')
		case '}', ']', ')':
			closing = closing[:max(0, len(closing)-1)]
		}
	}
	for i, j := 0, len(closing)-1; i < j; i, j = i+1, j-1 {
		closing[i], closing[j] = closing[j], closing[i]
	}
	return string(closing)
}
