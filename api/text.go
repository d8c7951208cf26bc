package api

import (
	"strings"
	"unicode/utf8"
)

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
