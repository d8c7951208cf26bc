package query

import "strings"

// compareVersions orders version texts as dpkg does: digits as numbers, other
// characters by letters first, "~" before everything, even the end. A numeric
// epoch before ":" outranks the rest. A release beats its own pre-releases, as
// in semver: alpha, beta, dev, pre, preview, rc and snapshot after "-" or "."
// count as "~".
func compareVersions(a, b string) int {
	a, b = strings.TrimPrefix(a, "v"), strings.TrimPrefix(b, "v")
	ea, a := epoch(a)
	eb, b := epoch(b)
	if order := compareDigits(ea, eb); order != 0 {
		return order
	}
	a, ra := revision(a)
	b, rb := revision(b)
	if order := compareParts(a, b); order != 0 {
		return order
	}
	return compareParts(ra, rb)
}

// revision cuts off what follows the last "-", which counts only between
// equals; a pre-release is no revision.
func revision(s string) (version, rest string) {
	i := strings.LastIndexByte(s, '-')
	if i < 0 || preRelease(s[i+1:]) {
		return s, ""
	}
	return s[:i], s[i+1:]
}

func compareParts(a, b string) int {
	for a != "" || b != "" {
		for notDigit(a) || notDigit(b) {
			wa, na := versionWeight(a)
			wb, nb := versionWeight(b)
			if wa != wb {
				return wa - wb
			}
			a, b = a[na:], b[nb:]
		}
		na, nb := digitsAt(a, 0), digitsAt(b, 0)
		if order := compareDigits(a[:na], b[:nb]); order != 0 {
			return order
		}
		a, b = a[na:], b[nb:]
	}
	return 0
}

func epoch(s string) (number, rest string) {
	if n := digitsAt(s, 0); n > 0 && n < len(s) && s[n] == ':' {
		return s[:n], s[n+1:]
	}
	return "", s
}

func notDigit(s string) bool { return s != "" && (s[0] < '0' || s[0] > '9') }

// versionWeight ranks the first character of s and says how long it is.
func versionWeight(s string) (weight, length int) {
	switch {
	case s == "" || '0' <= s[0] && s[0] <= '9':
		return 0, 0
	case s[0] == '~':
		return -1, 1
	case (s[0] == '-' || s[0] == '.') && preRelease(s[1:]):
		return -1, 1
	case 'a' <= s[0]|0x20 && s[0]|0x20 <= 'z':
		return int(s[0]), 1
	}
	return int(s[0]) + 256, 1
}

func preRelease(s string) bool {
	n := 0
	for n < len(s) && 'a' <= s[n]|0x20 && s[n]|0x20 <= 'z' {
		n++
	}
	for _, word := range [...]string{"alpha", "beta", "dev", "pre", "preview", "rc", "snapshot"} {
		if n == len(word) && strings.EqualFold(s[:n], word) {
			return true
		}
	}
	return false
}

// compareDigits orders runs of digits as numbers of any length.
func compareDigits(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// dotted reports whether s is three or more numbers with dots between them.
func dotted(s string) bool {
	parts := 0
	for {
		n := digitsAt(s, 0)
		if n == 0 {
			return false
		}
		parts++
		if s = s[n:]; s == "" {
			return parts >= 3
		}
		if s[0] != '.' {
			return false
		}
		s = s[1:]
	}
}

// looksLikeVersion reports whether s can be put in version order at all: it
// holds a digit and no blank.
func looksLikeVersion(s string) bool {
	return strings.ContainsAny(s, "0123456789") && !strings.ContainsAny(s, " \t\n")
}
