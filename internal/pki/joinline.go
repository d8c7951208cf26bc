package pki

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"unicode/utf8"
)

const fingerprintDigits = 64

// JoinLine is all that a machine needs to join: where, whom to believe, and
// by what right. Its text is ADDRESS+FINGERPRINT+TOKEN and holds a secret.
type JoinLine struct {
	Address     string // http://127.0.0.1:8280 or https://HOST:PORT
	Fingerprint string // of the CA's certificate, 64 lower-case hexadecimal digits
	Token       string
}

// JoinLine returns the line with which to join at address.
func (a *Authority) JoinLine(address, token string) JoinLine {
	return JoinLine{Address: address, Fingerprint: a.Fingerprint(), Token: token}
}

func (l JoinLine) String() string {
	return l.Address + "+" + l.Fingerprint + "+" + l.Token
}

// JoinLineError reports text that is not a join line. It does not repeat the
// text, which may hold a token.
type JoinLineError struct {
	Column  int    // of the fault, in characters, from 1
	Problem string // what is wrong there
}

func (e *JoinLineError) Error() string {
	return fmt.Sprintf("join line, column %d: %s; it looks like https://registry.acme.net:8280+FINGERPRINT+TOKEN, "+
		"with the 64 hexadecimal digits of the CA's fingerprint and a token of %d letters and digits", e.Column, e.Problem, tokenDigits)
}

// ParseJoinLine reads a join line. White space around it is ignored. An error
// is a [*JoinLineError].
func ParseJoinLine(text string) (JoinLine, error) {
	start := len(text) - len(strings.TrimLeft(text, " \t\r\n"))
	fault := func(offset int, format string, args ...any) (JoinLine, error) {
		column := utf8.RuneCountInString(text[:start+offset]) + 1
		return JoinLine{}, &JoinLineError{column, fmt.Sprintf(format, args...)}
	}
	line := strings.TrimSpace(text)
	parts := strings.Split(line, "+")
	switch {
	case line == "":
		return fault(0, "it is empty")
	case len(parts) < 3:
		return fault(len(line), "it ends too soon: it has %d of its three parts, between which stands a +", len(parts))
	case len(parts) > 3:
		return fault(len(line)-len(strings.Join(parts[3:], "+"))-1, "want the end here, not a third +")
	}
	l := JoinLine{Address: strings.TrimSuffix(parts[0], "/"), Fingerprint: strings.ToLower(parts[1]), Token: parts[2]}
	if problem := addressProblem(l.Address); problem != "" {
		return fault(0, "%s", problem)
	}
	at := len(parts[0]) + 1
	if i := strings.IndexFunc(l.Fingerprint, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) }); i >= 0 {
		return fault(at+i, "the fingerprint has a character that is no hexadecimal digit")
	}
	if n := len(l.Fingerprint); n != fingerprintDigits {
		return fault(at+n, "the fingerprint has %d digits, want %d", n, fingerprintDigits)
	}
	at += len(parts[1]) + 1
	if i := strings.IndexFunc(l.Token, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '2' || r > '7') }); i >= 0 {
		return fault(at+i, "the token has a character that is none of a to z and 2 to 7")
	}
	if n := len(l.Token); n != tokenDigits {
		return fault(at+n, "the token has %d characters, want %d", n, tokenDigits)
	}
	return l, nil
}

// CheckAddress says why nodes cannot join a server at an address, which is
// http or https with a host and a port; nil if they can.
func CheckAddress(address string) error {
	if problem := addressProblem(strings.TrimSuffix(address, "/")); problem != "" {
		return errors.New(problem)
	}
	return nil
}

// addressProblem says what is wrong with a server's address; empty: nothing.
func addressProblem(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "the address can not be understood"
	case u.Scheme != "http" && u.Scheme != "https":
		return "the address does not begin with https:// (or http://, on this machine only)"
	case u.Hostname() == "":
		return "the address names no host"
	case u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "":
		return "the address has more than a host and a port"
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "http would send the token over the network for all to read; want https"
	}
	return ""
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// fits reports whether a certificate has the line's fingerprint.
func (l JoinLine) fits(der []byte) bool {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:]) == l.Fingerprint
}
