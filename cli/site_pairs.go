package cli

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"

	"muster/internal/pki"
)

// keyPair loads the pair in a folder below dir, or issues one where there is
// none or it ends soon.
func (s *site) keyPair(folder, name string, role pki.Role) (*pki.KeyPair, error) {
	return s.keptPair(folder, s.ofShownCA, func() (*pki.KeyPair, error) { return s.issue(name, role) })
}

// ofShownCA reports whether a certificate is from the CA that all nodes believe.
func (s *site) ofShownCA(cert *x509.Certificate) bool {
	return cert.CheckSignatureFrom(s.authority.Certificate()) == nil
}

// keptPair loads the pair in a folder below dir, or makes one where there is none,
// it does not serve or ends soon. One that can not be made or kept, because the
// disk is full for example, is no reason not to start while the old one holds.
func (s *site) keptPair(folder string, serves func(*x509.Certificate) bool, issue func() (*pki.KeyPair, error)) (*pki.KeyPair, error) {
	dir := filepath.Join(s.dir, folder)
	old, err := pki.LoadKeyPair(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	holds := err == nil && serves(old.Chain[0]) && s.now().Before(old.Chain[0].NotAfter)
	if holds && !old.Due(s.now()) {
		return old, s.tellCAs(old, dir)
	}
	pair, err := issue()
	if err == nil {
		err = pair.Save(dir)
	}
	if err != nil && holds {
		s.log.Warn("a certificate that ends soon could not be renewed", "folder", dir, "ends", old.Chain[0].NotAfter, "error", err)
		return old, nil
	}
	return pair, err
}

// tellCAs lets a pair that is kept believe the CAs of now.
func (s *site) tellCAs(pair *pki.KeyPair, dir string) error {
	accepted := s.authority.Accepted()
	if slices.EqualFunc(pair.CA, accepted, (*x509.Certificate).Equal) {
		return nil
	}
	pair.CA = accepted
	return pair.Save(dir)
}

// serverPair is what HTTP and the broker show, for the names that this host is
// reached by.
func (s *site) serverPair() (*pki.KeyPair, error) {
	var hosts []string
	if host, _, err := net.SplitHostPort(s.http.Addr().String()); err == nil && net.ParseIP(host) != nil && !net.ParseIP(host).IsUnspecified() {
		hosts = append(hosts, host)
	}
	serves := func(cert *x509.Certificate) bool {
		names := append([]string{"localhost"}, hosts...)
		if name, err := os.Hostname(); err == nil {
			names = append(names, name)
		}
		return s.ofShownCA(cert) &&
			!slices.ContainsFunc(names, func(name string) bool { return cert.VerifyHostname(name) != nil })
	}
	return s.keptPair("server", serves, func() (*pki.KeyPair, error) {
		shown, err := s.authority.IssueServer(pki.Grant{Name: s.name, Role: pki.RoleRegistry, Hosts: hosts})
		if err != nil {
			return nil, fmt.Errorf("issuing the server's certificate: %w", err)
		}
		key, ok := shown.PrivateKey.(crypto.Signer)
		if !ok {
			return nil, errors.New("issuing the server's certificate: its key can not sign")
		}
		ca := s.authority.Certificate()
		return &pki.KeyPair{Key: key, Chain: []*x509.Certificate{shown.Leaf, ca}, CA: s.authority.Accepted()}, nil
	})
}
