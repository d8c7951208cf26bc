package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
)

const (
	maxName       = 255
	maxCommonName = 64 // of X.509; a longer name goes into the DNS names
)

// checkName returns a name as certificates hold it: in lower case. Names are
// those of identities: letters, digits and . _ : -, not beginning with -.
func checkName(name string) (string, error) {
	switch {
	case name == "":
		return "", errors.New("the name is empty")
	case len(name) > maxName:
		return "", fmt.Errorf("the name has %d characters, more than %d", len(name), maxName)
	case name[0] == '-':
		return "", fmt.Errorf("the name %q begins with -", name)
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._:-", r) {
			return "", fmt.Errorf("the name %q has the character %q in it; letters, digits and . _ : - are allowed", name, r)
		}
	}
	return strings.ToLower(name), nil
}

// NameOf returns whom a certificate speaks for: its CN, or its first DNS name
// if it has no CN.
func NameOf(cert *x509.Certificate) string {
	if cert.Subject.CommonName == "" && len(cert.DNSNames) > 0 {
		return cert.DNSNames[0]
	}
	return cert.Subject.CommonName
}
