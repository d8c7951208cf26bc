package cli

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"muster/internal/pki"
)

// trusting is how this program connects over TLS to the named addresses: the
// server must have a certificate of one of the roots, for one of the hosts.
// Puppet's certificates may name their host in the CN alone, and none of them
// names a loopback address: there the roots decide.
func trusting(roots func() *x509.CertPool, addresses []string) *tls.Config {
	var hosts []string
	for _, address := range addresses {
		if u, err := url.Parse(address); err == nil {
			hosts = append(hosts, u.Hostname())
		}
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		// The library's own check knows no CN and no loopback; VerifyConnection
		// does all of it, for resumed connections too.
		InsecureSkipVerify: true,
		VerifyConnection:   func(c tls.ConnectionState) error { return verifyServer(c.PeerCertificates, roots(), hosts) },
	}
}

func verifyServer(chain []*x509.Certificate, roots *x509.CertPool, hosts []string) error {
	if len(chain) == 0 {
		return errors.New("the server shows no certificate")
	}
	leaf := chain[0]
	intermediates := x509.NewCertPool()
	for _, cert := range chain[1:] {
		intermediates.AddCert(cert)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates}); err != nil {
		return fmt.Errorf("the server's certificate (%s): %w", leaf.Subject.CommonName, err)
	}
	for _, host := range hosts {
		if leaf.VerifyHostname(host) == nil || named(leaf, host) || loopbackHost(host) {
			return nil
		}
	}
	return fmt.Errorf("the server's certificate is of %s, not of %s", leaf.Subject.CommonName, strings.Join(hosts, ", "))
}

// named reports whether a certificate without alternative names has the host
// as its CN.
func named(leaf *x509.Certificate, host string) bool {
	return len(leaf.DNSNames) == 0 && len(leaf.IPAddresses) == 0 && strings.EqualFold(leaf.Subject.CommonName, host)
}

func loopbackHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// presenting is trusting with the pair's own certificate shown to the server.
func presenting(pair *pki.KeyPair, addresses []string) *tls.Config {
	conf := trusting(rootsOf(pair), addresses)
	conf.Certificates = []tls.Certificate{pair.TLS()}
	return conf
}
