package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"os"
	"slices"
	"time"
)

// Grant is what a certificate shall say.
type Grant struct {
	Name  string        // whom it speaks for
	Role  Role          // empty means RoleNode
	TTL   time.Duration // 0 means DefaultTTL; it ends with the CA at the latest
	Hosts []string      // DNS names and IP addresses at which its holder serves TLS; none: it serves nothing

	token string // id of the join token that allowed it
}

// Issue makes a certificate for the holder of a public key and records it.
// It is for the registry's own use: it comes from the CA that all nodes believe,
// and nobody asks whether the name has a certificate already. [Authority.Admit]
// does.
func (a *Authority) Issue(public crypto.PublicKey, g Grant) (*x509.Certificate, error) {
	unlock, err := a.lock()
	if err != nil {
		return nil, fmt.Errorf("issue a certificate for %s: %w", g.Name, err)
	}
	defer unlock()
	return a.issue(public, g, a.current().shows())
}

// IssueServer makes a P-256 key and the certificate of a TLS server that
// answers to localhost, 127.0.0.1, ::1, this host's name, g.Name and g.Hosts.
// What it returns presents the CA as well, so that a join line's fingerprint
// can be checked, and can seal messages.
func (a *Authority) IssueServer(g Grant) (tls.Certificate, error) {
	key, err := NewServerKey()
	if err != nil {
		return tls.Certificate{}, err
	}
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil {
		hosts = append(hosts, name)
	}
	g.Hosts = slices.Concat(hosts, []string{g.Name}, g.Hosts)
	cert, err := a.Issue(key.Public(), g)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{cert.Raw, a.Certificate().Raw}, PrivateKey: key, Leaf: cert}, nil
}

// issue lets a CA sign; the lock is held.
func (a *Authority) issue(public crypto.PublicKey, g Grant, by root) (*x509.Certificate, error) {
	template, err := a.template(g, by.cert.NotAfter)
	if err == nil {
		err = checkKey(public)
	}
	if err != nil {
		return nil, fmt.Errorf("issue a certificate: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, public, by.key)
	if err != nil {
		return nil, fmt.Errorf("issue a certificate for %s: %w", g.Name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("issue a certificate for %s: %w", g.Name, err)
	}
	if err := a.ledger.issued(cert, g.token); err != nil {
		return nil, fmt.Errorf("issue a certificate for %s: %w", g.Name, err)
	}
	return cert, nil
}

func (a *Authority) template(g Grant, latest time.Time) (*x509.Certificate, error) {
	name, err := checkName(g.Name)
	if err != nil {
		return nil, err
	}
	role, err := ParseRole(string(g.Role))
	if err != nil {
		return nil, err
	}
	extension, err := roleExtension(role)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	now := a.now()
	cert := &x509.Certificate{
		SerialNumber: serial, NotBefore: now.Add(-backdate), NotAfter: now.Add(orDefault(g.TTL, DefaultTTL)),
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		ExtraExtensions:       []pkix.Extension{extension},
	}
	if cert.NotAfter.After(latest) {
		cert.NotAfter = latest
	}
	if len(name) <= maxCommonName {
		cert.Subject.CommonName = name
	} else {
		cert.DNSNames = []string{name}
	}
	if len(g.Hosts) > 0 {
		cert.ExtKeyUsage = append(cert.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		addHosts(cert, g.Hosts)
	}
	return cert, nil
}

// addHosts adds each host once, as an address or as a name.
func addHosts(cert *x509.Certificate, hosts []string) {
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			if !slices.ContainsFunc(cert.IPAddresses, ip.Equal) {
				cert.IPAddresses = append(cert.IPAddresses, ip)
			}
		} else if name, err := checkName(host); err == nil && !slices.Contains(cert.DNSNames, name) {
			cert.DNSNames = append(cert.DNSNames, name)
		}
	}
}
