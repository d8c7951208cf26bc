package pki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
)

// Role is what a certificate's holder may be. The certificate says it in the
// extension 1.3.6.1.4.1.34380.1.3.13 as the UTF8String "muster:ROLE". That is
// Puppet's pp_auth_role, so a site may also let Puppet's CA sign its
// operators, and Puppet's CA never signs it unasked.
type Role string

// The roles there are. A certificate that says nothing is a node's.
const (
	RoleNode     Role = "node"     // a machine: registers itself and answers
	RoleOperator Role = "operator" // a person or a tool: asks nodes to act
	RoleRegistry Role = "registry" // receives registrations, serves queries
)

var roleOID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 34380, 1, 3, 13}

const rolePrefix = "muster:"

// ParseRole reads a role as people write it. Empty text is [RoleNode].
func ParseRole(text string) (Role, error) {
	if text == "" {
		return RoleNode, nil
	}
	if role := Role(text); slices.Contains([]Role{RoleNode, RoleOperator, RoleRegistry}, role) {
		return role, nil
	}
	return "", fmt.Errorf("there is no role %q; there are node, operator and registry", text)
}

// RoleOf returns the role in a certificate. What it can not read gives the
// least right: [RoleNode].
func RoleOf(cert *x509.Certificate) Role {
	for _, ext := range cert.Extensions {
		if !ext.Id.Equal(roleOID) {
			continue
		}
		var value string
		if rest, err := asn1.Unmarshal(ext.Value, &value); err != nil || len(rest) > 0 {
			return RoleNode
		}
		if text, ours := strings.CutPrefix(value, rolePrefix); ours {
			if role, err := ParseRole(text); err == nil {
				return role
			}
		}
	}
	return RoleNode
}

func roleExtension(role Role) (pkix.Extension, error) {
	value, err := asn1.MarshalWithParams(rolePrefix+string(role), "utf8")
	return pkix.Extension{Id: roleOID, Value: value}, err
}
