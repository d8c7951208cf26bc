package api

import (
	"strings"
	"unicode/utf8"
)

// nearest returns the one of known that is written most like text, or "" if
// none is.
func nearest(text string, known []string) string {
	best, least := "", len(text)/3+2
	for _, k := range known {
		if d := distance(cut(text, 60), k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters to put in, take out or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// cut shortens untrusted text for a message, at a whole character.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return strings.ToValidUTF8(text[:most], "�") + "…"
}
