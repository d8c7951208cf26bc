package pki

import (
	"crypto/x509"
	"encoding/asn1"
	"strings"
	"unicode/utf8"
)

// puppetArc is where Puppet's registered extensions of certificates lie: below
// it 1 (what a host is), 2 (a site's own) and 3 (what a host may).
var puppetArc = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 34380, 1}

// puppetNames are the extensions that have names, by the end of their number.
var puppetNames = map[string]string{
	"1.1": "pp_uuid", "1.2": "pp_instance_id", "1.3": "pp_image_name", "1.4": "pp_preshared_key", "1.5": "pp_cost_center",
	"1.6": "pp_product", "1.7": "pp_project", "1.8": "pp_application", "1.9": "pp_service", "1.10": "pp_employee",
	"1.11": "pp_created_by", "1.12": "pp_environment", "1.13": "pp_role", "1.14": "pp_software_version", "1.15": "pp_department",
	"1.16": "pp_cluster", "1.17": "pp_provisioner", "1.18": "pp_region", "1.19": "pp_datacenter", "1.20": "pp_zone",
	"1.21": "pp_network", "1.22": "pp_securitypolicy", "1.23": "pp_cloudplatform", "1.24": "pp_apptier", "1.25": "pp_hostname",
	"1.26": "pp_owner", "3.1": "pp_authorization", "3.13": "pp_auth_role", "3.39": "pp_cli_auth",
}

// TrustedFacts are what Puppet's extensions in a certificate say of its holder,
// as Puppet shows them, and once more by their short names:
//
//	{"certname":"db1","extensions":{"pp_role":"db","1.3.6.1.4.1.34380.1.2.1":"x"},"pp_role":"db"}
//
// Without such extensions it has none: nil. The role that muster itself reads, see
// [RoleOf], is not among them.
func TrustedFacts(cert *x509.Certificate) map[string]any {
	extensions := map[string]any{}
	facts := map[string]any{"certname": NameOf(cert), "extensions": extensions}
	for _, ext := range cert.Extensions {
		if len(ext.Id) <= len(puppetArc) || !ext.Id[:len(puppetArc)].Equal(puppetArc) {
			continue
		}
		if ext.Id.Equal(roleOID) && strings.HasPrefix(extensionText(ext.Value), rolePrefix) {
			continue // what muster's own certificates all say
		}
		name := ext.Id.String()
		if short, known := puppetNames[strings.TrimPrefix(name, puppetArc.String()+".")]; known {
			name = short
			facts[name] = extensionText(ext.Value)
		}
		extensions[name] = extensionText(ext.Value)
	}
	if len(extensions) == 0 {
		return nil
	}
	return facts
}

// extensionText reads a value: a text of ASN.1, or as old Puppets wrote it, the
// bare bytes.
func extensionText(value []byte) string {
	var text string
	if rest, err := asn1.Unmarshal(value, &text); err == nil && len(rest) == 0 {
		return text
	}
	if utf8.Valid(value) {
		return string(value)
	}
	return strings.ToValidUTF8(string(value), "\uFFFD")
}
