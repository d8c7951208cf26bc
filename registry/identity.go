package registry

import (
	"fmt"
	"strings"
)

// MaxIdentity is the length of the longest identity, in bytes.
const MaxIdentity = 255

// Identity is the name a node answers to, in the spelling it was first heard
// in. Identities that differ only in case are one identity: compare them with
// Key.
type Identity string

// ParseIdentity returns s as an identity: 1 to 255 of the characters
// A-Z a-z 0-9 . _ : and -, neither "." nor "..", and not beginning with "-",
// because an identity ends up as an argument of ssh and as a file name.
//
// A failure says what is wrong with s, and shows it safely quoted and cut.
func ParseIdentity(s string) (Identity, error) {
	switch {
	case s == "":
		return "", fmt.Errorf("identity is empty")
	case len(s) > MaxIdentity:
		return "", fmt.Errorf("identity %s is longer than %d bytes", quoted(s), MaxIdentity)
	case s[0] == '-':
		return "", fmt.Errorf("identity %s begins with a dash", quoted(s))
	case s == "." || s == "..":
		return "", fmt.Errorf("identity %q is no name", s)
	}
	for i, r := range s {
		if !identityRune(r) {
			return "", fmt.Errorf("identity %s has %q at byte %d; want letters, digits, and . _ : -", quoted(s), r, i)
		}
	}
	return Identity(s), nil
}

// Key is what identities are compared, stored and sorted by: lower case.
func (id Identity) Key() string { return strings.ToLower(string(id)) }

func identityRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
		r == '.' || r == '_' || r == ':' || r == '-'
}

// quoted shows untrusted text in a message: escaped, and cut to 60 bytes.
func quoted(s string) string {
	const most = 60
	if len(s) > most {
		return fmt.Sprintf("%q…", s[:most])
	}
	return fmt.Sprintf("%q", s)
}
