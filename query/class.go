package query

import "strings"

// classKey is the normalised name of a class: lower case, without leading "::".
func classKey(name string) string {
	for strings.HasPrefix(name, "::") {
		name = name[2:]
	}
	return strings.ToLower(name)
}

// title is the name of a class as Puppet titles it: Apache::Mod::Php.
func title(name string) string {
	b := []byte(classKey(name))
	for i, c := range b {
		if (i == 0 || b[i-1] == ':') && 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// isTitle reports whether want is the title of the class, without allocating.
func isTitle(class, want string) bool {
	if !strings.EqualFold(class, want) {
		return false
	}
	for i := range len(want) {
		c, first := want[i], i == 0 || want[i-1] == ':'
		if first && 'a' <= c && c <= 'z' || !first && 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}
