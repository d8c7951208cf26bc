package wire

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
)

// roleOID is the certificate extension that holds a role: Puppet's
// pp_auth_role, which Puppet's CA signs only where the operator allows it.
// The value is a UTF8String such as "muster:operator".
var roleOID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 34380, 1, 3, 13}

const rolePrefix = "muster:"

// roles are the roles that a certificate may hold.
var roles = []string{"node", "operator", "registry"}

// commonNameOID is the attribute type CN of a subject.
var commonNameOID = asn1.ObjectIdentifier{2, 5, 4, 3}

// ProofOf says whom a certificate speaks for: its CN, or its first DNS name
// if it has no CN, and its role. It does not check that the certificate can
// be trusted; a TLS handshake or [Opener.Open] does.
func ProofOf(cert *x509.Certificate) (Proof, error) {
	name, err := nameOf(cert)
	if err != nil {
		return Proof{}, err
	}
	sum := sha256.Sum256(cert.Raw)
	return Proof{Auth: "cert", Name: name, Role: roleOf(cert), Fingerprint: hex.EncodeToString(sum[:]), Certificate: cert}, nil
}

func nameOf(cert *x509.Certificate) (string, error) {
	names := 0
	for _, part := range cert.Subject.Names {
		if part.Type.Equal(commonNameOID) {
			names++
		}
	}
	switch {
	case names > 1:
		return "", errors.New("the certificate has more than one CN, so it is not clear whom it speaks for")
	case cert.Subject.CommonName != "":
		return cert.Subject.CommonName, nil
	case len(cert.DNSNames) > 0:
		return cert.DNSNames[0], nil
	}
	return "", errors.New("the certificate has neither a CN nor a DNS name")
}

// roleOf returns the role in the certificate. What it can not read gives the
// least right: node.
func roleOf(cert *x509.Certificate) string {
	for _, ext := range cert.Extensions {
		if !ext.Id.Equal(roleOID) {
			continue
		}
		var value string
		if rest, err := asn1.Unmarshal(ext.Value, &value); err != nil || len(rest) > 0 {
			return "node"
		}
		role, ours := strings.CutPrefix(value, rolePrefix)
		if ours && slices.Contains(roles, role) {
			return role
		}
	}
	return "node"
}

// sameName compares two names without case. Only ASCII names are ever the
// same: folding Unicode would make a Kelvin sign equal to k.
func sameName(a, b string) bool {
	return isASCII(a) && isASCII(b) && strings.EqualFold(a, b)
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 0x7e || r < 0x21 })
}
